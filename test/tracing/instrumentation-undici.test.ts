import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { SpanKind, trace } from '@opentelemetry/api'
import { UndiciInstrumentation } from '@opentelemetry/instrumentation-undici'
import { request as dial } from 'undici'
import type { Mesh, MeshInput } from '../../src/index.ts'
import { story } from '../scenarios/support/story.ts'
import { says, type Upstream } from '../scenarios/support/upstream.ts'
import { forget, inSpan, register, spans, unregister } from './sdk.ts'
import { fieldsOf } from './support.ts'

let instrumentation: UndiciInstrumentation

before(() => {
  register()
  instrumentation = new UndiciInstrumentation()
  instrumentation.setTracerProvider(trace.getTracerProvider())
  instrumentation.enable()
})
beforeEach(forget)
after(() => {
  instrumentation.disable()
  unregister()
})

const doors: readonly (readonly [string, (mesh: Mesh, headers?: Record<string, string>) => Promise<string>])[] = [
  ['mesh.fetch', async (mesh, headers = {}) => (await mesh.fetch('http://svc.test/', { headers })).text()],
  ['undici.request', async (mesh, headers = {}) => (await dial('http://svc.test/', { headers, dispatcher: mesh.dispatcher })).body.text()],
]

const retrying = ({ address }: Upstream, connections = 128): MeshInput => ({
  services: { 'svc.test': { cluster: 'c', retry: { attempts: 2, backoff: { max: 1 } } } },
  clusters: { c: { registry: { type: 'static', endpoints: [address] }, connections, budget: { percent: 100 } } },
})

/** Who made the CLIENT spans, and whether each stands on the wire as the one parent of one request. */
const clients = (server: Upstream): readonly string[] => {
  const made = spans().filter(({ kind }) => kind === SpanKind.CLIENT)
  const sent = server.requests.map((request) => fieldsOf(request, 'traceparent'))
  assert.deepEqual(sent.map((parents) => parents.length), sent.map(() => 1), 'one traceparent on each request')
  assert.deepEqual(sent.map(([parent]) => parent!.split('-')[2]).sort(), made.map((span) => span.spanContext().spanId).sort())
  return made.map(({ instrumentationScope }) => instrumentationScope.name)
}

for (const [door, get] of doors) {
  test(`each attempt has one span, the mesh's, and one traceparent, retries included, through ${door}`, async (t) => {
    const stage = story(t)
    let turn = 0
    const server = await stage.upstream((request, response) => says('x', turn++ % 2 === 0 ? 503 : 200)(request, response))
    const mesh = stage.mesh(retrying(server))
    await inSpan('work', () => get(mesh))
    assert.deepEqual(clients(server), ['enmesh', 'enmesh'])
    await get(mesh, { Traceparent: 'by hand' })
    assert.deepEqual(clients(server), ['enmesh', 'enmesh', 'enmesh', 'enmesh'])
  })

  test(`that holds for requests that wait for a socket, through ${door}`, async (t) => {
    const stage = story(t)
    let turn = 0
    const server = await stage.upstream((request, response) => says('x', turn++ % 3 === 0 ? 503 : 200)(request, response))
    const mesh = stage.mesh(retrying(server, 1))
    await Promise.all(Array.from({ length: 30 }, () => inSpan('work', () => get(mesh))))
    assert.ok(server.requests.length > 30, 'some were tried again')
    assert.deepEqual(new Set(clients(server)), new Set(['enmesh']))
  })

  test(`with the mesh's tracing off the instrumentation does it, as for any client, through ${door}`, async (t) => {
    const stage = story(t)
    let turn = 0
    const server = await stage.upstream((request, response) => says('x', turn++ % 2 === 0 ? 503 : 200)(request, response))
    const mesh = stage.mesh({ ...retrying(server), telemetry: { tracing: false } })
    await inSpan('work', () => get(mesh))
    assert.deepEqual(clients(server), Array.from({ length: 2 }, () => '@opentelemetry/instrumentation-undici'))
  })
}

test('hosts that are no services are left to the instrumentation', async (t) => {
  const stage = story(t)
  const server = await stage.upstream(says('fine'))
  const mesh = stage.mesh({})
  await inSpan('work', async () => (await mesh.fetch(server.url)).text())
  assert.deepEqual(clients(server), ['@opentelemetry/instrumentation-undici'])
})
