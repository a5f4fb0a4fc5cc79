import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { balancers, createMesh, kind, registries, type Balancer, type EndpointSpec } from '../../src/index.ts'
import { FakeRegistry } from '../../src/testing/index.ts'
import { z } from 'zod'

/** A server that counts the sockets opened to it. */
const counting = async (t: TestContext): Promise<{ readonly address: string, readonly sockets: () => number }> => {
  let sockets = 0
  const server: Server = createServer({ keepAliveTimeout: 60_000 }, (_, response) => response.end('ok'))
  server.on('connection', () => { sockets++ })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, sockets: () => sockets }
}

/** Endpoints that nobody calls. */
const others = (net: number, count: number): readonly EndpointSpec[] =>
  Array.from({ length: count }, (_, index) => ({ address: `10.${net}.${index >> 8}.${index & 255}:80` }))

test('of 10 000 endpoints those that stay keep their sockets and what was learnt of them, whatever becomes of the rest', async (t) => {
  const servers = await Promise.all([counting(t), counting(t), counting(t)])
  const real = servers.map(({ address }): EndpointSpec => ({ address, metadata: { real: 'yes' } }))
  const fake = new FakeRegistry()
  // In turn, of those that listen.
  const realOnly = kind('real-only', z.strictObject({}), (): Balancer => (endpoints) => {
    const chosen = endpoints.filter(({ metadata }) => metadata['real'] === 'yes')
    let turn = 0
    return () => chosen[turn++ % chosen.length]
  })
  const mesh = createMesh({
    services: { 'large.local': { cluster: 'large' } },
    clusters: { large: { registry: { type: 'fake' }, balancer: { type: 'real-only' }, keepAlive: '60s', discovery: { grace: 0 } } },
  }, { registries: registries.with(fake.kind), balancers: balancers.with(realOnly) })
  t.after(() => mesh.close())
  const call = async (times: number): Promise<void> => {
    for (let turn = 0; turn < times; turn++) assert.equal(await (await mesh.fetch('http://large.local/')).text(), 'ok')
  }
  const learnt = () => mesh.status().clusters['large']!.endpoints
    .filter(({ metadata }) => metadata['real'] === 'yes').map(({ address, attempts, latency }) => ({ address, attempts, known: latency > 0 }))
  const sockets = () => servers.map((server) => server.sockets())
  const after = (attempts: number) => real.map(({ address }) => ({ address, attempts, known: true }))

  fake.push(...others(0, 4_997), ...real, ...others(1, 5_000))
  await call(30)
  assert.deepEqual([learnt(), sockets()], [after(10), [1, 1, 1]])

  for (const [what, ...set] of [
    ['one of the others changes', ...others(0, 4_996), ...real, ...others(1, 5_001)],
    ['all others are replaced', ...others(2, 4_997), ...real, ...others(3, 5_000)],
    ['all others go', ...real],
    ['they come back', ...others(0, 4_997), ...real, ...others(1, 5_000)],
  ] as const) {
    const before = mesh.status().clusters['large']!.registry as { readonly sets: number }
    fake.push(...set)
    while ((mesh.status().clusters['large']!.registry as { readonly sets: number }).sets === before.sets) await new Promise(setImmediate)
    const { attempts } = learnt()[0]!
    assert.equal(mesh.status().clusters['large']!.endpoints.length, set.length, what)
    await call(30)
    assert.deepEqual([learnt(), sockets()], [after(attempts + 10), [1, 1, 1]], what)
  }
})
