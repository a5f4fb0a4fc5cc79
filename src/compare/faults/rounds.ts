import type { FaultRun } from '../results.ts'
import { spreadOf, type Spread } from '../spread.ts'

/** Adds a count up over the rounds. */
export const total = (runs: readonly FaultRun[], of: (run: FaultRun) => number): number => runs.reduce((sum, run) => sum + of(run), 0)

/** Who was blamed how often in all rounds, the most first. */
export const blame = (runs: readonly FaultRun[]): readonly (readonly [who: string, count: number])[] => {
  const counts = new Map<string, number>()
  for (const { blamed } of runs) for (const [who, count] of Object.entries(blamed)) counts.set(who, (counts.get(who) ?? 0) + count)
  return [...counts].toSorted(([, a], [, b]) => b - a)
}

/** Milliseconds until all was as before; undefined where a round did not come to that. */
export const recoveryOf = (runs: readonly FaultRun[]): Spread | undefined => {
  const times = runs.map(({ timeToRecover }) => timeToRecover)
  return times.includes(null) ? undefined : spreadOf(times as readonly number[])
}
