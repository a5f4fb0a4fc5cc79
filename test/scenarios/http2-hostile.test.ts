import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { createMesh, MeshError, type Mesh, type MeshInput } from '../../src/index.ts'
import { fakeRuntime } from '../../src/testing/fake-runtime.ts'
import type { FakeClock } from '../../src/testing/fake-clock.ts'
import { misdeeds, openings, type Fate, type Misdeed, type Outcome } from './support/hostile-http2.ts'
import { endHeaders, endStream, field, frame, frameTypes, rawHttp2, type Frame, type RawConnection, type RawUpstream } from './support/raw-http2.ts'
import { rejection, standsStill, story, turnsUntil } from './support/story.ts'

type Cluster = NonNullable<MeshInput['clusters']>[string]

const over = (address: string, more: Partial<Cluster> = {}, route: object = {}): MeshInput => ({
  services: { 'svc.test': { cluster: 'c', retry: false, ...route } },
  clusters: { c: { registry: { type: 'static', endpoints: [address] }, http2: true, breaker: false, outlier: false, ...more } },
})

const opens = ({ type }: Frame): boolean => type === frameTypes.headers

const post = { method: 'POST', body: 'order' } as const

/** What a call ends with: its status and text, or the mesh's error, which a body that broke has as its cause. */
const outcome = async (mesh: Mesh, path: string, init?: Parameters<Mesh['fetch']>[1]): Promise<string | MeshError> => {
  try {
    const response = await mesh.fetch(`http://svc.test${path}`, init)
    // Of what a field cannot hold nothing is passed on.
    assert.deepEqual([...response.headers.keys()].filter((name) => name !== 'content-length'), [])
    return `${response.status} ${await response.text()}`
  } catch (error) {
    const found = error instanceof MeshError ? error : (error as Error).cause
    if (found instanceof MeshError) return found
    throw error
  }
}

const isAs = (found: string | MeshError, expected: Outcome): void => {
  if (typeof expected === 'string') return assert.equal(String(found), expected)
  assert.ok(found instanceof MeshError, `an answer: ${String(found)}`)
  assert.equal(found.code, expected.code, found.message)
  assert.match(found.message, expected.says)
}

/** Settles by nothing but what comes over the wire, since time stands still. */
const settled = async <T>(promise: Promise<T>, what: string): Promise<T> => {
  let over = false
  void promise.finally(() => { over = true }).catch(() => {})
  await turnsUntil(() => over, what)
  return promise
}

interface Stage {
  readonly mesh: Mesh
  readonly clock: FakeClock
}

/** A mesh in a time that stands still. */
const stage = (t: TestContext, config: MeshInput): Stage => {
  const runtime = fakeRuntime()
  const mesh = createMesh(config, { runtime })
  t.after(() => mesh.close())
  return { mesh, clock: runtime.clock }
}

/** Nothing is left: no request under way, no timer, and no connection that the mesh has not ended. */
const leavesNothing = async ({ mesh, clock }: Stage, upstream: RawUpstream): Promise<void> => {
  await settled(mesh.close(), 'the mesh is closed')
  const { calls, clusters } = mesh.status()
  assert.deepEqual([calls, clusters['c']!.active, clusters['c']!.pending, clock.pending], [0, 0, 0, 0])
  await turnsUntil(() => upstream.connections.every(({ socket }) => socket.destroyed), 'every connection is closed')
}

const otherOf: Readonly<Record<Fate, Outcome>> = {
  stays: '200 other', leaves: '200 other', disowns: '200 again', breaks: { code: 'ENMESH_CONNECTION_RESET', says: /before it answered/ },
}

/** An endpoint that does a misdeed to the second request on its first connection, and is honest after. */
const misdoer = async (t: TestContext, { act }: Misdeed): Promise<{ readonly upstream: RawUpstream, readonly requests: () => number }> => {
  let requests = 0
  const upstream = await rawHttp2(t, (connection, frame) => {
    if (!opens(frame)) return
    requests++
    if (upstream.connections.length > 1) connection.answer(frame.stream, 'again')
    else if (frame.stream === 3) act(connection, 3)
    else if (frame.stream > 3) connection.answer(frame.stream, 'after')
  })
  return { upstream, requests: () => requests }
}

const deadline = 5_000

const interim = (stream: number): Buffer => frame(frameTypes.headers, endHeaders, stream, field(':status', '103'))

describe('what endpoints do to a request ends in the right error, whatever is under way beside it', () => {
  for (const misdeed of misdeeds) {
    test(misdeed.name, async (t) => {
      const { upstream, requests } = await misdoer(t, misdeed)
      const set = stage(t, over(upstream.address))
      const { mesh, clock } = set
      const other = outcome(mesh, '/other')
      await turnsUntil(() => requests() === 1, 'the other request is under way')
      const { method = 'GET' } = misdeed
      const asked = outcome(mesh, '/asked', { ...(method === 'POST' ? post : { method }), mesh: { timeout: deadline } })
      if (misdeed.silent) {
        await turnsUntil(() => requests() === 2, 'the request has arrived')
        await clock.advance(deadline - 1)
        assert.equal(mesh.status().calls, 2)
        await clock.advance(1)
      }
      isAs(await settled(asked, 'the request is over'), misdeed.outcome)
      if (misdeed.connection === 'stays' || misdeed.connection === 'leaves') upstream.connections[0]!.answer(1, 'other')
      isAs(await settled(other, 'the other request is over'), otherOf[misdeed.connection])
      const stays = misdeed.connection === 'stays'
      isAs(await settled(outcome(mesh, '/after'), 'a request behind them is over'), stays ? '200 after' : '200 again')
      assert.equal(upstream.connections.length, stays ? 1 : 2)
      await leavesNothing(set, upstream)
    })
  }
})

describe('what endpoints begin with is HTTP/2, or nobody is sent a request', () => {
  for (const { name, greet, outcome: expected, silent } of openings) {
    test(name, async (t) => {
      let requests = 0
      const upstream = await rawHttp2(t, (connection, frame) => {
        if (!opens(frame)) return
        requests++
        connection.answer(frame.stream, 'again')
      }, (connection) => {
        connection.acknowledges = typeof expected === 'string'
        greet(connection)
      })
      const set = stage(t, over(upstream.address, { connectTimeout: 2_000, connections: 1 }))
      const asked = [outcome(set.mesh, '/one', post), outcome(set.mesh, '/two', post)]
      if (silent) {
        await turnsUntil(() => upstream.connections.length === 1, 'it is connected')
        await set.clock.advance(1_999)
        assert.equal(set.mesh.status().calls, 2)
        await set.clock.advance(1)
      }
      for (const each of asked) isAs(await settled(each, 'the request is over'), expected)
      assert.deepEqual([requests, upstream.connections.length], [typeof expected === 'string' ? 2 : 0, 1])
      await leavesNothing(set, upstream)
    })
  }
})

describe('a farewell behind the settings', () => {
  for (const [what, code, says] of [['polite', 0, /REFUSED_STREAM|took its leave/], ['with an error', 1, /GOAWAY with error code 1/]] as const) {
    test(`${what}, on each connection, is borne up to three times`, async (t) => {
      const upstream = await rawHttp2(t, () => {}, (connection) => {
        connection.settings({})
        connection.goaway(0, code)
      })
      const set = stage(t, over(upstream.address, { connections: 1 }))
      const found = await settled(outcome(set.mesh, '/', post), 'it is over')
      // Whether the request was given to the connection before the farewell came is a matter of how the bytes arrive.
      assert.ok(found instanceof MeshError && /^ENMESH_CONNECT(?:_FAILED|ION_RESET)$/.test(found.code), String(found))
      assert.match(found.message, says)
      assert.ok(upstream.connections.length <= 4, `${upstream.connections.length} connections`)
      await leavesNothing(set, upstream)
    })
  }
})

describe('resets', () => {
  const refused = 7
  for (let code = 0; code < 16; code++) {
    test(`by code ${code} ${code === refused ? 'have any request' : 'have a GET, and no POST,'} sent again by the retry policy`, async (t) => {
      const upstream = await rawHttp2(t, (connection, frame) => {
        if (!opens(frame)) return
        if (frame.stream % 4 === 1) connection.reset(frame.stream, code)
        else connection.answer(frame.stream, 'again')
      })
      const mesh = story(t).mesh(over(upstream.address, {}, { retry: { backoff: { max: 1 } } }))
      isAs(await outcome(mesh, '/'), '200 again')
      isAs(await outcome(mesh, '/', post), code === refused ? '200 again' : { code: 'ENMESH_CONNECTION_RESET', says: /stream/i })
      assert.equal(upstream.connections.length, 1)
    })
  }

  test('of every request, many at once, break each of them and nothing else', async (t) => {
    const upstream = await rawHttp2(t, (connection, frame) => { if (opens(frame)) connection.reset(frame.stream, 8) })
    const set = stage(t, over(upstream.address, { connections: 1 }))
    const asked = Array.from({ length: 2_000 }, () => outcome(set.mesh, '/', post))
    for (const each of asked) isAs(await settled(each, 'it is over'), { code: 'ENMESH_CONNECTION_RESET', says: /the stream was cancelled/ })
    assert.equal(upstream.connections.length, 1)
    await leavesNothing(set, upstream)
  })
})

describe('what endpoints do over time', () => {
  test('a head that is never finished holds up all that is on the connection, until the deadline', async (t) => {
    let requests = 0
    const upstream = await rawHttp2(t, (connection, frame_) => {
      if (!opens(frame_) || ++requests < 2) return
      connection.socket.write(frame(frameTypes.headers, 0, frame_.stream, Buffer.from([0x88])))
    })
    const set = stage(t, over(upstream.address, {}, { timeout: deadline }))
    const asked = [outcome(set.mesh, '/one'), outcome(set.mesh, '/two')]
    await turnsUntil(() => requests === 2, 'both have arrived')
    await set.clock.advance(deadline)
    for (const each of asked) isAs(await settled(each, 'it is over'), { code: 'ENMESH_DEADLINE_EXCEEDED', says: /waited for an answer/ })
    await leavesNothing(set, upstream)
  })

  test('an interim answer is no head: silence after it is the silence before an answer', async (t) => {
    let requests = 0
    const upstream = await rawHttp2(t, (connection, frame_) => {
      if (!opens(frame_)) return
      requests++
      connection.socket.write(interim(frame_.stream))
    })
    const set = stage(t, over(upstream.address, {}, { timeout: 0, idleTimeout: deadline }))
    const asked = outcome(set.mesh, '/')
    await turnsUntil(() => requests === 1, 'it has arrived')
    await standsStill(() => requests)
    await set.clock.advance(deadline)
    isAs(await settled(asked, 'it is over'), { code: 'ENMESH_ATTEMPT_TIMEOUT', says: /no head within 5000 ms/ })
    await leavesNothing(set, upstream)
  })

  test('an endpoint that takes no byte of a body holds up its request until the deadline, and no other', async (t) => {
    let requests = 0
    const upstream = await rawHttp2(t, (connection, frame_) => {
      if (!opens(frame_)) return
      requests++
      if (frame_.flags & endStream) connection.answer(frame_.stream, 'after')
    }, { 4: 0 })
    const set = stage(t, over(upstream.address))
    const asked = outcome(set.mesh, '/', { ...post, mesh: { timeout: deadline } })
    await turnsUntil(() => requests === 1, 'it has arrived')
    await set.clock.advance(deadline)
    isAs(await settled(asked, 'it is over'), { code: 'ENMESH_DEADLINE_EXCEEDED', says: /waited/ })
    isAs(await settled(outcome(set.mesh, '/'), 'a request behind it is over'), '200 after')
    assert.equal(upstream.connections.length, 1)
    await leavesNothing(set, upstream)
  })

  test('100 interim answers are borne, from each request', async (t) => {
    const upstream = await rawHttp2(t, (connection, frame_) => {
      if (!opens(frame_)) return
      for (let count = 0; count < 100; count++) connection.socket.write(interim(frame_.stream))
      connection.answer(frame_.stream)
    })
    const set = stage(t, over(upstream.address))
    for (let count = 0; count < 3; count++) isAs(await settled(outcome(set.mesh, '/'), 'it is over'), '200 ok')
    assert.equal(upstream.connections.length, 1)
    await leavesNothing(set, upstream)
  })

  test('ten farewells are borne, and the answer after them', async (t) => {
    const upstream = await rawHttp2(t, (connection, { type, stream }) => {
      if (type !== frameTypes.headers) return
      for (let count = 0; count < 10; count++) connection.goaway(2 ** 31 - 1)
      connection.answer(stream)
    })
    const set = stage(t, over(upstream.address))
    for (let count = 0; count < 3; count++) isAs(await settled(outcome(set.mesh, '/'), 'it is over'), '200 ok')
    await leavesNothing(set, upstream)
  })

  test('more bytes than the window of a reader who stands still end the connection', async (t) => {
    const upstream = await rawHttp2(t, (connection, { type, stream, flags }) => {
      // The window is in force once the endpoint has acknowledged it, which it does before it answers.
      if (type !== frameTypes.headers || flags === 0) return
      connection.head(stream)
      for (let count = 0; count < 40; count++) connection.data(stream, 'x'.repeat(16_384))
    })
    const set = stage(t, over(upstream.address))
    const response = await settled(set.mesh.fetch('http://svc.test/'), 'the head is in')
    await turnsUntil(() => set.mesh.status().clusters['c']!.active === 0, 'it is broken')
    const { cause } = await settled(rejection(response.text()), 'the body is over') as Error
    isAs(cause as MeshError, { code: 'ENMESH_CONNECTION_RESET', says: /what the endpoint sent breaks the rules of HTTP\/2/ })
    await turnsUntil(() => upstream.connections[0]!.socket.destroyed, 'the connection is ended')
    await leavesNothing(set, upstream)
  })

  // Before then the rules allow it. Node's library refuses it by itself, and tells nobody.
  test('a promise that comes before the endpoint has acknowledged that there may be none is refused, and harms nobody', async (t) => {
    const refused: number[] = []
    const upstream = await rawHttp2(t, (connection, { type, stream }) => {
      if (type === frameTypes.reset) {
        refused.push(stream)
        connection.answer(1)
      }
      if (type !== frameTypes.headers) return
      if (stream !== 1) return connection.answer(stream)
      connection.socket.write(frame(frameTypes.promise, endHeaders, 1, Buffer.from([0, 0, 0, 2, 0x82, 0x86, 0x84, 0x41, 1, 0x78])))
      connection.answer(2, 'pushed')
    }, (connection) => {
      connection.acknowledges = false
      connection.settings({})
    })
    const set = stage(t, over(upstream.address))
    isAs(await settled(outcome(set.mesh, '/'), 'it is over'), '200 ok')
    isAs(await settled(outcome(set.mesh, '/'), 'it is over'), '200 ok')
    assert.deepEqual([refused, upstream.connections.length], [[2], 1])
    await leavesNothing(set, upstream)
  })

  test('frames for a stream that was given up do no harm to the others', async (t) => {
    let late: { readonly connection: RawConnection, readonly stream: number } | undefined
    const upstream = await rawHttp2(t, (connection, { type, stream }) => {
      if (type === frameTypes.headers && !late) late = { connection, stream }
      else if (type === frameTypes.headers) connection.answer(stream, 'after')
      else if (type === frameTypes.reset) {
        connection.answer(stream, 'late')
        connection.data(stream, 'later', endStream)
      }
    })
    const set = stage(t, over(upstream.address))
    const controller = new AbortController()
    const given = rejection(set.mesh.fetch('http://svc.test/', { signal: controller.signal }))
    await turnsUntil(() => late !== undefined, 'it has arrived')
    controller.abort()
    assert.equal((await settled(given, 'it is over') as Error).name, 'AbortError')
    isAs(await settled(outcome(set.mesh, '/'), 'it is over'), '200 after')
    await leavesNothing(set, upstream)
  })
})
