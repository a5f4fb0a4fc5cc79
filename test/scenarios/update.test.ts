import assert from 'node:assert/strict'
import type { RequestListener, ServerResponse } from 'node:http'
import { test } from 'node:test'
import { z } from 'zod'
import { createMesh, kind, MeshConfigError, MeshError, registries, type ClusterStatus, type Mesh, type MeshInput, type Registry } from '../../src/index.ts'
import { fakeRuntime } from '../../src/testing/index.ts'
import { load, next, rejection, story, turnsUntil } from './support/story.ts'
import { says } from './support/upstream.ts'

const url = 'http://svc.test/'

const fixed = (...endpoints: readonly string[]): object => ({
  registry: { type: 'static', endpoints: [...endpoints] }, balancer: { type: 'round-robin' },
})

const withClusters = (clusters: Readonly<Record<string, object>>, to: unknown = 'c'): MeshInput =>
  ({ services: { 'svc.test': { routes: [{ to, retry: false }] } }, clusters } as MeshInput)

const textOf = async (mesh: Mesh): Promise<string> => (await mesh.fetch(url)).text()

const statusOf = (mesh: Mesh): ClusterStatus => mesh.status().clusters['c']!

/** Begins an answer and leaves it open; the test ends it. */
const leavesOpen = (open: ServerResponse[]): RequestListener => (request, response) => {
  request.resume()
  response.write('begun ')
  open.push(response)
}

test('a shift of weights under load holds from the next request on', async (t) => {
  const stage = story(t)
  const [one, two] = [await stage.upstream(says('one')), await stage.upstream(says('two'))]
  const clusters = { one: fixed(one.address), two: fixed(two.address) }
  const mesh = stage.mesh(withClusters(clusters, { one: 100, two: 0 }))
  const wrong: number[] = []
  let expected = 'one'
  await load(600, 16, async (index) => {
    if (index > 0 && index % 100 === 0) {
      expected = expected === 'one' ? 'two' : 'one'
      mesh.update(withClusters(clusters, { one: expected === 'one' ? 1 : 0, two: expected === 'two' ? 1 : 0 }))
    }
    const wanted = expected
    if (await textOf(mesh) !== wanted) wrong.push(index)
  })
  assert.deepEqual(wrong, [])
  assert.deepEqual([one.requests.length, two.requests.length], [300, 300])
})

test('an update tells what it changed', async (t) => {
  const stage = story(t)
  const server = await stage.upstream(says('one'))
  const mesh = stage.mesh(withClusters({ c: fixed(server.address), old: fixed(server.address) }))
  const applied = next(mesh, 'config-applied')
  const changes = mesh.update(withClusters({ c: { ...fixed(server.address), connections: 7 }, fresh: fixed(server.address) }))
  assert.deepEqual(changes, { added: ['clusters.fresh'], changed: ['clusters.c'], removed: ['clusters.old'] })
  assert.deepEqual(await applied, changes)
  assert.deepEqual(mesh.update(withClusters({ c: { ...fixed(server.address), connections: 7 }, fresh: fixed(server.address) })),
    { added: [], changed: [], removed: [] })
})

test('a bad configuration is refused with its places, and the old one stays', async (t) => {
  const stage = story(t)
  const server = await stage.upstream(says('one'))
  const mesh = stage.mesh(withClusters({ c: fixed(server.address) }))
  const before = JSON.stringify(mesh.status().config)
  const rejected = next(mesh, 'config-rejected')
  const bad = {
    services: { 'svc.test': { routes: [{ to: { c: -1 } }] }, 'other.test': { cluster: 'c', timeOut: '1s' } },
    clusters: { c: { ...fixed(server.address), slowStart: 'soon' } },
  }
  assert.throws(() => mesh.update(bad as unknown as MeshInput), (error: unknown) => {
    assert.ok(error instanceof MeshConfigError)
    assert.deepEqual(error.faults.map(({ path }) => path).sort(),
      ['clusters.c.slowStart', 'services["other.test"].timeOut', 'services["svc.test"].routes[0].to.c'])
    return true
  })
  assert.ok((await rejected).error instanceof MeshConfigError)
  assert.throws(() => mesh.update(withClusters({ c: fixed(server.address) }, 'd')), { code: 'ENMESH_CONFIG_INVALID', message: /routes\[0\]\.to: there is no cluster 'd'/ })
  assert.equal(JSON.stringify(mesh.status().config), before)
  assert.equal(await textOf(mesh), 'one')
})

test('a removed endpoint gets no new request, and what it is sending ends first', async (t) => {
  const stage = story(t)
  const open: ServerResponse[] = []
  const [old, fresh] = [await stage.upstream(leavesOpen(open)), await stage.upstream(says('fresh'))]
  const mesh = stage.mesh(withClusters({ c: fixed(old.address) }))
  const response = await mesh.fetch(url)
  const removed = next(mesh, 'endpoint-removed')
  mesh.update(withClusters({ c: fixed(fresh.address) }))
  assert.deepEqual(await removed, { cluster: 'c', endpoint: old.address })
  for (let i = 0; i < 5; i++) assert.equal(await textOf(mesh), 'fresh')
  open[0]!.end('ended')
  assert.equal(await response.text(), 'begun ended')
  await old.deserted()
  assert.equal(old.requests.length, 1)
})

test('a removed cluster lets its bodies end, then its connections go', async (t) => {
  const stage = story(t)
  const open: ServerResponse[] = []
  const [old, fresh] = [await stage.upstream(leavesOpen(open)), await stage.upstream(says('fresh'))]
  const mesh = stage.mesh(withClusters({ old: fixed(old.address) }, 'old'))
  const response = await mesh.fetch(url)
  mesh.update(withClusters({ fresh: fixed(fresh.address) }, 'fresh'))
  assert.equal(await textOf(mesh), 'fresh')
  open[0]!.end('ended')
  assert.equal(await response.text(), 'begun ended')
  await old.deserted()
  assert.deepEqual(Object.keys(mesh.status().clusters), ['fresh'])
})

test('a removed service is one no more', async (t) => {
  const stage = story(t)
  const server = await stage.upstream(says('one'))
  const mesh = stage.mesh({ services: { 'svc.test': [server.address] }, egress: 'deny' })
  assert.equal(await textOf(mesh), 'one')
  mesh.update({ services: { 'other.test': [server.address] }, egress: 'deny' })
  assert.equal((await rejection(mesh.fetch(url)) as MeshError).code, 'ENMESH_EGRESS_DENIED')
  assert.equal(await (await mesh.fetch('http://other.test/')).text(), 'one')
})

test('an open breaker stays open over an update that does not concern it', async (t) => {
  const stage = story(t)
  const server = await stage.upstream(says('broken', 500))
  const cluster = { ...fixed(server.address), breaker: { calls: 2, open: '1h' }, outlier: false }
  const mesh = stage.mesh(withClusters({ c: cluster }))
  const opened = next(mesh, 'breaker-opened')
  await load(2, 1, async () => { await textOf(mesh) })
  await opened
  mesh.update({ ...withClusters({ c: { ...cluster, connections: 9, slowStart: '1s' }, more: fixed(server.address) }), egress: 'deny' })
  assert.equal((await rejection(mesh.fetch(url)) as MeshError).code, 'ENMESH_CIRCUIT_OPEN')
  mesh.update(withClusters({ c: { ...cluster, breaker: { calls: 3 } } }))
  assert.equal(await textOf(mesh), 'broken', 'one that does concern it starts afresh')
})

test('an ejected endpoint stays out over an update that does not concern it', async (t) => {
  const stage = story(t)
  const [bad, good] = [await stage.upstream(says('broken', 500)), await stage.upstream(says('fine'))]
  const cluster = { ...fixed(bad.address, good.address), outlier: { failures: 1, ejection: '1h' }, breaker: false, panic: 0 }
  const mesh = stage.mesh(withClusters({ c: cluster }))
  const ejected = next(mesh, 'endpoint-ejected')
  await load(2, 1, async () => { await textOf(mesh) })
  await ejected
  const third = await stage.upstream(says('third'))
  const more = { type: 'static', endpoints: [bad.address, good.address, third.address] }
  mesh.update(withClusters({ c: { ...cluster, registry: more, pending: 5 } }))
  const seen = new Set<string>()
  await load(8, 1, async () => { seen.add(await textOf(mesh)) })
  assert.deepEqual([...seen].sort(), ['fine', 'third'])
  assert.equal(bad.requests.length, 1)
  const state = statusOf(mesh).endpoints.find(({ address }) => address === bad.address)!
  assert.deepEqual([state.state, state.attempts, state.failures], ['ejected', 1, 1])
})

test('a limit that an update changes holds for calls that are under way already', async (t) => {
  const stage = story(t)
  const open: ServerResponse[] = []
  const server = await stage.upstream(leavesOpen(open))
  const mesh = stage.mesh(withClusters({ c: fixed(server.address) }))
  const first = await mesh.fetch(url)
  mesh.update(withClusters({ c: { ...fixed(server.address), requests: 1 } }))
  assert.equal((await rejection(mesh.fetch(url)) as MeshError).code, 'ENMESH_OVERLOADED')
  open[0]!.end()
  await first.text()
  const second = mesh.fetch(url)
  await server.arrived(2)
  open[1]!.end()
  await (await second).text()
})

test('another registry takes over, and what it lists too keeps all that was learnt of it', async (t) => {
  const stage = story(t)
  const [one, two] = [await stage.upstream(says('one')), await stage.upstream(says('two'))]
  let stopped = 0
  let push: (addresses: readonly string[]) => void = () => {}
  const pushed = kind('pushed', z.strictObject({}), (): Registry => async function* ({ signal }) {
    signal.addEventListener('abort', () => { stopped++ }, { once: true })
    for (;;) {
      const addresses = await new Promise<readonly string[]>((resolve, reject) => {
        push = resolve
        signal.addEventListener('abort', () => { reject(signal.reason as Error) }, { once: true })
      })
      yield addresses.map((address) => ({ address }))
    }
  })
  const mesh = stage.mesh(withClusters({ c: fixed(one.address) }), { registries: registries.with(pushed) as never })
  assert.equal(await textOf(mesh), 'one')
  mesh.update(withClusters({ c: { ...fixed(), registry: { type: 'pushed' } } }))
  assert.equal(await textOf(mesh), 'one', 'what is known stays until the new registry has spoken')
  const added = next(mesh, 'endpoint-added')
  push([one.address, two.address])
  assert.equal((await added).endpoint, two.address)
  const seen = new Set<string>()
  await load(4, 1, async () => { seen.add(await textOf(mesh)) })
  assert.deepEqual([...seen].sort(), ['one', 'two'])
  assert.equal(statusOf(mesh).endpoints[0]!.attempts, one.requests.length)
  mesh.update(withClusters({ c: fixed(two.address) }))
  assert.equal(await textOf(mesh), 'two')
  assert.equal(stopped, 1)
  await one.deserted()
})

test('changed dialling makes new connections, and lets the old ones finish', async (t) => {
  const stage = story(t)
  const open: ServerResponse[] = []
  const server = await stage.upstream(leavesOpen(open))
  const mesh = stage.mesh(withClusters({ c: fixed(server.address) }))
  const first = await mesh.fetch(url)
  mesh.update(withClusters({ c: { ...fixed(server.address), connections: 1 } }))
  const second = await mesh.fetch(url)
  assert.equal(server.accepted, 2)
  for (const response of open) response.end('ended')
  assert.deepEqual([await first.text(), await second.text()], ['begun ended', 'begun ended'])
})

test('a call that waits in back-off over an update leaves the new limit of connections to the calls after it', async (t) => {
  const stage = story(t)
  const open: ServerResponse[] = []
  const server = await stage.upstream((request, response) => {
    request.resume()
    response.writeHead(503, { 'retry-after': '1' }).end()
    server.answer = says('at last')
  })
  const runtime = fakeRuntime()
  const limited = (connections: number): MeshInput =>
    ({ services: { 'svc.test': { cluster: 'c' } }, clusters: { c: { ...fixed(server.address), connections } as never } })
  const mesh = createMesh(limited(1), { runtime })
  t.after(() => mesh.close())
  const retried = next(mesh, 'retry')
  const older = textOf(mesh)
  await retried
  mesh.update(limited(50))
  await runtime.clock.advance(2_000)
  assert.equal(await older, 'at last')
  server.answer = leavesOpen(open)
  const later = Promise.all(Array.from({ length: 20 }, () => textOf(mesh)))
  await turnsUntil(() => open.length === 20, 'all are with the server at once')
  for (const response of open) response.end()
  await later
})

test('an update under load loses nothing', async (t) => {
  const stage = story(t)
  const servers = [await stage.upstream(says('one')), await stage.upstream(says('two')), await stage.upstream(says('three'))]
  const some = (index: number): string[] => servers.filter((_, at) => at !== index % 3).map(({ address }) => address)
  const mesh = stage.mesh(withClusters({ c: fixed(...some(0)) }))
  await load(400, 16, async (index) => {
    if (index % 20 === 0) mesh.update(withClusters({ c: fixed(...some(index / 20)) }))
    assert.equal((await textOf(mesh)).length > 0, true)
  })
})

test('after close() an update is refused', async (t) => {
  const stage = story(t)
  const server = await stage.upstream(says('one'))
  const mesh = stage.mesh(withClusters({ c: fixed(server.address) }))
  await mesh.close()
  assert.throws(() => mesh.update(withClusters({ c: fixed(server.address) })), (error) => error instanceof MeshError && error.code === 'ENMESH_CLOSED')
})
