import assert from 'node:assert/strict'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { after, before, test } from 'node:test'
import { trace, type Span } from '@opentelemetry/api'
import { request as dial } from 'undici'
import { carry, currentPassport } from '../../src/core/passport.ts'
import type { Layer, Call, Attempt } from '../../src/index.ts'
import { story } from '../scenarios/support/story.ts'
import { says } from '../scenarios/support/upstream.ts'
import { register, spans, unregister } from './sdk.ts'
import { fieldsOf } from './support.ts'

before(() => register())
after(unregister)

const calls = 1_000

test('of a thousand calls at once over two sockets, none ever takes another one\'s passport or trace, retries and waiting included', async (t) => {
  const stage = story(t)
  const tries = new Map<string, number>()
  const server = await stage.upstream((request, response) => {
    const id = request.url!.slice(1)
    const number = (tries.get(id) ?? 0) + 1
    tries.set(id, number)
    says(id, Number(id) % 3 === 0 && number === 1 ? 503 : 200)(request, response)
  })
  const swapped: string[] = []
  /** Whether the present code runs for the call with that path. */
  const own = (path: string, where: string): void => {
    if (`/${currentPassport()?.requestId}` !== path) swapped.push(`${where} of ${path} in ${currentPassport()?.requestId}`)
  }
  const around = <T extends Call | Attempt>(where: string, pathOf: (subject: T) => string): Layer<T> => (next) => async (subject) => {
    own(pathOf(subject), `before ${where}`)
    const active = trace.getActiveSpan()
    const reply = await next(subject)
    own(pathOf(subject), `after ${where}`)
    assert.equal(trace.getActiveSpan(), active)
    return reply
  }
  const mesh = stage.mesh({
    services: { 'svc.test': { cluster: 'c', timeout: 0, retry: { attempts: 2, backoff: { max: 2 } } } },
    clusters: { c: { registry: { type: 'static', endpoints: [server.address] }, connections: 2, budget: { percent: 100 }, breaker: false, outlier: false } },
  }, {
    layers: { call: [around('call', ({ request }) => request.path)], attempt: [around('attempt', ({ call }) => call.request.path)] },
  })
  const roots: Span[] = []
  const one = async (index: number): Promise<void> => {
    // Not all in one turn: some begin while others wait, are retried, or end.
    for (let turn = 0; turn < index % 7; turn++) await nextTurn()
    const passport = { requestId: String(index), headers: ['uber-trace-id', `${index}:1:0:1`], deadline: Infinity }
    await carry(passport, () => trace.getTracer('app').startActiveSpan('work', async (span) => {
      roots[index] = span
      const url = `http://svc.test/${index}`
      const text = index % 2 === 0 ? await (await mesh.fetch(url)).text() : await (await dial(url, { dispatcher: mesh.dispatcher })).body.text()
      assert.equal(text, String(index))
      own(`/${index}`, 'the caller')
      assert.equal(trace.getActiveSpan(), span)
      span.end()
    }))
  }
  await Promise.all(Array.from({ length: calls }, (_, index) => one(index)))

  assert.deepEqual(swapped, [])
  assert.equal(server.accepted, 2)
  assert.equal(server.requests.length, calls + Math.ceil(calls / 3))
  for (const request of server.requests) {
    const id = request.url!.slice(1)
    assert.deepEqual([fieldsOf(request, 'x-request-id'), fieldsOf(request, 'uber-trace-id')], [[id], [`${id}:1:0:1`]])
    const parents = fieldsOf(request, 'traceparent')
    assert.equal(parents.length, 1)
    const [, traceId, spanId] = parents[0]!.split('-')
    assert.equal(traceId, roots[Number(id)]!.spanContext().traceId)
    const attempt = spans().find((span) => span.spanContext().spanId === spanId)
    assert.equal(attempt?.attributes['url.full'], `http://svc.test/${id}`)
  }
  assert.equal(currentPassport(), undefined)
})
