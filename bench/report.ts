import { availableParallelism, cpus, totalmem } from 'node:os'
import { createRequire } from 'node:module'
import { cases, requestsOf, type CaseName } from './cases.ts'
import type { Measurement } from './client.ts'
import { baselines, type ModeName } from './modes.ts'
import { spreadOf, written, type Spread } from '../src/compare/spread.ts'
import type { Table } from '../src/compare/table.ts'

/** One round: every mode once, so what disturbs the machine for a while disturbs them alike. */
export type Round = Readonly<Partial<Record<ModeName, Measurement>>>

/** How each figure is headed and written, in the order of the tables. */
export const figures = {
  cpu: { title: 'CPU µs/request', digits: 1 },
  throughput: { title: 'requests/s', digits: 0 },
  p50: { title: 'p50 ms', digits: 3 },
  p99: { title: 'p99 ms', digits: 2 },
  p999: { title: 'p99.9 ms', digits: 2 },
  allocated: { title: 'heap KiB/request', digits: 1 },
  rss: { title: 'RSS MiB', digits: 0 },
} as const satisfies Readonly<Record<keyof Measurement, { readonly title: string, readonly digits: number }>>

type Figure = keyof typeof figures
type Spreads = Readonly<Record<Figure, Spread>>

const figureNames = Object.keys(figures) as readonly Figure[]

/** What was found of one mode. */
export interface Row extends Spreads {
  /** Each figure over that of each baseline measured, paired within each round. */
  readonly against: Readonly<Partial<Record<ModeName, Spreads>>>
  /** Microseconds of p50 over the bare pool's, paired within each round; absent where that was not measured. */
  readonly addedP50?: Spread
}

/** A row for each mode measured, in the order of the tables. */
export type Rows = Readonly<Partial<Record<ModeName, Row>>>

const spreads = (of: (figure: Figure) => readonly number[]): Spreads =>
  Object.fromEntries(figureNames.map((figure) => [figure, spreadOf(of(figure))])) as unknown as Spreads

/** Sums the rounds of one case up. */
export const summarize = (rounds: readonly Round[], modes: readonly ModeName[]): Rows => {
  const compared = baselines.filter((baseline) => modes.includes(baseline))
  return Object.fromEntries(modes.map((mode): [ModeName, Row] => [mode, {
    ...spreads((figure) => rounds.map((round) => round[mode]![figure])),
    against: Object.fromEntries(compared.map((baseline) =>
      [baseline, spreads((figure) => rounds.map((round) => round[mode]![figure] / round[baseline]![figure]))])),
    ...(modes.includes('pool.dispatch') && {
      addedP50: spreadOf(rounds.map((round) => (round[mode]!.p50 - round['pool.dispatch']!.p50) * 1000)),
    }),
  }]))
}

/** Where it was measured: numbers mean nothing without it. */
export interface Machine {
  readonly cpu: string
  readonly cores: number
  /** GiB. */
  readonly memory: number
  readonly node: string
  /** Of what takes part, by name. */
  readonly versions: Readonly<Record<string, string>>
}

const measuredPackages = ['undici', 'opossum', 'cockatiel', 'axios', 'got']

/** This machine. */
export const machine = (): Machine => {
  const { resolve } = createRequire(import.meta.url)
  const versionOf = (name: string): string => {
    // Some packages export no package.json, so it is found beside what they do export.
    const folder = resolve(name).split(`/node_modules/${name}/`)[0]
    return (createRequire(import.meta.url)(`${folder}/node_modules/${name}/package.json`) as { version: string }).version
  }
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memory: Math.round(totalmem() / 1024 ** 3),
    node: process.version,
    versions: { 'undici inside Node': process.versions['undici']!, ...Object.fromEntries(measuredPackages.map((name) => [name, versionOf(name)])) },
  }
}

/** When and where something was measured. */
export interface Run {
  /** ISO 8601. */
  readonly date: string
  /** What else there is to know about it. */
  readonly note: string
  readonly machine: Machine
}

/** What requests cost, as `bench/results/latest.json` keeps it. */
export interface Results extends Run {
  readonly load: { readonly requests: number, readonly rounds: number, readonly seed: number }
  readonly cases: Readonly<Partial<Record<CaseName, Rows>>>
}

const tableOf = (corner: string, heads: readonly string[], rows: Rows, cells: (row: Row) => readonly string[]): Table =>
  [[corner, ...heads], ...Object.entries(rows).map(([mode, row]) => [mode, ...cells(row)])]

/** What was measured in one case, then the same over each baseline; for one request at a time also what it waits longer than the bare pool's. */
export const tables = (name: CaseName, rows: Rows): readonly Table[] => {
  const titles = figureNames.map((figure) => figures[figure].title)
  const compared = baselines.filter((baseline) => rows[baseline])
  return [
    tableOf('mode', titles, rows, (row) => figureNames.map((figure) => written(row[figure], figures[figure].digits))),
    ...compared.map((baseline) => tableOf(`× ${baseline}`, titles.map((title) => title.split(/[ /]/)[0]!), rows, ({ against }) =>
      figureNames.map((figure) => written(against[baseline]![figure], 2)))),
    ...cases[name].inFlight === 1 && rows['pool.dispatch']
      ? [tableOf('mode', ['p50 over pool.dispatch, µs'], rows, ({ addedP50 }) => [written(addedP50!, 0)])] : [],
  ]
}

/** What was asked for in one case. */
export const loadOf = (name: CaseName, { requests, rounds }: Results['load']): string => {
  const { inFlight, bytes, read } = cases[name]
  return `${inFlight} in flight, a body of ${bytes} bytes ${read === 'stream' ? 'as a stream' : 'as text'}, `
    + `${requestsOf(name, requests)} requests × ${rounds} rounds`
}

/** Where and when, in one line. */
export const circumstances = ({ date, note, machine: { cpu, cores, memory, node, versions } }: Run): string => [
  `${date.slice(0, 10)}, ${cpu}, ${cores} cores, ${memory} GiB, Node ${node}`,
  ...Object.entries(versions).map(([name, version]) => `${name} ${version}`),
].join(', ') + (note && `. ${note}`)
