import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { test } from 'node:test'
import { context, metrics, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { AggregationTemporality, InMemoryMetricExporter, MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics'
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import { request } from 'undici'
import { createMesh, type Mesh, type MeshInput } from '../../src/index.ts'
import { knownEvents } from '../../src/core/events.ts'
import { authorize, meshTls, withPassport } from '../../src/server/index.ts'
import { authority, type Authority } from '../support/authority.ts'
import { assertNoSecrets, lineOf, mark } from '../support/secrets.ts'
import { serveTls } from '../server/tls-support.ts'
import { rejection, turnsUntil } from './support/story.ts'
import { refused } from './support/upstream.ts'

const made = authority()
const skip = made === undefined && 'there is no openssl to make certificates with'
const pki = made ?? {} as Authority

const told: unknown[] = []

test('nothing secret is in any error, event, status, trail, span, metric, or answer of the mesh, whatever goes well or wrong', { skip }, async (t) => {
  const spans = new InMemorySpanExporter()
  trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter: spans })] }))
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const meters = new MeterProvider({ readers: [new PeriodicExportingMetricReader({ exporter })] })
  metrics.setGlobalMeterProvider(meters)
  const printed: string[] = []
  for (const method of ['log', 'info', 'warn', 'error', 'debug'] as const) t.mock.method(console, method, (...words: unknown[]) => { printed.push(words.map(String).join(' ')) })
  t.after(() => { trace.disable(); metrics.disable(); context.disable(); return meters.shutdown() })

  const channels = [...knownEvents, 'client-refused', 'handshake-failed', 'call-denied'].map((event) => `enmesh:${event}`)
  const hear = (detail: unknown): void => { told.push(detail) }
  for (const channel of channels) subscribe(channel, hear)
  t.after(() => { for (const channel of channels) unsubscribe(channel, hear) })

  process.env['ENMESH_TEST_TOKEN'] = mark('registry-token')
  t.after(() => { delete process.env['ENMESH_TEST_TOKEN'] })
  const good = { ca: pki.root, cert: pki.client.cert, key: pki.encryptedKey, passphrase: pki.passphrase, names: ['svc.test'] }
  const access = authorize({ rules: [{ path: '/open', callers: 'verified' }], default: 'deny' })
  const server = await serveTls(t, { ...pki.server, clients: { ca: pki.root } }, withPassport(access.guard((_, response) => {
    response.setHeader('set-cookie', `session=${mark('set-cookie')}`).end('ok')
  })))
  const config = (tls: object | false = good): MeshInput => ({
    services: { 'svc.test': { routes: [{ to: 'c', retry: { backoff: { max: 1 } } }] }, 'down.test': [refused] },
    clusters: {
      c: { registry: { type: 'static', endpoints: [server.address] }, tls: tls as typeof good },
      // A registry that cannot be reached, with a token.
      r: { registry: { type: 'consul', servers: [`http://${refused}`], service: 'x', token: { env: 'ENMESH_TEST_TOKEN' } } },
    },
    egress: 'deny',
  })
  const mesh = createMesh(config())
  const headers = {
    'authorization': `Bearer ${mark('authorization')}`, 'cookie': `session=${mark('cookie')}`, 'x-api-key': mark('api-key'), 'proxy-authorization': mark('proxy'),
  }
  const calls = async (from: Mesh): Promise<void> => {
    for (const url of ['http://svc.test/open', 'http://svc.test/shut', 'http://down.test/open', 'http://elsewhere.test/open']) {
      const target = `${url}?token=${mark('query')}#${mark('fragment')}`
      for (const init of [{}, { method: 'POST', body: mark('body') }]) {
        try {
          const response = await from.fetch(target, { ...init, headers })
          if (response.status !== 200) told.push(await response.text(), [...response.headers].filter(([name]) => name !== 'set-cookie'))
          else await response.text()
          told.push(from.trail(response))
        } catch (error) {
          told.push(error, (error as Error).message, (error as Error).stack, from.trail(error))
        }
        await request(target.replace('http://', `http://user:${mark('url')}@`), { dispatcher: from.dispatcher, headers, ...init as { method?: 'POST' } })
          .then(({ body }) => body.text(), (error: unknown) => told.push(error))
      }
      told.push(from.explain(target, { headers }))
    }
    told.push(from.status(), from)
  }
  await calls(mesh)
  const { key, cert } = pki.stranger
  for (const tls of [{ ...good, ca: pki.otherRoot }, { ca: pki.root, key, cert }, { ca: pki.root }, false, { ...good, names: ['nobody.test'] }] as const) {
    mesh.update(config(tls))
    await calls(mesh)
  }
  const broken = [
    { ...good, passphrase: mark('passphrase') }, { ...good, key: pki.client.key.replace('PRIVATE', 'PRIVATE X') }, { ...good, cert: pki.client.key }, { ...good, ca: { file: pki.client.key } },
  ]
  for (const tls of broken) told.push(await rejection((async () => { mesh.update(config(tls)) })()))
  for (const options of [{ ...pki.server, cert: pki.client.key }, { ...pki.client, key: pki.encryptedKey, passphrase: mark('passphrase') }, { ...pki.server, key: { file: pki.server.key } }]) {
    told.push(await rejection((async () => { meshTls(options) })()))
  }
  told.push(await rejection((async () => createMesh({ services: { x: [`http://user:${mark('url')}@10.0.0.1:80`] } }))()))
  told.push(server.tls, server.tls.status(), server.told, server.server, access, access.status(), mesh.status())
  await turnsUntil(() => mesh.status().calls === 0, 'the calls are over')
  await meters.forceFlush()
  told.push(spans.getFinishedSpans().map(({ name, attributes, events, status, links }) => ({ name, attributes, events, status, links })), exporter.getMetrics(), printed)
  await mesh.close()

  assert.ok(spans.getFinishedSpans().length > 10 && exporter.getMetrics().length > 0, 'there is something to search')
  assertNoSecrets(told, [pki.passphrase, ...[pki.client.key, pki.server.key, pki.encryptedKey].map(lineOf)])
})
