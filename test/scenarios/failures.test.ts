import assert from 'node:assert/strict'
import type { RequestListener } from 'node:http'
import { test } from 'node:test'
import { MeshError, type ClusterStatus, type Mesh, type MeshInput } from '../../src/index.ts'
import { load, next, rejection, standsStill, story, turnsUntil } from './support/story.ts'
import { bodyOf, hangs, refused, resets, says, saysLater } from './support/upstream.ts'

const url = 'http://svc.test/'

const svc = (endpoints: readonly string[], cluster: object = {}, retry: object = {}): MeshInput => ({
  services: { 'svc.test': { cluster: 'c', retry: { backoff: { max: 1 }, ...retry } } },
  clusters: { c: { registry: { type: 'static', endpoints: [...endpoints] }, balancer: { type: 'round-robin' }, ...cluster } },
})

const statusOf = (mesh: Mesh): ClusterStatus => mesh.status().clusters['c']!

const failuresOf = (mesh: Mesh): readonly number[] => statusOf(mesh).endpoints.map(({ failures }) => failures)

const breakerOf = (mesh: Mesh): string => (statusOf(mesh).breaker as { readonly state: string }).state

test('an endpoint that dies under load costs no idempotent request', async (t) => {
  const stage = story(t)
  const servers = [await stage.upstream(says('one')), await stage.upstream(says('two'))]
  const mesh = stage.mesh(svc(servers.map(({ address }) => address)))
  let killed: Promise<void> | undefined
  const statuses = new Map<number, number>()
  await load(600, 16, async (index) => {
    if (index === 200) killed = servers[0]!.kill()
    const response = await mesh.fetch(url)
    await response.text()
    statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1)
  })
  await killed
  assert.deepEqual([...statuses], [[200, 600]])
  assert.ok(servers[0]!.requests.length > 0)
})

test('a POST that may have arrived is not sent again', async (t) => {
  const stage = story(t)
  const servers = [await stage.upstream(resets), await stage.upstream(resets)]
  const mesh = stage.mesh(svc(servers.map(({ address }) => address)))
  const error = await rejection(mesh.fetch(url, { method: 'POST', body: 'pay' })) as MeshError
  assert.equal(error.code, 'ENMESH_CONNECTION_RESET')
  assert.equal(servers[0]!.requests.length + servers[1]!.requests.length, 1)
})

test('a POST that carries an Idempotency-Key is sent again, with the same body', async (t) => {
  const stage = story(t)
  const bad = await stage.upstream(resets)
  const good = await stage.upstream((request, response) => { void bodyOf(request).then((body) => response.end(body)) })
  const mesh = stage.mesh(svc([bad.address, good.address]))
  const answers = await Promise.all([1, 2].map(async () => {
    const response = await mesh.fetch(url, { method: 'POST', body: 'pay', headers: { 'Idempotency-Key': 'k' } })
    return response.text()
  }))
  assert.deepEqual(answers, ['pay', 'pay'])
  assert.equal(bad.requests.length, 1)
})

test('a POST is sent elsewhere when the connection was refused, streamed bodies included', async (t) => {
  const stage = story(t)
  const good = await stage.upstream((request, response) => { void bodyOf(request).then((body) => response.end(body)) })
  const mesh = stage.mesh(svc([refused, good.address]))
  for (let i = 0; i < 4; i++) {
    const body = i % 2 ? new Blob(['pay']).stream() : 'pay'
    const response = await mesh.fetch(url, { method: 'POST', body, duplex: 'half' })
    assert.equal(await response.text(), 'pay')
  }
  assert.equal(good.requests.length, 4)
})

test('a 503 is retried on another endpoint, and its own body is not left behind', async (t) => {
  const stage = story(t)
  const [bad, good] = [await stage.upstream(says('busy', 503)), await stage.upstream(says('fine'))]
  const mesh = stage.mesh(svc([bad.address, good.address]))
  const trails = []
  for (let i = 0; i < 2; i++) {
    const response = await mesh.fetch(url)
    assert.equal(await response.text(), 'fine')
    trails.push(mesh.trail(response)!.attempts.map(({ endpoint, status }) => [endpoint, status]))
  }
  assert.deepEqual(trails.find((attempts) => attempts.length > 1), [[bad.address, 503], [good.address, 200]])
  assert.equal(bad.requests.length, 1)
})

const stops: readonly [string, string, object, object, number][] = [
  ['all attempts are used', 'attempts', {}, {}, 3],
  ['the budget is empty', 'budget', { budget: { percent: 0, perSecond: 0 } }, {}, 1],
  ['the breaker opens', 'refused', { breaker: { calls: 1 } }, { backoff: { base: '1s', max: '40ms' } }, 1],
  ['the limit is reached', 'refused', { requests: 1 }, {}, 1],
]

for (const [why, stopped, cluster, retry, attempts] of stops) {
  test(`the answer that is there is given back when ${why}`, async (t) => {
    const stage = story(t)
    // Its body stays open, so that it counts as under way for the limit, until somebody reads it.
    const bad = await stage.upstream((_, response) => {
      response.writeHead(503, { 'content-type': 'text/plain' })
      response.end(Buffer.alloc(why.includes('limit') ? 1024 * 1024 : 10, 'busy '))
    })
    const mesh = stage.mesh(svc([bad.address, bad.address.replace('127.0.0.1', 'localhost')], { outlier: false, ...cluster }, retry))
    const response = await mesh.fetch(url)
    assert.equal(response.status, 503)
    assert.match(await response.text(), /^busy /)
    assert.equal(mesh.trail(response)!.stopped, stopped)
    assert.equal(mesh.trail(response)!.attempts.length, attempts)
    assert.equal(bad.requests.length, attempts)
  })
}

test('an endpoint that keeps failing is ejected, and one real request decides on its return', async (t) => {
  const stage = story(t)
  const [bad, good] = [await stage.upstream(says('broken', 500)), await stage.upstream(says('fine'))]
  const mesh = stage.mesh(svc([bad.address, good.address], { outlier: { failures: 3, ejection: '30ms' }, breaker: false, panic: 0 }))
  const ask = async (): Promise<number> => {
    const response = await mesh.fetch(url)
    await response.text()
    return response.status
  }
  const ejected = next(mesh, 'endpoint-ejected')
  const probation = next(mesh, 'endpoint-probation')
  await load(6, 1, async () => { await ask() })
  assert.deepEqual({ ...await ejected, reason: '' }, { cluster: 'c', endpoint: bad.address, rule: 'failures', reason: '', duration: 30 })
  assert.match((await ejected).reason, /3 failures in a row, the last with status 500/)
  const seen = bad.requests.length
  assert.equal(seen, 3)

  await probation
  assert.match(mesh.explain(url).clusters[0]!.endpoints[0]!.why, /on probation/)
  const again = next(mesh, 'endpoint-ejected')
  const secondProbation = next(mesh, 'endpoint-probation')
  assert.equal(await ask(), 500)
  assert.equal((await again).duration, 60)
  assert.deepEqual([await ask(), await ask()], [200, 200])
  assert.equal(bad.requests.length, seen + 1)

  bad.answer = says('healed')
  await secondProbation
  const returned = next(mesh, 'endpoint-returned')
  assert.equal(await ask(), 200)
  await returned
  assert.equal(bad.requests.length, seen + 2)
  await load(4, 1, async () => assert.equal(await ask(), 200))
  assert.equal(bad.requests.length, seen + 4)
})

test('an endpoint that is slow against the others is ejected, gets one request to show that it is quick again, and returns', async (t) => {
  const stage = story(t)
  const slow = await stage.upstream(saysLater('slow', 150))
  const others = await Promise.all([1, 2, 3].map(() => stage.upstream(says('quick'))))
  const outlier = { interval: '100ms', ejection: '50ms', latency: { factor: 1.2, gap: '60ms', volume: 5, intervals: 2 } }
  const mesh = stage.mesh(svc([slow, ...others].map(({ address }) => address), { outlier }))
  const until = async (event: Promise<{ readonly endpoint: string }>): Promise<void> => {
    let over = false
    void event.then(() => { over = true })
    await Promise.all(Array.from({ length: 8 }, async () => {
      while (!over) assert.equal((await (await mesh.fetch(url)).text()).length > 0, true)
    }))
  }
  const ejected = next(mesh, 'endpoint-ejected')
  await until(ejected)
  const { endpoint, rule, reason } = await ejected
  assert.deepEqual([endpoint, rule], [slow.address, 'latency'])
  assert.match(reason, /^median of \S+ ms until it answers, above \S+ ms in 2 intervals in a row; the fleet's is \S+ ms$/)

  const again = next(mesh, 'endpoint-ejected')
  await until(again)
  assert.equal((await again).rule, 'probation')
  assert.match((await again).reason, /^the request that was to decide on its return took \S+ ms, above \S+ ms$/)

  slow.answer = says('quick again')
  const returned = next(mesh, 'endpoint-returned')
  await until(returned)
  assert.equal((await returned).endpoint, slow.address)
})

test('the breaker opens, fails fast, and closes again after one good probe', async (t) => {
  const stage = story(t)
  const server = await stage.upstream(says('broken', 500))
  const mesh = stage.mesh(svc([server.address], { breaker: { calls: 4, open: '50ms' }, outlier: false }))
  const opened = next(mesh, 'breaker-opened')
  const halfOpened = next(mesh, 'breaker-half-opened')
  await load(4, 1, async () => { await (await mesh.fetch(url)).text() })
  assert.deepEqual(await opened, { cluster: 'c', failures: 4, calls: 4 })
  for (let i = 0; i < 10; i++) assert.equal((await rejection(mesh.fetch(url)) as MeshError).code, 'ENMESH_CIRCUIT_OPEN')
  assert.equal(server.requests.length, 4)

  await halfOpened
  const reopened = next(mesh, 'breaker-opened')
  const secondHalf = next(mesh, 'breaker-half-opened')
  assert.equal((await mesh.fetch(url)).status, 500)
  await reopened
  assert.equal((await rejection(mesh.fetch(url)) as MeshError).code, 'ENMESH_CIRCUIT_OPEN')

  server.answer = says('fine')
  await secondHalf
  const closed = next(mesh, 'breaker-closed')
  assert.equal((await mesh.fetch(url)).status, 200)
  await closed
  await load(4, 2, async () => assert.equal(await (await mesh.fetch(url)).text(), 'fine'))
  assert.equal(breakerOf(mesh), 'closed')
})

test('a storm of retries is held by the budget', async (t) => {
  const stage = story(t)
  const server = await stage.upstream(says('busy', 503))
  const mesh = stage.mesh(svc([server.address], { breaker: false, outlier: false, budget: { percent: 20, perSecond: 0 } }))
  const calls = 500
  await load(calls, 20, async () => { await (await mesh.fetch(url)).text() })
  assert.ok(server.requests.length <= calls * 1.2, `${server.requests.length} attempts`)
  assert.ok(server.requests.length > calls, 'none was retried')
})

test('small bodies that nobody reads free their sockets', async (t) => {
  const stage = story(t)
  const server = await stage.upstream((_, response) => { response.end(Buffer.alloc(8 * 1024, 'x')) })
  const mesh = stage.mesh(svc([server.address], { connections: 1 }))
  const kept = []
  for (let i = 0; i < 20; i++) kept.push(await mesh.fetch(url))
  await turnsUntil(() => statusOf(mesh).active === 0, 'all have ended unread')
  assert.equal(server.requests.length, 20)
  assert.equal((await kept[0]!.text()).length, 8 * 1024)
})

test('a large body that is cancelled frees its socket, and blames nobody', async (t) => {
  const stage = story(t)
  const endless: RequestListener = (_, response) => {
    const write = (): void => { while (!response.destroyed && response.write(Buffer.alloc(64 * 1024))); }
    response.on('drain', write)
    write()
  }
  const server = await stage.upstream(endless)
  const mesh = stage.mesh(svc([server.address], { connections: 1 }))
  for (let i = 0; i < 3; i++) {
    const response = await mesh.fetch(url)
    await response.body!.cancel()
    await server.deserted()
  }
  assert.deepEqual(failuresOf(mesh), [0])
})

test('a body that breaks is a failure of its endpoint', async (t) => {
  const stage = story(t)
  const server = await stage.upstream((_, response) => {
    response.writeHead(200, { 'content-length': '100' })
    response.write('begun', () => { response.destroy() })
  })
  const mesh = stage.mesh(svc([server.address]))
  const response = await mesh.fetch(url)
  const error = await rejection(response.text()) as Error
  const found = error instanceof MeshError ? error : error.cause as MeshError
  assert.equal(found.code, 'ENMESH_CONNECTION_RESET')
  assert.match(found.message, /broke while its body was coming/)
  assert.deepEqual(failuresOf(mesh), [1])
  assert.equal(mesh.trail(response)!.attempts[0]!.ending, 'ENMESH_CONNECTION_RESET')
  assert.equal(server.requests.length, 1)
})

test('a consumer that pauses past every timeout is no failure of the endpoint', async (t) => {
  const stage = story(t)
  let written = 0
  const server = await stage.upstream((request, response) => {
    if (request.url === '/never') return hangs(request, response)
    const write = (): void => {
      while (written < 512) {
        written++
        if (!response.write(Buffer.alloc(64 * 1024))) return void response.once('drain', write)
      }
      response.end()
    }
    write()
  })
  const mesh = stage.mesh(svc([server.address]))
  const response = await mesh.fetch(url, { mesh: { idleTimeout: '20ms', attemptTimeout: '2s' } })
  await standsStill(() => written)
  // Three times the idle timeout passes.
  await rejection(mesh.fetch(`${url}never`, { mesh: { timeout: '60ms' } }))
  assert.equal((await response.arrayBuffer()).byteLength, 512 * 64 * 1024)
  assert.equal(failuresOf(mesh)[0], 1, 'only the one that never answered')

  written = 0
  const late = await mesh.fetch(url, { mesh: { timeout: '60ms' } })
  await rejection(mesh.fetch(`${url}never`, { mesh: { timeout: '90ms' } }))
  const error = await rejection(late.arrayBuffer()) as Error
  const found = error instanceof MeshError ? error : error.cause as MeshError
  assert.equal(found.code, 'ENMESH_DEADLINE_EXCEEDED')
  assert.equal(failuresOf(mesh)[0], 2, 'the deadline of a paused reader is not the endpoint\'s')
  assert.equal(mesh.trail(late)!.attempts[0]!.ending, 'cancelled')
})
