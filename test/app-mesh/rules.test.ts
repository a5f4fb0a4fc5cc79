import assert from 'node:assert/strict'
import type { RequestListener } from 'node:http'
import { createServer, type AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { describe, test, type TestContext } from 'node:test'
import { fromAppMesh, gatewayRoutesOf, type AppMeshDocument, type Fault, type FromAppMeshOptions } from '../../src/app-mesh/index.ts'
import { createMesh, type Mesh, type MeshError } from '../../src/index.ts'
import { FakeClock } from '../../src/testing/index.ts'
import { http2Upstream, says, type Http2Upstream } from '../scenarios/support/http2-upstream.ts'
import { gate, rejection, story, turnsUntil, type Story } from '../scenarios/support/story.ts'
import type { Upstream } from '../scenarios/support/upstream.ts'
import { CloudMapServer } from '../support/cloud-map-server.ts'
import { cloudMapWayTo } from '../support/cloud-map-way.ts'
import { read } from './support.ts'

// The rules that the walkthroughs of AWS document for App Mesh, S1 to S18, over real servers.

const sdk = await import('@aws-sdk/client-servicediscovery').then(() => false, () => '@aws-sdk/client-servicediscovery is not installed')

type Spec = Record<string, unknown>

const meshName = 'shop'
const service = 'pricing.shop.local'

const listening = (more: Spec = {}, port = 8080, protocol = 'http') => ({ portMapping: { port, protocol }, ...more })

const aNode = (virtualNodeName: string, spec: Spec = {}) => ({
  meshName, virtualNodeName, spec: { listeners: [listening()], serviceDiscovery: { dns: { hostname: `${virtualNodeName}.internal` } }, ...spec },
})

const aRoute = (routeName: string, to: string | Record<string, number>, match: Spec, more: Spec = {}) => {
  const { priority, ...policy } = more
  const weightedTargets = Object.entries(typeof to === 'string' ? { [to]: 1 } : to).map(([virtualNode, weight]) => ({ virtualNode, weight }))
  return { meshName, virtualRouterName: 'router', routeName, spec: { ...(priority !== undefined && { priority }), httpRoute: { match, action: { weightedTargets }, ...policy } } }
}

interface Parts {
  readonly mesh?: Spec
  readonly nodes?: readonly ReturnType<typeof aNode>[]
  readonly routes: readonly ReturnType<typeof aRoute>[]
  readonly listeners?: readonly unknown[]
}

/** A service behind a router whose routes lead to the nodes that they name. */
const documentOf = async ({ mesh = {}, nodes, routes, listeners = [listening()] }: Parts): Promise<AppMeshDocument> => {
  const named = [...new Set(routes.flatMap(({ spec }) => spec.httpRoute.action.weightedTargets.map(({ virtualNode }) => virtualNode)))]
  const { document } = await read({
    mesh: { meshName, spec: mesh },
    virtualServices: [{ meshName, virtualServiceName: service, spec: { provider: { virtualRouter: { virtualRouterName: 'router' } } } }],
    virtualRouters: [{ meshName, virtualRouterName: 'router', spec: { listeners } }],
    routes,
    virtualNodes: nodes ?? named.map((name) => aNode(name)),
  })
  return document
}

interface Stage {
  readonly mesh: Mesh
  readonly upstreams: Readonly<Record<string, readonly Upstream[]>>
  /** Which node answered. */
  readonly ask: (path?: string, init?: RequestInit) => Promise<string>
}

/** Runs the definition against servers of its nodes, each of which answers with its name unless it is said otherwise. */
const stage = async (
  t: TestContext, parts: Parts, answers: Readonly<Record<string, readonly RequestListener[]>> = {}, options: FromAppMeshOptions = {},
): Promise<Stage> => {
  const { upstream, mesh } = story(t)
  const document = await documentOf(parts)
  const upstreams: Record<string, readonly Upstream[]> = {}
  for (const { virtualNodeName: name } of document.virtualNodes) {
    const listeners = answers[name] ?? [(_, response) => response.end(name)]
    upstreams[name] = await Promise.all(listeners.map((answer) => upstream(answer)))
  }
  const endpoints = Object.fromEntries(Object.entries(upstreams).map(([name, servers]) => [name, servers.map(({ address }) => address)]))
  const running = mesh(fromAppMesh(document, { endpoints, onWarning: () => {}, ...options }))
  return { mesh: running, upstreams, ask: async (path = '/', init) => (await running.fetch(`http://${service}${path}`, init)).text() }
}

const status = (code: number): RequestListener => (_, response) => {
  response.statusCode = code
  response.end()
}

const never: RequestListener = () => {}

const code = async (promise: Promise<unknown>): Promise<string> => (await rejection(promise) as MeshError).code

const all = { prefix: '/' }

test('S1: priority 0 is tried first, a route without one after all that have one', async (t) => {
  const { ask, mesh } = await stage(t, {
    routes: [
      aRoute('none', 'd', { prefix: '/a/b/c' }), aRoute('last', 'c', { prefix: '/a' }, { priority: 1000 }),
      aRoute('first', 'a', all, { priority: 0 }), aRoute('second', 'b', { prefix: '/a' }, { priority: 1 }),
    ],
  })
  assert.equal(await ask('/a/b/c'), 'a')
  assert.deepEqual(mesh.explain(`http://${service}/a`).routes.map(({ name }) => name), ['first', 'second', 'last', 'none'])
})

test('S1: of routes without a priority the longest prefix comes first, and all priorities are written out', async (t) => {
  const { ask, mesh } = await stage(t, { routes: [aRoute('all', 'a', all), aRoute('long', 'b', { prefix: '/price/list' }), aRoute('short', 'c', { prefix: '/price' })] })
  assert.deepEqual([await ask('/price/list/1'), await ask('/prices'), await ask('/x')], ['b', 'c', 'a'])
  const { routes } = mesh.status().services[service]!
  assert.deepEqual(routes.map(({ name, config }) => [name, config.priority]), [['long', 0], ['short', 1], ['all', 2]])
})

interface Gated {
  /** What the service saw of the request: its name, the Host and the path. */
  readonly saw: (path: string, host?: string) => Promise<string>
}

/** A gateway with routes to services of the names that they give, run as the routes of one service. */
const gated = async (t: TestContext, routes: Readonly<Record<string, Spec>>): Promise<Gated> => {
  const { upstream, mesh } = story(t)
  const names = ['chapter.local', 'book.local']
  const { document } = await read({
    mesh: { meshName },
    virtualGateways: [{ meshName, virtualGatewayName: 'gate', spec: { listeners: [{ portMapping: { port: 80, protocol: 'http' } }] } }],
    gatewayRoutes: Object.entries(routes).map(([gatewayRouteName, { to, priority, rewrite, ...match }]) => ({
      meshName,
      virtualGatewayName: 'gate',
      gatewayRouteName,
      spec: { ...(priority !== undefined && { priority }), httpRoute: { match, action: { target: { virtualService: { virtualServiceName: to } }, ...(rewrite !== undefined && { rewrite }) } } },
    })),
    virtualServices: names.map((virtualServiceName) => ({ meshName, virtualServiceName, spec: { provider: { virtualNode: { virtualNodeName: virtualServiceName } } } })),
    virtualNodes: names.map((name) => aNode(name)),
  })
  const servers = await Promise.all(names.map((name) => upstream(({ headers, url }, response) => response.end(`${name} ${headers.host} ${url}`))))
  const endpoints = Object.fromEntries(names.map((name, index) => [name, [servers[index]!.address]]))
  const { clusters } = fromAppMesh(document, { as: 'gate', endpoints })
  const service = { routes: gatewayRoutesOf(document, 'gate').map(({ service, ...route }) => ({ ...route, to: service })) }
  const running = mesh({ services: { 'gate.local': service, 'www.example.com': service }, clusters: clusters! })
  return { saw: async (path, host = 'gate.local') => (await running.fetch(`http://${host}${path}`)).text() }
}

test('S2: of several gateway routes the longest prefix wins', async (t) => {
  const { saw } = await gated(t, { all: { prefix: '/', to: 'book.local' }, chapter: { prefix: '/chapter', to: 'chapter.local' } })
  assert.match(await saw('/chapter/1'), /^chapter\.local /)
  assert.match(await saw('/index'), /^book\.local /)
})

test('S2: unless priorities say otherwise', async (t) => {
  const { saw } = await gated(t, { all: { prefix: '/', to: 'book.local', priority: 1 }, chapter: { prefix: '/chapter', to: 'chapter.local' } })
  assert.match(await saw('/chapter/1'), /^book\.local /)
})

describe('S3: what a gateway rewrites', () => {
  const cases: Readonly<Record<string, readonly [route: Spec, asked: string, saw: string]>> = {
    'prefix to / and Host to the service by default': [{ prefix: '/chapter' }, '/chapter/1?x=2', 'chapter.local /1?x=2'],
    'the prefix alone': [{ prefix: '/chapter' }, '/chapter', 'chapter.local /'],
    'no prefix if it is DISABLED': [{ prefix: '/chapter', rewrite: { prefix: { defaultPrefix: 'DISABLED' } } }, '/chapter/1', 'chapter.local /chapter/1'],
    'the default said aloud': [{ prefix: '/chapter', rewrite: { prefix: { defaultPrefix: 'ENABLED' }, hostname: { defaultTargetHostname: 'ENABLED' } } }, '/chapter/1', 'chapter.local /1'],
    'no Host if it is DISABLED': [{ prefix: '/chapter', rewrite: { hostname: { defaultTargetHostname: 'DISABLED' } } }, '/chapter/1', 'gate.local /1'],
    'a prefix to another one': [{ prefix: '/chapter/', rewrite: { prefix: { value: '/part/' } } }, '/chapter/1', 'chapter.local /part/1'],
    'no path without being told': [{ path: { exact: '/chapter/1' } }, '/chapter/1', 'chapter.local /chapter/1'],
    'a path, if told': [{ path: { regex: '/chapter/[0-9]+' }, rewrite: { path: { exact: '/one' } } }, '/chapter/12?x', 'chapter.local /one?x'],
  }
  for (const [title, [route, asked, saw]] of Object.entries(cases)) {
    test(title, async (t) => {
      const { saw: sees } = await gated(t, { one: { ...route, to: 'chapter.local' } })
      assert.equal(await sees(asked), `chapter.local ${saw}`)
    })
  }
})

test('a gateway route may ask for the host that was dialled', async (t) => {
  const { saw } = await gated(t, {
    exact: { hostname: { exact: 'gate.local' }, prefix: '/', to: 'chapter.local' }, below: { hostname: { suffix: '.example.com' }, prefix: '/', to: 'book.local' },
  })
  assert.match(await saw('/'), /^chapter/)
  assert.match(await saw('/', 'www.example.com'), /^book/)
})

describe('S4: headers', () => {
  const cases: readonly (readonly [string, Spec, Record<string, readonly string[]>])[] = [
    ['a range is [start, end)', { match: { range: { start: 100, end: 150 } } }, { yes: ['100', '149', '0120'], no: ['99', '150', '100.5', 'x', ''] }],
    ['no match is presence', {}, { yes: ['', 'x'], no: ['absent'] }],
    ['no match turned round is absence', { invert: true }, { yes: ['absent'], no: ['x'] }],
    ['a value turned round needs a value', { invert: true, match: { exact: 'blue' } }, { yes: ['red'], no: ['blue', 'absent'] }],
    ['a prefix', { match: { prefix: 'red' } }, { yes: ['red', 'redorgreen'], no: ['a red', 'Red'] }],
    ['a suffix', { match: { suffix: '.png' } }, { yes: ['a.png'], no: ['.png.gz'] }],
    ['an expression is for the whole value', { match: { regex: 'redor.*' } }, { yes: ['redorgreen'], no: ['xredor'] }],
    ['an expression turned round', { invert: true, match: { regex: '.*green.*' } }, { yes: ['blue'], no: ['a green b', 'absent'] }],
  ]
  for (const [title, condition, { yes = [], no = [] }] of cases) {
    test(title, async (t) => {
      const { ask } = await stage(t, { routes: [aRoute('matched', 'yes', { ...all, headers: [{ name: 'Color_Header', ...condition }] }), aRoute('other', 'no', all)] })
      const sent = (value: string): Promise<string> => ask('/', value === 'absent' ? {} : { headers: { color_header: value } })
      for (const value of yes) assert.equal(await sent(value), 'yes', value)
      for (const value of no) assert.equal(await sent(value), 'no', value)
    })
  }

  test('several conditions on one header must all hold', async (t) => {
    const headers = [{ name: 'x-v', match: { prefix: 'a' } }, { name: 'X-V', invert: true, match: { suffix: 'z' } }]
    const { ask } = await stage(t, { routes: [aRoute('matched', 'yes', { ...all, headers }), aRoute('other', 'no', all)] })
    const answers = await Promise.all(['ab', 'az', 'bb'].map((value) => ask('/', { headers: { 'x-v': value } })))
    assert.deepEqual(answers, ['yes', 'no', 'no'])
  })
})

test('S5: all criteria of a match must hold', async (t) => {
  const match = {
    prefix: '/price', method: 'POST', port: 8080, headers: [{ name: 'x-tenant', match: { exact: 'acme' } }], queryParameters: [{ name: 'v', match: { exact: '2' } }, { name: 'debug' }],
  }
  const { mesh } = await stage(t, { routes: [aRoute('matched', 'yes', match), aRoute('other', 'no', all)] })
  const route = (url: string, method = 'POST', tenant = 'acme'): string | undefined => mesh.explain(url, { method, headers: { 'x-tenant': tenant } }).route
  assert.equal(route(`http://${service}:8080/price?debug&v=2`), 'matched')
  const missing = [
    route(`http://${service}:8080/x?debug&v=2`), route(`http://${service}:8080/price?debug&v=2`, 'GET'), route(`http://${service}/price?debug&v=2`),
    route(`http://${service}:8080/price?debug&v=2`, 'POST', 'other'), route(`http://${service}:8080/price?debug&v=1`), route(`http://${service}:8080/price?v=2`),
  ]
  assert.deepEqual(missing, Array(6).fill('other'))
})

test('S6: paths are compared in their normal form', async (t) => {
  const { ask } = await stage(t, { routes: [aRoute('admin', 'yes', { prefix: '/admin' }), aRoute('exact', 'yes', { path: { exact: '/a/b' } }), aRoute('other', 'no', all)] })
  for (const path of ['//admin', '/x/..//admin/', '/x/%2e%2e/admin', '/a//b']) assert.equal(await ask(path), 'yes', path)
  assert.equal(await ask('/x//admin'), 'no')
})

test('S7: weights are relative, and 0 gets nothing', async (t) => {
  const { ask } = await stage(t, { routes: [aRoute('split', { a: 8, b: 2, c: 0 }, all)] })
  const counts: Record<string, number> = { a: 0, b: 0 }
  for (let i = 0; i < 400; i++) counts[await ask()]!++
  assert.deepEqual(Object.keys(counts), ['a', 'b'])
  assert.ok(counts['a']! > 280 && counts['a']! < 360, JSON.stringify(counts))
})

const policy = (httpRetryEvents: readonly string[] | undefined, more: Spec = {}) => ({
  retryPolicy: { maxRetries: 1, perRetryTimeout: { unit: 's', value: 5 }, ...(httpRetryEvents && { httpRetryEvents }), ...more },
})

describe('S8: retry events', () => {
  const retried: Readonly<Record<string, readonly number[]>> = {
    'server-error': [500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511],
    'gateway-error': [502, 503, 504],
    'client-error': [409],
    'stream-error': [],
  }
  for (const [event, statuses] of Object.entries(retried)) {
    test(`${event} is ${statuses.join(', ') || 'no status'}`, async (t) => {
      const { mesh, upstreams } = await stage(t, { routes: [aRoute('all', 'a', all, policy([event]))] })
      const [upstream] = upstreams['a']!
      for (const code of [400, 404, 409, 429, 500, 501, 502, 503, 504, 505, 506, 507, 508, 509, 510, 511]) {
        upstream!.answer = status(code)
        const before = upstream!.requests.length
        await (await mesh.fetch(`http://${service}/`)).text()
        assert.equal(upstream!.requests.length - before, statuses.includes(code) ? 2 : 1, String(code))
      }
    })
  }

  test('connection-error is a connection that was not made, and nothing else', async (t) => {
    const { mesh, upstreams } = await stage(t, { routes: [aRoute('all', 'a', all, policy(undefined, { tcpRetryEvents: ['connection-error'] }))] }, { a: [never, (request) => request.socket.destroy()] })
    const [gone, well] = upstreams['a']!
    await gone!.kill()
    assert.equal(await code(mesh.fetch(`http://${service}/`, { method: 'POST' })), 'ENMESH_CONNECTION_RESET')
    assert.equal(well!.requests.length, 1)
    well!.answer = (_, response) => response.end('well')
    for (let i = 0; i < 4; i++) assert.equal(await (await mesh.fetch(`http://${service}/`, { method: 'POST', body: 'x' })).text(), 'well')
  })
})

test('S9: maxRetries leaves the first attempt out, whatever the method; 0 is none', async (t) => {
  const { mesh, upstreams } = await stage(t, {
    routes: [aRoute('none', 'b', { prefix: '/none' }, policy(['gateway-error'], { maxRetries: 0 })), aRoute('all', 'a', all, policy(['gateway-error'], { maxRetries: 10 }))],
  }, { a: [status(502)], b: [status(502)] })
  await (await mesh.fetch(`http://${service}/`, { method: 'POST', body: 'x' })).text()
  await (await mesh.fetch(`http://${service}/none`)).text()
  assert.deepEqual([upstreams['a']![0]!.requests.length, upstreams['b']![0]!.requests.length], [11, 1])
})

test('S9: perRetryTimeout bounds every attempt, the first included', async (t) => {
  const { ask } = await stage(t, { routes: [aRoute('all', 'a', all, policy(['gateway-error'], { perRetryTimeout: { unit: 'ms', value: 60 } }))] }, { a: [never] })
  const error = await rejection(ask()) as MeshError
  assert.deepEqual([error.code, error.attempts.map(({ ending }) => ending)], ['ENMESH_ATTEMPT_TIMEOUT', ['ENMESH_ATTEMPT_TIMEOUT', 'ENMESH_ATTEMPT_TIMEOUT']])
})

test('S9: perRequest bounds all attempts together', async (t) => {
  const { ask } = await stage(t, {
    routes: [aRoute('all', 'a', all, { ...policy(['gateway-error'], { maxRetries: 9 }), timeout: { perRequest: { unit: 'ms', value: 150 } } })],
  }, { a: [status(502), never] })
  assert.equal(await code(ask()), 'ENMESH_DEADLINE_EXCEEDED')
})

describe('S10: what is retried where nothing is said', () => {
  for (const [code, attempts] of [[503, 3], [500, 1], [502, 1], [504, 1], [409, 1]] as const) {
    test(`${code}: ${attempts}`, async (t) => {
      const { mesh, upstreams } = await stage(t, { routes: [aRoute('all', 'a', all)] }, { a: [status(code)] })
      const response = await mesh.fetch(`http://${service}/`, { method: 'POST', body: 'x' })
      await response.text()
      assert.deepEqual([response.status, upstreams['a']![0]!.requests.length], [code, attempts])
    })
  }

  test('a connection that is lost or cannot be made', async (t) => {
    const { ask, upstreams } = await stage(t, { routes: [aRoute('all', 'a', all)] }, { a: [(request) => request.socket.destroy(), never, (_, response) => response.end('well')] })
    await upstreams['a']![1]!.kill()
    for (let i = 0; i < 6; i++) assert.equal(await ask('/', { method: 'POST', body: 'x' }), 'well')
  })

  test('also with a virtual node for a provider', async (t) => {
    const { upstream, mesh } = story(t)
    const server = await upstream(status(503))
    const { document } = await read({
      mesh: { meshName },
      virtualServices: [{ meshName, virtualServiceName: service, spec: { provider: { virtualNode: { virtualNodeName: 'a' } } } }],
      virtualNodes: [aNode('a')],
    })
    const running = mesh(fromAppMesh(document, { endpoints: { a: [server.address] } }))
    await (await running.fetch(`http://${service}/`)).text()
    assert.equal(server.requests.length, 3)
  })
})

describe('calls of gRPC', () => {
  const grpc = (match: Spec, more: Spec = {}) => ({
    meshName, virtualRouterName: 'router', routeName: JSON.stringify(match),
    spec: { grpcRoute: { match, action: { weightedTargets: [{ virtualNode: 'a', weight: 1 }] }, ...more } },
  })
  const answering = (t: TestContext, grpcStatus: string): Promise<Http2Upstream> => http2Upstream(t, (stream) =>
    stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': grpcStatus }, { endStream: true }))
  const ask = async ({ mesh }: Story, server: Http2Upstream, spec: Spec): Promise<number> => {
    const { document } = await read({
      mesh: { meshName },
      virtualServices: [{ meshName, virtualServiceName: service, spec: { provider: { virtualRouter: { virtualRouterName: 'router' } } } }],
      virtualRouters: [{ meshName, virtualRouterName: 'router', spec: { listeners: [listening({}, 8080, 'grpc')] } }],
      routes: [grpc({ serviceName: 'shop.Stock', methodName: 'Reserve', metadata: [{ name: 'x-tenant', match: { exact: 'acme' } }] }, spec)],
      virtualNodes: [aNode('a', { listeners: [listening({}, 8080, 'grpc')] })],
    })
    const running = mesh(fromAppMesh(document, { endpoints: { a: [server.address] }, onWarning: () => {} }))
    const headers = { 'content-type': 'application/grpc', 'x-tenant': 'acme' }
    const call = (path: string): Promise<Response> => running.fetch(`http://${service}${path}`, { method: 'POST', body: 'x', headers })
    assert.equal(await code(call('/shop.Stock/Other')), 'ENMESH_NO_ROUTE')
    await (await call('/shop.Stock/Reserve')).text()
    return server.heads.length
  }
  const events = { 'cancelled': 1, 'deadline-exceeded': 4, 'resource-exhausted': 8, 'internal': 13, 'unavailable': 14 }
  for (const [event, grpcStatus] of Object.entries(events)) {
    test(`${event} is the status ${grpcStatus}`, async (t) => {
      const retried = policy(undefined, { grpcRetryEvents: [event] })
      const [named, another] = [await answering(t, String(grpcStatus)), await answering(t, '2')]
      const stage = story(t)
      assert.equal(await ask(stage, named, retried), 2)
      assert.equal(await ask(stage, another, retried), 1)
    })
  }

  test('S10: unavailable is tried twice more where nothing is said', async (t) => {
    const [unavailable, internal] = [await answering(t, '14'), await answering(t, '13')]
    const stage = story(t)
    assert.equal(await ask(stage, unavailable, {}), 3)
    assert.equal(await ask(stage, internal, {}), 1)
  })
})

const seconds = (value: number): Spec => ({ perRequest: { unit: 's', value } })

describe('S11: 15 s for a request unless route and listener both say otherwise', () => {
  const cases: readonly (readonly [string, Spec | undefined, Spec | undefined, number | undefined])[] = [
    ['neither says anything', undefined, undefined, 15_000],
    ['only the route says more', seconds(60), undefined, 15_000],
    ['only the listener says more', undefined, seconds(60), 15_000],
    ['both say more', seconds(40), seconds(60), 40_000],
    ['the route says less', seconds(2), seconds(60), 2_000],
    ['the listener says less', seconds(60), seconds(3), 3_000],
    ['the route switches it off alone', seconds(0), undefined, 15_000],
    ['both switch it off', seconds(0), seconds(0), undefined],
  ]
  for (const [title, ofRoute, ofListener, expected] of cases) {
    test(title, async (t) => {
      const { upstream } = story(t)
      const server = await upstream(never)
      const document = await documentOf({
        routes: [aRoute('all', 'a', all, ofRoute && { timeout: ofRoute })],
        nodes: [aNode('a', { listeners: [listening(ofListener && { timeout: { http: ofListener } })] })],
      })
      const clock = new FakeClock()
      const mesh = createMesh(fromAppMesh(document, { endpoints: { a: [server.address] }, onWarning: () => {} }), { runtime: { clock } })
      t.after(() => mesh.close())
      const abort = new AbortController()
      let settled = false
      const call = mesh.fetch(`http://${service}/`, { signal: abort.signal }).finally(() => { settled = true })
      const ended = rejection(call)
      await turnsUntil(() => server.requests.length === 1, 'the request arrives')
      await clock.advance((expected ?? 290_000) - 1)
      assert.equal(settled, false)
      if (expected === undefined) abort.abort(new Error('enough'))
      else await clock.advance(1)
      assert.equal((await ended as MeshError).code, expected === undefined ? undefined : 'ENMESH_DEADLINE_EXCEEDED')
    })
  }
})

const outliers = (maxServerErrors: number, maxEjectionPercent: number, seconds = 30) => aNode('a', {
  listeners: [listening({ outlierDetection: { maxServerErrors, maxEjectionPercent, interval: { unit: 's', value: 10 }, baseEjectionDuration: { unit: 's', value: seconds } } })],
})

test('S12: an endpoint is out after so many errors in a row, and one may always be', async (t) => {
  const { ask, mesh, upstreams } = await stage(t, { routes: [aRoute('all', 'a', all, policy(['client-error']))], nodes: [outliers(3, 0)] }, { a: [status(500), (_, response) => response.end('well')] })
  for (let i = 0; i < 20; i++) await ask()
  assert.equal(upstreams['a']![0]!.requests.length, 3)
  assert.deepEqual(mesh.status().clusters['a']!.endpoints.map(({ state }) => state), ['ejected', 'available'])
})

test('S12: it returns at the sweep after its time, which is longer each time', async (t) => {
  const { upstream } = story(t)
  let sick = false
  const servers = [await upstream((_, response) => {
    response.statusCode = sick ? 500 : 200
    response.end()
  }), await upstream((_, response) => response.end('well'))]
  const document = await documentOf({ routes: [aRoute('all', 'a', all, policy(['client-error']))], nodes: [outliers(3, 50, 24)] })
  const clock = new FakeClock()
  const mesh = createMesh(fromAppMesh(document, { endpoints: { a: servers.map(({ address }) => address) }, onWarning: () => {} }), { runtime: { clock } })
  t.after(() => mesh.close())
  const askOften = async (): Promise<void> => {
    for (let i = 0; i < 8; i++) await (await mesh.fetch(`http://${service}/`)).text()
  }
  const states = (): readonly string[] => mesh.status().clusters['a']!.endpoints.map(({ state }) => state)
  const out = ['ejected', 'available']
  await mesh.ready()
  const begin = clock.now()
  const until = async (seconds: number): Promise<void> => { await clock.advance(begin + seconds * 1_000 - clock.now()) }

  await askOften()
  sick = true
  await until(5)
  await askOften()
  assert.deepEqual([states(), servers[0]!.requests.length], [out, 4 + 3])
  // Out from 5 s for 24 s, and sweeps are at 15 s, 25 s, 35 s.
  await until(34.999)
  assert.deepEqual(states(), out)
  await until(35)
  assert.deepEqual(states(), ['available', 'available'])

  await askOften()
  assert.deepEqual([states(), servers[0]!.requests.length], [out, 4 + 3 + 3])
  // The second time for twice as long, from 35 s to 83 s, and the next sweep is at 85 s.
  await until(84.999)
  assert.deepEqual(states(), out)
  sick = false
  await until(85)
  assert.deepEqual(states(), ['available', 'available'])
  await askOften()
  assert.equal(servers[0]!.requests.length, 4 + 3 + 3 + 4)
})

test('S13: with fewer than half of the endpoints available, all are used', async (t) => {
  const { ask, upstreams } = await stage(t, { routes: [aRoute('all', 'a', all, policy(['client-error']))], nodes: [outliers(2, 100)] }, { a: [status(500), status(500), (_, response) => response.end('well')] })
  for (let i = 0; i < 30; i++) await ask()
  for (const upstream of upstreams['a']!) assert.ok(upstream.requests.length > 5)
})

describe('S14: connection pools', () => {
  test('http: connections, and requests that wait for one', async (t) => {
    const nodes = [aNode('a', { listeners: [listening({ connectionPool: { http: { maxConnections: 1, maxPendingRequests: 1 } } })] })]
    const { ask, upstreams } = await stage(t, { routes: [aRoute('all', 'a', all)], nodes }, { a: [never] })
    const [upstream] = upstreams['a']!
    const first = ask()
    await turnsUntil(() => upstream!.requests.length === 1, 'the first arrives')
    const second = ask()
    assert.equal(await code(ask()), 'ENMESH_OVERLOADED')
    upstream!.answer = (_, response) => response.end('late')
    upstream!.requests[0]!.socket.destroy()
    assert.deepEqual(await Promise.all([first, second]), ['late', 'late'])
    assert.ok(upstream!.accepted <= 3)
  })

  test('http2: requests under way', async (t) => {
    const nodes = [aNode('a', { listeners: [listening({ connectionPool: { http2: { maxRequests: 1 } } }, 8080, 'http2')] })]
    const { opened, open } = gate()
    const upstream = await http2Upstream(t, (stream, headers) => void opened.then(() => says('late')(stream, headers)))
    const { ask } = await stage(t, { routes: [aRoute('all', 'a', all)], nodes }, {}, { endpoints: { a: [upstream.address] } })
    const first = ask()
    await upstream.arrived(1)
    assert.equal(await code(ask()), 'ENMESH_OVERLOADED')
    open()
    assert.equal(await first, 'late')
  })

  test('without one nothing is limited', async () => {
    const { clusters } = fromAppMesh(await documentOf({ routes: [aRoute('all', 'a', all)] }))
    assert.deepEqual([clusters!['a']!.connections, clusters!['a']!.pending, clusters!['a']!.requests], [2_147_483_647, 2_147_483_647, undefined])
  })
})

describe('S15: what a node may call', () => {
  const backends = (...names: string[]) => names.map((virtualServiceName) => ({ virtualService: { virtualServiceName } }))
  const document = async (type: string | undefined, front: Spec): Promise<AppMeshDocument> => (await read({
    mesh: { meshName, spec: type === undefined ? {} : { egressFilter: { type } } },
    virtualServices: ['a.local', 'b.local'].map((virtualServiceName) => ({ meshName, virtualServiceName, spec: { provider: { virtualNode: { virtualNodeName: 'a' } } } })),
    virtualNodes: [aNode('a'), aNode('front', front)],
  })).document
  const cases: readonly (readonly [string, string | undefined, Spec, string | undefined, readonly string[], unknown])[] = [
    ['its backends alone by default', undefined, { backends: backends('a.local') }, 'front', ['a.local'], { allow: ['*.amazonaws.com'] }],
    ['nothing without backends', 'DROP_ALL', {}, 'front', [], { allow: ['*.amazonaws.com'] }],
    ['its backends alone even under ALLOW_ALL', 'ALLOW_ALL', { backends: backends('b.local') }, 'front', ['b.local'], { allow: ['*.amazonaws.com'] }],
    ['whatever it likes under ALLOW_ALL without backends', 'ALLOW_ALL', {}, 'front', [], 'allow'],
    ['every service as nobody in particular', undefined, {}, undefined, ['a.local', 'b.local'], { allow: ['*.amazonaws.com'] }],
    ['everything as nobody in particular under ALLOW_ALL', 'ALLOW_ALL', {}, undefined, ['a.local', 'b.local'], 'allow'],
  ]
  for (const [title, type, front, as, services, egress] of cases) {
    test(title, async () => {
      const config = fromAppMesh(await document(type, front), as === undefined ? {} : { as })
      assert.deepEqual([Object.keys(config.services!), config.egress], [services, egress])
    })
  }

  test('a service that is no backend is denied', async (t) => {
    const mesh = story(t).mesh(fromAppMesh(await document(undefined, { backends: backends('a.local') }), { as: 'front', endpoints: { a: ['127.0.0.1:9'] } }))
    assert.equal(await code(mesh.fetch('http://b.local/')), 'ENMESH_EGRESS_DENIED')
    assert.equal(await code(mesh.fetch('http://elsewhere.example.com/')), 'ENMESH_EGRESS_DENIED')
  })
})

test('S16: an instance of Cloud Map needs all attributes', async () => {
  const serviceDiscovery = { awsCloudMap: { namespaceName: 'shop.local', serviceName: 'pricing', attributes: [{ key: 'version', value: '2' }, { key: 'tier', value: 'gold' }], ipPreference: 'IPv6_ONLY' } }
  const { clusters } = fromAppMesh(await documentOf({ routes: [aRoute('all', 'a', all)], nodes: [aNode('a', { serviceDiscovery })] }))
  assert.deepEqual(clusters!['a']!.registry, {
    type: 'cloud-map', namespace: 'shop.local', service: 'pricing', port: 8080, attributes: { version: '2', tier: 'gold' }, family: 6,
  })
})

test('S16: only the instances that have all attributes are called', { skip: sdk }, async (t) => {
  const cloudMap = await CloudMapServer.start()
  t.after(() => cloudMap.close())
  const { upstream, mesh } = story(t)
  const pricing = cloudMap.addService('shop.local', 'pricing')
  const versions = { both: { version: '2', tier: 'gold' }, version: { version: '2' }, tier: { version: '1', tier: 'gold' }, none: {} }
  for (const [name, attributes] of Object.entries(versions)) {
    const { port } = await upstream((_, response) => response.end(name))
    cloudMap.put(pricing, name, { AWS_INSTANCE_IPV4: '127.0.0.1', AWS_INSTANCE_PORT: String(port), ...attributes })
  }
  const attributes = [{ key: 'version', value: '2' }, { key: 'tier', value: 'gold' }]
  const serviceDiscovery = { awsCloudMap: { namespaceName: 'shop.local', serviceName: 'pricing', attributes } }
  const config = fromAppMesh(await documentOf({ routes: [aRoute('all', 'a', all)], nodes: [aNode('a', { serviceDiscovery })] }))
  // The definition with the way to this server in the place of the one to AWS.
  const { registry, ...cluster } = config.clusters!['a']!
  const running = mesh({ ...config, clusters: { a: { ...cluster, registry: { ...registry, ...cloudMapWayTo(cloudMap) } as typeof registry } } })
  const answers = new Set<string>()
  for (let i = 0; i < 8; i++) answers.add(await (await running.fetch(`http://${service}/`)).text())
  assert.deepEqual([...answers], ['both'])
})

test('tcp routes: connections go by port and weight to the nodes, and close after the silence that the route allows', async (t) => {
  const servers = await Promise.all(['primary', 'replica'].map(async (name) => {
    const server = createServer((socket) => { socket.on('error', () => {}).end(name) })
    await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
    t.after(() => { server.close() })
    return `127.0.0.1:${(server.address() as AddressInfo).port}`
  }))
  const tcp = (routeName: string, port: number, virtualNode: string) => ({
    meshName, virtualRouterName: 'router', routeName,
    spec: { tcpRoute: { match: { port }, action: { weightedTargets: [{ virtualNode, weight: 1 }] }, timeout: { idle: { unit: 's', value: 7 } } } },
  })
  const { document } = await read({
    mesh: { meshName },
    virtualServices: [{ meshName, virtualServiceName: service, spec: { provider: { virtualRouter: { virtualRouterName: 'router' } } } }],
    virtualRouters: [{ meshName, virtualRouterName: 'router', spec: { listeners: [listening({}, 5432, 'tcp'), listening({}, 5433, 'tcp')] } }],
    routes: [tcp('write', 5432, 'primary'), tcp('read', 5433, 'replica')],
    virtualNodes: ['primary', 'replica'].map((name) => aNode(name, { listeners: [listening({}, 5432, 'tcp')] })),
  })
  const running = story(t).mesh(fromAppMesh(document, { endpoints: { primary: [servers[0]!], replica: [servers[1]!] } }))
  const heard = async (port: number): Promise<string> => text(await running.connect(service, { port }))
  assert.deepEqual([await heard(5432), await heard(5433)], ['primary', 'replica'])
  assert.equal(await code(running.connect(service, { port: 1 })), 'ENMESH_NO_ROUTE')
  const { routes } = running.status().services[service]!
  assert.deepEqual(routes.map(({ config: { timeout, idleTimeout, retry } }) => [timeout, idleTimeout, retry]), Array(2).fill([0, 7_000, false]))
})

test('S17: of several listeners the port decides, of the router and of the node', async (t) => {
  const { upstream, mesh } = story(t)
  const servers = await Promise.all(['plain', 'admin'].map((name) => upstream((_, response) => response.end(name))))
  const target = (port: number) => ({ weightedTargets: [{ virtualNode: 'a', weight: 1, port }] })
  const routed = (routeName: string, port: number, to: number) => {
    const route = aRoute(routeName, 'a', { ...all, port })
    return { ...route, spec: { httpRoute: { ...route.spec.httpRoute, action: target(to) } } }
  }
  const { document } = await read({
    mesh: { meshName },
    virtualServices: [{ meshName, virtualServiceName: service, spec: { provider: { virtualRouter: { virtualRouterName: 'router' } } } }],
    virtualRouters: [{ meshName, virtualRouterName: 'router', spec: { listeners: [listening({}, 80), listening({}, 81)] } }],
    routes: [routed('plain', 80, 8080), routed('admin', 81, 9090)],
    virtualNodes: [aNode('a', { listeners: [listening(), listening({}, 9090)] })],
  })
  const running = mesh(fromAppMesh(document, { endpoints: { 'a:8080': [servers[0]!.address], 'a:9090': [servers[1]!.address] } }))
  assert.equal(await (await running.fetch(`http://${service}/`)).text(), 'plain')
  assert.equal(await (await running.fetch(`http://${service}:81/`)).text(), 'admin')
  assert.equal(await code(running.fetch(`http://${service}:82/`)), 'ENMESH_NO_ROUTE')
})

test('S18: where no route matches nothing is sent', async (t) => {
  const { ask, upstreams } = await stage(t, { routes: [aRoute('some', 'a', { prefix: '/some' })] })
  assert.equal(await code(ask('/other')), 'ENMESH_NO_ROUTE')
  assert.equal(upstreams['a']![0]!.requests.length, 0)
})

for (const [protocol, spoken] of [['http', [undefined, undefined]], ['http2', [true, undefined]], ['grpc', [true, true]]] as const) {
  test(`endpoints of a listener with ${protocol} are spoken to so`, async () => {
    const { clusters } = fromAppMesh(await documentOf({ routes: [aRoute('all', 'a', all)], nodes: [aNode('a', { listeners: [listening({}, 8080, protocol)] })] }))
    assert.deepEqual([clusters!['a']!.http2, clusters!['a']!.grpc], spoken)
  })
}

test('what has no effect in a process is said', async () => {
  const warnings: Fault[] = []
  const document = await documentOf({ routes: [aRoute('all', 'a', all)], nodes: [aNode('a', { listeners: [listening({ outlierDetection: { maxServerErrors: 5, interval: { unit: 's', value: 10 }, baseEjectionDuration: { unit: 's', value: 30 }, maxEjectionPercent: 50 } })] })] })
  fromAppMesh(document, { onWarning: (warning) => warnings.push(warning) })
  assert.deepEqual(warnings.map(({ resource, path }) => [resource, path]), [['virtualNode a', 'spec.listeners[0].outlierDetection']])
})
