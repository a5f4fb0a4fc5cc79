import assert from 'node:assert/strict'
import { performance } from 'node:perf_hooks'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { createMesh, type Mesh, MeshError, type MeshInput } from '../../src/index.ts'
import { soakSeconds } from './support/duration.ts'
import { unrulyServers } from './support/servers.ts'
import { stationKinds, type Fault, type Station } from './support/stations.ts'

/** How long a registry has its fault, in milliseconds. */
const outage = Math.min(60_000, soakSeconds * 1_000)
const late = outage / 2
/** Often enough up and down to be caught in both, and once more within the outage's last tenth. */
const flaps = 5
const perSecond = 600
const eurekaInterval = Math.min(30_000, outage / 2)
/** What a busy machine may add to what timers promise. */
const slack = 5_000

/** One registry with one fault, and what came of it. */
interface Story {
  readonly name: string
  readonly fault: Fault
  readonly station: Station
  calls: number
  readonly failures: string[]
  /** When it was well again, and when the change that was made meanwhile was in use. */
  wellAt: number
  foundAt: number
}

const started = async (addresses: readonly string[]): Promise<readonly Story[]> => {
  const kinds = stationKinds(eurekaInterval).filter(({ missing }) => missing === false)
  return Promise.all(kinds.flatMap((kind) => kind.faults.map(async (fault): Promise<Story> => ({
    name: `${kind.type}-${fault}`, fault, station: await kind.start(addresses, { late, timeout: late / 5 }),
    calls: 0, failures: [], wellAt: Number.POSITIVE_INFINITY, foundAt: Number.POSITIVE_INFINITY,
  }))))
}

const configOf = (stories: readonly Story[]): MeshInput => ({
  services: Object.fromEntries(stories.map(({ name }) => [`${name}.local`, { cluster: name }])),
  clusters: Object.fromEntries(stories.map(({ name, station }) => [name, { registry: station.registry }])) as MeshInput['clusters'],
})

const call = async (mesh: Mesh, story: Story): Promise<void> => {
  story.calls++
  try {
    const response = await mesh.fetch(`http://${story.name}.local/ok`)
    await response.text()
    if (response.status !== 200) story.failures.push(String(response.status))
  } catch (error) {
    story.failures.push(error instanceof MeshError ? `${error.code}: ${error.message}` : String(error))
  }
}

/** Calls at a steady rate, each service in turn, until it is told to stop; resolves once all are over. */
const steadily = async (mesh: Mesh, stories: readonly Story[], signal: AbortSignal): Promise<void> => {
  const begun = performance.now()
  const calls = new Set<Promise<void>>()
  for (let made = 0; !signal.aborted; await delay(1)) {
    for (; made < (performance.now() - begun) * perSecond / 1_000; made++) {
      const one = call(mesh, stories[made % stories.length]!).finally(() => calls.delete(one))
      calls.add(one)
    }
  }
  await Promise.all(calls)
}

/** The fault, a change in its midst, and the end of it. */
const live = async (story: Story, changed: readonly string[]): Promise<void> => {
  const { station, fault } = story
  const end = performance.now() + outage
  const until = (share: number): Promise<void> => delay(Math.max(0, end - outage * (1 - share) - performance.now()))
  if (fault === 'flapping') {
    for (let flap = 0; flap < flaps; flap++) {
      await until((flap * 2) / (flaps * 2))
      await station.begin('killed')
      if (flap === flaps - 1) await station.list(changed)
      await until((flap * 2 + 1.9) / (flaps * 2))
      await station.end()
    }
  } else {
    await station.begin(fault)
    await until(0.5)
    await station.list(changed)
    await until(1)
    assert.equal(story.foundAt, Number.POSITIVE_INFINITY, `${story.name}: the fault was none`)
    await station.end()
  }
  story.wellAt = performance.now()
}

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`

test(`no request fails while registries are down, lie or flap for ${outage / 1_000} s, and what changed is found soon after`, async (t) => {
  const servers = await unrulyServers(4)
  t.after(() => servers.close())
  const [a, b, c, d] = servers.addresses as [string, string, string, string]
  for (const { type, missing } of stationKinds(eurekaInterval)) if (missing !== false) t.diagnostic(`${type} is left out: ${missing}`)
  const stories = await started([a, b, c])
  t.after(() => Promise.all(stories.map(({ station }) => station.close())))
  const mesh = createMesh(configOf(stories))
  t.after(() => mesh.close())
  await mesh.ready(AbortSignal.timeout(10_000))
  mesh.on('endpoint-added', ({ cluster, endpoint }) => {
    const story = stories.find(({ name }) => name === cluster)
    if (story && endpoint === d) story.foundAt = performance.now()
  })

  const stop = new AbortController()
  const load = steadily(mesh, stories, stop.signal)
  await Promise.all(stories.map((story) => live(story, [a, b, d])))
  const longest = Math.max(...stories.map(({ station: { interval, timeout } }) => interval + timeout)) + slack
  for (const end = performance.now() + longest; performance.now() < end && !stories.every(({ foundAt }) => foundAt < Number.POSITIVE_INFINITY);) await delay(50)
  await delay(1_000)
  stop.abort()
  await load

  for (const { name, calls, failures, wellAt, foundAt } of stories) {
    t.diagnostic(`${name}: ${calls} calls, ${failures.length} failed; the change found after ${seconds(foundAt - wellAt)}`)
  }
  for (const { name, calls, failures, wellAt, foundAt, station: { interval, timeout } } of stories) {
    assert.deepEqual(failures.slice(0, 3), [], `${name}: ${failures.length} of ${calls} calls failed`)
    assert.ok(foundAt - wellAt < interval + timeout + slack, `${name}: the change was found after ${seconds(foundAt - wellAt)}`)
    assert.deepEqual(mesh.status().clusters[name]!.endpoints.map(({ address }) => address).sort(), [a, b, d].sort(), name)
  }
})
