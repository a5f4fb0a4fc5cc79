import assert from 'node:assert/strict'
import { Agent, request, type IncomingMessage } from 'node:http'
import { describe, test, type TestContext } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { MeshInput } from '../../src/index.ts'
import { toHaproxy } from '../../src/proxies/index.ts'
import { startProxy } from '../../bench/proxy-process.ts'
import { portToKeep } from '../support/port.ts'
import { runnable, sendTo, throughMesh, throughProxy, Upstream, without, type Way } from './support.ts'

const url = 'http://shop.test/'

/** Each way to the services, where it can be gone: its name, why it cannot, and how it is opened. */
const ways: readonly (readonly [name: string, skip: string | false, open: (t: TestContext, config: MeshInput) => Way | Promise<Way>])[] = [
  ['the mesh', false, throughMesh],
  ...runnable.map((proxy) => [proxy, without[proxy], (t: TestContext, config: MeshInput) => throughProxy(t, proxy, config)] as const),
]

const onEachWay = (what: string, run: (t: TestContext, open: (config: MeshInput) => Way | Promise<Way>, name: string) => Promise<void>): void => {
  describe(what, () => {
    for (const [name, skip, open] of ways) test(`through ${name}`, { skip }, (t) => run(t, (config) => open(t, config), name))
  })
}

type RouteInput = Omit<Extract<NonNullable<MeshInput['services']>[string], { routes: unknown }>['routes'][number], 'to'>
type ClusterInput = Partial<NonNullable<MeshInput['clusters']>[string]>

/** One service, one cluster. */
const shop = (upstreams: readonly Upstream[], route: RouteInput = {}, cluster: ClusterInput = {}): MeshInput => ({
  services: { 'shop.test': { routes: [{ to: 'shop', ...route }] } },
  clusters: { shop: { registry: { type: 'static', endpoints: upstreams.map(({ address }) => address) }, balancer: { type: 'round-robin' }, outlier: false, ...cluster } },
})

const answering = (status: number): Upstream['behave'] => (_, response) => response.writeHead(status).end()

const silent: Upstream['behave'] = () => {}

const pair = async (t: TestContext): Promise<[Upstream, Upstream]> => [await Upstream.start(t, 'well'), await Upstream.start(t, 'bad')]

const several = async (way: Way, times: number, method = 'GET'): Promise<readonly string[]> => {
  const heard: string[] = []
  for (let count = 0; count < times; count++) {
    const { status, asked } = await way({ url, method, ...(method === 'POST' && { body: 'a' }) })
    heard.push(asked ? asked.by : String(status))
  }
  return heard
}

onEachWay('a 503 is retried on another endpoint', async (t, open) => {
  const [well, bad] = await pair(t)
  bad.behave = answering(503)
  const way = await open(shop([well, bad]))
  assert.deepEqual(new Set(await several(way, 6)), new Set(['well']))
  assert.ok(bad.requests > 0, 'the bad one was asked too')
})

onEachWay('a 503 to a POST is not retried', async (t, open) => {
  const [well, bad] = await pair(t)
  bad.behave = answering(503)
  const way = await open(shop([well, bad]))
  assert.deepEqual(new Set(await several(way, 6, 'POST')), new Set(['well', '503']))
})

onEachWay('a 503 to a POST is retried where any method may be sent twice', async (t, open) => {
  const [well, bad] = await pair(t)
  bad.behave = answering(503)
  const way = await open(shop([well, bad], { retry: { methods: 'any' } }))
  assert.deepEqual(new Set(await several(way, 6, 'POST')), new Set(['well']))
})

onEachWay('what is not to be retried is not', async (t, open) => {
  const [well, bad] = await pair(t)
  bad.behave = answering(503)
  const way = await open(shop([well, bad], { retry: { on: ['connect-failure', 500] } }))
  assert.deepEqual(new Set(await several(way, 6)), new Set(['well', '503']))
})

onEachWay('without retries every answer is handed on', async (t, open) => {
  const [well, bad] = await pair(t)
  bad.behave = answering(503)
  const way = await open(shop([well, bad], { retry: false }))
  assert.deepEqual(new Set(await several(way, 6)), new Set(['well', '503']))
})

onEachWay('no more attempts are made than there may be', async (t, open) => {
  const bad = await Upstream.start(t, 'bad')
  bad.behave = answering(503)
  const other = await Upstream.start(t, 'other')
  other.behave = answering(503)
  const way = await open(shop([bad, other], { retry: { attempts: 2 } }))
  assert.equal((await way({ url })).status, 503)
  assert.equal(bad.requests + other.requests, 2)
})

onEachWay('an endpoint that refuses connections is passed over, whatever the method', async (t, open) => {
  const [well, bad] = await pair(t)
  await bad.stop()
  const way = await open(shop([well, bad]))
  assert.deepEqual(new Set(await several(way, 6, 'POST')), new Set(['well']))
})

onEachWay('an attempt that takes too long is made again elsewhere', async (t, open) => {
  const [well, bad] = await pair(t)
  bad.behave = silent
  const way = await open(shop([well, bad], { attemptTimeout: 150, timeout: '20s' }))
  assert.deepEqual(new Set(await several(way, 4)), new Set(['well']))
  assert.ok(bad.requests > 0, 'the silent one was asked too')
})

onEachWay('a call without an answer ends with its time', async (t, open) => {
  const bad = await Upstream.start(t, 'bad')
  bad.behave = silent
  const way = await open(shop([bad], { timeout: 300 }))
  // The mesh says so by an error, and a proxy in its own words.
  assert.ok([0, 504].includes((await way({ url })).status))
  assert.equal(bad.requests, 1)
})

onEachWay('an endpoint that fails again and again is left out', async (t, open, name) => {
  const [well, bad] = await pair(t)
  bad.behave = answering(503)
  // nginx counts what it retries, and HAProxy what it doesn't, as the table says.
  const way = await open(shop([well, bad], name === 'haproxy' ? { retry: false } : {}, { outlier: { failures: 3, ejection: '1m', successRate: false } }))
  await several(way, 20)
  const { requests } = bad
  assert.ok(requests >= 3 && requests <= 6, `${requests} requests reached it`)
  assert.deepEqual(new Set(await several(way, 10)), new Set(['well']))
  assert.equal(bad.requests, requests)
})

onEachWay('an endpoint that is gone is left out, whatever is retried', async (t, open) => {
  const [well, bad] = await pair(t)
  const { port } = bad
  await bad.stop()
  const way = await open(shop([well, bad], {}, { outlier: { failures: 3, ejection: '1m', successRate: false } }))
  await several(way, 20)
  const back = await Upstream.start(t, 'back', port)
  assert.deepEqual(new Set(await several(way, 10)), new Set(['well']))
  assert.equal(back.requests, 0)
})

test('haproxy answers what comes over an idle connection while it makes way for another, as on a reload', { skip: without.haproxy }, async (t) => {
  const well = await Upstream.start(t, 'well')
  const port = await portToKeep()
  const running = await startProxy('haproxy', toHaproxy(shop([well]), { listen: `127.0.0.1:${port}` }).text, port)
  t.after(() => running.stop())
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.after(() => agent.destroy())
  const ask = (): Promise<IncomingMessage> => new Promise((resolve, reject) => {
    request({ port, host: '127.0.0.1', headers: { host: 'shop.test' }, agent }, (response) => { response.resume().once('end', () => resolve(response)) }).once('error', reject).end()
  })
  assert.equal((await ask()).statusCode, 200)
  process.kill(running.pid, 'SIGUSR1')
  // It closes where it listens, and then has nothing more to do but with the callers that it has.
  while (await sendTo(port, { url }).then(() => true, () => false)) await turn()
  const last = await ask()
  assert.deepEqual([last.statusCode, last.headers.connection], [200, 'close'])
})

test('haproxy does not see the answers that it retries, as the table says', { skip: without.haproxy }, async (t) => {
  const [well, bad] = await pair(t)
  bad.behave = answering(503)
  const way = await throughProxy(t, 'haproxy', shop([well, bad], {}, { outlier: { failures: 3, ejection: '1m', successRate: false } }))
  await several(way, 20)
  assert.ok(bad.requests > 8, `${bad.requests} requests reached it`)
})

onEachWay('calls are divided by weight, and a user stays where they are', async (t, open) => {
  const one = await Upstream.start(t, 'one')
  const two = await Upstream.start(t, 'two')
  const cluster = (upstream: Upstream): NonNullable<MeshInput['clusters']>[string] => ({ registry: { type: 'static', endpoints: [upstream.address] } })
  const config: MeshInput = {
    services: { 'shop.test': { routes: [{ to: { one: 50, two: 50 }, sticky: { header: 'x-user' } }] } },
    clusters: { one: cluster(one), two: cluster(two) },
  }
  const way = await open(config)
  const of = async (user?: string): Promise<string | undefined> =>
    (await way({ url, ...(user !== undefined && { headers: { 'x-user': user } }) })).asked?.by
  const users = Array.from({ length: 40 }, (_, number) => `user-${number}`)
  const first = await Promise.all(users.map(of))
  assert.deepEqual(new Set(first), new Set(['one', 'two']))
  assert.deepEqual(await Promise.all(users.map(of)), first)
  // By chance: that 60 draws all fall to one side happens once in 10^17 runs.
  assert.deepEqual(new Set(await Promise.all(Array.from({ length: 60 }, () => of()))), new Set(['one', 'two']))
})

onEachWay('a key is kept with an endpoint, and without one there is no favourite', async (t, open) => {
  const upstreams = [await Upstream.start(t, 'one'), await Upstream.start(t, 'two'), await Upstream.start(t, 'three')]
  const way = await open(shop(upstreams, {}, { balancer: { type: 'ring-hash', key: [{ header: 'x-user' }, { cookie: 'user' }, { query: 'user' }] } }))
  const of = async (headers: Record<string, string>, search = ''): Promise<string | undefined> => (await way({ url: `${url}${search}`, headers })).asked?.by
  const users = Array.from({ length: 40 }, (_, number) => `user-${number}`)
  const byHeader = await Promise.all(users.map((user) => of({ 'x-user': user })))
  assert.equal(new Set(byHeader).size, 3)
  assert.deepEqual(await Promise.all(users.map((user) => of({ 'cookie': `a=b; user=${user}`, 'x-user': user }))), byHeader)
  assert.deepEqual(await Promise.all(users.map((user) => of({ cookie: `a=b; user=${user}` }))), byHeader)
  assert.deepEqual(await Promise.all(users.map((user) => of({}, `?user=${user}`))), byHeader)
  assert.equal(new Set(await Promise.all(Array.from({ length: 60 }, () => of({})))).size, 3)
})

onEachWay('what is over the limit of a cluster is refused', async (t, open) => {
  const upstream = await Upstream.start(t, 'one')
  const held: (() => void)[] = []
  upstream.behave = (_, __, tell) => { held.push(tell) }
  const way = await open(shop([upstream], {}, { requests: 2 }))
  const under = [way({ url }), way({ url })]
  while (held.length < 2) await turn()
  assert.ok([0, 503].includes((await way({ url })).status))
  for (const tell of held) tell()
  assert.deepEqual((await Promise.all(under)).map(({ status }) => status), [200, 200])
})

onEachWay('endpoints of the second level are called when those of the first are gone', async (t, open) => {
  const [first, second] = await pair(t)
  const config = (): MeshInput => ({
    services: { 'shop.test': { cluster: 'shop' } },
    clusters: {
      shop: {
        registry: { type: 'static', endpoints: [{ address: first.address }, { address: second.address, metadata: { priority: '1' } }] },
        balancer: { type: 'priority', of: { type: 'round-robin' } }, outlier: { failures: 1, ejection: '1m', successRate: false, maxEjected: 100 }, panic: 0,
      },
    },
  })
  const way = await open(config())
  assert.deepEqual(new Set(await several(way, 6)), new Set(['well']))
  first.behave = answering(503)
  await several(way, 10)
  assert.deepEqual(new Set(await several(way, 6)), new Set(['bad']))
})

for (const [name, skip, open] of ways.filter(([name]) => name !== 'nginx')) {
  test(`an endpoint that says it is not well gets nothing, through ${name}`, { skip }, async (t) => {
    const [well, bad] = await pair(t)
    const checks: (string | undefined)[] = []
    bad.behave = (request, response, tell) => {
      if (!request.url!.startsWith('/health')) return tell()
      checks.push(`${request.method} ${request.url} ${request.headers.host}`)
      response.writeHead(500).end()
    }
    const way = await open(t, shop([well, bad], {}, { healthCheck: { protocol: 'http', path: '/health?a=%20%25', host: 'health.test', interval: 50, unhealthyThreshold: 1 }, panic: 0 }))
    while (checks.length < 2) await turn()
    assert.equal(checks[0], 'GET /health?a=%20%25 health.test')
    // The first check has been judged by the time that the second one comes.
    assert.deepEqual(new Set(await several(way, 6)), new Set(['well']))
  })
}
