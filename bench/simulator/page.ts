import type { Table } from '../report.ts'
import { markdown } from '../page.ts'
import type { Figures } from './measure.ts'
import type { Result, Study } from './study.ts'

const ms = (value: number): string => value >= 100 ? String(Math.round(value)) : value.toFixed(1)
const percent = (part: number): string => part === 0 ? '0' : part < 0.01 ? '< 0.01' : part.toFixed(2)

const columns = (watched: boolean): readonly string[] =>
  ['p50', 'p99', 'p99.9', 'failed %', 'retried %', ...watched ? ['to the bad %'] : [], 'imbalance', 'in flight p99', 'sockets']

const cells = (figures: Figures, watched: boolean): readonly string[] => [
  ms(figures.p50), ms(figures.p99), ms(figures.p999), percent(figures.failed * 100 / figures.calls), percent(figures.retries),
  ...watched ? [percent(figures.watched)] : [], figures.imbalance.toFixed(2), String(figures.rif), String(figures.sockets),
]

/** The table of a scenario: an algorithm to a line, or an algorithm and a phase where there are several. */
export const tableOf = ({ phases, rows }: Result): Table => {
  const watched = Object.values(rows).some((row) => row.some((figures) => figures.watched > 0))
  const several = phases.length > 1
  return [
    [...several ? ['load'] : [], 'algorithm', ...columns(watched)],
    ...phases.flatMap((phase, index) => Object.entries(rows).map(([name, row]) =>
      [...several ? [phase] : [], name, ...cells(row[index]!, watched)])),
  ]
}

/** The name of a scenario as that of a file. */
export const fileOf = (name: string): string => `balancing-${name.replaceAll(' ', '-')}.svg`

/** What `docs/balancing.md` says of a run. */
export const studySection = ({ seed, results }: Study): string => [
  `Times in milliseconds of virtual time, seed ${seed}. *Imbalance*: requests at the server that got the most of them for its capacity, relative to the mean. `
  + '*In flight*: 99th percentile over servers and time. *Sockets*: what all clients together needed at most.',
  ...results.flatMap((result) => [
    `### ${result.name[0]!.toUpperCase()}${result.name.slice(1)}`,
    result.text,
    `![${result.name}: latency by algorithm](../bench/results/${fileOf(result.name)})`,
    markdown(tableOf(result)),
  ]),
].join('\n\n')
