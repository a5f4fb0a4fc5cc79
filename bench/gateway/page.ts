import { spreadOf, written, type Spread } from '../../src/compare/spread.ts'
import { markdown, type Table } from '../../src/compare/table.ts'
import { circumstances, type Run } from '../report.ts'
import { gatewayCaseNames, gatewayCases, type GatewayCaseName } from './cases.ts'
import type { WayName } from './ways.ts'

/** What one way did in one case of one round. */
export interface Measured {
  /** CPU of the proxy, microseconds per request; `null` where there is none. */
  readonly cpu: number | null
  readonly perSecond: number
  /** Milliseconds until the last byte of the answer. */
  readonly p50: number
  readonly p99: number
  readonly p999: number
}

/** One round of one case: every way once. */
export type GatewayRound = Readonly<Partial<Record<WayName, Measured>>>

/** A run, as `bench/results/gateway.json` keeps it. */
export interface GatewayResults extends Run {
  readonly seconds: number
  readonly rounds: Readonly<Record<GatewayCaseName, readonly GatewayRound[]>>
}

const baselines = ['HAProxy', 'node:http'] as const satisfies readonly WayName[]

const told = (values: readonly (number | null)[], digits: number): string =>
  values.every((value) => value !== null) && values.length > 0 ? written(spreadOf(values), digits) : '–'

/** A figure over another way's, paired within each round. */
export const ratioOf = (rounds: readonly GatewayRound[], way: WayName, to: WayName, figure: keyof Measured): Spread | undefined => {
  const ratios = rounds.flatMap((round) => {
    const [one, other] = [round[way]?.[figure], round[to]?.[figure]]
    return one && other ? [one / other] : []
  })
  return ratios.length > 0 ? spreadOf(ratios) : undefined
}

/** The table of a case: a way to a line, with its figures over those of the other proxies. */
export const gatewayTable = (name: GatewayCaseName, rounds: readonly GatewayRound[]): Table => {
  const ways = Object.keys(rounds[0] ?? {}) as WayName[]
  const compared: keyof Measured = 'rate' in gatewayCases[name] ? 'p99' : gatewayCases[name].pace === 'eager' ? 'perSecond' : 'cpu'
  const words = { cpu: 'CPU', perSecond: 'requests/s', p99: 'p99', p50: '', p999: '' }[compared]
  const against = baselines.filter((baseline) => ways.includes(baseline))
  return [
    ['way', 'CPU µs/request', 'requests/s', 'p50 ms', 'p99 ms', 'p99.9 ms', ...against.map((baseline) => `${words} × ${baseline}`)],
    ...ways.map((way) => {
      const of = (figure: keyof Measured): readonly (number | null)[] => rounds.map((round) => round[way]![figure])
      return [
        way, told(of('cpu'), 1), told(of('perSecond'), 0), told(of('p50'), 2), told(of('p99'), 2), told(of('p999'), 2),
        ...against.map((baseline) => {
          const ratio = way === 'straight to it' && compared === 'cpu' ? undefined : ratioOf(rounds, way, baseline, compared)
          return ratio ? written(ratio, 2) : '–'
        }),
      ]
    }),
  ]
}

const circumstancesOf = (results: GatewayResults): string =>
  `${circumstances(results)}. ${results.seconds} s × ${results.rounds.cost.length} rounds for each way and case`

/** What a terminal says of a run. */
export const gatewayLines = (results: GatewayResults, lined: (table: Table) => string): string =>
  [circumstancesOf(results), ...gatewayCaseNames.map((name) => `${gatewayCases[name].title}\n${lined(gatewayTable(name, results.rounds[name]))}`)].join('\n\n')

/** What `docs/performance.md` says of a run. */
export const gatewaySection = (results: GatewayResults): string => [
  `${circumstancesOf(results)}.`,
  'Median (min–max) of the rounds; × is the ratio to another way, paired by round.',
  ...gatewayCaseNames.flatMap((name) => [`### ${gatewayCases[name].title}`, markdown(gatewayTable(name, results.rounds[name]))]),
].join('\n\n')
