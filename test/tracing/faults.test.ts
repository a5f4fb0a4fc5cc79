import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { context, diag, DiagLogLevel, metrics, propagation, trace, type MeterProvider, type TextMapPropagator } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { TracerProvider, type Sampler, type SpanProcessor } from '@opentelemetry/sdk-trace'
import { withPassport } from '../../src/server/index.ts'
import { story } from '../scenarios/support/story.ts'
import { says } from '../scenarios/support/upstream.ts'
import { ask } from '../server/support.ts'
import { register, unregister, w3c } from './sdk.ts'
import { fieldsOf } from './support.ts'

const errors: string[] = []
const silent = (): void => {}
diag.setLogger({ error: (message) => { errors.push(message) }, warn: silent, info: silent, debug: silent, verbose: silent }, DiagLogLevel.ERROR)
after(() => {
  unregister()
  metrics.disable()
  diag.disable()
})

const broken = (): never => { throw new Error('broken') }
const processor = (own: Partial<SpanProcessor>): SpanProcessor =>
  ({ onStart: silent, onEnd: silent, forceFlush: async () => {}, shutdown: async () => {}, ...own })

const withProcessor = (own: Partial<SpanProcessor>): void => {
  unregister()
  trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [processor(own)] }))
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  propagation.setGlobalPropagator(w3c())
}

const sampler: Sampler = { shouldSample: broken, toString: () => 'broken' }
const lone = (own: Partial<TextMapPropagator>): TextMapPropagator => {
  const whole = w3c()
  return { inject: (...args) => whole.inject(...args), extract: (...args) => whole.extract(...args), fields: () => whole.fields(), ...own }
}

const setups: Readonly<Record<string, () => void>> = {
  'a processor that hears of starts': () => withProcessor({ onStart: broken }),
  'a sampler': () => register({ sampler }),
  'a propagator that writes': () => register({ propagator: lone({ inject: (_context, carrier, setter) => { setter.set(carrier, 'traceparent', 'half'); broken() } }) }),
  'a propagator that is asked for its fields': () => register({ propagator: lone({ fields: broken }) }),
  'a propagator that reads': () => register({ propagator: lone({ extract: broken }) }),
  'a meter provider': () => {
    register()
    metrics.setGlobalMeterProvider({ getMeter: broken } satisfies MeterProvider)
  },
}

for (const [name, setUp] of Object.entries(setups)) {
  test(`${name} and throws costs neither a call nor an inbound request its answer`, async (t) => {
    metrics.disable()
    setUp()
    const stage = story(t)
    const server = await stage.upstream((request, response) => says('fine', server.requests.length % 2 === 1 ? 503 : 200)(request, response))
    const mesh = stage.mesh({
      services: { 'svc.test': { cluster: 'c', retry: { attempts: 2, backoff: { max: 1 } } } },
      clusters: { c: { registry: { type: 'static', endpoints: [server.address] } } },
    })
    const { address } = await stage.upstream(withPassport(async (_request, response) => {
      response.end(await (await mesh.fetch('http://svc.test/')).text())
    }))
    for (let turn = 0; turn < 2; turn++) {
      const { status, body } = await ask(address, '/', { traceparent: `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01` })
      assert.deepEqual([status, body], [200, 'fine'])
    }
    assert.equal(server.requests.length, 4, 'each call was tried twice')
    for (const request of server.requests) assert.doesNotMatch(fieldsOf(request, 'traceparent').join(), /half/)
  })
}

test('an exporter that throws when a SERVER span ends does not end the process', async (t) => {
  withProcessor({ onEnd: broken })
  const { address } = await story(t).upstream(withPassport((_request, response) => { response.end('fine') }))
  for (let turn = 0; turn < 2; turn++) assert.equal((await ask(address, '/')).body, 'fine')
})

test('of each kind of failure one word goes to the diagnostics', () => {
  const kinds = errors.map((message) => /^enmesh: (.*) failed, so it was left out\./.exec(message)?.[1])
  assert.deepEqual(kinds.toSorted(), [
    "asking for a propagator's fields", 'ending a SERVER span', "extracting a request's context", 'following a meter provider',
    "injecting an attempt's context", 'starting a SERVER span', 'starting a span',
  ])
})
