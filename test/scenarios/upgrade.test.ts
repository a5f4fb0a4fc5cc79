import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { test, type TestContext } from 'node:test'
import { connect, upgrade, type Dispatcher } from 'undici'
import { createMesh, type Attempt, type Layer, type Mesh, type MeshError, type MeshInput } from '../../src/index.ts'
import { fakeRuntime } from '../../src/testing/index.ts'
import { rejection, story, turnsUntil, type Story } from './support/story.ts'
import { hangs, refused, resets, says, type Upstream } from './support/upstream.ts'

const url = 'http://svc.test/chat'

const svc = (endpoints: readonly string[], cluster: object = {}, route: object = {}): MeshInput => ({
  services: { 'svc.test': { cluster: 'c', retry: { backoff: { max: 1 } }, ...route } },
  clusters: { c: { registry: { type: 'static', endpoints }, balancer: { type: 'round-robin' }, ...cluster } },
} as MeshInput)

const granted = (socket: Duplex, first = ''): void => {
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: lines\r\nx-by: server\r\n\r\n${first}`)
}

/** Grants every upgrade, and sends back what it hears. */
const echoing = async (stage: Story): Promise<Upstream> => (await stage.upstream(says('no upgrade', 400))).switches('upgrade', (_, socket) => {
  granted(socket)
  socket.pipe(socket)
})

const ask = (mesh: Mesh, options: object = {}): Promise<Dispatcher.UpgradeData> =>
  upgrade(url, { dispatcher: mesh.dispatcher, protocol: 'lines', ...options })

const answerOn = async (socket: Duplex, line: string): Promise<string> => {
  socket.write(line)
  const [chunk] = await once(socket, 'data') as [Buffer]
  return chunk.toString()
}

/** Closes a socket, and waits until everybody has heard of it. */
const hangUp = async (socket: Duplex): Promise<void> => {
  const closed = once(socket, 'close')
  socket.destroy()
  await closed
}

const silent = (_: IncomingMessage, socket: Duplex): void => { socket.resume().on('end', () => socket.end()) }

const active = (mesh: Mesh): readonly number[] => mesh.status().clusters['c']!.endpoints.map(({ active }) => active)

test('an upgrade goes to a picked endpoint, and counts there until its socket closes', async (t) => {
  const stage = story(t)
  const [one, two] = [await echoing(stage), await echoing(stage)]
  const mesh = stage.mesh(svc([one.address, two.address]))
  const both = [await ask(mesh, { headers: { 'x-a': 'b' } }), await ask(mesh, { headers: { 'x-a': 'b' } })] as const
  const [{ headers }] = both
  assert.deepEqual([headers['upgrade'], headers['x-by']], ['lines', 'server'])
  const { headers: asked, url: path } = one.requests[0]!
  assert.deepEqual([asked['upgrade'], asked['connection'], asked['host'], asked['x-a'], path], ['lines', 'upgrade', 'svc.test', 'b', '/chat'])
  assert.equal(two.requests.length, 1)
  assert.deepEqual(active(mesh), [1, 1])
  assert.equal(mesh.status().calls, 2)
  for (const { socket } of both) assert.equal(await answerOn(socket, 'line'), 'line')
  const ended = once(both[0].socket, 'close')
  both[0].socket.resume().end()
  await ended
  assert.equal(mesh.status().calls, 1)
  await hangUp(both[1].socket)
  assert.deepEqual([active(mesh), mesh.status().calls], [[0, 0], 0])
  assert.deepEqual(mesh.status().clusters['c']!.endpoints.map(({ failures }) => failures), [0, 0])
})

test('what the endpoint says along with its answer is not lost', async (t) => {
  const stage = story(t)
  const server = (await stage.upstream(hangs)).switches('upgrade', (_, socket) => granted(socket, 'first words'))
  const { socket } = await ask(stage.mesh(svc([server.address]), { layers: { call: [(next) => async (call) => {
    const reply = await next(call)
    await new Promise((resolve) => { setImmediate(resolve) })
    return reply
  }] } }))
  const [chunk] = await once(socket, 'data') as [Buffer]
  assert.equal(chunk.toString(), 'first words')
  await hangUp(socket)
})

test('until it is answered an upgrade is retried on another endpoint', async (t) => {
  const stage = story(t)
  const server = await echoing(stage)
  const lost = (await stage.upstream(resets)).switches('upgrade', (_, socket) => { socket.destroy() })
  const busy = (await stage.upstream(says('busy', 503))).switches('upgrade', (_, socket) => {
    socket.end('HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\n\r\nbusy')
  })
  for (const bad of [refused, lost.address, busy.address]) {
    const mesh = stage.mesh(svc([bad, server.address]))
    for (let i = 0; i < 2; i++) {
      const { socket } = await ask(mesh)
      assert.equal(await answerOn(socket, 'line'), 'line', bad)
      await hangUp(socket)
    }
    // Wherever the round began, one of the two came to the bad one first.
    const [{ attempts = 0 } = {}, { attempts: good } = {}] = mesh.status().clusters['c']!.endpoints
    assert.ok(attempts >= 1 && good === 2, bad)
  }
})

test('an upgrade that is answered is never tried again, however its socket ends', async (t) => {
  const stage = story(t)
  const server = (await stage.upstream(hangs)).switches('upgrade', (_, socket) => {
    granted(socket, 'x')
    socket.once('data', () => { (socket as Socket).resetAndDestroy() })
  })
  const mesh = stage.mesh(svc([server.address]))
  const { socket } = await ask(mesh)
  const failed = once(socket, 'error')
  const closed = new Promise((resolve) => { socket.once('close', resolve) })
  socket.resume().write('go')
  assert.equal((await failed as [NodeJS.ErrnoException])[0].code, 'ECONNRESET')
  await closed
  assert.equal(server.requests.length, 1)
  assert.deepEqual(active(mesh), [0])
})

test('an answer that grants no upgrade is no upgrade, and frees its socket', async (t) => {
  const stage = story(t)
  const server = await stage.upstream(says('not here', 404))
  const mesh = stage.mesh(svc([server.address]))
  assert.equal((await rejection(ask(mesh)) as Error).message, 'bad upgrade')
  await turnsUntil(() => mesh.status().calls === 0, 'the call is over')
})

test('the mesh refuses an upgrade with its own error: a limit, an open breaker, no route', async (t) => {
  const stage = story(t)
  const server = await echoing(stage)
  const codeOf = async (mesh: Mesh): Promise<string> => (await rejection(ask(mesh)) as MeshError).code
  const full = stage.mesh(svc([server.address], { requests: 1 }))
  const { socket } = await ask(full)
  assert.equal(await codeOf(full), 'ENMESH_OVERLOADED')
  await hangUp(socket)
  await hangUp((await ask(full)).socket)

  const breaker = { calls: 2, window: 10_000 }
  const broken = stage.mesh(svc([refused], { breaker, outlier: false }, { retry: false }))
  for (let i = 0; i < 2; i++) assert.equal(await codeOf(broken), 'ENMESH_CONNECT_FAILED')
  assert.equal(await codeOf(broken), 'ENMESH_CIRCUIT_OPEN')

  const routed = stage.mesh({ services: { 'svc.test': { routes: [{ match: { path: { prefix: '/other' } }, to: 'c' }] } }, clusters: svc([server.address]).clusters! })
  assert.equal(await codeOf(routed), 'ENMESH_NO_ROUTE')
})

test('the records of attempts say how an upgrade was answered, and how its socket ended', async (t) => {
  const stage = story(t)
  const server = await echoing(stage)
  const attempts: Attempt[] = []
  const watching: Layer<Attempt> = (next) => (attempt) => {
    attempts.push(attempt)
    return next(attempt)
  }
  const mesh = stage.mesh(svc([server.address]), { layers: { attempt: [watching] } })
  const { socket } = await ask(mesh)
  const [attempt] = attempts as [Attempt]
  const { status, head, took, ending } = attempt.record()
  assert.deepEqual([status, typeof head, took, ending], [101, 'number', undefined, undefined])
  await hangUp(socket)
  assert.equal(attempt.record().ending, 'complete')

  const lost = stage.mesh(svc([refused], {}, { retry: { attempts: 2, backoff: { max: 1 } } }))
  const trail = lost.trail(await rejection(ask(lost)))
  assert.deepEqual([trail?.service, trail?.attempts.map(({ ending }) => ending)], ['svc.test', ['ENMESH_CONNECT_FAILED', 'ENMESH_CONNECT_FAILED']])
})

/** A mesh over real sockets on a clock that the test moves. */
const onFakeTime = (t: TestContext, server: Upstream, route: object) => {
  const runtime = fakeRuntime()
  const mesh = createMesh(svc([server.address], {}, route), { runtime })
  t.after(() => mesh.close())
  return { mesh, clock: runtime.clock }
}

test('the deadline bounds the wait for the answer', async (t) => {
  const stage = story(t)
  const server = (await stage.upstream(hangs)).switches('upgrade', silent)
  const { mesh, clock } = onFakeTime(t, server, { timeout: 100 })
  const failed = rejection(ask(mesh))
  await server.arrived(1)
  await clock.advance(100)
  assert.equal((await failed as MeshError).code, 'ENMESH_DEADLINE_EXCEEDED')
  await server.deserted()
})

test('an upgraded socket outlives the deadline', async (t) => {
  const stage = story(t)
  const { mesh, clock } = onFakeTime(t, await echoing(stage), { timeout: 100, attemptTimeout: 50 })
  const { socket } = await ask(mesh)
  await clock.advance(1_000_000)
  assert.equal(await answerOn(socket, 'line'), 'line')
  await hangUp(socket)
  assert.equal(mesh.status().calls, 0)
})

test('close() waits for upgraded sockets, and cuts them when its time is over', async (t) => {
  const stage = story(t)
  const server = await echoing(stage)
  const { mesh, clock } = onFakeTime(t, server, {})
  const [first, second] = [await ask(mesh), await ask(mesh)]
  const over = mesh.close()
  assert.equal((await rejection(ask(mesh)) as MeshError).code, 'ENMESH_CLOSED')
  assert.equal(await answerOn(first.socket, 'line'), 'line')
  await hangUp(first.socket)
  const cut = once(second.socket, 'error')
  await clock.advance(10_000)
  assert.equal((await cut as [MeshError])[0].code, 'ENMESH_CLOSED')
  await over
  await server.deserted()
})

test('a socket that is left alone when close() cuts it disturbs nobody', async (t) => {
  const stage = story(t)
  const server = await echoing(stage)
  const { mesh, clock } = onFakeTime(t, server, {})
  const { socket } = await ask(mesh)
  const closed = new Promise((resolve) => { socket.once('close', resolve) })
  const over = mesh.close()
  await clock.advance(10_000)
  await over
  await closed
  await server.deserted()
})

test('an upgrade can be aborted until it is answered', async (t) => {
  const stage = story(t)
  const server = (await stage.upstream(hangs)).switches('upgrade', silent)
  const controller = new AbortController()
  const failed = rejection(ask(stage.mesh(svc([server.address])), { signal: controller.signal }))
  await server.arrived(1)
  const reason = new Error('enough')
  controller.abort(reason)
  assert.equal(await failed, reason)
  await server.deserted()
})

test('a route rewrites an upgrade as any request', async (t) => {
  const stage = story(t)
  const server = await echoing(stage)
  const { socket } = await ask(stage.mesh(svc([server.address], {}, { rewrite: { path: '/other', host: 'inner.test' } })))
  const [{ url: path, headers }] = server.requests as [IncomingMessage]
  assert.deepEqual([path, headers.host, headers.upgrade], ['/other', 'inner.test', 'lines'])
  await hangUp(socket)
})

/** A proxy that opens every tunnel, and says where to. */
const proxying = async (stage: Story, status = 200): Promise<Upstream> => (await stage.upstream(hangs)).switches('connect', (request, socket) => {
  socket.write(`HTTP/1.1 ${status} Answer\r\nx-to: ${request.url}\r\n\r\n`)
  socket.pipe(socket)
})

test('CONNECT opens a tunnel through a service', async (t) => {
  const stage = story(t)
  const mesh = stage.mesh({ ...svc([(await proxying(stage)).address]), egress: { allow: ['db.test:5432'] } })
  const { statusCode, headers, socket } = await mesh.dispatcher.connect({ origin: 'http://svc.test', path: 'db.test:5432' })
  assert.deepEqual([statusCode, headers['x-to'], await answerOn(socket, 'line')], [200, 'db.test:5432', 'line'])
  assert.deepEqual(active(mesh), [1])
  await hangUp(socket)
})

test('the far end of a tunnel is judged by the egress policy', async (t) => {
  const stage = story(t)
  const proxy = await proxying(stage)
  const mesh = stage.mesh({ ...svc([proxy.address]), egress: { allow: [proxy.address, 'db.test:5432'] } })
  for (const origin of ['http://svc.test', proxy.url]) {
    for (const path of ['db.test:5433', 'elsewhere.test:5432', 'db.test:5432@elsewhere.test:1', '127.0.0.1:1', '[::1]:5432']) {
      const error = await rejection(mesh.dispatcher.connect({ origin, path })) as MeshError
      assert.equal(error.code, 'ENMESH_EGRESS_DENIED', path)
    }
    assert.match(String(await rejection(mesh.dispatcher.connect({ origin, path: 'no place' }))), /CONNECT takes 'host:port' as its path, not 'no place'/)
  }
  assert.equal(proxy.accepted, 0)
})

test('a refused CONNECT shows its status, and one worth a retry is not left open', async (t) => {
  const stage = story(t)
  const [busy, proxy] = [await proxying(stage, 503), await proxying(stage)]
  const patient = stage.mesh(svc([busy.address, proxy.address], {}, { retry: { methods: 'any', backoff: { max: 1 } } }))
  const tunnel = await connect('http://svc.test', { dispatcher: patient.dispatcher })
  assert.equal(tunnel.statusCode, 200)
  await busy.deserted()
  await hangUp(tunnel.socket)

  const strict = stage.mesh(svc([busy.address]))
  const { statusCode, socket } = await connect('http://svc.test', { dispatcher: strict.dispatcher })
  assert.equal(statusCode, 503)
  await hangUp(socket)
})

test('upgrades and tunnels to hosts that are no services pass, unless egress denies them', async (t) => {
  const stage = story(t)
  const server = (await echoing(stage)).switches('connect', (_, socket) => {
    socket.write('HTTP/1.1 200 OK\r\n\r\n')
    socket.pipe(socket)
  })
  const { dispatcher } = stage.mesh(svc([refused]))
  for (const { socket } of [await upgrade(server.url, { dispatcher, protocol: 'lines' }), await connect(server.url, { dispatcher })]) {
    assert.equal(await answerOn(socket, 'line'), 'line')
    await hangUp(socket)
  }
  const denied = stage.mesh({ ...svc([refused]), egress: 'deny' }).dispatcher
  for (const attempt of [upgrade(server.url, { dispatcher: denied }), connect(server.url, { dispatcher: denied })]) {
    assert.equal((await rejection(attempt) as MeshError).code, 'ENMESH_EGRESS_DENIED')
  }
})

test('a handler that cannot take a socket hears of it, and the socket is closed', async (t) => {
  const stage = story(t)
  const server = await echoing(stage)
  const { dispatcher } = stage.mesh(svc([server.address]))
  const error = await new Promise<Error>((resolve) => {
    dispatcher.dispatch({ origin: 'http://svc.test', path: '/', method: 'GET', upgrade: 'lines' }, {
      onRequestStart: () => {},
      onResponseStart: () => {},
      onResponseData: () => {},
      onResponseEnd: () => {},
      onResponseError: (_, error) => resolve(error),
    })
  })
  assert.match(error.message, /onRequestUpgrade/)
  await server.deserted()
})
