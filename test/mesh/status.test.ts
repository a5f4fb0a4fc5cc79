import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMesh, registries, type MeshInput } from '../../src/index.ts'
import { FakeRegistry, fakeRuntime, scriptedUpstream, settle } from '../../src/testing/index.ts'
import { listing, virtual } from './support.ts'

const config = {
  services: { 's.local': { routes: [{ name: 'all', to: { s: 3, other: 1 }, retry: false }] } },
  clusters: {
    s: {
      ...listing({ address: 'a:1', id: 'task-1', weight: 2, metadata: { zone: 'x' } }, 'b:1'),
      balancer: { type: 'round-robin' },
      panic: 0,
    },
    other: { ...listing('c:1'), breaker: false },
  },
} satisfies MeshInput

test('status is plain data: it comes out of JSON as it went in', async () => {
  const { mesh } = virtual(config, [{ status: 500 }, {}])
  await mesh.ready()
  for (let i = 0; i < 10; i++) await (await mesh.fetch('http://s.local/')).text()
  const status = mesh.status()
  assert.deepEqual(JSON.parse(JSON.stringify(status)), status)
  await mesh.close()
})

test('status shows each endpoint with what its registry said and what was learnt of it', async () => {
  const { mesh, clock } = virtual(config, [{ status: 500, delay: 20 }, { delay: 40 }])
  await mesh.ready()
  for (let i = 0; i < 2; i++) {
    const fetched = mesh.fetch('http://s.local/')
    await clock.advance(100)
    await (await fetched).text()
  }
  const endpoints = Object.values(mesh.status().clusters).flatMap(({ endpoints }) => endpoints)
  assert.deepEqual(endpoints.map(({ id, address, weight, metadata }) => ({ id, address, weight, metadata })), [
    { id: 'task-1', address: 'a:1', weight: 2, metadata: { zone: 'x' } },
    { id: 'b:1', address: 'b:1', weight: 1, metadata: {} },
    { id: 'c:1', address: 'c:1', weight: 1, metadata: {} },
  ])
  const sum = (field: 'active' | 'attempts' | 'failures') => endpoints.reduce((total, endpoint) => total + endpoint[field], 0)
  assert.deepEqual([sum('active'), sum('attempts'), sum('failures')], [0, 2, 1])
  await mesh.close()
})

test('status counts what is under way', async () => {
  const { mesh, clock } = virtual({ services: { s: ['a:1'] } }, { delay: 100, bodyDelay: 100 })
  const fetched = [mesh.fetch('http://s/'), mesh.fetch('http://s/')]
  await settle()
  const { calls, clusters: { s } } = mesh.status()
  assert.deepEqual([calls, s!.active, s!.endpoints[0]!.active], [2, 2, 2])
  await clock.advance(150)
  await Promise.all(fetched)
  assert.equal(mesh.status().calls, 2, 'a call is under way until its body ends')
  await clock.advance(100)
  assert.deepEqual([mesh.status().calls, mesh.status().clusters['s']!.active], [0, 0])
  await mesh.close()
})

test('status tells how a registry fares, and what a breaker knows', async () => {
  const registry = new FakeRegistry()
  const runtime = fakeRuntime()
  const mesh = createMesh(
    { services: { s: { cluster: 's' } }, clusters: { s: { registry: { type: 'fake' } }, off: { ...listing('a:1'), breaker: false } } },
    { runtime, transport: scriptedUpstream({}).send, registries: registries.with(registry.kind) },
  )
  registry.push('a:1')
  await mesh.ready()
  registry.fail(new Error('no answer'))
  await settle()
  const { s, off } = mesh.status().clusters
  assert.deepEqual(s!.registry, { sets: 1, failures: 1, failuresInARow: 1, lastError: 'no answer', age: 0 })
  assert.deepEqual(s!.breaker, { state: 'closed', calls: 0, failures: 0 })
  assert.equal(s!.endpoints.length, 1, 'a registry that fails takes nothing away')
  assert.equal(off!.breaker, false)
  await mesh.close()
  assert.equal(runtime.clock.pending, 0)
})

test('status of a closed mesh says so, and lists no endpoints', async () => {
  const { mesh } = virtual(config)
  await mesh.ready()
  assert.equal(mesh.status().closed, false)
  await mesh.close()
  assert.equal(mesh.status().closed, true)
  assert.deepEqual(Object.values(mesh.status().clusters).flatMap(({ endpoints }) => endpoints), [])
})
