import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { test, type TestContext } from 'node:test'
import { rootCertificates } from 'node:tls'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { metrics, type Meter, type MeterProvider } from '@opentelemetry/api'
import { createMesh, registries, type Mesh, type MeshInput, type MeshOptions } from '../../src/index.ts'
import { FakeRegistry, fakeRuntime, scriptedUpstream, settle, type Script } from '../../src/testing/index.ts'
import { gate, load, rejection, story } from '../scenarios/support/story.ts'
import { refused, says } from '../scenarios/support/upstream.ts'
import { listing, virtual } from '../mesh/support.ts'
import { pageText } from '../docs/samples.ts'
import { collectGarbage } from '../soak/support/memory.ts'
import { collecting } from './collecting.ts'

const duration = 'http.client.request.duration'
const activeRequests = 'http.client.active_requests'
const openConnections = 'http.client.open_connections'

/** A mesh on virtual time that is closed when the test is over. */
const meshFor = (t: TestContext, config: MeshInput, script: Script = {}, options: MeshOptions = {}) => {
  const made = virtual(config, script, options)
  t.after(() => made.mesh.close())
  return made
}

const once = { 'a.local': { cluster: 'a', retry: false, timeout: 0 } } as const satisfies MeshInput['services']
const plain = { services: once, clusters: { a: listing('10.0.0.1:1') } } satisfies MeshInput

const get = async (mesh: Mesh, url = 'http://a.local/', init: RequestInit = {}): Promise<void> => {
  await (await mesh.fetch(url, init)).text()
}

const kinds: Readonly<Record<string, string>> = {
  'histogram': 'HISTOGRAM', 'counter': 'OBSERVABLE_COUNTER', 'up-down counter': 'OBSERVABLE_UP_DOWN_COUNTER', 'gauge': 'OBSERVABLE_GAUGE',
}

/** The instruments as the table of the guide lists them. */
const tableOfGuide = () => {
  const [, table = ''] = pageText('docs/guides/observing.md').split('| metric | unit | kind | attributes |')
  return new Map([...table.matchAll(/^\| `([\w.]+)` \| `([^`]+)` \| ([^|]+) \| ([^|]*) \|/gm)].map(([, name, unit, kind, attributes]) => [name!, {
    unit: unit!, kind: kinds[kind!]!, scope: 'enmesh', attributes: new Set([...attributes!.matchAll(/`([^`]+)`/g)].map(([, attribute]) => attribute!)),
  }]))
}

test('every instrument has the name, the unit, the kind and the attributes that the guide says', async (t) => {
  const { collect } = collecting(t)
  const fake = new FakeRegistry()
  const runtime = fakeRuntime()
  const upstream = scriptedUpstream([{ status: 503 }, {}])
  const mesh = createMesh({
    services: { 'a.local': { cluster: 'a', retry: { backoff: { base: 0 } } } },
    clusters: { a: { registry: { type: 'fake' }, healthCheck: { protocol: 'tcp' }, tls: { ca: rootCertificates[0]! } } },
  }, {
    runtime, transport: upstream.send, registries: registries.with(fake.kind), probe: async () => ({ result: 'passed', found: 'it' }),
  })
  t.after(() => mesh.close())
  fake.push('10.0.0.1:1', '10.0.0.2:1')
  await runtime.clock.advance(100)
  const answer = mesh.fetch('http://a.local/')
  while (upstream.attempts.length < 2) await runtime.clock.advance(1)
  await (await answer).text()
  const found = new Map<string, { unit: string, kind: string, scope: string, attributes: Set<string> }>()
  for (const { name, unit, kind, scope, attributes } of await collect()) {
    const known = found.get(name)?.attributes ?? []
    found.set(name, { unit, kind, scope, attributes: new Set([...known, ...Object.keys(attributes)]) })
  }
  const guide = tableOfGuide()
  assert.equal(guide.size, 12)
  assert.deepEqual(found, guide)
})

test('an attempt is measured once, from its start to the end of its body, in the boundaries of the convention', async (t) => {
  const { collect } = collecting(t)
  const { mesh, clock } = meshFor(t, plain, { delay: 20, bodyDelay: 30 })
  const answer = get(mesh)
  await settle()
  await clock.advance(49)
  assert.deepEqual(await collect(duration), [])
  await clock.advance(1)
  await answer
  const [series, ...others] = await collect(duration)
  assert.deepEqual(others, [])
  assert.deepEqual(series!.attributes, {
    'http.request.method': 'GET', 'server.address': 'a.local', 'server.port': 80, 'enmesh.cluster': 'a',
    'http.response.status_code': 200, 'network.protocol.version': '1.1',
  })
  assert.equal(series!.histogram?.count, 1)
  assert.equal(series!.value, 0.05)
  assert.deepEqual(series!.histogram?.buckets.boundaries, [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10])
})

const endings: readonly { readonly ending: string, readonly script: Script, readonly status?: number, readonly error?: string }[] = [
  { ending: 'an answer of 3xx', script: { status: 304 }, status: 304 },
  { ending: 'an answer of 4xx', script: { status: 404 }, status: 404, error: '404' },
  { ending: 'an answer of 5xx', script: { status: 503 }, status: 503, error: '503' },
  { ending: 'a connection that failed', script: { error: 'ENMESH_CONNECT_FAILED' }, error: 'ENMESH_CONNECT_FAILED' },
  { ending: 'a body that broke off', script: { status: 200, bodyDelay: 1, error: 'ENMESH_CONNECTION_RESET' }, status: 200, error: 'ENMESH_CONNECTION_RESET' },
]

for (const { ending, script, status, error } of endings) {
  test(`${ending} is told by status and type of error`, async (t) => {
    const { collect } = collecting(t)
    const { mesh, clock } = meshFor(t, plain, script)
    const over = get(mesh).catch(() => {})
    await settle()
    await clock.advance(1)
    await over
    const [series, ...others] = await collect(duration)
    assert.deepEqual(others, [])
    assert.equal(series!.attributes['http.response.status_code'], status)
    assert.equal(series!.attributes['error.type'], error)
  })
}

test('what the caller gave up is measured and no error', async (t) => {
  const { collect, by } = collecting(t)
  const { mesh, clock } = meshFor(t, plain, { delay: Number.POSITIVE_INFINITY })
  const abort = new AbortController()
  const answer = rejection(get(mesh, undefined, { signal: abort.signal }))
  await settle()
  await clock.advance(10)
  abort.abort()
  await answer
  const [series] = await collect(duration)
  assert.equal(series!.value, 0.01)
  assert.equal('error.type' in series!.attributes, false)
  assert.equal('http.response.status_code' in series!.attributes, false)
  assert.deepEqual(await by('enmesh.attempts', 'enmesh.attempt.verdict'), { success: 0, failure: 0, none: 1 })
})

test('each attempt of a call that is retried is measured, and the retry is counted by its reason', async (t) => {
  const { by } = collecting(t)
  const { mesh, upstream, clock } = meshFor(t,
    { services: { 'a.local': { cluster: 'a' } }, clusters: { a: listing('10.0.0.1:1', '10.0.0.2:1', '10.0.0.3:1') } },
    [{ status: 503 }, { error: 'ENMESH_CONNECT_FAILED' }, {}])
  const answer = get(mesh)
  while (upstream.attempts.length < 3) await clock.advance(1)
  await answer
  assert.deepEqual(await by(duration, 'error.type'), { 503: 1, ENMESH_CONNECT_FAILED: 1, undefined: 1 })
  assert.deepEqual(await by('enmesh.attempts', 'enmesh.attempt.verdict', { 'enmesh.cluster': 'a' }), { success: 1, failure: 2, none: 0 })
  assert.deepEqual(await by('enmesh.retries', 'enmesh.retry.reason', { 'enmesh.cluster': 'a' }), { 503: 1, ENMESH_CONNECT_FAILED: 1 })
})

test('requests under way and connections are those of the moment', async (t) => {
  const { by } = collecting(t)
  const { mesh: make, upstream } = story(t)
  const answered = gate()
  const server = await upstream((_, response) => { void answered.opened.then(() => response.end('ok')) })
  const mesh = make({ services: { 'a.local': { cluster: 'a' } }, clusters: { a: { ...listing(server.address), keepAlive: '1h' } } })
  const answers = Array.from({ length: 3 }, () => get(mesh))
  await server.arrived(3)
  const service = { 'server.address': 'a.local', 'server.port': 80, 'enmesh.cluster': 'a' }
  assert.deepEqual(await by(activeRequests, 'http.request.method', service), { GET: 3 })
  assert.deepEqual(await by(openConnections, 'http.connection.state', { 'enmesh.cluster': 'a' }), { active: 3, idle: 0 })
  answered.open()
  await Promise.all(answers)
  assert.deepEqual(await by(activeRequests, 'http.request.method'), { GET: 0 })
  assert.deepEqual(await by(openConnections, 'http.connection.state'), { active: 0, idle: 3 })
  await mesh.close()
  assert.deepEqual(await by(openConnections, 'http.connection.state'), { active: 0, idle: 0 })
})

test('under load over real sockets every attempt is measured, and nothing is left under way', async (t) => {
  const { by } = collecting(t)
  const { mesh: make, upstream } = story(t)
  const good = await upstream(says('ok'))
  const mesh = make({
    services: { 'a.local': { cluster: 'a', retry: { attempts: 3, backoff: { base: 0 } } } },
    clusters: { a: { ...listing(good.address, refused), outlier: false, breaker: false, budget: { percent: 100 } } },
  })
  let attempts = 0
  await load(100, 8, async () => {
    const response = await mesh.fetch('http://a.local/')
    await response.text()
    attempts += mesh.trail(response)!.attempts.length
  })
  const measured = await by(duration, 'error.type')
  assert.ok(attempts > 100, 'none was retried')
  assert.deepEqual(measured, { undefined: 100, ENMESH_CONNECT_FAILED: attempts - 100 })
  assert.deepEqual(await by('enmesh.retries', 'enmesh.retry.reason'), { ENMESH_CONNECT_FAILED: attempts - 100 })
  assert.deepEqual(await by(activeRequests, 'http.request.method'), { GET: 0 })
})

test('ejections are counted, and endpoints by their state', async (t) => {
  const { by } = collecting(t)
  const { mesh, clock } = meshFor(t, {
    services: { 'a.local': { cluster: 'a', retry: false } },
    clusters: { a: { ...listing('bad:1', 'good:1'), outlier: { failures: 1, ejection: '10s' }, breaker: false, balancer: { type: 'round-robin' } } },
  }, ({ endpoint }) => ({ status: endpoint.address === 'bad:1' ? 500 : 200 }))
  await mesh.ready()
  assert.deepEqual(await by('enmesh.endpoints', 'enmesh.endpoint.state'), { available: 2, ejected: 0, probation: 0 })
  for (let i = 0; i < 4; i++) await get(mesh)
  assert.deepEqual(await by('enmesh.ejections', 'enmesh.cluster'), { a: 1 })
  assert.deepEqual(await by('enmesh.endpoints', 'enmesh.endpoint.state'), { available: 1, ejected: 1, probation: 0 })
  await clock.advance(10_000)
  assert.deepEqual(await by('enmesh.endpoints', 'enmesh.endpoint.state'), { available: 1, ejected: 0, probation: 1 })
})

test('health checks are counted by what they found, and endpoints by the states that they bring', async (t) => {
  const { by } = collecting(t)
  const found = { 'well:1': 'passed', 'ill:1': 'failed', 'gone:1': 'unanswered' } as const
  const { mesh, clock } = meshFor(t, {
    services: { 'a.local': { cluster: 'a' } },
    clusters: { a: { ...listing(...Object.keys(found)), healthCheck: { protocol: 'http', interval: '1m' } } },
  }, {}, { probe: async ({ address }) => ({ result: found[address as keyof typeof found], found: 'so' }) })
  await settle()
  const state = (counts: object) => ({ available: 0, ejected: 0, probation: 0, unchecked: 0, unhealthy: 0, ...counts })
  assert.deepEqual(await by('enmesh.endpoints', 'enmesh.endpoint.state'), state({ unchecked: 3 }))
  assert.deepEqual(await by('enmesh.health_checks', 'enmesh.check.result'), {})
  await clock.advance(150)
  assert.deepEqual(await by('enmesh.endpoints', 'enmesh.endpoint.state'), state({ available: 1, unhealthy: 2 }))
  assert.deepEqual(await by('enmesh.health_checks', 'enmesh.check.result', { 'enmesh.cluster': 'a' }), { passed: 1, failed: 1, unanswered: 1 })
  await mesh.close()
  assert.deepEqual(await by('enmesh.health_checks', 'enmesh.check.result'), { passed: 1, failed: 1, unanswered: 1 })
})

test('of the states of a breaker the present one is 1', async (t) => {
  const { by } = collecting(t)
  const { mesh, clock } = meshFor(t, { ...plain, clusters: { a: { ...listing('10.0.0.1:1'), breaker: { calls: 2, open: '5s' } } } }, { status: 500 })
  const states = () => by('enmesh.breaker.status', 'enmesh.breaker.state', { 'enmesh.cluster': 'a' })
  assert.deepEqual(await states(), { closed: 1, open: 0, 'half-open': 0 })
  for (let i = 0; i < 2; i++) await get(mesh)
  assert.deepEqual(await states(), { closed: 0, open: 1, 'half-open': 0 })
  await clock.advance(6_000)
  assert.deepEqual(await states(), { closed: 0, open: 0, 'half-open': 1 })
  mesh.update({ ...plain, clusters: { a: { ...listing('10.0.0.1:1'), breaker: false } } })
  assert.deepEqual(await states(), { closed: 0, open: 0, 'half-open': 0 })
})

test("a budget's balance is what status shows", async (t) => {
  const { by } = collecting(t)
  const { mesh } = meshFor(t, { ...plain, clusters: { a: { ...listing('10.0.0.1:1'), budget: { percent: 50, perSecond: 1 } } } })
  for (let i = 0; i < 6; i++) await get(mesh)
  const { budget } = mesh.status().clusters['a']!
  assert.ok(budget > 0)
  assert.deepEqual(await by('enmesh.budget.balance', 'enmesh.cluster'), { a: budget })
})

test("a registry's age grows from its last answer, and a list that is written down has none", async (t) => {
  const { by } = collecting(t)
  const fake = new FakeRegistry()
  const runtime = fakeRuntime()
  const mesh = createMesh({ services: {}, clusters: { written: listing('a:1'), asked: { registry: { type: 'fake' } } } },
    { runtime, registries: registries.with(fake.kind) })
  t.after(() => mesh.close())
  await settle()
  assert.deepEqual(await by('enmesh.registry.age', 'enmesh.cluster'), {}, 'it has not answered yet')
  fake.push('b:1')
  await settle()
  await runtime.clock.advance(1_500)
  assert.deepEqual(await by('enmesh.registry.age', 'enmesh.cluster'), { asked: 1.5 })
  fake.push('b:1')
  await settle()
  assert.deepEqual(await by('enmesh.registry.age', 'enmesh.cluster'), { asked: 0 })
})

test('an SDK that comes after traffic began is told of what is under way and was counted, and measures what ends from then on', async (t) => {
  const { mesh, clock } = meshFor(t, plain, [{}, { delay: 100 }])
  await get(mesh)
  const answer = get(mesh)
  await settle()
  const { collect, by } = collecting(t)
  assert.deepEqual(await collect(), [], 'nobody told the mesh of it')
  await clock.advance(100)
  await answer
  assert.deepEqual(await by('enmesh.attempts', 'enmesh.attempt.verdict'), { success: 2, failure: 0, none: 0 })
  assert.deepEqual(await by(activeRequests, 'http.request.method'), { GET: 0 })
  assert.deepEqual(await by(duration, 'http.response.status_code'), { 200: 1 })
})

test('an SDK that comes while a mesh is idle is noticed with an update', async (t) => {
  const { mesh } = meshFor(t, plain)
  await mesh.ready()
  const { by } = collecting(t)
  mesh.update(plain)
  assert.deepEqual(await by('enmesh.endpoints', 'enmesh.endpoint.state'), { available: 1, ejected: 0, probation: 0 })
})

test('an SDK that comes after traffic began is noticed by the next attempt, durations or not', async (t) => {
  const { mesh } = meshFor(t, { ...plain, telemetry: { metrics: { duration: false } } })
  await get(mesh)
  const { by } = collecting(t)
  await get(mesh)
  assert.deepEqual(await by('enmesh.attempts', 'enmesh.attempt.verdict'), { success: 2, failure: 0, none: 0 })
})

test('an SDK that another one replaced is not asked to read anything more', async (t) => {
  const { provider, unregister } = collecting(t)
  unregister()
  const reading = new Set<unknown>()
  const watched: MeterProvider = {
    getMeter: (...args) => {
      const meter = Object.create(provider.getMeter(...args)) as Meter
      meter.addBatchObservableCallback = (callback) => { reading.add(callback) }
      meter.removeBatchObservableCallback = (callback) => { reading.delete(callback) }
      return meter
    },
  }
  metrics.setGlobalMeterProvider(watched)
  const { mesh } = meshFor(t, plain)
  assert.equal(reading.size, 1)
  metrics.disable()
  const second = collecting(t)
  await get(mesh)
  assert.equal(reading.size, 0)
  assert.equal((await second.by('enmesh.attempts', 'enmesh.attempt.verdict'))['success'], 1)
})

test('another SDK in the place of one that left gets everything, and the one that left nothing more', async (t) => {
  const first = collecting(t)
  const { mesh } = meshFor(t, plain)
  await get(mesh)
  assert.equal((await first.by('enmesh.attempts', 'enmesh.attempt.verdict'))['success'], 1)
  first.unregister()
  await get(mesh)
  const second = collecting(t)
  await get(mesh)
  assert.equal((await second.by('enmesh.attempts', 'enmesh.attempt.verdict'))['success'], 3)
  assert.deepEqual(await second.by(duration, 'http.response.status_code'), { 200: 1 })
  assert.equal((await first.by('enmesh.attempts', 'enmesh.attempt.verdict'))['success'], 1)
  assert.deepEqual(await first.by(duration, 'http.response.status_code'), { 200: 1 })
})

test('an SDK that is shut down is as good as none', async (t) => {
  const { provider } = collecting(t)
  await provider.shutdown()
  const { mesh } = meshFor(t, plain)
  await get(mesh)
})

test('meshes that call clusters of one name are added up, and a counter does not go back when one of them closes', async (t) => {
  const { by } = collecting(t)
  const first = meshFor(t, plain)
  const second = meshFor(t, plain, { delay: Number.POSITIVE_INFINITY })
  await get(first.mesh)
  await get(first.mesh)
  const open = rejection(get(second.mesh))
  await settle()
  assert.deepEqual(await by('enmesh.endpoints', 'enmesh.endpoint.state'), { available: 2, ejected: 0, probation: 0 })
  assert.deepEqual(await by('enmesh.breaker.status', 'enmesh.breaker.state'), { closed: 2, open: 0, 'half-open': 0 })
  assert.deepEqual(await by(activeRequests, 'http.request.method'), { GET: 1 })
  await first.mesh.close()
  assert.deepEqual(await by('enmesh.endpoints', 'enmesh.endpoint.state'), { available: 1, ejected: 0, probation: 0 })
  assert.deepEqual(await by('enmesh.attempts', 'enmesh.attempt.verdict'), { success: 2, failure: 0, none: 0 })
  assert.deepEqual(await by(activeRequests, 'http.request.method'), { GET: 1 })
  const closed = second.mesh.close()
  await settle()
  await second.clock.advance(10_000)
  await Promise.all([closed, open])
  assert.deepEqual(await by('enmesh.attempts', 'enmesh.attempt.verdict'), { success: 2, failure: 1, none: 0 })
  assert.deepEqual(await by(activeRequests, 'http.request.method'), { GET: 0 })
})

test('the registry that waited longest gives the age of two clusters of one name', async (t) => {
  const { by } = collecting(t)
  const ages = await Promise.all([1_000, 3_000, 2_000].map(async (age) => {
    const fake = new FakeRegistry()
    const runtime = fakeRuntime()
    const mesh = createMesh({ clusters: { a: { registry: { type: 'fake' } } } }, { runtime, registries: registries.with(fake.kind) })
    t.after(() => mesh.close())
    fake.push('b:1')
    await settle()
    await runtime.clock.advance(age)
    return age / 1_000
  }))
  assert.deepEqual(await by('enmesh.registry.age', 'enmesh.cluster'), { a: Math.max(...ages) })
})

test('a mesh that is closed is observed no more: what it counted is told once, then its place is empty', async (t) => {
  const { collect, by, unregister } = collecting(t)
  const { mesh } = meshFor(t, plain)
  await collect()
  await get(mesh)
  await mesh.close()
  assert.equal((await by('enmesh.attempts', 'enmesh.attempt.verdict'))['success'], 1, 'what was counted since the last look')
  const levels = (await collect()).filter(({ kind }) => kind === 'OBSERVABLE_UP_DOWN_COUNTER')
  assert.ok(levels.length > 5)
  assert.deepEqual(levels.filter(({ value }) => value !== 0), [])
  unregister()
  const next = collecting(t)
  const { mesh: other } = meshFor(t, { ...plain, services: {}, clusters: {} })
  assert.deepEqual(await next.collect(), [], 'nothing of the closed one is left')
  await other.close()
})

test('a mesh that nobody closes is collected once nobody uses it, and what it counted stays told', async (t) => {
  const { by } = collecting(t)
  const drop = async (): Promise<WeakRef<Mesh>> => {
    const { mesh } = virtual(plain)
    await get(mesh)
    return new WeakRef(mesh)
  }
  const dropped = await Promise.all(Array.from({ length: 20 }, drop))
  for (let turn = 0; turn < 10; turn++) {
    // What was looked at through a WeakRef stays until the turn is over.
    await nextTurn()
    collectGarbage()
  }
  assert.equal(dropped.filter((ref) => ref.deref()).length, 0)
  assert.equal((await by('enmesh.attempts', 'enmesh.attempt.verdict'))['success'], 20)
  assert.deepEqual(await by('enmesh.endpoints', 'enmesh.endpoint.state'), {}, 'of it nothing is left')
})

test('a cluster that an update removes is told to be empty', async (t) => {
  const { by } = collecting(t)
  const { mesh } = meshFor(t, { ...plain, clusters: { ...plain.clusters, b: listing('b:1') } })
  await mesh.ready()
  const available = () => by('enmesh.endpoints', 'enmesh.cluster', { 'enmesh.endpoint.state': 'available' })
  assert.deepEqual(await available(), { a: 1, b: 1 })
  mesh.update(plain)
  assert.deepEqual(await available(), { a: 1, b: 0 })
})

const groups: Readonly<Record<'duration' | 'requests' | 'connections' | 'mesh', readonly string[]>> = {
  duration: [duration],
  requests: [activeRequests],
  connections: [openConnections],
  mesh: ['enmesh.attempts', 'enmesh.breaker.status', 'enmesh.budget.balance', 'enmesh.ejections', 'enmesh.endpoints'],
}

for (const [group, names] of Object.entries(groups)) {
  test(`telemetry.metrics.${group} switches ${names.join(', ')}, and nothing else`, async (t) => {
    const { collect } = collecting(t)
    const { mesh } = meshFor(t, { ...plain, telemetry: { metrics: { [group]: false } } })
    await get(mesh)
    const found = new Set((await collect()).map(({ name }) => name))
    assert.deepEqual([...found].sort(), Object.values(groups).flat().filter((name) => !names.includes(name)).sort())
  })
}

test('metrics that are off ask for no meter, and can be switched on and off while the mesh runs', async (t) => {
  const { provider, by, unregister } = collecting(t)
  unregister()
  let asked = 0
  const counting: MeterProvider = { getMeter: (...args) => { asked++; return provider.getMeter(...args) } }
  metrics.setGlobalMeterProvider(counting)
  t.after(() => metrics.disable())
  const off = { ...plain, telemetry: { metrics: false } } as const
  const { mesh } = meshFor(t, off)
  await get(mesh)
  assert.equal(asked, 0)
  mesh.update(plain)
  await get(mesh)
  assert.equal(asked, 1)
  assert.deepEqual(await by(duration, 'http.response.status_code'), { 200: 1 })
  assert.deepEqual(await by('enmesh.endpoints', 'enmesh.endpoint.state'), { available: 1, ejected: 0, probation: 0 })
  mesh.update(off)
  await get(mesh)
  assert.deepEqual(await by(duration, 'http.response.status_code'), { 200: 1 })
  assert.deepEqual(await by('enmesh.endpoints', 'enmesh.endpoint.state'), { available: 0, ejected: 0, probation: 0 })
  assert.equal(asked, 1)
})

test('an attempt that is under way when metrics are switched off leaves no count behind', async (t) => {
  const { by } = collecting(t)
  const { mesh, clock } = meshFor(t, plain, { delay: 100 })
  const answer = get(mesh)
  await settle()
  assert.deepEqual(await by(activeRequests, 'http.request.method'), { GET: 1 })
  mesh.update({ ...plain, telemetry: { metrics: false } })
  await clock.advance(100)
  await answer
  mesh.update(plain)
  assert.deepEqual(await by(activeRequests, 'http.request.method'), { GET: 0 })
})

test('callers cannot make series without end: methods that nobody knows are one, and ports beyond the first sixteen are one', async (t) => {
  const { collect } = collecting(t)
  const { mesh } = meshFor(t, plain)
  for (let i = 0; i < 100; i++) {
    await get(mesh, `http://a.local:${1_000 + i}/`, { method: `BREW${i}` })
    await get(mesh, `http://a.local/?${i}`, { method: `brew${i}` })
  }
  for (const name of [duration, activeRequests]) {
    const series = await collect(name)
    assert.deepEqual([...new Set(series.map(({ attributes }) => attributes['http.request.method']))], ['_OTHER'])
    const ports = series.map(({ attributes }) => attributes['server.port'])
    assert.equal(ports.length, 17)
    assert.equal(ports.filter((port) => port === undefined).length, 1)
    assert.equal(series.reduce((sum, { histogram }) => sum + (histogram?.count ?? 0), 0), name === duration ? 200 : 0)
  }
})

/** Hears channels of undici for the length of a test. */
const hearing = (t: TestContext, ...channels: readonly string[]): void => {
  const listener = (): void => {}
  for (const channel of channels) {
    subscribe(channel, listener)
    t.after(() => { unsubscribe(channel, listener) })
  }
}

const heard: readonly { readonly who: string, readonly channels: readonly string[], readonly setting: 'auto' | true, readonly count: number }[] = [
  { who: 'a listener to beginnings only', channels: ['undici:request:create'], setting: 'auto', count: 1 },
  { who: 'a listener to ends only', channels: ['undici:request:headers', 'undici:request:trailers'], setting: 'auto', count: 1 },
  { who: 'a listener to beginnings and ends', channels: ['undici:request:create', 'undici:request:trailers'], setting: 'auto', count: 0 },
  { who: 'a listener to beginnings and ends, if told to', channels: ['undici:request:create', 'undici:request:trailers'], setting: true, count: 1 },
]

for (const { who, channels, setting, count } of heard) {
  test(`beside ${who}, durations are ${count ? '' : 'not '}measured`, async (t) => {
    hearing(t, ...channels)
    const { collect } = collecting(t)
    const { mesh } = meshFor(t, { ...plain, telemetry: { metrics: { duration: setting } } })
    await get(mesh)
    assert.equal((await collect(duration)).length, count)
  })
}

test('a configuration with faults leaves no listener behind', () => {
  const runtime = fakeRuntime()
  assert.throws(() => createMesh({ services: { 'a.local': { cluster: 'nowhere' } } }, { runtime }))
  assert.equal(runtime.channels.heard('endpoint-ejected'), false)
})
