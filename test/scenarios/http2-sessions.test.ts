import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { request } from 'undici'
import { createMesh, MeshError, type Mesh, type MeshInput } from '../../src/index.ts'
import { fakeRuntime } from '../../src/testing/fake-runtime.ts'
import { Held, http2Upstream, says, Way } from './support/http2-upstream.ts'
import { frameTypes, rawHttp2, type Frame } from './support/raw-http2.ts'
import { load, next, rejection, standsStill, story, turnsUntil } from './support/story.ts'

type Cluster = NonNullable<MeshInput['clusters']>[string]

const url = 'http://svc.test/things'

const over = (address: string | readonly string[], more: Partial<Cluster> = {}, route: object = {}): MeshInput => ({
  services: { 'svc.test': { cluster: 'c', retry: { backoff: { max: 1 } }, ...route } },
  clusters: { c: { registry: { type: 'static', endpoints: [address].flat() }, http2: true, balancer: { type: 'round-robin' }, ...more } },
})

const ask = async (mesh: Mesh, init?: Parameters<Mesh['fetch']>[1]): Promise<string> => (await mesh.fetch(url, init)).text()

const post = { method: 'POST', body: 'order' } as const

const connections = (mesh: Mesh): unknown => mesh.status().clusters['c']!.connections

const opens = ({ type }: Frame): boolean => type === frameTypes.headers

describe('an endpoint that takes its leave (GOAWAY)', () => {
  test('what is under way ends, new requests go over a new connection, and no call fails', async (t) => {
    const held = new Held()
    const upstream = await http2Upstream(t, held.hold)
    const mesh = story(t).mesh(over(upstream.address, { connections: 1 }))
    const [first, second] = [ask(mesh), ask(mesh, post)]
    await upstream.arrived(2)
    upstream.sessions[0]!.close()
    upstream.answer = says('new')
    assert.equal(await ask(mesh), 'new')
    held.release('old')
    assert.deepEqual(await Promise.all([first, second]), ['old', 'old'])
    await upstream.until(() => upstream.open === 1)
    assert.equal(mesh.status().clusters['c']!.endpoints[0]!.failures, 0)
  })

  test('under load with a GOAWAY every few requests no call fails, whatever its method, and none is done twice', async (t) => {
    let served = 0
    const done = new Map<string, number>()
    const upstream = await http2Upstream(t, (stream, headers) => {
      const number = String(headers['x-number'])
      done.set(number, (done.get(number) ?? 0) + 1)
      says(number)(stream, headers)
      if (++served % 60 === 0) stream.session!.close()
    })
    const mesh = story(t).mesh(over(upstream.address, {}, { retry: false }))
    await load(1200, 16, async (index) => {
      const number = String(index)
      assert.equal(await ask(mesh, { ...(index % 2 === 0 && post), headers: { 'x-number': number } }), number)
    })
    assert.equal(done.size, 1200)
    assert.deepEqual([...done.values()].filter((times) => times > 1), [])
    assert.ok(upstream.sessions.length > 10, `${upstream.sessions.length} sessions`)
    assert.equal(mesh.status().clusters['c']!.endpoints[0]!.failures, 0)
  })

  for (const [what, code] of [['politely', 0], ['with an error', 11]] as const) {
    test(`${what} and leaving requests undone: those are sent again whatever their method, without a retry`, async (t) => {
      const answered: number[] = []
      const upstream = await rawHttp2(t, (connection, frame) => {
        if (!opens(frame)) return
        const { stream } = frame
        if (upstream.connections.length === 1) {
          // Of three it does the first.
          if (stream !== 5) return
          connection.answer(1, 'first')
          connection.goaway(1, code)
        } else {
          answered.push(stream)
          connection.answer(stream, 'again')
        }
      })
      const mesh = story(t).mesh(over(upstream.address, {}, { retry: false }))
      const answers = [ask(mesh, post), ask(mesh, post), ask(mesh, post)]
      assert.deepEqual((await Promise.all(answers)).toSorted(), ['again', 'again', 'first'])
      assert.equal(answered.length, 2)
      assert.equal(mesh.status().clusters['c']!.endpoints[0]!.failures, 0)
    })
  }

  test('an endpoint that never does anything is tried once more and left for another, whatever the method', async (t) => {
    const leaver = await rawHttp2(t, (connection, frame) => { if (opens(frame)) connection.goaway(0) })
    const other = await http2Upstream(t, says('other'))
    const mesh = story(t).mesh(over([leaver.address, other.address]))
    for (let count = 0; count < 4; count++) {
      const response = await mesh.fetch(url, post)
      assert.equal(await response.text(), 'other')
    }
    assert.equal(other.heads.length, 4)
    const last = mesh.status().clusters['c']!.endpoints[0]!
    assert.deepEqual([last.failures, last.state], [0, 'available'])
  })

  test('one that takes its leave before it allows a stream keeps nobody waiting', async (t) => {
    const upstream = await rawHttp2(t, (connection, { type, flags }) => {
      if (type !== frameTypes.settings || flags !== 0) return
      connection.goaway(0)
      connection.settings({ 3: 100 })
    }, { 3: 0 })
    const mesh = story(t).mesh(over(upstream.address, {}, { retry: false }))
    const error = await rejection(ask(mesh)) as MeshError
    assert.equal(error.code, 'ENMESH_CONNECT_FAILED')
    assert.match(error.message, /took its leave \(GOAWAY\) before it took a request/)
    assert.equal(upstream.connections.length, 1)
  })

  test('a request whose body cannot be had again fails and says so', async (t) => {
    const upstream = await rawHttp2(t, (connection, frame) => { if (frame.type === frameTypes.data) connection.goaway(0) })
    const mesh = story(t).mesh({ ...over(upstream.address), replayLimit: 0 })
    const source = async function* (): AsyncGenerator<string> { yield 'once' }
    const error = await rejection(request(url, { dispatcher: mesh.dispatcher, method: 'POST', body: source() as never })) as MeshError
    assert.equal(error.code, 'ENMESH_CONNECTION_RESET')
    assert.match(error.message, /its body cannot be read twice/)
  })
})

describe('a stream that is refused (REFUSED_STREAM)', () => {
  test('is tried elsewhere whatever its method, as a retry', async (t) => {
    const refusing = await http2Upstream(t, (stream) => stream.close(7))
    const other = await http2Upstream(t, says('other'))
    const mesh = story(t).mesh(over([refusing.address, other.address]))
    const whys: string[] = []
    for (let count = 0; count < 2; count++) {
      const response = await mesh.fetch(url, post)
      assert.equal(await response.text(), 'other')
      whys.push(...mesh.trail(response)!.attempts.map(({ why }) => why))
    }
    assert.deepEqual(whys.toSorted(), ['first', 'first', 'retry after ENMESH_CONNECTION_RESET'])
    assert.equal(refusing.heads.length, 1)
  })

  test('counts against the endpoint, and without retries is an error', async (t) => {
    const refusing = await http2Upstream(t, (stream) => stream.close(7))
    const mesh = story(t).mesh(over(refusing.address, {}, { retry: false }))
    const error = await rejection(ask(mesh)) as MeshError
    assert.match(error.message, /REFUSED_STREAM/)
    assert.deepEqual([refusing.heads.length, mesh.status().clusters['c']!.endpoints[0]!.failures], [1, 1])
  })
})

describe('limits on streams', () => {
  test("the endpoint's own limit is kept to: more connections are opened up to the cluster's, and the rest waits", async (t) => {
    const held = new Held()
    const upstream = await http2Upstream(t, held.hold, { settings: { maxConcurrentStreams: 3 } })
    const mesh = story(t).mesh(over(upstream.address, { connections: 2 }))
    const answers = Array.from({ length: 10 }, () => ask(mesh))
    await upstream.arrived(6)
    await turnsUntil(() => mesh.status().clusters['c']!.pending === 4, 'four wait')
    assert.deepEqual([upstream.sessions.length, upstream.most], [2, 3])
    assert.deepEqual(connections(mesh), { active: 2, idle: 0, streams: 6 })
    while (upstream.heads.length < 10) {
      held.release()
      await upstream.arrived(Math.min(10, upstream.heads.length + 1))
    }
    held.release()
    await Promise.all(answers)
    assert.deepEqual([upstream.sessions.length, upstream.most], [2, 3])
  })

  test("the cluster's own limit is kept to", async (t) => {
    const held = new Held()
    const upstream = await http2Upstream(t, held.hold)
    const mesh = story(t).mesh(over(upstream.address, { http2: { streams: 2 }, connections: 2 }))
    const answers = Array.from({ length: 5 }, () => ask(mesh))
    await upstream.arrived(4)
    assert.deepEqual([upstream.sessions.length, upstream.most], [2, 2])
    held.release()
    await upstream.arrived(5)
    held.release()
    await Promise.all(answers)
  })

  test('a limit that is lowered in between holds for what comes after, and one that is raised lets them through', async (t) => {
    const held = new Held()
    const upstream = await http2Upstream(t, held.hold, { settings: { maxConcurrentStreams: 4 } })
    const mesh = story(t).mesh(over(upstream.address, { connections: 1 }))
    const answers = Array.from({ length: 4 }, () => ask(mesh))
    await upstream.arrived(4)
    const [session] = upstream.sessions
    const settled = new Promise<void>((resolve) => { session!.settings({ maxConcurrentStreams: 1 }, () => resolve()) })
    await settled
    answers.push(ask(mesh), ask(mesh))
    held.release()
    await upstream.arrived(5)
    assert.equal(held.streams.length, 1)
    assert.equal(mesh.status().clusters['c']!.pending, 1)
    await new Promise<void>((resolve) => { session!.settings({ maxConcurrentStreams: 2 }, () => resolve()) })
    await upstream.arrived(6)
    held.release()
    assert.deepEqual(await Promise.all(answers), Array.from({ length: 6 }, () => 'ok'))
    assert.equal(upstream.sessions.length, 1)
  })

  test('an endpoint that allows no stream is none to connect to', async (t) => {
    const none = await http2Upstream(t, says('never'), { settings: { maxConcurrentStreams: 0 } })
    const other = await http2Upstream(t, says('other'))
    const mesh = story(t).mesh(over([none.address, other.address], { connectTimeout: 50, connections: 1 }))
    assert.deepEqual(await Promise.all([ask(mesh, post), ask(mesh, post)]), ['other', 'other'])
    const [endpoint] = mesh.status().clusters['c']!.endpoints
    assert.equal(endpoint!.failures, 1)
  })

  test('who waits can go: an abort and a deadline free their place', async (t) => {
    const held = new Held()
    const upstream = await http2Upstream(t, held.hold, { settings: { maxConcurrentStreams: 1 } })
    const mesh = story(t).mesh(over(upstream.address, { connections: 1 }))
    const first = ask(mesh)
    await upstream.arrived(1)
    const controller = new AbortController()
    const [aborted, late] = [ask(mesh, { signal: controller.signal }), ask(mesh, { mesh: { timeout: 30 } })]
    controller.abort()
    assert.equal((await rejection(aborted) as Error).name, 'AbortError')
    assert.equal((await rejection(late) as MeshError).code, 'ENMESH_DEADLINE_EXCEEDED')
    assert.equal(mesh.status().clusters['c']!.pending, 0)
    held.release()
    assert.equal(await first, 'ok')
    assert.equal(upstream.heads.length, 1)
  })
})

describe('a connection that is dead and says nothing', () => {
  const still = { http2: { ping: '10s', pingTimeout: '2s' }, connections: 1, keepAlive: '60s' } as const

  test('is found out by a ping while requests are under way, and they break', async (t) => {
    const held = new Held()
    const upstream = await http2Upstream(t, held.hold)
    const way = new Way(upstream.port)
    const address = await way.start()
    const runtime = fakeRuntime()
    const { clock } = runtime
    const mesh = createMesh(over(address, still, { timeout: 0, retry: false }), { runtime })
    t.after(async () => { await mesh.close(); way.close() })
    const answers = [ask(mesh), ask(mesh)]
    await upstream.arrived(2)
    // What is on the way arrives first.
    await standsStill(() => upstream.streams)
    way.freeze()
    const errors = Promise.all(answers.map(rejection))
    await clock.advance(9_999)
    assert.equal(mesh.status().calls, 2)
    // It is looked at four times in ten seconds, and what came before the first look counts as a word.
    await clock.advance(2_501 + 2_000)
    for (const error of await errors as MeshError[]) {
      assert.equal(error.code, 'ENMESH_CONNECTION_RESET')
      assert.match(error.message, /did not answer a ping within 2000 ms/)
    }
    way.thaw()
    upstream.answer = says('back')
    assert.equal(await ask(mesh), 'back')
    assert.equal(way.accepted, 2)
  })

  test('is asked as soon as a request was given up for its silence, and gets none before it answers', async (t) => {
    const held = new Held()
    const upstream = await http2Upstream(t, held.hold)
    const way = new Way(upstream.port)
    const address = await way.start()
    const runtime = fakeRuntime()
    const { clock } = runtime
    const mesh = createMesh(over(address, { ...still, http2: { ping: 0, pingTimeout: '2s' } }, { timeout: 0, attemptTimeout: '1s', retry: false }), { runtime })
    t.after(async () => { await mesh.close(); way.close() })
    upstream.answer = says('once')
    assert.equal(await ask(mesh), 'once')
    way.freeze()
    const given = rejection(ask(mesh))
    await turnsUntil(() => (connections(mesh) as { streams: number }).streams === 1, 'it was sent')
    await clock.advance(1_000)
    assert.equal((await given as MeshError).code, 'ENMESH_ATTEMPT_TIMEOUT')
    const next = ask(mesh, { mesh: { attemptTimeout: 0 } })
    await clock.advance(1_999)
    assert.equal(mesh.status().clusters['c']!.pending, 1)
    way.thaw()
    await clock.advance(1)
    assert.equal(await next, 'once')
    assert.equal(way.accepted, 2)
  })

  test('a slow endpoint that answers pings keeps its connection', async (t) => {
    const held = new Held()
    const upstream = await http2Upstream(t, held.hold)
    const runtime = fakeRuntime()
    const { clock } = runtime
    const mesh = createMesh(over(upstream.address, still, { timeout: 0 }), { runtime })
    t.after(() => mesh.close())
    const answer = ask(mesh)
    await upstream.arrived(1)
    await standsStill(() => upstream.streams)
    const pinged = new Promise<void>((resolve) => { upstream.sessions[0]!.once('ping', () => resolve()) })
    await clock.advance(12_500)
    await pinged
    await standsStill(() => upstream.streams)
    await clock.advance(100_000)
    held.release('late')
    assert.equal(await answer, 'late')
    assert.equal(upstream.sessions.length, 1)
  })
})

describe('the end of connections', () => {
  test('one that nobody uses is closed after keepAlive', async (t) => {
    const upstream = await http2Upstream(t, says('ok'))
    const runtime = fakeRuntime()
    const { clock } = runtime
    const mesh = createMesh(over(upstream.address, { keepAlive: '4s' }), { runtime })
    t.after(() => mesh.close())
    await ask(mesh)
    await upstream.until(() => upstream.streams === 0)
    await turnsUntil(() => (connections(mesh) as { idle: number }).idle === 1, 'it is idle')
    await clock.advance(4_000)
    await upstream.until(() => upstream.open === 0)
    assert.equal(await ask(mesh), 'ok')
    assert.equal(upstream.sessions.length, 2)
  })

  test('close() lets what is under way end, and cuts it after `drain`', async (t) => {
    const held = new Held()
    const upstream = await http2Upstream(t, held.hold)
    const { mesh } = story(t)
    const first = mesh(over(upstream.address))
    const answer = ask(first)
    await upstream.arrived(1)
    const closed = first.close()
    held.release('in time')
    assert.equal(await answer, 'in time')
    await closed
    const second = mesh({ ...over(upstream.address), drain: 20 })
    const cut = rejection(ask(second))
    await upstream.arrived(2)
    await second.close()
    assert.equal((await cut as MeshError).code, 'ENMESH_CLOSED')
    await upstream.until(() => upstream.open === 0)
  })

  test('an endpoint that leaves the set keeps its connection until what is under way has ended', async (t) => {
    const held = new Held()
    const [old, fresh] = [await http2Upstream(t, held.hold), await http2Upstream(t, says('fresh'))]
    const mesh = story(t).mesh(over(old.address))
    const answer = ask(mesh)
    await old.arrived(1)
    const left = next(mesh, 'endpoint-removed')
    mesh.update(over(fresh.address))
    await left
    assert.equal(await ask(mesh), 'fresh')
    assert.equal(old.open, 1)
    held.release('old')
    assert.equal(await answer, 'old')
    await old.until(() => old.open === 0)
  })

  test('an update of how a cluster is dialled makes new connections, and the old ones end', async (t) => {
    const upstream = await http2Upstream(t, says('ok'))
    const mesh = story(t).mesh(over(upstream.address))
    await ask(mesh)
    mesh.update(over(upstream.address, { http2: { streams: 5 } }))
    await ask(mesh)
    await upstream.until(() => upstream.open === 1)
    assert.equal(upstream.sessions.length, 2)
  })
})

describe('a connection that is cut while it was idle', () => {
  /** Cuts the connection as soon as another request comes in on it. */
  const racing = async (t: Parameters<typeof rawHttp2>[0]): Promise<{ readonly address: string, readonly races: () => number }> => {
    let races = 0
    const used = new WeakSet<object>()
    const upstream = await rawHttp2(t, (connection, frame) => {
      if (!opens(frame)) return
      if (used.has(connection)) {
        races++
        return void (races % 2 === 0 ? connection.socket.destroy() : connection.socket.resetAndDestroy())
      }
      used.add(connection)
      connection.answer(frame.stream)
    })
    return { address: upstream.address, races: () => races }
  }

  test('a GET is sent again on a new one, without a retry', async (t) => {
    const server = await racing(t)
    const mesh = story(t).mesh(over(server.address, {}, { retry: false }))
    for (let count = 0; count < 100; count++) assert.equal(await ask(mesh), 'ok')
    assert.ok(server.races() > 30, `${server.races()} requests met a connection that was cut`)
    assert.equal(mesh.status().clusters['c']!.endpoints[0]!.failures, 0)
  })

  test('a POST fails with ENMESH_CONNECTION_RESET, is never sent twice, and blames nobody', async (t) => {
    const server = await racing(t)
    const mesh = story(t).mesh(over(server.address))
    const errors: unknown[] = []
    for (let count = 0; count < 100; count++) await ask(mesh, post).catch((error: unknown) => errors.push(error))
    assert.deepEqual([...new Set(errors.map((error) => error instanceof MeshError ? error.code : error))], ['ENMESH_CONNECTION_RESET'])
    assert.equal(errors.length, server.races())
    assert.equal(mesh.status().clusters['c']!.endpoints[0]!.failures, 0)
  })
})

describe('heads that are too large', () => {
  test("one that the endpoint would not take is refused before it is sent", async (t) => {
    const upstream = await http2Upstream(t, says('ok'), { settings: { maxHeaderListSize: 1_000 } })
    const mesh = story(t).mesh(over(upstream.address))
    const error = await rejection(mesh.fetch(url, { headers: { 'x-long': 'x'.repeat(1_000) } })) as Error
    assert.match((error.cause as Error).message, /the endpoint takes 1000 \(SETTINGS_MAX_HEADER_LIST_SIZE\)/)
    assert.deepEqual([upstream.heads.length, await ask(mesh)], [0, 'ok'])
  })

  test('one that an endpoint sends breaks its request and no other', async (t) => {
    const upstream = await http2Upstream(t, (stream, headers) => {
      if (headers[':path'] === '/things') return says('ok')(stream, headers)
      stream.respond({ ':status': 200, ...Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`x-${index}`, 'y'.repeat(2_000)])) }, { endStream: true })
    })
    const mesh = story(t).mesh(over(upstream.address, {}, { retry: false }))
    const error = await rejection(mesh.fetch('http://svc.test/large')) as MeshError
    assert.equal(error.code, 'ENMESH_CONNECTION_RESET')
    assert.equal(await ask(mesh), 'ok')
  })
})

describe('status', () => {
  test('says how many connections and streams there are', async (t) => {
    const held = new Held()
    const upstream = await http2Upstream(t, held.hold)
    const mesh = story(t).mesh(over(upstream.address))
    assert.deepEqual(connections(mesh), { active: 0, idle: 0, streams: 0 })
    const answers = [ask(mesh), ask(mesh), ask(mesh)]
    await upstream.arrived(3)
    assert.deepEqual(connections(mesh), { active: 1, idle: 0, streams: 3 })
    held.release()
    await Promise.all(answers)
    await turnsUntil(() => (connections(mesh) as { idle: number }).idle === 1, 'it is idle')
    assert.deepEqual(connections(mesh), { active: 0, idle: 1, streams: 0 })
  })
})

describe('health checks', () => {
  test('by HTTP/2 and by gRPC ask the endpoints of a cluster that speaks it', async (t) => {
    const upstream = await http2Upstream(t, (stream, headers) => {
      if (headers[':path'] === '/grpc.health.v1.Health/Check') {
        stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
        stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
        return void stream.end(Buffer.from([0, 0, 0, 0, 2, 8, 1]))
      }
      return says('ok')(stream, headers)
    })
    const { mesh: make } = story(t)
    for (const healthCheck of [{ protocol: 'http2', path: '/health' }, { protocol: 'grpc' }] as const) {
      const mesh = make(over(upstream.address, { healthCheck }))
      await mesh.ready()
      assert.equal(mesh.status().clusters['c']!.endpoints[0]!.state, 'available')
      assert.equal(await ask(mesh), 'ok')
    }
  })
})

describe('configuration', () => {
  test('names for HTTP/1.1 are refused beside it', () => {
    assert.throws(() => createMesh(over('127.0.0.1:1', { tls: { alpn: ['http/1.0'] } })), /tls\.alpn: is for HTTP\/1\.1, and with `http2` nothing but 'h2' is offered/)
  })

  for (const [what, http2, said] of [
    ['an unknown option', { stream: 5 }, /http2/], ['no stream', { streams: 0 }, /http2\.streams/], ['no time for a ping', { pingTimeout: 0 }, /http2\.pingTimeout: must be longer than 0/],
  ] as const) {
    test(`${what} is a fault with its place`, () => {
      assert.throws(() => createMesh(over('127.0.0.1:1', { http2: http2 as never })), said)
    })
  }
})
