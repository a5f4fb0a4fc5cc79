import { systemClock } from '../../runtime/clock.ts'
import type { Random } from '../../runtime/random.ts'
import { startArrangement, type Arrangement } from '../arrangement.ts'
import { shuffled, type Progress } from '../happy.ts'
import { pause } from '../load.ts'
import type { Stage } from '../processes/stage.ts'
import type { FaultResult, FaultRun } from '../results.ts'
import { pricing } from '../services.ts'
import { deadline, situationOf, type Fleet, type Situation } from '../situation.ts'
import type { Fault, Pace, Scene } from './fault.ts'
import { figuresOf } from './figures.ts'
import { Instances } from './fleet.ts'

/** How faults are run. */
export interface FaultLengths {
  readonly rounds: number
  readonly pace: Pace
  /** Requests per second of each caller. */
  readonly rate: number
  /** Runs at the same time, each with callers and instances of its own. */
  readonly lanes: number
}

const path = '/price/42'
const threeOfOne: NonNullable<Fault['fleet']> = { counts: { v1: 3 }, weights: {} }

type Marks = FaultResult['marks']

const startInstances = async (stage: Stage, { counts }: NonNullable<Fault['fleet']>): Promise<Instances> => {
  const instances = new Instances(stage)
  for (const [version, count] of Object.entries(counts)) for (let index = 0; index < count; index++) await instances.start(version)
  return instances
}

/** Runs a fault once before one arrangement. */
const once = async (stage: Stage, fault: Fault, arrangement: Arrangement, round: number, { pace, rate }: FaultLengths): Promise<{ readonly run: FaultRun, readonly marks: Marks }> => {
  const { counts, weights } = fault.fleet ?? threeOfOne
  const instances = await startInstances(stage, { counts, weights })
  const setBefore = (fleet: Fleet): Situation => situationOf(pricing, fleet)
  const running = await startArrangement(stage, arrangement, setBefore({ versions: instances.versions, weights }), path)
  try {
    // Code is compiled and connections are open before anything counts.
    await running.client.ask('drive', { path, inFlight: 8, bound: { requests: 400, milliseconds: 1_000 } })
    const warm = await instances.got()
    const marks: { at: number, what: string }[] = []
    let refusal: string | undefined
    const scene: Scene = {
      instances, running, pace, rate,
      situation: () => setBefore({ versions: instances.versions, weights }),
      only: (...versions) => setBefore({ versions: Object.fromEntries(Object.entries(instances.versions).filter(([version]) => versions.includes(version))) }),
      mark: (what) => { marks.push({ at: systemClock.wall(), what }) },
      wait: pause,
      refused: (why) => { refusal ??= why },
    }
    const lasts = fault.lasts?.(pace) ?? pace.during
    const watching = running.client.ask('watch', { path, rate, milliseconds: pace.before + lasts + pace.after, patience: deadline + 500 })
    await pause(pace.before)
    const from = systemClock.wall()
    await fault.play(scene)
    const to = systemClock.wall()
    const watched = await watching
    const reached = await instances.got() - warm
    const since = (wall: number): number => Math.max(0, wall - watched.began)
    const { id, kind } = arrangement
    return {
      run: figuresOf(watched, { from: since(from), to: since(to) }, reached, {
        arrangement: id, kind, round, ...(fault.wanted !== undefined && { wanted: fault.wanted }), ...(refusal !== undefined && { refusal }),
      }),
      marks: marks.map(({ at, what }) => ({ at: since(at), what })),
    }
  } finally {
    await Promise.all([running.stop(), instances.stop()])
  }
}

/** What the faults came to. */
export interface Faulted {
  readonly faults: readonly FaultResult[]
  /** Arrangements that broke, and how. */
  readonly broken: ReadonlyMap<string, string>
}

/** Runs every fault before every arrangement, in rounds, each in an order by chance and several at a time. */
export const runFaults = async (
  stage: Stage, arrangements: readonly Arrangement[], asked: readonly Fault[], lengths: FaultLengths, random: Random, progress: Progress,
): Promise<Faulted> => {
  const runs = new Map(asked.map(({ id }) => [id, [] as FaultRun[]]))
  const marks = new Map<string, Marks>()
  const broken = new Map<string, string>()
  for (let round = 1; round <= lengths.rounds; round++) {
    // The longest first, so that no lane is left alone with it at the end.
    const all = shuffled(asked.flatMap((fault) => arrangements.map((arrangement) => ({ fault, arrangement }))), random)
      .toSorted((a, b) => Number(b.fault.lasts !== undefined) - Number(a.fault.lasts !== undefined))
    let done = 0
    const waiting = all.values()
    await Promise.all(Array.from({ length: lengths.lanes }, async () => {
      for (const { fault, arrangement } of waiting) {
        try {
          const { run, marks: seen } = await once(stage, fault, arrangement, round, lengths)
          runs.get(fault.id)!.push(run)
          if (!marks.has(fault.id)) marks.set(fault.id, seen)
        } catch (error) {
          broken.set(arrangement.id, `${fault.title}: ${error instanceof Error ? error.message.split('\n')[0]! : String(error)}`)
        }
        progress(`faults, round ${round} of ${lengths.rounds}: ${++done} of ${all.length} runs, ${arrangement.title}: ${fault.title}`)
      }
    }))
  }
  const order = new Map(arrangements.map(({ id }, index) => [id, index]))
  return {
    broken,
    faults: asked.map(({ id, title, what }) => ({
      id, title, what, marks: marks.get(id) ?? [],
      runs: runs.get(id)!.toSorted((a, b) => order.get(a.arrangement)! - order.get(b.arrangement)! || a.round - b.round),
    })),
  }
}
