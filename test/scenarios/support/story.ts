import assert from 'node:assert/strict'
import type { RequestListener } from 'node:http'
import type { ServerOptions } from 'node:https'
import type { TestContext } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Agent, getGlobalDispatcher, setGlobalDispatcher } from 'undici'
import { createMesh, type Mesh, type MeshEvents, type MeshInput, type MeshOptions } from '../../../src/index.ts'
import type { Cancel, Clock } from '../../../src/runtime/clock.ts'
import { systemRuntime, type Runtime } from '../../../src/runtime/runtime.ts'
import { seededRandom } from '../../../src/testing/index.ts'
import { Upstream } from './upstream.ts'

/** The machine's clock, which knows how many timers it still holds, background ones included. */
class CountingClock implements Clock {
  readonly #clock: Clock
  pending = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  now(): number {
    return this.#clock.now()
  }

  wall(): number {
    return this.#clock.wall()
  }

  after(ms: number, task: () => void): Cancel {
    return this.#count((counted) => this.#clock.after(ms, counted), task)
  }

  background(ms: number, task: () => void): Cancel {
    return this.#count((counted) => this.#clock.background(ms, counted), task)
  }

  #count(schedule: (task: () => void) => Cancel, task: () => void): Cancel {
    this.pending++
    let over = false
    const end = (): void => {
      if (!over) this.pending--
      over = true
    }
    const cancel = schedule(() => { end(); task() })
    return () => { end(); cancel() }
  }
}

const handles = (): Record<string, number> => {
  const counts: Record<string, number> = {}
  for (const name of process.getActiveResourcesInfo()) {
    if (/^(TCP|TLS|Timeout)/.test(name)) counts[name] = (counts[name] ?? 0) + 1
  }
  return counts
}

/** What of a mesh is under way, by place; empty when nothing is. */
const underWay = (mesh: Mesh): Record<string, number> => {
  const { calls, clusters } = mesh.status()
  const counts: [string, number][] = [['calls', calls]]
  for (const [name, { active, pending, endpoints }] of Object.entries(clusters)) {
    counts.push([`${name}.active`, active], [`${name}.pending`, pending])
    for (const endpoint of endpoints) counts.push([`${name}.${endpoint.address}.active`, endpoint.active])
  }
  return Object.fromEntries(counts.filter(([, count]) => count !== 0))
}

// Far more than anything needs on the loopback; reached only when the condition never comes true.
const manyTurns = 200_000

/** Lets the event loop turn until a condition holds that has no event of its own. */
export const turnsUntil = async (holds: () => boolean, what: string): Promise<void> => {
  for (let turn = 0; !holds(); turn++) {
    if (turn === manyTurns) assert.fail(`waited in vain until ${what}`)
    await nextTurn()
  }
}

/** Lets the event loop turn until a number has stood still for so many turns. */
export const standsStill = async (count: () => number, turns = 300): Promise<void> => {
  for (let still = 0, last = count(); still < turns; still++) {
    await nextTurn()
    if (count() !== last) {
      last = count()
      still = 0
    }
  }
}

/** A promise settled from outside. */
export const gate = (): { readonly opened: Promise<void>, readonly open: () => void } => {
  let open!: () => void
  const opened = new Promise<void>((resolve) => { open = resolve })
  return { opened, open }
}

/** Resolves with the next event of a kind. Ask before what causes it. */
export const next = <E extends keyof MeshEvents>(mesh: Mesh, event: E): Promise<MeshEvents[E]> =>
  new Promise((resolve) => {
    const stop = mesh.on(event, (detail) => {
      stop()
      resolve(detail)
    })
  })

/** Runs a task so many times, so many of them at once. */
export const load = async (times: number, atOnce: number, task: (index: number) => Promise<void>): Promise<void> => {
  let started = 0
  const worker = async (): Promise<void> => {
    while (started < times) await task(started++)
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
}

/** The error that a promise rejects with. */
export const rejection = async (promise: Promise<unknown>): Promise<unknown> => {
  try {
    await promise
  } catch (error) {
    return error
  }
  return assert.fail('it did not reject')
}

export interface Story {
  /** Starts a server that lives as long as the test. */
  readonly upstream: (answer: RequestListener, tls?: ServerOptions) => Promise<Upstream>
  /** Makes a mesh that lives as long as the test, on real time and seeded chance. */
  readonly mesh: (config: MeshInput, options?: Omit<MeshOptions, 'runtime'> & { readonly random?: Runtime['random'] }) => Mesh
}

/**
 * Sets the stage of one test, with a global dispatcher of its own for what goes past the mesh. When the test is over it proves that nothing is left behind: every in-flight count is 0
 * before the meshes are closed, no timer of theirs is left after, and no handle of the process that was not there before.
 */
export const story = (t: TestContext): Story => {
  const upstreams: Upstream[] = []
  const meshes: { readonly mesh: Mesh, readonly clock: CountingClock }[] = []
  const before = handles()
  const globalBefore = getGlobalDispatcher()
  const agent = new Agent()
  setGlobalDispatcher(agent)
  t.after(async () => {
    try {
      for (const { mesh, clock } of meshes) {
        await turnsUntil(() => Object.keys(underWay(mesh)).length === 0, 'nothing is under way').catch(() => {
          assert.deepEqual(underWay(mesh), {}, 'calls are left under way')
        })
        await mesh.close()
        assert.equal(clock.pending, 0, 'timers are left after close()')
      }
    } finally {
      setGlobalDispatcher(globalBefore)
      await Promise.all([agent.destroy(), ...meshes.map(({ mesh }) => mesh.close())])
      await Promise.all(upstreams.map((upstream) => upstream.kill()))
    }
    const left = (): readonly string[] => Object.entries(handles())
      .filter(([name, count]) => count > (before[name] ?? 0)).map(([name, count]) => `${count - (before[name] ?? 0)} × ${name}`)
    await turnsUntil(() => left().length === 0, 'no handle is left').catch(() => assert.deepEqual(left(), [], 'handles are left'))
  })
  return {
    upstream: async (answer, tls) => {
      const upstream = await new Upstream(answer, tls).start()
      upstreams.push(upstream)
      return upstream
    },
    mesh: (config, { random = seededRandom(1), ...options } = {}) => {
      const runtime = systemRuntime()
      const clock = new CountingClock(runtime.clock)
      const mesh = createMesh(config, { ...options, runtime: { ...runtime, clock, random } })
      meshes.push({ mesh, clock })
      return mesh
    },
  }
}
