import { addedTable, answers } from './added.ts'
import { blame, recoveryOf, total } from './faults/rounds.ts'
import type { Both, CaseResult, FaultResult, FaultRun, Results, Round } from './results.ts'
import { lowest, spreadOf, written } from './spread.ts'
import { aligned, type Table } from './table.ts'

const both = ({ application, proxy }: Both): number => application + proxy

interface Column {
  readonly title: string
  readonly digits: number
  readonly of: (round: Round) => number
  /** Whether the most is the best. */
  readonly most?: true
}

const columns: readonly Column[] = [
  { title: 'CPU µs', digits: 1, of: ({ cpu }) => both(cpu) * 1_000 },
  { title: 'of that proxy', digits: 1, of: ({ cpu }) => cpu.proxy * 1_000 },
  { title: 'p50 ms', digits: 3, of: ({ latency }) => latency.p50 },
  { title: 'p99 ms', digits: 2, of: ({ latency }) => latency.p99 },
  { title: 'p99.9 ms', digits: 1, of: ({ latency }) => latency.p999 },
  { title: 'req/s', digits: 0, of: ({ throughput }) => throughput, most: true },
  { title: 'MiB', digits: 0, of: ({ memory }) => both(memory) },
  { title: 'sockets', digits: 0, of: ({ sockets }) => both(sockets) },
]

const titleOf = ({ arrangements }: Results, id: string): string => arrangements.find((each) => each.id === id)?.title ?? id

const absent = ({ arrangements }: Results, present: readonly string[], cells: number): Table => arrangements
  .filter(({ id, notRun }) => notRun !== undefined && !present.includes(id))
  .map(({ title }) => [title, 'not run', ...Array.from({ length: cells - 1 }, () => '–')])

/** One case: median (min–max) of the rounds of each arrangement; `*` is at what nothing beats outside of the spread. */
export const caseTable = (results: Results, { measured }: CaseResult): Table => {
  const cells = columns.map(({ of, digits, most }) => {
    const spreads = measured.map(({ rounds }) => spreadOf(rounds.map(of)))
    const best = lowest(most ? spreads.map(({ median, min, max }) => ({ median: -median, min: -max, max: -min })) : spreads)
    // Of one round nobody knows the spread, so nothing is said to be best.
    const marked = columns[1]!.of !== of && measured.some(({ rounds }) => rounds.length > 1)
    return spreads.map((each, index) => `${written(each, digits)}${best[index] && marked ? '*' : ''}`)
  })
  return [
    ['arrangement', ...columns.map(({ title }) => title)],
    ...measured.map(({ arrangement }, index) => [titleOf(results, arrangement), ...cells.map((column) => column[index]!)]),
    ...absent(results, measured.map(({ arrangement }) => arrangement), columns.length),
  ]
}

const percent = (part: number, whole: number): string => whole === 0 ? '–' : `${(part * 100 / whole).toFixed(1)} %`

const recovery = (runs: readonly FaultRun[]): string => {
  const times = recoveryOf(runs)
  return times ? `${(times.max / 1_000).toFixed(2)} s` : 'not within the run'
}

const mainBlame = (runs: readonly FaultRun[]): string => blame(runs).slice(0, 2).map(([who, count]) => `${who} × ${count}`).join(', ') || '–'

/** One fault, all rounds together; the time to recover is that of the slowest. */
export const faultTable = (results: Results, { runs }: FaultResult): Table => {
  const ids = [...new Set(runs.map(({ arrangement }) => arrangement))]
  const median = (numbers: readonly number[]): string => spreadOf(numbers).median.toFixed(0)
  const head = ['arrangement', 'failed', 'wrong version', 'p99 before', 'during', 'after, ms', 'recovered', 'attempts', 'not the service', 'blamed']
  return [
    head,
    ...ids.map((id) => {
      const ours = runs.filter(({ arrangement }) => arrangement === id)
      const requests = total(ours, (run) => run.requests)
      return [
        titleOf(results, id), percent(total(ours, ({ failed }) => failed), requests), percent(total(ours, ({ wrongVersion }) => wrongVersion), requests),
        median(ours.map(({ p99 }) => p99.before)), median(ours.map(({ p99 }) => p99.during)), median(ours.map(({ p99 }) => p99.after)),
        recovery(ours), (total(ours, ({ attemptsPerRequest }) => attemptsPerRequest) / ours.length).toFixed(2),
        String(total(ours, ({ misattributed }) => misattributed)), mainBlame(ours),
      ]
    }),
    ...absent(results, ids, head.length),
  ]
}

/** Start-ups, and memory at rest. */
export const startTable = (results: Results): Table => [
  ['arrangement', 'first answer after ms', 'of that proxy', 'MiB at rest', 'of that proxy'],
  ...results.starts.map(({ arrangement, milliseconds, idleMemory }) => [
    titleOf(results, arrangement), written(spreadOf(milliseconds.map(both)), 0), written(spreadOf(milliseconds.map(({ proxy }) => proxy)), 0),
    written(spreadOf(idleMemory.map(both)), 1), written(spreadOf(idleMemory.map(({ proxy }) => proxy)), 1),
  ]),
]

/** What was not run, in words. */
export const missing = ({ arrangements, cases }: Results): readonly string[] => [
  ...arrangements.flatMap(({ title, notRun }) => notRun === undefined ? [] : [`Not run: ${title}: ${notRun}.`]),
  ...cases.flatMap(({ title, notRun }) => notRun === undefined ? [] : [`Not run: ${title}: ${notRun}.`]),
]

/** Where and when. */
export const circumstances = ({ began, seconds, rounds, seed, machine, versions }: Results): string =>
  `${began.slice(0, 10)}, ${machine.cpu}, ${machine.cores} cores, ${Math.round(machine.memoryMiB / 1_024)} GiB, load ${machine.loadBefore.toFixed(1)} before and ${machine.loadAfter.toFixed(1)} after; `
  + `${Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(', ')}; ${rounds === 1 ? '1 round' : `${rounds} rounds`}, seed ${seed}, ${Math.round(seconds)} s`

/** The tables that say the most, those that have something to say. */
export const glance = (results: Results): readonly (readonly [title: string, table: Table])[] => ([
  ['The mesh in the process, of a proxy beside it', answers(results)],
  ['What each way adds to the same client alone', addedTable(results)],
] as const).filter(([, table]) => table.length > 1)

/** All of a comparison for a terminal. */
export const summary = (results: Results): string => [
  circumstances(results),
  `CPU is that of application and proxy for one request. ${results.rounds === 1 ? 'Of one round nobody knows the spread: nothing is said to be best.'
    : 'Median (min–max) of the rounds; * marks what nothing beats outside of the spread.'}`,
  ...missing(results),
  ...glance(results).map(([title, table]) => `\n${title}\n\n${aligned(table)}`),
  ...results.cases.filter(({ measured }) => measured.length > 0).map((each) => `\n${each.title}${each.cores === undefined ? '' : `. ${each.cores}`}\n\n${aligned(caseTable(results, each))}`),
  ...results.starts.length > 0 ? [`\nStart\n\n${aligned(startTable(results))}`] : [],
  ...results.faults.map((each) => `\n${each.title}. ${each.what}\n\n${aligned(faultTable(results, each))}`),
].join('\n')
