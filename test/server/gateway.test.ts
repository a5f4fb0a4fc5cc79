import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Agent, createServer, request as ask, type ClientRequest, type IncomingMessage, type RequestListener, type RequestOptions } from 'node:http'
import { connect as connectHttp2, createServer as http2Server } from 'node:http2'
import { request as askTls } from 'node:https'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { test, type TestContext } from 'node:test'
import { gatewayRoutesOf } from '../../src/app-mesh/index.ts'
import { MeshConfigError, type Layer, type Call, type Mesh, type MeshInput } from '../../src/index.ts'
import { createGateway, currentPassport, type Gateway, type GatewayOptions, type Problem } from '../../src/server/index.ts'
import { read } from '../app-mesh/support.ts'
import { selfSigned } from '../scenarios/support/certificate.ts'
import { story, turnsUntil, type Story } from '../scenarios/support/story.ts'
import { RawUpstream } from '../support/raw-upstream.ts'
import { bodyOf, hangs, refused, says, type Upstream } from '../scenarios/support/upstream.ts'

const over = (endpoints: Readonly<Record<string, string>>, cluster: object = {}, route: object = {}): MeshInput => ({
  services: Object.fromEntries(Object.keys(endpoints).map((name) => [`${name}.local`, { cluster: name, ...route }])),
  clusters: Object.fromEntries(Object.entries(endpoints).map(([name, address]) => [name, { registry: { type: 'static', endpoints: [address] }, ...cluster }])),
  egress: 'deny',
})

interface Door {
  readonly gateway: Gateway
  readonly port: number
}

interface Scene extends Story {
  /** Has a gateway listen that lives as long as the test. */
  readonly open: (mesh: Mesh, options?: GatewayOptions | GatewayOptions['routes']) => Promise<Door>
  /** The same before one service, `svc.local`. */
  readonly before: (answer: RequestListener, options?: Omit<GatewayOptions, 'routes'> & { readonly routes?: GatewayOptions['routes'] }, route?: object) =>
    Promise<Door & { readonly upstream: Upstream, readonly mesh: Mesh }>
}

const scene = (t: TestContext): Scene => {
  const gateways: Gateway[] = []
  t.after(() => Promise.all(gateways.map((gateway) => gateway.close())))
  const stage = story(t)
  const open: Scene['open'] = async (mesh, options = [{ service: 'svc.local' }]) => {
    const gateway = createGateway(mesh, options)
    gateways.push(gateway)
    await once(gateway.server.listen(0, '127.0.0.1'), 'listening')
    return { gateway, port: (gateway.server.address() as AddressInfo).port }
  }
  return { ...stage, open, before: async (answer, options = {}, route = {}) => {
    const upstream = await stage.upstream(answer)
    const mesh = stage.mesh(over({ svc: upstream.address }, {}, { retry: false, ...route }))
    return { upstream, mesh, ...await open(mesh, { routes: [{ service: 'svc.local' }], ...options }) }
  } }
}

interface Answer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly trailers: IncomingMessage['trailers']
  readonly body: string
}

const answerTo = async (sent: ClientRequest): Promise<Answer> => {
  const [answer] = await once(sent, 'response') as [IncomingMessage]
  const body = await text(answer)
  return { status: answer.statusCode!, headers: answer.headers, trailers: answer.trailers, body }
}

const get = (port: number, path: string, options: RequestOptions = {}): Promise<Answer> => answerTo(ask({ port, path, agent: false, ...options }).end())

const problemIn = ({ headers, body }: Answer): Problem => {
  assert.equal(headers['content-type'], 'application/problem+json')
  return JSON.parse(body) as Problem
}

/** All that comes back over a connection of its own until it ends. */
const raw = async (port: number, ...parts: readonly string[]): Promise<string> => {
  const socket = connect(port, '127.0.0.1').setEncoding('latin1')
  for (const part of parts) socket.write(part, 'latin1')
  return text(socket)
}

const mirror: RequestListener = (request, response) => {
  void bodyOf(request).then((body) => response.end(JSON.stringify({ method: request.method, url: request.url, headers: request.headers, body: body.toString() })), () => {})
}

const seenIn = ({ body }: Answer): { method: string, url: string, headers: IncomingMessage['headers'], body: string } => JSON.parse(body) as never

test('requests are matched, rewritten and sent on through the mesh, whose routes hold for them too', async (t) => {
  const stage = scene(t)
  const [stable, canary] = [await stage.upstream(mirror), await stage.upstream(says('the canary'))]
  const { port } = await stage.open(stage.mesh({
    services: { 'orders.local': { routes: [{ match: { headers: { 'x-canary': 'yes' } }, to: 'canary' }, { to: 'stable' }] } },
    clusters: { stable: { registry: { type: 'static', endpoints: [stable.address] } }, canary: { registry: { type: 'static', endpoints: [canary.address] } } },
  }), [
    { match: { path: { prefix: '/orders' } }, service: 'orders.local', rewrite: { prefix: '/', host: 'orders.internal' } },
    { match: { path: { exact: '/ping' }, method: 'GET' }, service: 'orders.local', rewrite: { path: '/health' } },
    { match: { host: '*.shop.test', query: { v: '2' } }, service: 'orders.local', rewrite: { prefix: '/v2/' } },
  ])
  const first = seenIn(await get(port, '/orders/42?full=1'))
  assert.deepEqual([first.url, first.headers.host], ['/42?full=1', 'orders.internal'])
  const second = seenIn(await get(port, '/ping?x', { headers: { host: 'shop.test:81' } }))
  assert.deepEqual([second.url, second.headers.host], ['/health?x', 'shop.test:81'])
  assert.equal(seenIn(await get(port, '/a?v=2', { headers: { host: 'www.shop.test' } })).url, '/v2/a?v=2')
  assert.equal((await get(port, '/orders/42', { headers: { 'x-canary': 'yes' } })).body, 'the canary')
  for (const [path, method] of [['/ordersx', 'GET'], ['/ping', 'POST'], ['/a?v=2', 'GET']]) {
    const answer = await get(port, path!, { method })
    assert.deepEqual([answer.status, answer.headers['enmesh-error'], problemIn(answer).code], [404, 'ENMESH_NO_ROUTE', 'ENMESH_NO_ROUTE'])
  }
})

test("a definition's gateway routes are taken as they are", async (t) => {
  const stage = scene(t)
  const upstream = await stage.upstream(mirror)
  const meshName = 'shop'
  const gatewayRoute = (gatewayRouteName: string, prefix: string, rewrite?: object) => ({ meshName, virtualGatewayName: 'ingress-gw', gatewayRouteName, spec: {
    httpRoute: { match: { prefix }, action: { target: { virtualService: { virtualServiceName: 'orders.local' } }, ...rewrite && { rewrite } } },
  } })
  const { document } = await read({
    mesh: { meshName },
    virtualGateways: [{ meshName, virtualGatewayName: 'ingress-gw', spec: { listeners: [{ portMapping: { port: 8080, protocol: 'http' } }] } }],
    virtualServices: [{ meshName, virtualServiceName: 'orders.local', spec: {} }],
    gatewayRoutes: [
      gatewayRoute('orders', '/orders'), gatewayRoute('kept', '/kept', { hostname: { defaultTargetHostname: 'DISABLED' }, prefix: { defaultPrefix: 'DISABLED' } }),
      gatewayRoute('all', '/', { prefix: { value: '/rest/' } }),
    ],
  })
  const { port } = await stage.open(stage.mesh(over({ orders: upstream.address })), gatewayRoutesOf(document, 'ingress-gw'))
  const seen = async (path: string): Promise<unknown[]> => {
    const { url, headers: { host } } = seenIn(await get(port, path, { headers: { host: 'shop.test' } }))
    return [url, host]
  }
  assert.deepEqual(await seen('/orders/1'), ['/1', 'orders.local'])
  assert.deepEqual(await seen('/kept/1'), ['/kept/1', 'shop.test'])
  assert.deepEqual(await seen('/other?x'), ['/rest/other?x', 'orders.local'])
})

test('fields of the connection stay on it, and where a request comes from is told by the gateway alone', async (t) => {
  const stage = scene(t)
  const { port } = await stage.before((request, response) => {
    response.writeHead(200, ['Connection', 'x-inner, close', 'X-Inner', '1', 'Keep-Alive', 'timeout=1', 'Proxy-Authenticate', 'Basic', 'Set-Cookie', 'a=1', 'Set-Cookie', 'b=2',
      'enmesh-error', 'ENMESH_CLOSED', 'X-Request-Id', 'own', 'Server', 'svc'])
    response.end(JSON.stringify({ headers: request.headers }))
  })
  const answer = await get(port, '/', { headers: {
    'host': 'shop.test', 'connection': 'x-hop, close', 'x-hop': '1', 'keep-alive': 'x', 'proxy-authorization': 'secret', 'te': 'gzip, trailers', 'x-kept': 'yes',
    'x-forwarded-for': '6.6.6.6', 'x-forwarded-proto': 'https', 'x-forwarded-host': 'evil', 'x-forwarded-prefix': '/evil', 'forwarded': 'for=6.6.6.6', 'x-real-ip': '6.6.6.6', 'client-cert': ':Zm9yZ2Vk:', 'cf-connecting-ip': '6.6.6.6',
    'x_forwarded_for': '6.6.6.6', 'x-original-url': '/admin', 'x-envoy-retry-on': '5xx', 'x-request-id': 'theirs', 'traceparent': '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', 'baggage': 'a=b',
  } })
  const { headers } = seenIn(answer)
  assert.deepEqual(Object.keys(headers).sort(), [
    'connection', 'forwarded', 'host', 'te', 'x-envoy-expected-rq-timeout-ms', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-kept', 'x-request-id',
  ])
  assert.deepEqual([headers.te, headers['x-forwarded-for'], headers['x-forwarded-proto'], headers['x-forwarded-host'], headers.forwarded],
    ['trailers', '127.0.0.1', 'http', 'shop.test', 'for=127.0.0.1;host=shop.test;proto=http'])
  assert.notEqual(headers['x-request-id'], 'theirs')
  assert.deepEqual([answer.headers['x-inner'], answer.headers['proxy-authenticate'], answer.headers['enmesh-error'], answer.headers['set-cookie'], answer.headers['x-request-id'], answer.headers['server']],
    [undefined, undefined, undefined, ['a=1', 'b=2'], 'own', 'svc'])
})

test('proxies that are trusted are believed, as many as there are', async (t) => {
  const stage = scene(t)
  const { port } = await stage.before(mirror, { trustedHops: 2, inbound: 'continue' })
  const { headers } = seenIn(await get(port, '/', { headers: {
    'host': 'inner', 'x-forwarded-for': '6.6.6.6, 9.9.9.9, 10.0.0.1', 'x-forwarded-proto': 'https', 'x-forwarded-host': 'shop.test', 'x-forwarded-port': '443',
    'forwarded': 'for=6.6.6.6, for="[2001:db8::1]";host="a,b", for=10.0.0.1', 'x-request-id': 'theirs', 'grpc-timeout': '5S',
  } }))
  assert.deepEqual([headers['x-forwarded-for'], headers['x-forwarded-proto'], headers['x-forwarded-host'], headers['x-forwarded-port'], headers['x-request-id']],
    ['9.9.9.9, 10.0.0.1, 127.0.0.1', 'https', 'shop.test', '443', 'theirs'])
  assert.equal(headers.forwarded, 'for="[2001:db8::1]";host="a,b", for=10.0.0.1, for=127.0.0.1;host=shop.test;proto=https')
})

test('bodies stream both ways, with back-pressure and trailers', async (t) => {
  const stage = scene(t)
  const chunk = Buffer.alloc(64 * 1024, 'x')
  let sent = 0
  let stopped = false
  const { port } = await stage.before((request, response) => {
    response.writeHead(200, { trailer: 'x-sum' })
    response.write('begun')
    request.once('data', () => {
      const fill = (): void => {
        stopped = false
        let room = true
        for (; sent < 400 && room; sent++) room = response.write(chunk)
        if (sent < 400) {
          stopped = true
          response.once('drain', fill)
        } else {
          response.addTrailers({ 'x-sum': '7', 'set-cookie': 'a=b' })
          response.end()
        }
      }
      fill()
    })
  })
  const sender = ask({ port, path: '/', method: 'POST', agent: false })
  sender.flushHeaders()
  sender.write('a')
  const [answer] = await once(sender, 'response') as [IncomingMessage]
  assert.equal(String((await once(answer, 'data') as [Buffer])[0]).slice(0, 5), 'begun', 'the answer is there before the request is whole')
  answer.pause()
  await turnsUntil(() => stopped, 'the service is held back')
  for (let turn = 0; turn < 300; turn++) await new Promise((resolve) => { setImmediate(resolve) })
  assert.ok(sent < 399, `the service went on to ${sent}`)
  sender.end()
  await text(answer)
  assert.deepEqual([sent, answer.trailers['x-sum'], answer.trailers['set-cookie']], [400, '7', undefined])
})

test('a client is told to go on only when an endpoint takes the body', async (t) => {
  const stage = scene(t)
  const { port, gateway } = await stage.before(mirror, { routes: [{ match: { path: { prefix: '/a' } }, service: 'svc.local' }] })
  const sender = ask({ port, path: '/a', method: 'PUT', agent: false, headers: { 'expect': '100-continue', 'content-length': '5' } })
  sender.flushHeaders()
  await once(sender, 'continue')
  sender.end('hello')
  assert.equal(seenIn(await answerTo(sender)).body, 'hello')
  const answer = await raw(port, 'PUT /b HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n')
  assert.match(answer, /^HTTP\/1\.1 404 .*connection: close/is)
  assert.equal(await new Promise((resolve) => { gateway.server.getConnections((_, count) => resolve(count)) }), 0)
})

test('1xx answers go on, but not to HTTP/1.0', async (t) => {
  const stage = scene(t)
  const { port } = await stage.before((_, response) => {
    response.writeEarlyHints({ 'link': '</a.css>; rel=preload', 'x-a': 'b' }, () => response.end('whole'))
  })
  const sender = ask({ port, path: '/', agent: false }).end()
  const whole = answerTo(sender)
  const [hint] = await once(sender, 'information') as [{ statusCode: number, headers: Record<string, string> }]
  assert.deepEqual([hint.statusCode, hint.headers['link'], hint.headers['x-a']], [103, '</a.css>; rel=preload', 'b'])
  assert.equal((await whole).body, 'whole')
  assert.match(await raw(port, 'GET / HTTP/1.0\r\nHost: a\r\n\r\n'), /^HTTP\/1\.1 200 OK/)
})

test('the head of an answer goes on by itself where its body is long in coming', async (t) => {
  const stage = scene(t)
  let finish = (): void => {}
  const { port } = await stage.before((_, response) => {
    response.flushHeaders()
    finish = () => response.end('at last')
  })
  const [answer] = await once(ask({ port, path: '/', agent: false }).end(), 'response') as [IncomingMessage]
  finish()
  assert.equal(await text(answer), 'at last')
})

test('a small body is sent once it is whole: who stops in its middle holds no endpoint', async (t) => {
  const stage = scene(t)
  const { port, upstream, mesh } = await stage.before(mirror)
  const sending = ask({ port, path: '/cut', method: 'POST', agent: false, headers: { 'content-length': '5' } }).on('error', () => {})
  sending.write('he', () => sending.destroy())
  await new Promise((resolve) => { sending.once('close', resolve) })
  const whole = seenIn(await answerTo(ask({ port, path: '/whole', method: 'POST', agent: false }).end('hello')))
  assert.deepEqual([whole.url, whole.body], ['/whole', 'hello'])
  assert.deepEqual(upstream.requests.map(({ url }) => url), ['/whole'])
  assert.equal(mesh.status().calls, 0)
})

test('a body that somebody has read before is missed, and not waited for', async (t) => {
  const stage = scene(t)
  const problems: string[] = []
  const { gateway } = await stage.before(mirror, { onProblem: (_, error) => problems.push((error as Error).message) })
  const own = createServer((request, response) => { void bodyOf(request).then(() => gateway.listener(request, response)) })
  await once(own.listen(0, '127.0.0.1'), 'listening')
  const answer = await answerTo(ask({ port: (own.address() as AddressInfo).port, path: '/', method: 'POST', agent: false }).end('hello'))
  own.close()
  own.closeAllConnections()
  assert.deepEqual([answer.status, problemIn(answer).code], [500, 'ENMESH_INTERNAL'])
  assert.match(problems[0]!, /was read before the gateway/)
})

test('in a server of HTTP/2 a request of HTTP/2 hears that it is not spoken here', async (t) => {
  const stage = scene(t)
  const { gateway, upstream } = await stage.before(mirror)
  const own = http2Server(gateway.listener as never)
  await once(own.listen(0, '127.0.0.1'), 'listening')
  const session = connectHttp2(`http://127.0.0.1:${(own.address() as AddressInfo).port}`)
  const sent = session.request({ ':path': '/' })
  const [headers] = await once(sent, 'response') as [Record<string, unknown>]
  const problem = JSON.parse(await text(sent)) as Problem
  assert.deepEqual([headers[':status'], headers['enmesh-error'], problem.status, upstream.requests.length], [505, 'ENMESH_NOT_SUPPORTED', 505, 0])
  session.close()
  own.close()
})

test('answers without a body have none, and what HEAD says of it stands', async (t) => {
  const stage = scene(t)
  const { port } = await stage.before((request, response) => {
    const status = Number(request.url!.slice(1))
    response.writeHead(status, status === 200 ? { 'content-length': '5' } : {}).end(request.method === 'HEAD' ? undefined : status === 200 ? 'hello' : '')
  })
  const head = await get(port, '/200', { method: 'HEAD' })
  assert.deepEqual([head.status, head.headers['content-length'], head.body], [200, '5', ''])
  for (const status of [204, 304]) assert.deepEqual([(await get(port, `/${status}`)).status, (await get(port, `/${status}`)).body], [status, ''])
  const bad = await get(port, '/%zz', { method: 'HEAD' })
  assert.deepEqual([bad.status, bad.headers['enmesh-error'], bad.body], [400, 'ENMESH_BAD_REQUEST', ''])
})

const upgradeOf = (port: number, protocol: string, path = '/'): ClientRequest =>
  ask({ port, path, agent: false, headers: { 'connection': 'upgrade', 'upgrade': protocol, 'sec-websocket-key': 'k' } })

test('a connection changes over where the service grants it, and ends with either of its ends', async (t) => {
  const stage = scene(t)
  const { port, mesh, upstream } = await stage.before(says('plain'))
  const ends: Socket[] = []
  upstream.switches('upgrade', (request, socket) => {
    ends.push(socket as Socket)
    if (request.url === '/no') return void socket.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno')
    socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\nx-by: svc\r\n\r\nfirst ')
    socket.pipe(socket)
  })
  const grant = async (): Promise<readonly [IncomingMessage, Socket, string]> => {
    const [answer, socket, head] = await once(upgradeOf(port, 'websocket').end(), 'upgrade') as [IncomingMessage, Socket, Buffer]
    socket.write('second')
    let said = head.toString()
    while (said.length < 12) said += String((await once(socket, 'data') as [Buffer])[0])
    return [answer, socket, said]
  }
  const [answer, socket, said] = await grant()
  assert.deepEqual([answer.headers['upgrade'], answer.headers['x-by'], said], ['websocket', 'svc', 'first second'])
  assert.equal(upstream.requests[0]!.headers['sec-websocket-key'], 'k')
  socket.destroy()
  await once(ends[0]!, 'close')
  const [, other] = await grant()
  ends[1]!.destroy()
  await once(other.resume(), 'close')
  await turnsUntil(() => mesh.status().calls === 0, 'no call is under way')
  const denied = await answerTo(upgradeOf(port, 'websocket', '/no').end())
  assert.deepEqual([denied.status, denied.body, denied.headers.connection], [403, 'no', 'close'])
  assert.equal((await answerTo(upgradeOf(port, 'h2c').end())).body, 'plain', 'a protocol that nobody offers is as if it had not been asked for')
})

test('the last words of a connection that has changed over arrive, whoever says them', async (t) => {
  const stage = scene(t)
  const { port, upstream } = await stage.before(says('plain'))
  const heard: Promise<string>[] = []
  upstream.switches('upgrade', (request, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n')
    heard.push(text(socket))
    if (request.url === '/talks') socket.end('z'.repeat(300_000))
    else socket.once('end', () => socket.end())
  })
  const [, listening, first] = await once(upgradeOf(port, 'websocket', '/talks').end(), 'upgrade') as [IncomingMessage, Socket, Buffer]
  listening.end()
  assert.equal(first.length + (await text(listening)).length, 300_000)
  const [, talking] = await once(upgradeOf(port, 'websocket').end(), 'upgrade') as [IncomingMessage, Socket, Buffer]
  talking.end('z'.repeat(300_000))
  assert.equal((await heard[1]!).length, 300_000)
})

test('an answer whose head no client could read is a problem of the service', async (t) => {
  const odd = new RawUpstream(() => 'HTTP/1.1 099 Odd\r\ncontent-length: 2\r\n\r\nok')
  t.after(() => odd.close())
  const stage = scene(t)
  await odd.start()
  const { port } = await stage.open(stage.mesh(over({ svc: odd.address }, {}, { retry: false })))
  const answer = await get(port, '/')
  assert.equal(answer.status, 502)
  assert.match(problemIn(answer).code, /^ENMESH_/)
})

test('a client that goes away ends what is done for it', async (t) => {
  const stage = scene(t)
  const ended: string[] = []
  const { port, upstream, mesh } = await stage.before((request, response) => {
    response.on('close', () => ended.push(request.url!))
    if (request.url === '/body') response.write('begun')
  })
  const silent = ask({ port, path: '/head', agent: false }).on('error', () => {}).end()
  await upstream.arrived(1)
  silent.destroy()
  await turnsUntil(() => ended.length === 1, 'the service hears of it')
  const reading = ask({ port, path: '/body', agent: false }).on('error', () => {}).end()
  const [answer] = await once(reading, 'response') as [IncomingMessage]
  answer.on('error', () => {})
  reading.destroy()
  await turnsUntil(() => ended.length === 2, 'the service hears of it')
  const sending = ask({ port, path: '/sent', method: 'POST', agent: false, headers: { 'content-length': '100000' } }).on('error', () => {})
  sending.write('half')
  await upstream.arrived(3)
  sending.destroy()
  await turnsUntil(() => ended.length === 3 && mesh.status().calls === 0, 'nothing is left')
  assert.equal(mesh.status().clusters['svc']!.endpoints[0]!.failures, 0, 'it is nobody else\'s fault')
})

test('an answer that breaks off at the service breaks off at the client, in whatever way its end is told', async (t) => {
  const stage = scene(t)
  const { port } = await stage.before((request, response) => {
    if (request.url === '/length') response.writeHead(200, { 'content-length': '100' })
    response.write('half', () => response.destroy())
  })
  for (const path of ['/length', '/chunks']) {
    const [answer] = await once(ask({ port, path, agent: false }).end(), 'response') as [IncomingMessage]
    await assert.rejects(text(answer), { code: 'ECONNRESET' }, path)
  }
  await assert.rejects(raw(port, 'GET /chunks HTTP/1.0\r\nHost: a\r\n\r\n'), { code: 'ECONNRESET' })
})

test('what the mesh decides is a problem that names it, and tells nothing of the inside', async (t) => {
  const stage = scene(t)
  const [hanging, full] = [await stage.upstream(hangs), await stage.upstream(says('full', 503))]
  const failing: Layer<Call> = (next) => (call) => {
    if (call.service === 'bug.local') throw new Error('a secret of ours')
    return next(call)
  }
  const config: MeshInput = {
    services: {
      'down.local': { cluster: 'down', retry: false }, 'none.local': { cluster: 'none' }, 'slow.local': { cluster: 'slow', timeout: 30 }, 'late.local': { cluster: 'slow', attemptTimeout: 30, retry: false },
      'bug.local': { cluster: 'down' }, 'open.local': { cluster: 'open', retry: false }, 'full.local': { cluster: 'full', retry: false },
    },
    clusters: {
      down: { registry: { type: 'static', endpoints: [refused] }, breaker: false }, none: { registry: { type: 'none' } } as never, slow: { registry: { type: 'static', endpoints: [hanging.address] } },
      open: { registry: { type: 'static', endpoints: [refused] }, breaker: { calls: 1 } }, full: { registry: { type: 'static', endpoints: [full.address] } },
    },
  }
  const mesh = stage.mesh(config, { layers: { call: [failing] } })
  const told: string[] = []
  const services = ['down', 'none', 'slow', 'late', 'bug', 'open', 'full']
  const routes = services.map((name) => ({ match: { path: { prefix: `/${name}` } }, service: `${name}.local` }))
  const { port, gateway } = await stage.open(mesh, { routes, onProblem: ({ code }, error) => told.push(`${code} ${(error as Error).message}`) })
  const problem = async (path: string, status: number, code: string): Promise<void> => {
    const answer = await get(port, path)
    const { detail, requestId, type, title, ...rest } = problemIn(answer)
    assert.deepEqual(rest, { status, code })
    assert.deepEqual([answer.status, answer.headers['enmesh-error'], type], [status, code, `urn:enmesh:error:${code}`])
    assert.equal(requestId, answer.headers['x-request-id'])
    assert.doesNotMatch(`${title} ${detail}`, /127\.0\.0|local|secret/)
    assert.match(told.at(-1)!, new RegExp(`^${code} `))
  }
  await problem('/down', 502, 'ENMESH_CONNECT_FAILED')
  await problem('/none', 503, 'ENMESH_NO_ENDPOINT')
  await problem('/slow', 504, 'ENMESH_DEADLINE_EXCEEDED')
  await problem('/late', 504, 'ENMESH_ATTEMPT_TIMEOUT')
  await problem('/bug', 500, 'ENMESH_INTERNAL')
  await get(port, '/open')
  await problem('/open', 503, 'ENMESH_CIRCUIT_OPEN')
  assert.match(told.join('\n'), /a secret of ours/)
  const own = await get(port, '/full')
  assert.deepEqual([own.status, own.body, own.headers['enmesh-error']], [503, 'full', undefined])
  const { port: frank } = await stage.open(mesh, { routes: routes.map((route) => ({ name: route.service, ...route })), disclose: true })
  const { detail, attempts, route } = problemIn(await get(frank, '/down'))
  assert.equal(route, 'down.local')
  assert.match(detail, /ECONNREFUSED/)
  assert.equal(attempts?.[0]?.endpoint, refused)
  mesh.update({ ...config, services: { 'down.local': config.services!['down.local']! } })
  await problem('/none', 404, 'ENMESH_NO_ROUTE')
  await mesh.close()
  await problem('/down', 503, 'ENMESH_CLOSED')
  await gateway.close()
})

test('a body above the limit is refused, or cut when it gets there', async (t) => {
  const stage = scene(t)
  const { port, mesh } = await stage.before(mirror, { maxBody: 1_000 })
  assert.equal(seenIn(await answerTo(ask({ port, path: '/', method: 'POST', agent: false }).end('x'.repeat(1_000)))).body.length, 1_000)
  const { code } = problemIn(await answerTo(ask({ port, path: '/', method: 'POST', agent: false, headers: { 'content-length': '1001' } }).end('x'.repeat(1_001))))
  assert.equal(code, 'ENMESH_TOO_LARGE')
  const sender = ask({ port, path: '/', method: 'POST', agent: false })
  sender.write('x'.repeat(600))
  sender.end('x'.repeat(600))
  const cut = await answerTo(sender)
  assert.deepEqual([cut.status, problemIn(cut).code], [413, 'ENMESH_TOO_LARGE'])
  assert.equal(mesh.status().clusters['svc']!.endpoints[0]!.failures, 0)
})

test('a request that does not come in time is over, whatever part of it is missing', async (t) => {
  const stage = scene(t)
  const { port, upstream } = await stage.before(mirror, { headersTimeout: 30, requestTimeout: 60 })
  for (const part of ['GET / HTTP/1.1\r\nHost: a\r\nx-slow: ', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe']) {
    assert.match(await raw(port, part), /^HTTP\/1\.1 408 .*enmesh-error: ENMESH_REQUEST_TIMEOUT/is)
  }
  assert.equal(upstream.requests.length, 0, 'and nobody was asked')
})

test('answers before the answer are not kept for a client that does not read them', async (t) => {
  const hint = `HTTP/1.1 103 Early Hints\r\nLink: <${'x'.repeat(10_000)}>\r\n\r\n`
  const flood = new RawUpstream(() => `${hint.repeat(3_000)}HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok`)
  t.after(() => flood.close())
  const stage = scene(t)
  await flood.start()
  const { port, gateway } = await stage.open(stage.mesh(over({ svc: flood.address }, {}, { retry: false })))
  let kept = 0
  gateway.server.on('connection', (socket) => {
    const write = socket.write.bind(socket) as (...what: unknown[]) => boolean
    socket.write = (...what: unknown[]) => {
      const goesOn = write(...what)
      kept = Math.max(kept, socket.writableLength)
      return goesOn
    }
  })
  const socket = connect(port, '127.0.0.1').pause()
  socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  await turnsUntil(() => kept > 0, 'the client is behind')
  socket.setEncoding('latin1')
  assert.match(await text(socket), /HTTP\/1\.1 200 OK.*ok$/s)
  assert.ok(kept < 100_000, `${kept} bytes`)
})

test('a client that reads nothing is left, even where no deadline is', async (t) => {
  const stage = scene(t)
  const { port, upstream, mesh } = await stage.before((_, response) => {
    const more = (): void => { while (response.write(Buffer.alloc(64 * 1024))); response.once('drain', more) }
    more()
  }, { stallTimeout: 40 }, { timeout: 0 })
  const socket = connect(port, '127.0.0.1').on('error', () => {})
  socket.pause().write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await upstream.arrived(1)
  await turnsUntil(() => mesh.status().calls === 0, 'the call is over').catch(() => assert.fail('it is held for ever'))
  socket.destroy()
})

test('while it closes, answers end their connections, and it waits for those under way', async (t) => {
  const stage = scene(t)
  let finish = (): void => {}
  const { port, gateway, upstream } = await stage.before((request, response) => {
    if (request.url === '/now') response.end('now')
    else finish = () => response.end('late')
  })
  const agent = new Agent({ keepAlive: true })
  t.after(() => agent.destroy())
  assert.equal((await answerTo(ask({ port, path: '/now', agent }).end())).headers.connection, 'keep-alive')
  const late = answerTo(ask({ port, path: '/late', agent }).end())
  await upstream.arrived(2)
  const closed = gateway.close()
  finish()
  const { body, headers } = await late
  assert.deepEqual([body, headers.connection], ['late', 'close'])
  await closed
  await assert.rejects(get(port, '/now'), { code: 'ECONNREFUSED' })
})

test('routes change in one step, and faults leave the old ones', async (t) => {
  const stage = scene(t)
  const { port, gateway } = await stage.before(mirror)
  gateway.update([{ match: { path: { prefix: '/new' } }, service: 'svc.local' }])
  assert.deepEqual([(await get(port, '/new')).status, (await get(port, '/old')).status], [200, 404])
  assert.throws(() => gateway.update([{ service: 'svx.local' }]), /gateway\.routes\[0\]\.service: the mesh has no service 'svx\.local': did you mean 'svc\.local'\?/)
  assert.equal((await get(port, '/new')).status, 200)
})

test('faults of the options are told with their places', async (t) => {
  const mesh = story(t).mesh(over({ svc: refused }))
  const faults = (options: unknown): readonly string[] => {
    try {
      createGateway(mesh, options as GatewayOptions)
    } catch (error) {
      assert.ok(error instanceof MeshConfigError)
      return error.faults.map(({ path, message }) => `${path}: ${message}`)
    }
    return []
  }
  assert.match(faults({})[0]!, /^gateway\.routes: is missing/)
  assert.deepEqual(faults({ routes: [{ service: 'svc.local' }], maxBdy: 1 }), ["gateway.maxBdy: unknown key: did you mean 'maxBody'?"])
  assert.match(faults([{ service: 'svc.local', match: { path: { exact: '/a' } }, rewrite: { prefix: '/' } }])[0]!, /^gateway\.routes\[0\]\.rewrite\.prefix: has nothing to replace/)
  assert.match(faults([{ service: 'no service' }])[0]!, /is not a service name/)
  assert.throws(() => createGateway({} as Mesh, []), TypeError)
  assert.throws(() => createGateway(mesh, { routes: [{ service: 'svc.local' }], onProblem: 1 } as never), /onProblem/)
})

test('over TLS it says so, and the passport has the time that a request may take', async (t) => {
  const own = selfSigned('shop.test')
  if (!own) return t.skip('openssl is not installed')
  const stage = scene(t)
  const upstream = await stage.upstream(mirror)
  let deadline = Infinity
  const noting: Layer<Call> = (next) => (call) => {
    deadline = currentPassport()?.deadline ?? Infinity
    return next(call)
  }
  const mesh = stage.mesh(over({ svc: upstream.address }), { layers: { call: [noting] } })
  const { port } = await stage.open(mesh, { routes: [{ match: { scheme: 'https' }, service: 'svc.local' }], timeout: '5s', tls: own })
  const answer = await answerTo(askTls({ port, path: '/', host: '127.0.0.1', agent: false, rejectUnauthorized: false }).end())
  assert.equal(seenIn(answer).headers['x-forwarded-proto'], 'https')
  assert.ok(deadline < Infinity)
  assert.ok(Number(seenIn(answer).headers['x-envoy-expected-rq-timeout-ms']) <= 5_000)
})
