import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { Agent, createServer, get, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2'
import { connect, type AddressInfo, type Server as NetServer } from 'node:net'
import { text } from 'node:stream/consumers'
import { describe, test, type TestContext } from 'node:test'
import { announce, registrars, type Announcement } from '../../src/server/index.ts'
import { fakeRuntime, FakeRegistrar, settle } from '../../src/testing/index.ts'

type Options = Partial<Parameters<typeof announce>[1]>

const announced = (t: TestContext, server: NetServer, options: Options = {}) => {
  const runtime = fakeRuntime()
  const registrar = new FakeRegistrar()
  const heard: [string, object][] = []
  const announcement = announce(server, { service: 'pricing', signals: [], ...options, registry: { type: 'fake' }, registrars: registrars.with(registrar.kind), runtime })
  for (const event of ['instance-registered', 'instance-lost', 'registration-failed', 'instance-health', 'instance-leaving', 'instance-left'] as const) {
    announcement.on(event, ({ service, instance, ...detail }) => {
      assert.deepEqual([service, instance], ['pricing', announcement.id])
      heard.push([event, detail])
    })
  }
  t.after(() => {
    void announcement.leave()
    server.close()
    ;(server as Partial<Server>).closeAllConnections?.()
  })
  return { announcement, registrar, heard, runtime, clock: runtime.clock }
}

const listening = async (server: NetServer): Promise<string> => {
  if (!server.listening) server.listen(0, '127.0.0.1')
  if (!server.listening) await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const started = async (t: TestContext, handle: RequestListener = (_, response) => response.end('ok'), options: Options = {}) => {
  const server = createServer(handle)
  const url = await listening(server)
  const made = announced(t, server, options)
  await made.announcement.registered
  const agent = new Agent({ keepAlive: true })
  t.after(() => agent.destroy())
  const request = (path = '/'): Promise<IncomingMessage> => new Promise((resolve, reject) => {
    get(`${url}${path}`, { agent }, resolve).on('error', reject)
  })
  return { ...made, server, url, request, port: (server.address() as AddressInfo).port }
}

/** Moves on from one state of leaving to the next. */
const reach = async (announcement: Announcement, state: string): Promise<void> => {
  while (announcement.status().state !== state) await settle()
}

describe('an announcement', () => {
  test('registers once the server listens, and says where', async (t) => {
    const server = createServer()
    const { announcement, registrar, heard } = announced(t, server, { zone: 'z1', metadata: { version: '2' } })
    await settle()
    assert.deepEqual([registrar.log, announcement.status().state], [[], 'waiting'])
    const url = await listening(server)
    await announcement.registered
    const { port } = server.address() as AddressInfo
    assert.deepEqual([...registrar.instances.values()], [{
      service: 'pricing', id: announcement.id, address: url.slice(7), host: '127.0.0.1', port, metadata: { zone: 'z1', version: '2' }, healthy: true,
    }])
    assert.deepEqual(heard, [['instance-registered', { address: url.slice(7) }]])
    assert.deepEqual(announcement.status(), {
      service: 'pricing', instance: announcement.id, state: 'registered', healthy: true, address: url.slice(7), zone: 'z1', underWay: 0,
      registrations: 1, failures: 0, failuresInARow: 0,
    })
  })

  test('registers at once where the server listens already, under a name of its own at each start', async (t) => {
    const { announcement } = await started(t)
    const { announcement: other } = await started(t, undefined, {})
    assert.match(announcement.id, /^pricing-[0-9a-z]{10}$/)
    assert.equal(other.id, announcement.id, 'from the same seed')
    const { announcement: named } = await started(t, undefined, { id: 'pricing-0' })
    assert.equal(named.id, 'pricing-0')
  })

  test('a registry that is down is told by events, status and the diagnostics channel, and registered with when it is back', async (t) => {
    const server = createServer()
    const { announcement, registrar, heard, clock } = announced(t, server)
    const told: unknown[] = []
    const listener = (detail: unknown): void => { told.push(detail) }
    subscribe('enmesh:registration-failed', listener)
    t.after(() => unsubscribe('enmesh:registration-failed', listener))
    registrar.fail()
    await listening(server)
    await settle()
    const { state, lastError, failuresInARow } = announcement.status()
    assert.deepEqual([state, lastError, failuresInARow, told.length], ['registering', 'the registry is down', 1, 1])
    const [[event, detail]] = heard as [[string, { doing: string, retryIn: number }]]
    assert.deepEqual([event, detail.doing, detail.retryIn > 100], ['registration-failed', 'registering', true])
    registrar.heal()
    await clock.advance(300)
    await announcement.registered
    registrar.forget()
    await clock.advance(10_000)
    assert.deepEqual(heard.slice(1).map(([name]) => name), ['instance-registered', 'instance-lost', 'instance-registered'])
  })

  test('says that it is not well, and that it is again', async (t) => {
    const { announcement, registrar, heard } = await started(t)
    announcement.healthy(false)
    await settle()
    assert.deepEqual([registrar.instances.get(announcement.id)?.healthy, announcement.status().healthy], [false, false])
    announcement.healthy(true)
    await settle()
    assert.equal(registrar.instances.get(announcement.id)?.healthy, true)
    assert.deepEqual(heard.slice(1), [['instance-health', { healthy: false, reason: 'healthy(false) was said' }], ['instance-health', { healthy: true }]])
  })

  test('asks a function whether it is well, before it registers and then at each interval', async (t) => {
    const server = createServer()
    let answer: () => boolean | Promise<boolean> = () => false
    let asked = 0
    const { announcement, registrar, heard, clock } = announced(t, server, { healthInterval: '1s', health: () => (asked++, answer()) })
    await listening(server)
    await announcement.registered
    const isWell = (): boolean | undefined => registrar.instances.get(announcement.id)?.healthy
    assert.deepEqual([isWell(), asked, announcement.status().unwell], [false, 1, 'health() said so'])
    answer = async () => true
    await clock.advance(1_000)
    assert.deepEqual([isWell(), announcement.status().unwell], [true, undefined])
    for (const [bad, reason] of [
      [() => { throw new Error('no') }, 'health() threw: no'],
      [() => Promise.reject(new Error('no')), 'health() threw: no'],
      [async () => {}, 'health() answered with type undefined: return true or false'],
      [() => 'PONG', 'health() answered with type string: return true or false'],
    ] as const) {
      answer = bad as typeof answer
      await clock.advance(1_000)
      assert.deepEqual([isWell(), announcement.status().healthy, announcement.status().unwell], [false, false, reason])
      assert.deepEqual(heard.at(-1), ['instance-health', { healthy: false, reason }])
      answer = () => true
      await clock.advance(1_000)
      assert.equal(isWell(), true)
    }
    let release: (healthy: boolean) => void = () => {}
    answer = () => new Promise((resolve) => { release = resolve })
    await clock.advance(1_000)
    const before = asked
    assert.equal(isWell(), true)
    await clock.advance(5_000)
    assert.deepEqual([isWell(), asked], [false, before], 'overdue, and not asked twice at once')
    assert.equal(announcement.status().unwell, 'health() gave no answer within 1000 ms')
    release(true)
    await settle()
    assert.equal(isWell(), true)
    announcement.healthy(false)
    await settle()
    assert.equal(isWell(), false, 'both must say so')
  })

  test('leaves: unhealthy, deregistered, heard of, drained, closed', async (t) => {
    const { announcement, registrar, clock, request, server, heard } = await started(t)
    assert.equal((await request()).headers.connection, 'keep-alive')
    const left = announcement.leave()
    assert.equal(announcement.leave(), left)
    await reach(announcement, 'leaving')
    await settle()
    const { id } = announcement
    assert.deepEqual(registrar.log, [`register ${id}`, `renew ${id} unhealthy`, `deregister ${id}`])
    const answer = await request()
    assert.deepEqual([await text(answer), answer.headers.connection, server.listening], ['ok', 'close', true])
    await clock.advance(4_999)
    assert.equal(server.listening, true)
    await clock.advance(1)
    assert.equal(server.listening, false)
    await left
    await announcement.left
    assert.deepEqual(heard.slice(1), [['instance-leaving', {}], ['instance-left', { deregistered: true, cut: 0 }]])
    assert.deepEqual([announcement.status().state, clock.pending], ['left', 0])
  })

  test('a request under way when the doors close is answered whole, and its connection ends with it', async (t) => {
    let answerIt = (): void => {}
    const { announcement, clock, request } = await started(t, (_, response) => { answerIt = () => response.end('late') }, { propagation: 0 })
    const asked = request()
    while (announcement.status().underWay === 0) await settle()
    const left = announcement.leave()
    await clock.advance(0)
    await reach(announcement, 'draining')
    answerIt()
    const answer = await asked
    assert.deepEqual([await text(answer), answer.headers.connection], ['late', 'close'])
    await left
    assert.equal(clock.pending, 0)
  })

  test('a connection that was promised to stay is ended once its answer is whole', async (t) => {
    let end = (): void => {}
    const { announcement, clock, request } = await started(t, (_, response) => {
      response.write('first ')
      end = () => response.end('last')
    }, { propagation: 0 })
    const answer = await request()
    assert.equal(answer.headers.connection, 'keep-alive')
    const left = announcement.leave()
    await clock.advance(0)
    await reach(announcement, 'draining')
    end()
    assert.equal(await text(answer), 'first last')
    await left
  })

  test('what is not over at the limit is cut, upgraded connections included', async (t) => {
    const { announcement, clock, request, server, heard, port } = await started(t, () => {}, { propagation: 0, drain: '3s' })
    server.on('upgrade', (_, socket) => socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n'))
    const upgraded = connect(port, '127.0.0.1')
    upgraded.write('GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n')
    await once(upgraded, 'data')
    const asked = request()
    asked.catch(() => {})
    while (announcement.status().underWay === 0) await settle()
    const left = announcement.leave()
    await clock.advance(0)
    await reach(announcement, 'draining')
    await clock.advance(2_999)
    assert.equal(announcement.status().state, 'draining')
    await clock.advance(1)
    await left
    await assert.rejects(asked, { code: 'ECONNRESET' })
    assert.deepEqual([heard.at(-1), clock.pending], [['instance-left', { deregistered: true, cut: 2 }], 0])
  })

  test('a connection whose first request is on its way is waited for, one without any for a second only', async (t) => {
    const { announcement, clock, server, port } = await started(t, undefined, { propagation: 0 })
    const [late, mute] = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')]
    let open = 0
    server.on('connection', () => { open++ })
    await Promise.all([once(late, 'connect'), once(mute, 'connect')])
    while (open < 2) await settle()
    const left = announcement.leave()
    await clock.advance(0)
    await reach(announcement, 'draining')
    late.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n')
    assert.match(await text(late), /^HTTP\/1\.1 200 OK[\s\S]*connection: close[\s\S]*ok$/i)
    const ended = once(mute, 'close')
    mute.resume()
    await clock.advance(1_000)
    await Promise.all([left, ended])
  })

  test('a registry that cannot be told holds nothing up for longer than is allowed', async (t) => {
    const { announcement, registrar, clock, heard } = await started(t, undefined, { giveUp: '2s', propagation: '1s' })
    registrar.fail(new Error('no more'))
    const left = announcement.leave()
    await clock.advance(3_000)
    await left
    assert.deepEqual(heard.at(-1), ['instance-left', { deregistered: false, cut: 0 }])
    assert.ok(heard.some(([name, detail]) => name === 'registration-failed' && (detail as { doing: string }).doing === 'deregistering'))
  })

  test('one that never registered has nobody to wait for', async (t) => {
    const server = createServer()
    await listening(server)
    const { announcement, clock, registrar } = announced(t, server, { interface: 'none' })
    await settle()
    assert.match(announcement.status().lastError!, /no interface 'none'/)
    await announcement.leave()
    assert.deepEqual([registrar.log, server.listening, clock.pending], [[], false, 0])
  })

  test('one whose server never listened leaves at once, and does not register later', async (t) => {
    const server = createServer()
    const { announcement, registrar, clock } = announced(t, server)
    await announcement.leave()
    await listening(server)
    await settle()
    assert.deepEqual([registrar.log, clock.pending], [[], 0])
  })

  test('a server that somebody else closes is taken away', async (t) => {
    const { announcement, registrar, server } = await started(t)
    server.close()
    await announcement.left
    assert.equal(registrar.instances.size, 0)
  })

  test('leaves at the end of its block, and lets go of the server', async (t) => {
    const server = createServer()
    await listening(server)
    const listeners = (): number[] => ['request', 'connection', 'secureConnection', 'session', 'listening', 'close'].map((event) => server.listenerCount(event))
    const before = listeners()
    let id = ''
    {
      await using announcement = announced(t, server, { propagation: 0 }).announcement
      id = announcement.id
    }
    assert.ok(id)
    assert.deepEqual(listeners(), before)
    assert.equal(server.listening, false)
  })

  test('a session of HTTP/2 is told to go elsewhere once its streams have ended', async (t) => {
    let answerIt = (): void => {}
    const server = createHttp2Server((_, response) => { answerIt = () => response.end('late') })
    const url = await listening(server)
    const { announcement, clock } = announced(t, server, { propagation: 0 })
    await announcement.registered
    const session = connectHttp2(url)
    const closed = once(session, 'close')
    const stream = session.request({ ':path': '/' })
    while (announcement.status().underWay === 0) await settle()
    const left = announcement.leave()
    await clock.advance(0)
    await reach(announcement, 'draining')
    answerIt()
    assert.equal(await text(stream), 'late')
    await Promise.all([left, closed])
  })

  test('refuses what is no server, and names every fault of the options', () => {
    assert.throws(() => announce({} as never, { service: 'a', registry: { type: 'etcd', prefix: 'p' } }), { name: 'TypeError', message: /takes a server/ })
    assert.throws(() => announce(createServer(), { service: 'a', registry: { type: 'etcd', prefix: 'p' }, health: true as never }), { name: 'TypeError', message: /`health`/ })
    const options = { service: '', registry: { type: 'etc' }, id: 'a b', address: 'http://a', interface: 'eth0', port: 0, signals: ['SIGKILL'], retries: 5 }
    assert.throws(() => announce(createServer(), options as never), (error: { code: string, faults: { path: string, message: string }[] }) => {
      assert.equal(error.code, 'ENMESH_CONFIG_INVALID')
      assert.deepEqual(error.faults.map(({ path }) => path).sort(), ['id', 'address', 'port', 'registry.type', 'retries', 'service', 'signals[0]'].map((name) => `announce.${name}`).sort())
      assert.match(error.faults.find(({ path }) => path === 'announce.registry.type')!.message, /did you mean 'etcd'/)
      return true
    })
  })
})
