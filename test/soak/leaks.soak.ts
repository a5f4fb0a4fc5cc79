import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { request } from 'undici'
import { createMesh, type Mesh, MeshError, type MeshInput } from '../../src/index.ts'
import { Channels } from '../../src/runtime/channels.ts'
import { seededRandom } from '../../src/testing/random.ts'
import { CountingClock } from './support/counting-clock.ts'
import { soakSeconds } from './support/duration.ts'
import { collectGarbage, heldMemory, median } from './support/memory.ts'
import { refusingAddresses, unrulyServers } from './support/servers.ts'

const requests = Math.min(100_000, soakSeconds * 2_000)
const inFlight = 128
const requestsPerUpdate = 500
const samples = 20
const shop = 'http://shop.local'

/** What may come of a call here besides an answer. */
const expectedCodes = new Set([
  'ENMESH_CONNECTION_RESET', 'ENMESH_CONNECT_FAILED', 'ENMESH_CIRCUIT_OPEN', 'ENMESH_DEADLINE_EXCEEDED',
])
const gaveUp = new Error('the caller gave up')

type Configs = readonly [MeshInput, ...MeshInput[]]

/** Configurations to swap between: weights move, endpoints come and go, a cluster goes and comes back. */
const configurations = (addresses: readonly string[], refusing: readonly string[]): Configs => {
  const [a, b, c, d] = addresses as [string, string, string, string]
  const cluster = (...endpoints: string[]) => ({ registry: { type: 'static', endpoints } }) as const
  const config = (to: Record<string, number>, clusters: MeshInput['clusters']): MeshInput => ({
    services: { 'shop.local': { routes: [{ to, timeout: '2s' }] }, 'down.local': { cluster: 'down', timeout: '2s' } },
    clusters: { ...clusters, down: cluster(...refusing) },
    egress: 'deny',
  })
  return [
    config({ one: 90, two: 10 }, { one: cluster(a, b), two: cluster(c) }),
    config({ one: 50, two: 50 }, { one: cluster(a, b), two: cluster(c) }),
    config({ one: 50, two: 50 }, { one: cluster(b, d), two: cluster(c, a) }),
    config({ one: 100 }, { one: cluster(a, b, d) }),
  ]
}

type Deed = (mesh: Mesh) => Promise<unknown>

const read = (path: string, init?: RequestInit): Deed => async (mesh) => (await mesh.fetch(`${shop}${path}`, init)).text()

/** The things that callers do, with how often in a hundred. */
const deeds = (longLived: AbortSignal): readonly (readonly [number, Deed])[] => [
  [36, read('/ok')],
  [12, read('/ok', { signal: longLived })],
  [8, async (mesh) => (await request(`${shop}/ok`, { dispatcher: mesh.dispatcher })).body.text()],
  [3, async (mesh) => (await request(`${shop}/ok`, { dispatcher: mesh.dispatcher, signal: longLived })).body.text()],
  [8, (mesh) => mesh.fetch(`${shop}/ok`)],                                       // a body that nobody reads
  [2, async (mesh) => (await mesh.fetch(`${shop}/big`, { signal: longLived })).body?.cancel(gaveUp)],
  [1, (mesh) => mesh.fetch(`${shop}/big`)],                                      // one that nobody reads and nobody cancels
  [1, async (mesh) => (await request(`${shop}/big`, { dispatcher: mesh.dispatcher })).body.on('error', () => {}).destroy(gaveUp)],
  [1, read('/big')],
  [6, read('/echo', { method: 'POST', body: 'hello' })],
  [3, read('/echo', { method: 'POST', body: new Blob(['hello']), signal: longLived })],
  [2, (mesh) => read('/echo', { method: 'PUT', body: new Blob(['hello']).stream(), duplex: 'half' })(mesh)],
  [4, read('/error')],
  [3, read('/unavailable')],
  [2, read('/reset')],
  [1, read('/reset', { method: 'POST', body: 'once' })],
  [2, read('/half', { signal: longLived })],
  [1, read('/slow')],
  [2, async (mesh) => {
    const controller = new AbortController()
    setTimeout(() => controller.abort(gaveUp), 20)
    await read('/slow', { signal: AbortSignal.any([controller.signal, longLived]) })(mesh)
  }],
  [1, async (mesh) => {
    const controller = new AbortController()
    const text = read('/ok', { signal: controller.signal })(mesh)
    controller.abort(gaveUp)
    await text
  }],
  [1, async (mesh) => (await mesh.fetch('http://down.local/ok', { signal: longLived })).text()],
]

const draw = (table: ReturnType<typeof deeds>, random: () => number): Deed => {
  let mark = random() * table.reduce((sum, [share]) => sum + share, 0)
  return table.find(([share]) => (mark -= share) < 0)![1]
}

const isExpected = (error: unknown): boolean => {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause === gaveUp || (cause instanceof MeshError && expectedCodes.has(cause.code))) return true
  }
  return false
}

/** What came of the calls: how many of each outcome, and errors that nobody asked for. */
interface Outcomes { readonly counts: Map<string, number>, readonly unexpected: unknown[], readonly memory: number[] }

const load = async (mesh: Mesh, configs: Configs, longLived: AbortSignal): Promise<Outcomes> => {
  const random = seededRandom(8)
  const table = deeds(longLived)
  const outcomes: Outcomes = { counts: new Map(), unexpected: [], memory: [] }
  const count = (outcome: string): void => { outcomes.counts.set(outcome, (outcomes.counts.get(outcome) ?? 0) + 1) }
  let begun = 0
  const one = async (): Promise<void> => {
    const number = ++begun
    if (number % requestsPerUpdate === 0) mesh.update(configs[(number / requestsPerUpdate) % configs.length]!)
    if (number % Math.floor(requests / samples) === 0) outcomes.memory.push(heldMemory())
    try {
      await draw(table, random)(mesh)
      count('answered')
    } catch (error) {
      count(error === gaveUp ? 'given up' : error instanceof MeshError ? error.code : String(error))
      if (!isExpected(error)) outcomes.unexpected.push(error)
    }
  }
  await Promise.all(Array.from({ length: inFlight }, async () => {
    while (begun < requests) await one()
  }))
  return outcomes
}

/** Waits until something holds, as long as that may rightly take. */
const eventually = async (ms: number, holds: () => boolean | Promise<boolean>): Promise<void> => {
  for (const end = Date.now() + ms; !await holds() && Date.now() < end;) await delay(20)
}

const busy = (mesh: Mesh): readonly string[] => {
  const { calls, clusters } = mesh.status()
  return [
    ...(calls > 0 ? [`calls: ${calls}`] : []),
    ...Object.entries(clusters).flatMap(([name, { active, pending, endpoints }]) => [
      ...(active + pending > 0 ? [`${name}: ${active} active, ${pending} pending`] : []),
      ...endpoints.filter((endpoint) => endpoint.active > 0)
        .map((endpoint) => `${name} at ${endpoint.address}: ${endpoint.active} active`),
    ]),
  ]
}

/** What keeps the event loop busy, beyond what did before. */
const leftOver = (before: readonly string[]): readonly string[] => {
  const rest = [...before]
  return process.getActiveResourcesInfo().filter((resource) => {
    const index = rest.indexOf(resource)
    if (index >= 0) rest.splice(index, 1)
    return index < 0
  })
}

test(`${requests} requests with failures, unread bodies, updates and aborts leave nothing behind`, async (t) => {
  const before = process.getActiveResourcesInfo()
  const servers = await unrulyServers(4)
  t.after(() => servers.close())
  const clock = new CountingClock()
  const configs = configurations(servers.addresses, await refusingAddresses(2))
  const mesh = createMesh(configs[0], { runtime: { clock, random: seededRandom(9), channels: new Channels() } })
  const longLived = new AbortController().signal

  const { counts, unexpected, memory } = await load(mesh, configs, longLived)
  t.diagnostic([...counts].map(([outcome, count]) => `${outcome}: ${count}`).join(', '))
  assert.deepEqual(unexpected.slice(0, 5), [], `${unexpected.length} errors that nobody asked for`)

  // A reply that nobody reads is held until its deadline.
  await eventually(5_000, () => busy(mesh).length === 0)
  assert.deepEqual(busy(mesh), [], 'what is in flight after all calls are over')
  // The platform's `fetch` takes some of its listeners away only when its requests are collected.
  await eventually(5_000, () => {
    collectGarbage()
    return getEventListeners(longLived, 'abort').length === 0
  })
  assert.equal(getEventListeners(longLived, 'abort').length, 0, 'listeners on a signal that outlives its calls')

  // Sockets that are idle when the mesh closes are its to end: these would last another second by themselves.
  await Promise.all(Array.from({ length: 20 }, () => read('/ok')(mesh)))
  assert.ok(await servers.openSockets() > 0, 'sockets open before close')
  await mesh.close()
  await eventually(300, async () => await servers.openSockets() === 0)
  assert.equal(await servers.openSockets(), 0, 'sockets open after close')
  assert.deepEqual(busy(mesh), [], 'what is in flight after close')
  assert.equal(clock.pending, 0, 'timers left after close')
  await servers.close()
  await eventually(2_000, () => leftOver(before).length === 0)
  assert.deepEqual(leftOver(before), [], 'handles left after close')

  const half = memory.length >> 1
  const [first, second] = [median(memory.slice(1, half)), median(memory.slice(half))]
  const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`
  t.diagnostic(`heap: ${mebibytes(first)} in the first half, ${mebibytes(second)} in the second`)
  assert.ok(second < first + 4 * 2 ** 20, `the heap grows: ${memory.map(mebibytes).join(', ')}`)
})
