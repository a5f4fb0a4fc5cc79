import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { constants } from 'node:http2'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { request } from 'undici'
import { createMesh, MeshError, type Mesh, type MeshInput } from '../../src/index.ts'
import { Channels } from '../../src/runtime/channels.ts'
import { seededRandom } from '../../src/testing/random.ts'
import { Http2Upstream, says, type OnStream } from '../scenarios/support/http2-upstream.ts'
import { CountingClock } from './support/counting-clock.ts'
import { soakSeconds } from './support/duration.ts'
import { collectGarbage, heldMemory, median } from './support/memory.ts'

const requests = Math.min(2_000, soakSeconds * 200)
const inFlight = 64
const samples = 20
const shop = 'http://shop.local'
const big = Buffer.alloc(512 * 1024, 'x')
const gaveUp = new Error('the caller gave up')

let served = 0

/** Every way of an endpoint to leave a request, and now and then it takes its leave or cuts the connection. */
const service: OnStream = (stream, headers) => {
  const path = headers[':path']
  if (path === '/reset') return stream.close(constants.NGHTTP2_INTERNAL_ERROR)
  if (path === '/refused') return stream.close(constants.NGHTTP2_REFUSED_STREAM)
  if (path === '/silent') return void stream.resume()
  if (path === '/unread') return void stream.pause()
  if (path === '/hints') {
    stream.additionalHeaders({ ':status': 103, link: '</a.css>' })
    return void stream.resume()
  }
  if (path === '/half' || path === '/big') {
    stream.respond({ ':status': 200 })
    return void (path === '/big' ? stream.end(big) : stream.write('half'))
  }
  served++
  if (served % 101 === 0) return stream.session!.destroy()
  says('ok')(stream, headers)
  // A server of Node 22 ends its process when a body comes in behind its farewell, so no leave is taken of those who send any.
  if (served % 37 === 0 && headers[':authority'] === 'shop.local') stream.session!.close()
}

const policies = { timeout: '500ms', retry: { attempts: 2, backoff: { max: 5 } } } as const
const to = (address: string) => ({ registry: { type: 'static', endpoints: [address] }, http2: { streams: 20 }, breaker: false, outlier: false }) as const

const config = ([shop, upload]: readonly string[]): MeshInput => ({
  services: { 'shop.local': { cluster: 'shop', ...policies }, 'upload.local': { cluster: 'upload', ...policies } },
  clusters: { shop: to(shop!), upload: to(upload!) },
  egress: 'deny',
})

type Deed = (mesh: Mesh, longLived: AbortSignal) => Promise<unknown>

/** Gives up after so long: not at all, in the same turn, or later. */
const abortedAfter = (ms: number, path: string, init: RequestInit = {}): Deed => async (mesh, longLived) => {
  const controller = new AbortController()
  const signal = AbortSignal.any([controller.signal, longLived])
  const text = mesh.fetch(`${init.body ? 'http://upload.local' : shop}${path}`, { ...init, signal }).then((response) => response.text())
  if (ms === 0) controller.abort(gaveUp)
  else setTimeout(() => controller.abort(gaveUp), ms)
  return text
}

const endless = (): ReadableStream => new ReadableStream({ pull: (controller) => { controller.enqueue(new Uint8Array(16_384)) } })

const deeds: readonly Deed[] = [
  abortedAfter(0, '/ok'),
  abortedAfter(1, '/ok'),
  abortedAfter(5, '/silent'),
  abortedAfter(5, '/half'),
  abortedAfter(5, '/hints'),
  abortedAfter(2, '/big'),
  abortedAfter(3, '/reset'),
  abortedAfter(3, '/refused', { method: 'POST', body: 'once' }),
  (mesh, longLived) => abortedAfter(5, '/unread', { method: 'POST', body: endless(), duplex: 'half' } as RequestInit)(mesh, longLived),
  abortedAfter(1, '/ok', { method: 'POST', body: 'hello' }),
  async (mesh) => (await mesh.fetch(`${shop}/big`)).body!.cancel(gaveUp),
  async (mesh) => (await request(`${shop}/big`, { dispatcher: mesh.dispatcher })).body.on('error', () => {}).destroy(gaveUp),
  (mesh) => mesh.fetch(`${shop}/big`),                                        // one that nobody reads and nobody cancels
  async (mesh) => (await mesh.fetch(`${shop}/silent`, { mesh: { timeout: 20 } })).text(),
  async (mesh, signal) => (await mesh.fetch(`${shop}/ok`, { signal })).text(),
]

/** Waits until something holds, as long as that may rightly take. */
const eventually = async (ms: number, holds: () => boolean): Promise<void> => {
  for (const end = Date.now() + ms; !holds() && Date.now() < end;) await delay(20)
}

const isExpected = (error: unknown): boolean => {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause === gaveUp || (cause instanceof MeshError && /_(?:CONNECTION_RESET|CONNECT_FAILED|DEADLINE_EXCEEDED)$/.test(cause.code))) return true
  }
  return false
}

test(`${requests} calls over HTTP/2 that are aborted, reset, cut and left unread leave nothing behind`, async (t) => {
  const servers = await Promise.all([new Http2Upstream(service, {}).start(), new Http2Upstream(service, {}).start()])
  t.after(() => Promise.all(servers.map((server) => server.kill())))
  const clock = new CountingClock()
  const mesh = createMesh(config(servers.map(({ address }) => address)), { runtime: { clock, random: seededRandom(9), ids: seededRandom(10), channels: new Channels() } })
  const longLived = new AbortController().signal
  const memory: number[] = []
  const counts = new Map<string, number>()
  const unexpected: unknown[] = []
  let begun = 0
  const one = async (): Promise<void> => {
    const number = begun++
    if (number % Math.floor(requests / samples) === 0) {
      for (const { heads } of servers) heads.length = 0
      memory.push(heldMemory())
    }
    let outcome = 'answered'
    try {
      await deeds[number % deeds.length]!(mesh, longLived)
    } catch (error) {
      outcome = error === gaveUp ? 'given up' : error instanceof MeshError ? error.code : String(error)
      if (!isExpected(error)) unexpected.push(error)
    }
    counts.set(outcome, (counts.get(outcome) ?? 0) + 1)
  }
  await Promise.all(Array.from({ length: inFlight }, async () => { while (begun < requests) await one() }))
  t.diagnostic([...counts].map(([outcome, count]) => `${outcome}: ${count}`).join(', '))
  assert.deepEqual(unexpected.slice(0, 5), [], `${unexpected.length} errors that nobody asked for`)

  // A reply that nobody reads is held until its deadline.
  const underWay = (): number => Object.values(mesh.status().clusters).reduce((sum, { active }) => sum + active, mesh.status().calls)
  await eventually(5_000, () => underWay() === 0)
  assert.equal(underWay(), 0, 'what is in flight after all calls are over')
  const streams = (): number => servers.reduce((sum, server) => sum + server.streams, 0)
  await eventually(5_000, () => streams() === 0)
  assert.equal(streams(), 0, 'streams under way at the servers')
  await eventually(5_000, () => {
    collectGarbage()
    return getEventListeners(longLived, 'abort').length === 0
  })
  assert.equal(getEventListeners(longLived, 'abort').length, 0, 'listeners on a signal that outlives its calls')

  await mesh.close()
  const open = (): number => servers.reduce((sum, server) => sum + server.open, 0)
  await eventually(1_000, () => open() === 0)
  assert.equal(open(), 0, 'sessions open after close')
  assert.equal(clock.pending, 0, 'timers left after close')

  const half = memory.length >> 1
  const [first, second] = [median(memory.slice(1, half)), median(memory.slice(half))]
  const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`
  t.diagnostic(`heap: ${mebibytes(first)} in the first half, ${mebibytes(second)} in the second; sessions: ${servers.map(({ sessions }) => sessions.length).join(' and ')}`)
  assert.ok(second < first + 4 * 2 ** 20, `the heap grows: ${memory.map(mebibytes).join(', ')}`)
})
