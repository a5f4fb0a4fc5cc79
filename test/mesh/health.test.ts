import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { createMesh, registries, type MeshConfigError, type Mesh, type MeshInput } from '../../src/index.ts'
import { FakeRegistry, fakeRuntime, scriptedUpstream, settle, type Script } from '../../src/testing/index.ts'
import type { HealthFinding } from '../../src/transport/probes/probe.ts'
import { outcomeOf } from './support.ts'

const url = 'http://a.local/'

type Result = HealthFinding['result']

/** A mesh on virtual time with one cluster `a` behind a registry, whose endpoints are as well as a test says; those it does not name are. */
const scene = (t: TestContext, cluster: object = {}, script: Script = {}) => {
  const registry = new FakeRegistry()
  const runtime = fakeRuntime()
  const upstream = scriptedUpstream(script)
  const health: Record<string, Result | 'silent'> = {}
  const asked: string[] = []
  const config = (more: object = {}): MeshInput => ({
    services: { 'a.local': { cluster: 'a', retry: false, timeout: 0 } },
    clusters: { a: { registry: { type: 'fake' } as never, balancer: { type: 'round-robin' }, healthCheck: { protocol: 'http', interval: '1s' }, ...cluster, ...more } },
  })
  const mesh = createMesh(config(), {
    runtime, transport: upstream.send, registries: registries.with(registry.kind) as never,
    probe: ({ address }) => {
      asked.push(address)
      const result = health[address] ?? 'passed'
      return result === 'silent' ? new Promise(() => {}) : Promise.resolve({ result, found: `as the test says of ${address}` })
    },
  })
  const told: string[] = []
  for (const event of ['endpoint-unhealthy', 'endpoint-healthy', 'panic-entered', 'panic-left'] as const) {
    mesh.on(event, (detail) => told.push(`${event}${'endpoint' in detail ? ` ${detail.endpoint}` : ''}`))
  }
  t.after(async () => {
    await mesh.close()
    assert.equal(runtime.clock.pending, 0)
  })
  return { mesh, registry, clock: runtime.clock, upstream, health, asked, told, config }
}

const statesOf = (mesh: Mesh): string => mesh.status().clusters['a']!.endpoints.map(({ address, state }) => `${address} ${state}`).join(', ')

const whyOf = (mesh: Mesh): readonly string[] => mesh.status().clusters['a']!.endpoints.map(({ why }) => why)

/** Where so many calls go to. */
const reached = async (mesh: Mesh, times = 12): Promise<string> => {
  const endpoints = new Set<string>()
  for (let i = 0; i < times; i++) {
    const response = await mesh.fetch(url)
    await response.text()
    endpoints.add(mesh.trail(response)!.endpoint!)
  }
  return [...endpoints].sort().join(' ')
}

test('before the first verdict calls are sent, and no panic is told of', async (t) => {
  const { mesh, registry, told } = scene(t, { panic: 0 })
  registry.push('x:1', 'y:1', 'z:1')
  await settle()
  assert.equal(statesOf(mesh), 'x:1 unchecked, y:1 unchecked, z:1 unchecked')
  assert.equal(await reached(mesh), 'x:1 y:1 z:1')
  assert.deepEqual(whyOf(mesh)[0], 'unchecked: its first health check is not over; used all the same, since too few others are available')
  assert.deepEqual(told, [])
})

test('ready() waits for an endpoint that is well', async (t) => {
  const { mesh, registry, clock, health } = scene(t)
  health['x:1'] = 'silent'
  const ready = mesh.ready()
  registry.push('x:1', 'y:1')
  assert.equal(await outcomeOf(ready), 'open')
  await clock.advance(100)
  assert.equal(await outcomeOf(ready), undefined)
  assert.equal(statesOf(mesh), 'x:1 unchecked, y:1 available')
})

test('ready() waits no longer than for the first check of each, and not at all for a set without endpoints', async (t) => {
  const { mesh, registry, clock, health } = scene(t)
  health['x:1'] = 'failed'
  health['y:1'] = 'silent'
  const ready = mesh.ready()
  registry.push('x:1', 'y:1')
  await clock.advance(2_000)
  assert.equal(await outcomeOf(ready), 'open')
  await clock.advance(200)
  assert.equal(await outcomeOf(ready), undefined)
  const empty = scene(t)
  const emptyReady = empty.mesh.ready()
  empty.registry.push()
  assert.equal(await outcomeOf(emptyReady), undefined)
})

test('a mesh that is closed before the first verdict is not ready', async (t) => {
  const { mesh, registry, health } = scene(t)
  health['x:1'] = 'silent'
  const ready = mesh.ready()
  registry.push('x:1')
  await settle()
  await mesh.close()
  assert.equal((await outcomeOf(ready) as { code: string }).code, 'ENMESH_CLOSED')
})

test('an unhealthy endpoint gets no calls until it is well again, and status and explain say why', async (t) => {
  const { mesh, registry, clock, health, told } = scene(t)
  registry.push('x:1', 'y:1', 'z:1')
  await clock.advance(200)
  health['x:1'] = 'failed'
  await clock.advance(1_200)
  assert.equal(statesOf(mesh), 'x:1 unhealthy, y:1 available, z:1 available')
  assert.equal(await reached(mesh), 'y:1 z:1')
  assert.equal(whyOf(mesh)[0], 'unhealthy: health check: as the test says of x:1; 0 of 2 health checks in a row passed')
  assert.equal(mesh.explain(url).clusters[0]!.endpoints[0]!.why, whyOf(mesh)[0])
  health['x:1'] = 'passed'
  await clock.advance(2_400)
  assert.equal(statesOf(mesh), 'x:1 available, y:1 available, z:1 available')
  assert.equal(await reached(mesh), 'x:1 y:1 z:1')
  assert.deepEqual(told.slice(3), ['endpoint-unhealthy x:1', 'endpoint-healthy x:1'])
})

test('an endpoint that joins is held out until its first check passes', async (t) => {
  const { mesh, registry, clock, health } = scene(t)
  registry.push('x:1', 'y:1')
  await clock.advance(200)
  health['z:1'] = 'silent'
  registry.push('x:1', 'y:1', 'z:1')
  await clock.advance(100)
  assert.equal(statesOf(mesh), 'x:1 available, y:1 available, z:1 unchecked')
  assert.equal(await reached(mesh), 'x:1 y:1')
  health['z:1'] = 'passed'
  await clock.advance(2_000 + 1_000)
  await clock.advance(2_000)
  assert.equal(await reached(mesh), 'x:1 y:1 z:1')
})

test('a set that is replaced as a whole is used before its first checks', async (t) => {
  const { mesh, registry, clock, told } = scene(t)
  registry.push('x:1', 'y:1')
  await clock.advance(200)
  registry.push('x:2', 'y:2')
  await settle()
  assert.equal(await reached(mesh), 'x:2 y:2')
  assert.deepEqual(told.filter((event) => event.startsWith('panic')), [])
})

test('when too few are well all are used, and each says so', async (t) => {
  const { mesh, registry, clock, health, told } = scene(t)
  health['x:1'] = health['y:1'] = 'unanswered'
  registry.push('x:1', 'y:1', 'z:1')
  await clock.advance(200)
  assert.equal(await reached(mesh), 'x:1 y:1 z:1')
  assert.match(whyOf(mesh)[0]!, /^unhealthy: .*; used all the same, since too few are available \(panic\)$/)
  assert.ok(told.includes('panic-entered'))
})

test('where panic is off and none is well, the error says how they are', async (t) => {
  const { mesh, registry, clock, health } = scene(t, { panic: 0 })
  health['x:1'] = health['y:1'] = 'failed'
  registry.push('x:1', 'y:1')
  await clock.advance(200)
  await assert.rejects(mesh.fetch(url), {
    code: 'ENMESH_NO_ENDPOINT',
    message: "GET a.local/: of the endpoints of cluster 'a' none is available (2 unhealthy). " +
      'Look at mesh.status() for the reasons; with `panic` above 0 they would be tried all the same.',
  })
})

test('an endpoint that is removed is gone however well it is, and one that comes back is new', async (t) => {
  const { mesh, registry, clock, asked, health } = scene(t, { discovery: { grace: 0 } })
  health['x:1'] = 'failed'
  registry.push('x:1', 'y:1')
  await clock.advance(200)
  registry.push('x:1')
  await settle()
  assert.equal(statesOf(mesh), 'x:1 unhealthy')
  asked.length = 0
  await clock.advance(3_000)
  assert.deepEqual([...new Set(asked)], ['x:1'])
  registry.push('y:1')
  await settle()
  registry.push('x:1', 'y:1')
  await settle()
  assert.equal(statesOf(mesh), 'x:1 unchecked, y:1 unchecked')
})

test('an update that does not concern the check keeps its counts, one that does keeps what it has learnt', async (t) => {
  const { mesh, registry, clock, health, config, asked } = scene(t)
  registry.push('x:1', 'y:1', 'z:1')
  health['x:1'] = 'failed'
  await clock.advance(200)
  health['x:1'] = 'passed'
  await clock.advance(1_100)
  assert.match(whyOf(mesh)[0]!, /; 1 of 2 health checks in a row passed$/)
  mesh.update(config({ connections: 5 }))
  assert.match(whyOf(mesh)[0]!, /; 1 of 2 health checks in a row passed$/)
  mesh.update(config({ healthCheck: { protocol: 'tcp', interval: '1s' } }))
  assert.equal(statesOf(mesh), 'x:1 unhealthy, y:1 available, z:1 available')
  assert.equal(whyOf(mesh)[0], 'unhealthy; the next health check that passes brings it back')
  asked.length = 0
  await clock.advance(160)
  assert.equal(asked.length, 3)
  assert.equal(statesOf(mesh), 'x:1 available, y:1 available, z:1 available')
})

test('without health checks nobody is held out, and with them again those in use stay in use', async (t) => {
  const { mesh, registry, clock, health, config, asked } = scene(t)
  registry.push('x:1', 'y:1', 'z:1')
  health['x:1'] = 'failed'
  health['z:1'] = 'silent'
  await clock.advance(200)
  assert.equal(statesOf(mesh), 'x:1 unhealthy, y:1 available, z:1 unchecked')
  mesh.update(config({ healthCheck: false }))
  assert.equal(statesOf(mesh), 'x:1 available, y:1 available, z:1 available')
  assert.deepEqual(whyOf(mesh), ['available', 'available', 'available'])
  asked.length = 0
  await clock.advance(10_000)
  assert.deepEqual(asked, [])
  mesh.update(config())
  assert.equal(statesOf(mesh), 'x:1 available, y:1 available, z:1 available')
  await clock.advance(200)
  assert.equal(statesOf(mesh), 'x:1 unhealthy, y:1 available, z:1 available')
})

test('a change of outlier detection lets nobody in whom health checks keep out', async (t) => {
  const { mesh, registry, clock, health, config } = scene(t)
  registry.push('x:1', 'y:1')
  health['x:1'] = 'failed'
  await clock.advance(200)
  mesh.update(config({ outlier: false }))
  assert.equal(statesOf(mesh), 'x:1 unhealthy, y:1 available')
  mesh.update(config({ outlier: { failures: 2 } }))
  assert.equal(statesOf(mesh), 'x:1 unhealthy, y:1 available')
})

test('an ejected endpoint stays ejected while its health checks go on passing', async (t) => {
  const { mesh, registry, clock } = scene(t, { outlier: { failures: 2, ejection: '5s' }, breaker: false },
    ({ endpoint }) => ({ status: endpoint.address === 'x:1' ? 503 : 200 }))
  registry.push('x:1', 'y:1')
  await clock.advance(200)
  await reached(mesh)
  assert.equal(statesOf(mesh), 'x:1 ejected, y:1 available')
  await clock.advance(4_000)
  assert.equal(statesOf(mesh), 'x:1 ejected, y:1 available')
  await clock.advance(1_000)
  assert.equal(statesOf(mesh), 'x:1 probation, y:1 available')
})

const askedFor: Script = ({ endpoint }) => endpoint.address === 'x:1' ? { headers: { 'x-envoy-immediate-health-check-fail': 'true' } } : {}

test('an endpoint that asks for it in an ordinary answer is out at once, and its answer reaches the caller', async (t) => {
  const { mesh, registry, clock, told } = scene(t, {}, askedFor)
  registry.push('x:1', 'y:1')
  await clock.advance(200)
  const statuses = new Set<number>()
  for (let i = 0; i < 2; i++) statuses.add((await mesh.fetch(url)).status)
  assert.deepEqual([...statuses], [200])
  assert.equal(statesOf(mesh), 'x:1 unhealthy, y:1 available')
  assert.equal(whyOf(mesh)[0], 'unhealthy: it asked for that (x-envoy-immediate-health-check-fail); 0 of 2 health checks in a row passed')
  assert.equal(await reached(mesh), 'y:1')
  await clock.advance(2_400)
  assert.equal(statesOf(mesh), 'x:1 available, y:1 available')
  assert.deepEqual(told.slice(2), ['endpoint-unhealthy x:1', 'endpoint-healthy x:1'])
})

test('where there are no health checks, nobody would bring such an endpoint back, so it stays', async (t) => {
  const { mesh, registry } = scene(t, { healthCheck: false }, askedFor)
  registry.push('x:1', 'y:1')
  await settle()
  assert.equal(await reached(mesh), 'x:1 y:1')
  assert.equal(statesOf(mesh), 'x:1 available, y:1 available')
})

test('over a network of a test that answers no health checks, none are made', async (t) => {
  const runtime = fakeRuntime()
  const mesh = createMesh({
    services: { 'a.local': { cluster: 'a' } },
    clusters: { a: { registry: { type: 'static', endpoints: ['x:1'] }, healthCheck: { protocol: 'http' } } },
  }, { runtime, transport: scriptedUpstream({}).send })
  t.after(() => mesh.close())
  await mesh.ready()
  assert.equal(statesOf(mesh), 'x:1 available')
  assert.equal(runtime.clock.pending, 0)
})

const faults: Readonly<Record<string, readonly [check: unknown, path: string, message: RegExp]>> = {
  'a path for tcp': [{ protocol: 'tcp', path: '/health' }, 'clusters.a.healthCheck.path', /^unknown key: known here: protocol, port, interval/],
  'a protocol that there is not': [{ protocol: 'https' }, 'clusters.a.healthCheck.protocol', /^unknown protocol: did you mean 'http'\?/],
  'no protocol': [{ path: '/health' }, 'clusters.a.healthCheck.protocol', /^needs a protocol: one of http, http2, tcp, grpc/],
  'true': [true, 'clusters.a.healthCheck', /^must be false, or options such as \{ protocol: 'http', path: '\/health' \}/],
  'no time at all': [{ protocol: 'http', timeout: 2 }, 'clusters.a.healthCheck.timeout', /^must be at least 10 ms; a number is milliseconds, for seconds write '5s'/],
}

for (const [name, [healthCheck, path, message]] of Object.entries(faults)) {
  test(`refuses ${name}, with its place`, () => {
    const config = { services: { 'a.local': { cluster: 'a' } }, clusters: { a: { registry: { type: 'static', endpoints: ['x:1'] }, healthCheck } } }
    assert.throws(() => createMesh(config as MeshInput), (error: MeshConfigError) => {
      assert.deepEqual(error.faults.map((fault) => fault.path), [path])
      assert.match(error.faults[0]!.message, message)
      return true
    })
  })
}
