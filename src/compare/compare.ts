import { constants } from 'node:os'
import { systemClock } from '../runtime/clock.ts'
import { lackOf, unexpressedBy, type Arrangement } from './arrangement.ts'
import { loadNow, machineHere, versionsOf } from './machine.ts'
import { Stage } from './processes/stage.ts'
import { quantiles } from './quantiles.ts'
import type { CaseResult, FaultResult, Results, Start } from './results.ts'
import type { Situation } from './situation.ts'

/** What is done with the arrangements that can be run. */
export interface Measured {
  readonly cases: readonly CaseResult[]
  readonly starts: readonly Start[]
  readonly faults: readonly FaultResult[]
  /** Arrangements that broke on the way, and how. */
  readonly broken: ReadonlyMap<string, string>
}

/** What a comparison is told. */
export interface Comparison {
  /** As it was asked for: shown in the report. */
  readonly command: string
  readonly rounds: number
  readonly seed: number
  readonly arrangements: readonly Arrangement[]
  /** What the arrangements are made from, to see what each cannot express. */
  readonly situation: Situation
  /** Packages whose versions are of interest, beside those of the package itself. */
  readonly packages?: readonly string[]
  measure(stage: Stage, runnable: readonly Arrangement[]): Promise<Measured>
}

const whyNot = (error: unknown): string => error instanceof Error ? error.message : String(error)

/** What cannot be run, and why: missing here, or the definition cannot be written for it. */
const lacking = (arrangements: readonly Arrangement[], situation: Situation): ReadonlyMap<string, string> => {
  const lacks = new Map<string, string>()
  for (const arrangement of arrangements) {
    let lack = lackOf(arrangement)
    try {
      unexpressedBy(arrangement, situation)
    } catch (error) {
      lack ??= `the definition cannot be written for it: ${whyNot(error)}`
    }
    if (lack !== undefined) lacks.set(arrangement.id, lack)
  }
  return lacks
}

const unexpressed = (arrangement: Arrangement, situation: Situation): readonly string[] => {
  try {
    return unexpressedBy(arrangement, situation)
  } catch {
    return []
  }
}

/** Ends all processes when the user breaks off, then this one as the signal would have. */
const endWithSignals = (stage: Stage): () => void => {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  // Who is impatient asks again: one who is asked twice would be gone before its processes and directories are.
  let ending = false
  const ended = (signal: NodeJS.Signals): void => {
    if (ending) return
    ending = true
    void stage.close().finally(() => process.exit(128 + constants.signals[signal]))
  }
  for (const signal of signals) process.on(signal, ended)
  return () => { for (const signal of signals) process.off(signal, ended) }
}

/** Runs a comparison. Whatever it started is gone when it resolves or rejects, and when the process is told to end. */
export const compare = async ({ arrangements, situation, ...asked }: Comparison): Promise<Results> => {
  const began = systemClock.now()
  const when = new Date(systemClock.wall()).toISOString()
  const { loadBefore, ...place } = machineHere()
  const lacks = lacking(arrangements, situation)
  const stage = new Stage()
  const release = endWithSignals(stage)
  try {
    const { cases, starts, faults, broken } = await asked.measure(stage, arrangements.filter(({ id }) => !lacks.has(id)))
    return {
      format: 1, began: when, command: asked.command, rounds: asked.rounds, seed: asked.seed, quantiles,
      seconds: (systemClock.now() - began) / 1_000,
      machine: { ...place, loadBefore, loadAfter: loadNow() },
      versions: versionsOf(arrangements, asked.packages ?? []),
      arrangements: arrangements.map((arrangement) => {
        const { id, title, kind, client, how } = arrangement
        const measured = cases.some((each) => each.measured.some((one) => one.arrangement === id)) || faults.some(({ runs }) => runs.some((run) => run.arrangement === id))
        const notRun = lacks.get(id) ?? (broken.has(id) ? `${measured ? 'in part, since ' : ''}it broke: ${broken.get(id)!}` : undefined)
        return { id, title, kind, client, how, unexpressed: unexpressed(arrangement, situation), ...(notRun !== undefined && { notRun }) }
      }),
      cases, starts, faults,
    }
  } finally {
    release()
    await stage.close()
  }
}
