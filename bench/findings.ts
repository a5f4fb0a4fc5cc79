import type { Run } from './report.ts'
import { written, type Spread } from '../src/compare/spread.ts'
import type { Table } from '../src/compare/table.ts'

/** One thing found, and what it should be at most. */
export interface Finding extends Spread {
  readonly what: string
  readonly unit: 'MiB' | 'ms'
  readonly target: number
}

/** What was found of memory and of large sets, as `bench/results/memory.json` keeps it. */
export interface MemoryResults extends Run {
  readonly findings: readonly Finding[]
}

/** The table of what was found. */
export const memoryTable = (findings: readonly Finding[]): Table => [
  ['what', 'median (min–max)', 'target'],
  ...findings.map(({ what, unit, target, ...found }) => [what, `${written(found, 2)} ${unit}`, `≤ ${target} ${unit}`]),
]
