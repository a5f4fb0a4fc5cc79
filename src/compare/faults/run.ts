import { systemClock } from '../../runtime/clock.ts'
import type { Random } from '../../runtime/random.ts'
import { startArrangement, type Arrangement, type Running } from '../arrangement.ts'
import { shuffled, type Progress } from '../happy.ts'
import { pause } from '../load.ts'
import type { Stage } from '../processes/stage.ts'
import type { FaultResult, FaultRun } from '../results.ts'
import { pricing } from '../services.ts'
import { deadline, situationOf } from '../situation.ts'
import type { Fault, Pace, Scene } from './fault.ts'
import { figuresOf } from './figures.ts'
import { Instances } from './fleet.ts'

/** How faults are run. */
export interface FaultLengths {
  readonly rounds: number
  readonly pace: Pace
  /** Requests per second of each caller. */
  readonly rate: number
  /** Arrangements that go through a fault at the same time, each with callers and instances of its own. */
  readonly lanes: number
}

const path = '/price/42'
const threeOfOne: NonNullable<Fault['fleet']> = { counts: { v1: 3 }, weights: {} }

type Marks = FaultResult['marks']

/** An arrangement with instances of its own, ready for a fault. */
interface Prepared {
  readonly arrangement: Arrangement
  readonly instances: Instances
  readonly running: Running
  stop(): Promise<void>
}

const prepare = async (stage: Stage, { fleet: { counts, weights } = threeOfOne, starts = 0 }: Fault, arrangement: Arrangement): Promise<Prepared> => {
  const instances = new Instances(stage)
  for (const [version, count] of Object.entries(counts)) {
    await instances.prepare(version, count)
    for (let index = 0; index < count; index++) await instances.start(version)
  }
  await instances.prepare('v1', starts)
  try {
    const running = await startArrangement(stage, arrangement, situationOf(pricing, { versions: instances.versions, weights }), path)
    // Code is compiled and connections are open before anything counts.
    await running.client.ask('drive', { path, inFlight: 8, bound: { requests: 400, milliseconds: 1_000 } })
    return { arrangement, instances, running, stop: async () => { await Promise.all([running.stop(), instances.stop()]) } }
  } catch (error) {
    await instances.stop()
    throw error
  }
}

/** Runs a fault once before one arrangement. */
const play = async (fault: Fault, { arrangement, instances, running }: Prepared, round: number, { pace, rate }: FaultLengths): Promise<{ readonly run: FaultRun, readonly marks: Marks }> => {
  const { weights } = fault.fleet ?? threeOfOne
  const before = await instances.got()
  const marks: { at: number, what: string }[] = []
  let refusal: string | undefined
  const scene: Scene = {
    instances, running, pace, rate,
    situation: () => situationOf(pricing, { versions: instances.versions, weights }),
    only: (...versions) => situationOf(pricing, { versions: Object.fromEntries(Object.entries(instances.versions).filter(([version]) => versions.includes(version))) }),
    mark: (what) => { marks.push({ at: systemClock.wall(), what }) },
    wait: pause,
    refused: (why) => { refusal ??= why },
  }
  const watching = running.client.ask('watch', { path, rate, patience: deadline + 500 })
  await pause(pace.before)
  const from = systemClock.wall()
  await fault.play(scene)
  const to = systemClock.wall()
  await pause(pace.after)
  await running.client.ask('enough')
  const watched = await watching
  const reached = await instances.got() - before
  const since = (wall: number): number => Math.max(0, wall - watched.began)
  const { id, kind } = arrangement
  return {
    run: figuresOf(watched, { from: since(from), to: since(to) }, reached, {
      arrangement: id, kind, round, ...(fault.wanted !== undefined && { wanted: fault.wanted }), ...(refusal !== undefined && { refusal }),
    }),
    marks: marks.map(({ at, what }) => ({ at: since(at), what })),
  }
}

/** What the faults came to. */
export interface Faulted {
  readonly faults: readonly FaultResult[]
  /** Arrangements that broke, and how. */
  readonly broken: ReadonlyMap<string, string>
}

/** Runs of one fault at the same time, started together before any of them is measured: a process that starts is a load for its neighbours. */
const together = async (
  stage: Stage, fault: Fault, arrangements: readonly Arrangement[], round: number, lengths: FaultLengths, broke: (arrangement: Arrangement, error: unknown) => void,
): Promise<readonly Awaited<ReturnType<typeof play>>[]> => {
  const attempt = async <T>(arrangement: Arrangement, task: () => Promise<T>): Promise<readonly T[]> => {
    try {
      return [await task()]
    } catch (error) {
      broke(arrangement, error)
      return []
    }
  }
  const prepared = (await Promise.all(arrangements.map((arrangement) => attempt(arrangement, () => prepare(stage, fault, arrangement))))).flat()
  try {
    return (await Promise.all(prepared.map((each) => attempt(each.arrangement, () => play(fault, each, round, lengths))))).flat()
  } finally {
    await Promise.all(prepared.map((each) => each.stop()))
  }
}

/** Runs every fault before every arrangement, in rounds, faults and arrangements in an order by chance. */
export const runFaults = async (
  stage: Stage, arrangements: readonly Arrangement[], asked: readonly Fault[], lengths: FaultLengths, random: Random, progress: Progress,
): Promise<Faulted> => {
  const runs = new Map(asked.map(({ id }) => [id, [] as FaultRun[]]))
  const marks = new Map<string, Marks>()
  const broken = new Map<string, string>()
  for (let round = 1; round <= lengths.rounds; round++) {
    for (const fault of shuffled(asked, random)) {
      const order = shuffled(arrangements, random)
      for (let first = 0; first < order.length; first += lengths.lanes) {
        progress(`faults, round ${round} of ${lengths.rounds}: ${fault.title}`)
        const found = await together(stage, fault, order.slice(first, first + lengths.lanes), round, lengths, ({ id }, error) => {
          broken.set(id, `${fault.title}: ${error instanceof Error ? error.message.split('\n')[0]! : String(error)}`)
        })
        for (const { run, marks: seen } of found) {
          runs.get(fault.id)!.push(run)
          if (!marks.has(fault.id)) marks.set(fault.id, seen)
        }
      }
    }
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
