import { markdown } from '../../src/compare/table.ts'
import { spreadOf, type Spread } from '../../src/compare/spread.ts'
import type { Table } from '../../src/compare/table.ts'
import type { Figures } from './measure.ts'
import type { Result, Study } from './study.ts'

const ms = (value: number): string => value >= 100 ? String(Math.round(value)) : value.toFixed(1)
const percent = (part: number): string => part === 0 ? '0' : part < 0.01 ? '< 0.01' : part.toFixed(2)
const ratio = (value: number): string => value.toFixed(2)

/** A column of the tables: its head, what it shows of the figures, and how a number is written. */
type Column = readonly [head: string, value: (figures: Figures) => number, written: (value: number) => string]

const shares = (figures: Figures): boolean => figures.watched > 0
const probes = (figures: Figures): boolean => figures.probes > 0
const ejections = (figures: Figures): boolean => figures.ejected > 0

/** Columns that say nothing of any of the figures are left out. */
const columns = (figures: readonly Figures[]): readonly Column[] => [
  ['p50', ({ p50 }) => p50, ms],
  ['p99', ({ p99 }) => p99, ms],
  ['p99.9', ({ p999 }) => p999, ms],
  ['failed %', ({ failed, calls }) => failed * 100 / calls, percent],
  ['retried %', ({ retries }) => retries, percent],
  ...figures.some(shares) ? [['to the bad %', ({ watched }: Figures) => watched, percent] as const] : [],
  ...figures.some(ejections) ? [['ejected', ({ ejected }: Figures) => ejected, String] as const] : [],
  ...figures.some(probes) ? [['probes per call', ({ probes }: Figures) => probes, (value: number) => value === 0 ? '0' : ratio(value)] as const] : [],
  ['imbalance', ({ imbalance }) => imbalance, ratio],
  ['in flight p99', ({ rif }) => rif, String],
  ['sockets', ({ sockets }) => sockets, (value) => String(Math.round(value))],
]

/** Median and range over the seeds of what is taken from the figures. */
export const over = (seeds: readonly Figures[], value: (figures: Figures) => number): Spread => spreadOf(seeds.map(value))

/** The median, and the range where it shows. */
const cell = (seeds: readonly Figures[], [, value, written]: Column): string => {
  const { median, min, max } = over(seeds, value)
  return written(min) === written(max) ? written(median) : `${written(median)} (${written(min)}–${written(max)})`
}

/** The table of a scenario: an algorithm to a line, or an algorithm and a phase where there are several. */
export const tableOf = ({ phases, rows }: Result): Table => {
  const shown = columns(Object.values(rows).flat(2))
  const several = phases.length > 1
  return [
    [...several ? ['load'] : [], 'algorithm', ...shown.map(([head]) => head)],
    ...phases.flatMap((phase, index) => Object.entries(rows).map(([name, row]) =>
      [...several ? [phase] : [], name, ...shown.map((column) => cell(row[index]!, column))])),
  ]
}

/** The name of a scenario as that of a file. */
export const fileOf = (name: string): string => `balancing-${name.replaceAll(',', '').replaceAll(' ', '-')}.svg`

/** Says how many of the seeds a scenario was told from, where it was not all of them. */
const fewer = ({ rows }: Result, seeds: readonly number[]): string => {
  const told = Object.values(rows)[0]?.[0]?.length ?? 0
  return told < seeds.length ? ` Seeds ${seeds.slice(0, told).join(', ')} only.` : ''
}

/** What `docs/balancing.md` says of a run. */
export const studySection = ({ seeds, results }: Study): string => [
  `Times in milliseconds of virtual time; median (min–max) over the seeds ${seeds.join(', ')}, unless it says fewer. *Imbalance*: requests at the server that got the most of them for its capacity, relative to the mean. `
  + '*In flight*: 99th percentile over servers and time. *Ejected*: endpoints that outlier detection took out, over all clients. *Sockets*: what all clients together needed at most.',
  ...results.flatMap((result) => [
    `### ${result.name[0]!.toUpperCase()}${result.name.slice(1)}`,
    `${result.text}${fewer(result, seeds)}`,
    `![${result.name}: latency by algorithm](../bench/results/${fileOf(result.name)})`,
    markdown(tableOf(result)),
  ]),
].join('\n\n')
