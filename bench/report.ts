import { availableParallelism, cpus } from 'node:os'
import { createRequire } from 'node:module'
import type { Measurement } from './client.ts'
import { baselines, type ModeName } from './modes.ts'

/** One round: every mode once, so what disturbs the machine for a while disturbs them alike. */
export type Round = Readonly<Record<string, Measurement>>

/** Median with its range. */
export interface Spread { readonly median: number, readonly min: number, readonly max: number }

/** Median and range of a list. */
export const spread = (values: readonly number[]): Spread => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const median = sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
  return { median, min: sorted[0]!, max: sorted.at(-1)! }
}

/** What was found of one mode. */
export interface Row {
  readonly cpu: Spread
  readonly throughput: Spread
  readonly p50: Spread
  readonly p99: Spread
  /** CPU per request over that of each baseline measured, paired within each round. */
  readonly cpuAgainst: Readonly<Partial<Record<ModeName, Spread>>>
}

/** Sums the rounds up, a row for each mode. */
export const summarize = (rounds: readonly Round[], modes: readonly ModeName[]): Readonly<Record<string, Row>> =>
  Object.fromEntries(modes.map((mode) => {
    const of = (field: keyof Measurement): Spread => spread(rounds.map((round) => round[mode]![field]))
    const cpuAgainst = Object.fromEntries(baselines.filter((baseline) => modes.includes(baseline)).map((baseline) =>
      [baseline, spread(rounds.map((round) => round[mode]!.cpu / round[baseline]!.cpu))]))
    return [mode, { cpu: of('cpu'), throughput: of('throughput'), p50: of('p50'), p99: of('p99'), cpuAgainst }]
  }))

const written = ({ median, min, max }: Spread, digits: number): string =>
  `${median.toFixed(digits)} (${min.toFixed(digits)}–${max.toFixed(digits)})`

/** Lines up cells, the first column to the left, the others to the right. */
const table = (lines: readonly (readonly string[])[]): string => {
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)))
  return lines
    .map(([first, ...others]) =>
      [first!.padEnd(widths[0]!), ...others.map((cell, index) => cell.padStart(widths[index + 1]!))].join('   '))
    .join('\n')
}

/** The tables that `npm run bench` prints. */
export const print = (rows: Readonly<Record<string, Row>>): string => {
  const compared = baselines.filter((baseline) => rows[baseline])
  const absolute = table([
    ['mode', 'CPU µs/request', 'requests/s', 'p50 ms', 'p99 ms'],
    ...Object.entries(rows).map(([mode, { cpu, throughput, p50, p99 }]) =>
      [mode, written(cpu, 1), written(throughput, 0), written(p50, 2), written(p99, 2)]),
  ])
  const ratios = table([
    ['CPU against', ...compared],
    ...Object.entries(rows).map(([mode, { cpuAgainst }]) =>
      [mode, ...compared.map((baseline) => written(cpuAgainst[baseline]!, 2))]),
  ])
  return `${absolute}\n\n${ratios}`
}

/** Where it was measured: numbers mean nothing without it. */
export const machine = (): object => {
  const { version: undici } = createRequire(import.meta.url)('undici/package.json') as { version: string }
  return { cpu: cpus()[0]?.model ?? 'unknown', cores: availableParallelism(), node: process.version, undici }
}
