import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, test, type TestContext } from 'node:test'
import { TLSSocket, createServer as createTlsServer } from 'node:tls'
import { createMesh, type ClusterStatus, type Mesh, type MeshError, type MeshInput } from '../../src/index.ts'
import { FakeClock, scriptedUpstream } from '../../src/testing/index.ts'
import { authority } from '../support/authority.ts'
import { refused } from './support/upstream.ts'
import { next, rejection, story, turnsUntil } from './support/story.ts'

interface Lines {
  readonly address: string
  /** Connections accepted so far. */
  readonly sockets: readonly Socket[]
}

/** A server that says its name and then what it hears. */
const speaks = async (t: TestContext, name: string, server: Server = createServer()): Promise<Lines> => {
  const sockets: Socket[] = []
  server.on(server.listenerCount('secureConnection') > 0 || 'setSecureContext' in server ? 'secureConnection' : 'connection', (socket: Socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
    socket.write(`${name}\n`)
    socket.pipe(socket)
  })
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  t.after(() => new Promise<void>((resolve) => {
    for (const socket of sockets) socket.destroy()
    server.close(() => resolve())
  }))
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, sockets }
}

const nameOn = async (socket: Socket): Promise<string> => String((await once(socket, 'data'))[0]).trim()

const of = (addresses: readonly string[], more: object = {}): MeshInput => ({
  services: { 'redis.local': { cluster: 'redis' } },
  clusters: { redis: { registry: { type: 'static', endpoints: [...addresses] }, balancer: { type: 'round-robin' }, ...more } },
})

const redis = (mesh: Mesh): ClusterStatus => mesh.status().clusters['redis']!
const code = async (promise: Promise<unknown>): Promise<string> => (await rejection(promise) as MeshError).code

test('a connection goes to an endpoint of the service, speaks any protocol, and counts until it closes', async (t) => {
  const server = await speaks(t, 'redis')
  const mesh = story(t).mesh(of([server.address]))
  const socket = await mesh.connect('redis.local', { port: 6379 })
  assert.equal(await nameOn(socket), 'redis')
  socket.write('PING\r\n')
  assert.equal(await nameOn(socket), 'PING')
  assert.equal(redis(mesh).active, 1)
  const { service, attempts: [attempt] } = mesh.trail(socket)!
  assert.deepEqual([service, attempt!.endpoint, attempt!.ending], ['redis.local', server.address, undefined])
  socket.end()
  await once(socket, 'close')
  assert.equal(redis(mesh).active, 0)
  assert.equal(mesh.trail(socket)!.attempts[0]!.ending, 'complete')
})

test('services and routes may ask for the port', async (t) => {
  const [one, two] = [await speaks(t, 'one'), await speaks(t, 'two')]
  const registry = (address: string) => ({ registry: { type: 'static' as const, endpoints: [address] } })
  const mesh = story(t).mesh({
    services: { 'db.local': { routes: [{ match: { port: 5432 }, to: 'one' }, { match: { port: 5433 }, to: 'two' }] }, 'kv.local:6379': { cluster: 'two' } },
    clusters: { one: registry(one.address), two: registry(two.address) },
  })
  const names = ['db.local:5432', 'db.local:5433', 'kv.local:6379']
  const sockets = await Promise.all(names.map((name) => mesh.connect(name)))
  assert.deepEqual(await Promise.all(sockets.map(nameOn)), ['one', 'two', 'two'])
  for (const socket of sockets) socket.destroy()
  assert.equal(await code(mesh.connect('db.local', { port: 1 })), 'ENMESH_NO_ROUTE')
})

test('weights split connections', async (t) => {
  const [one, two] = [await speaks(t, 'one'), await speaks(t, 'two')]
  const mesh = story(t).mesh({
    services: { 'db.local': { routes: [{ to: { one: 9, two: 1 } }] } },
    clusters: { one: { registry: { type: 'static', endpoints: [one.address] } }, two: { registry: { type: 'static', endpoints: [two.address] } } },
  })
  for (let i = 0; i < 100; i++) (await mesh.connect('db.local')).destroy()
  assert.ok(one.sockets.length > 75 && two.sockets.length > 0, `${one.sockets.length} to ${two.sockets.length}`)
})

test('one that cannot be made is tried at another endpoint, and the bad one is ejected', async (t) => {
  const server = await speaks(t, 'well')
  const mesh = story(t).mesh(of([refused, server.address], { outlier: { failures: 2 } }))
  const ejected = next(mesh, 'endpoint-ejected')
  for (let i = 0; i < 6; i++) {
    const socket = await mesh.connect('redis.local')
    assert.equal(await nameOn(socket), 'well')
    socket.destroy()
  }
  assert.equal((await ejected).endpoint, refused)
})

test('a breaker opens on connections that cannot be made', async (t) => {
  const mesh = story(t).mesh(of([refused], { breaker: { calls: 3 }, outlier: false }))
  const codes: string[] = []
  for (let i = 0; i < 8; i++) codes.push(await code(mesh.connect('redis.local', { mesh: { retry: false } })))
  assert.equal(codes[0], 'ENMESH_CONNECT_FAILED')
  assert.equal(codes.at(-1), 'ENMESH_CIRCUIT_OPEN')
})

test('limits hold until a connection closes', async (t) => {
  const server = await speaks(t, 'redis')
  const mesh = story(t).mesh(of([server.address], { connections: 1 }))
  const first = await mesh.connect('redis.local')
  const error = await rejection(mesh.connect('redis.local')) as MeshError
  assert.equal(error.code, 'ENMESH_OVERLOADED')
  assert.match(error.message, /^connection to redis\.local:80 was refused: 1 connections are open/)
  first.destroy()
  await once(first, 'close')
  const second = await mesh.connect('redis.local')
  second.destroy()
})

const tls = authority()

test('TLS is spoken where the cluster says so, and verified', { skip: tls ? false : 'no openssl here' }, async (t) => {
  const server = await speaks(t, 'safe', createTlsServer(tls!.server))
  const { mesh } = story(t)
  const trusting = mesh(of([server.address], { tls: { ca: tls!.root, servername: 'svc.test' } }))
  const socket = await trusting.connect('redis.local')
  assert.ok(socket instanceof TLSSocket && socket.authorized)
  assert.equal(await nameOn(socket), 'safe')
  socket.destroy()
  const strict = mesh(of([server.address], { tls: { ca: tls!.otherRoot, servername: 'svc.test' } }))
  assert.equal(await code(strict.connect('redis.local')), 'ENMESH_TLS')
})

test('plain text goes where TLS is not enforced', async (t) => {
  const server = await speaks(t, 'plain')
  const port = Number(server.address.split(':')[1])
  const { mesh } = story(t)
  for (const part of [{ enforce: false }, { ports: [port + 1] }]) {
    const socket = await mesh(of([server.address], { tls: part })).connect('redis.local')
    assert.equal(socket instanceof TLSSocket, false)
    assert.equal(await nameOn(socket), 'plain')
    socket.destroy()
  }
})

test('a renewed certificate is that of the next connection, and those before stay', { skip: tls ? false : 'no openssl here' }, async (t) => {
  const { root, client, renewed, server: own } = tls!
  const server = await speaks(t, 'safe', createTlsServer({ ...own, ca: root, requestCert: true }))
  const directory = mkdtempSync(join(tmpdir(), 'enmesh-connect-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const path = join(directory, 'own.pem')
  const write = ({ cert, key }: typeof client): void => writeFileSync(path, `${key}${cert}`)
  write(client)
  const mesh = story(t).mesh(of([server.address], { tls: { ca: root, servername: 'svc.test', cert: { file: path }, key: { file: path } } }))
  const first = await mesh.connect('redis.local')
  assert.equal(await nameOn(first), 'safe')
  const told = next(mesh, 'certificate-renewed')
  write(renewed)
  await told
  const second = await mesh.connect('redis.local')
  assert.equal(await nameOn(second), 'safe')
  const [before, after] = server.sockets.map((socket) => (socket as TLSSocket).getPeerCertificate().serialNumber)
  assert.ok(before && after && before !== after)
  first.write('still here')
  assert.equal(await nameOn(first), 'still here')
  first.destroy()
  second.destroy()
})

describe('ends', () => {
  test('given up before it is made', async (t) => {
    const server = await speaks(t, 'redis')
    const mesh = story(t).mesh(of([server.address]))
    const controller = new AbortController()
    const asked = rejection(mesh.connect('redis.local', { signal: controller.signal }))
    controller.abort(new Error('enough'))
    assert.equal((await asked as Error).message, 'enough')
    assert.equal((await rejection(mesh.connect('redis.local', { signal: controller.signal })) as Error).message, 'enough')
  })

  test('given up later', async (t) => {
    const server = await speaks(t, 'redis')
    const mesh = story(t).mesh(of([server.address]))
    const controller = new AbortController()
    const socket = await mesh.connect('redis.local', { signal: controller.signal })
    const failed = once(socket, 'error')
    controller.abort(new Error('enough'))
    assert.equal(((await failed)[0] as Error).message, 'enough')
    await turnsUntil(() => redis(mesh).active === 0, 'it is over')
    assert.equal(mesh.trail(socket)!.attempts[0]!.ending, 'cancelled')
  })

  test('cut by the endpoint, without a listener for it', async (t) => {
    const server = await speaks(t, 'redis')
    const mesh = story(t).mesh(of([server.address]))
    const socket = await mesh.connect('redis.local')
    await nameOn(socket)
    server.sockets[0]!.resetAndDestroy()
    await turnsUntil(() => socket.closed, 'it is closed')
    assert.equal(redis(mesh).endpoints[0]!.failures, 0)
  })

  test('with the mesh, once `drain` is over', async (t) => {
    const server = await speaks(t, 'redis')
    const clock = new FakeClock()
    const mesh = createMesh({ ...of([server.address]), drain: '10s' }, { runtime: { clock } })
    const socket = await mesh.connect('redis.local')
    const failed = once(socket, 'error')
    const closed = mesh.close()
    await clock.advance(9_999)
    assert.equal(socket.destroyed, false)
    await clock.advance(1)
    assert.equal(((await failed)[0] as MeshError).code, 'ENMESH_CLOSED')
    await closed
    assert.equal(await code(mesh.connect('redis.local')), 'ENMESH_CLOSED')
  })

  test('with the silence of its route, and not while anything moves; its deadline ends with the connecting', async (t) => {
    const server = await speaks(t, 'redis')
    const clock = new FakeClock()
    const config = { ...of([server.address]), services: { 'redis.local': { cluster: 'redis', timeout: '1s', idleTimeout: '8s' } } }
    const mesh = createMesh(config, { runtime: { clock } })
    t.after(() => mesh.close())
    const socket = await mesh.connect('redis.local')
    const failed = once(socket, 'error')
    await nameOn(socket)
    for (let i = 0; i < 5; i++) {
      await clock.advance(6_000)
      socket.write('x')
      await nameOn(socket)
    }
    assert.equal(socket.destroyed, false)
    await clock.advance(12_000)
    assert.match(((await failed)[0] as MeshError).message, /nothing went over the connection for the `idleTimeout` of 8000 ms/)
  })

  test('when nobody answers within the connect timeout', async (t) => {
    // A server that accepts and never speaks TLS.
    const server = await speaks(t, 'mute')
    const mesh = story(t).mesh(of([server.address], { tls: { verify: false }, connectTimeout: '50ms' }))
    const found = await code(mesh.connect('redis.local', { mesh: { retry: false } }))
    assert.ok(['ENMESH_CONNECT_FAILED', 'ENMESH_TLS'].includes(found), found)
  })
})

test('what is no service is refused, and so is what makes no sense', async (t) => {
  const { mesh } = story(t)
  const open = mesh({ services: {} })
  assert.match((await rejection(open.connect('elsewhere.test')) as Error).message, /no service of this mesh, and only those are connected to/)
  assert.equal(await code(mesh({ egress: 'deny' }).connect('elsewhere.test')), 'ENMESH_EGRESS_DENIED')
  assert.match((await rejection(open.connect('http://a/')) as Error).message, /takes the name of a service/)
  assert.match((await rejection(open.connect('a.local', { port: 70_000 })) as Error).message, /the port 70000 is none/)
  assert.match((await rejection(open.connect('a.local', { prot: 1 } as object)) as Error).message, /did you mean 'port'/)
  const scripted = createMesh({ services: { 'a.local': ['10.0.0.1:80'] } }, { transport: scriptedUpstream([{ status: 200 }]).send })
  t.after(() => scripted.close())
  assert.match((await rejection(scripted.connect('a.local')) as Error).message, /gave an answer and no connection/)
})

test('an access log tells of it when it closes', async (t) => {
  const server = await speaks(t, 'redis')
  const directory = mkdtempSync(join(tmpdir(), 'enmesh-connect-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const path = join(directory, 'access.log')
  const mesh = story(t).mesh({ ...of([server.address]), telemetry: { accessLog: { path, format: '%METHOD% %PROTOCOL% %BYTES_RECEIVED% %BYTES_SENT% %UPSTREAM_HOST%' } } })
  const socket = await mesh.connect('redis.local')
  socket.end('abc')
  assert.equal(await text(socket), 'redis\nabc')
  await mesh.close()
  assert.equal(readFileSync(path, 'utf8'), `- - 3 9 ${server.address}\n`)
})
