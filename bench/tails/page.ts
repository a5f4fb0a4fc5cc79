import { markdown } from '../../src/compare/table.ts'
import { circumstances, type Run } from '../report.ts'
import { written } from '../../src/compare/spread.ts'
import type { Table } from '../../src/compare/table.ts'
import { arrangementNames, type ArrangementName } from './arrangements.ts'
import { faultNames, faults, type Fault } from './faults.ts'
import type { Figures } from './figures.ts'
import type { Load } from './load.ts'

/** A run, as `bench/results/tails.json` keeps it. */
export interface Results extends Run {
  readonly load: Load & { readonly rounds: number, readonly seed: number, readonly lanes: number }
  /** Nice value of all processes; 0 is ordinary, below is preferred. */
  readonly priority: number
  /** Mean number of processes that wanted a core in the minute before the run. */
  readonly busy: number
  readonly rows: Readonly<Partial<Record<Fault, Readonly<Partial<Record<ArrangementName, Figures>>>>>>
  /** Arrangements that could not run, and why. */
  readonly notRun: Readonly<Partial<Record<ArrangementName, string>>>
}

const ms = (value: number): string => value >= 100 ? String(Math.round(value)) : value.toFixed(1)
const percent = (part: number): string => part === 0 ? '0' : part < 0.01 ? '< 0.01' : part.toFixed(2)

const columns = ['p50', 'p99', 'p99.9', 'p99 × all well', 'failed', 'failed while settling', 'to the bad %', 'attempts per call']

const cells = ({ calls, p50, p99, p999, againstWell, failed, bad, attempts }: Figures): readonly string[] => [
  ms(p50), written(p99, 0), ms(p999), written(againstWell, 2),
  failed.counted === 0 ? '0' : `${failed.counted} of ${calls}`, String(failed.settling), percent(bad), attempts.toFixed(3),
]

/** The table of a fault: an arrangement to a line, those that could not run among them. */
export const tableOf = ({ rows, notRun }: Results, fault: Fault): Table => [
  ['arrangement', ...columns],
  ...arrangementNames.flatMap((name) => {
    const figures = rows[fault]?.[name]
    if (figures) return [[name, ...cells(figures)]]
    return notRun[name] === undefined ? [] : [[name, 'not run', ...columns.slice(1).map(() => '–')]]
  }),
]

/** What was asked for, and where. */
export const conditionsOf = (results: Results): string => {
  const { load: { rate, settling, counting, rounds, seed, lanes }, priority, busy } = results
  return `${circumstances(results)}. ${rate} calls per second for ${Number((settling + counting).toFixed(2))} s, of which the last ${counting} s count, × ${rounds} rounds, seed ${seed}; `
    + `${lanes} arrangements at a time, each with servers of its own; nice ${priority}; ${busy.toFixed(1)} processes wanted a core in the minute before.`
}

/** What could not run, in words; nothing where everything did. */
export const missing = ({ notRun }: Results): readonly string[] =>
  Object.entries(notRun).map(([name, reason]) => `Not run: ${name}, since ${reason}.`)

/** What `docs/tails.md` says of a run. */
export const tailsSection = (results: Results): string => [
  conditionsOf(results),
  ...missing(results),
  'Times in milliseconds. *p99*: median (min–max) of the rounds; *p50* and *p99.9*: of all rounds together. *p99 × all well*: against the same arrangement in the same round without a fault.',
  ...faultNames.filter((fault) => results.rows[fault]).flatMap((fault) =>
    [`### ${faults[fault].title}`, faults[fault].text, markdown(tableOf(results, fault))]),
].join('\n\n')
