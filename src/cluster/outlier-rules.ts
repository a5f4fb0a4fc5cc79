import { z } from 'zod'
import { duration } from '../config/duration.ts'
import { percent } from '../config/percent.ts'
import type { OutlierRule } from '../core/events.ts'
import type { Outcomes, Tally } from './tally.ts'

const inARow = z.union([z.literal(false), z.int().min(1)], { error: 'must be a number, at least 1, or false' })
const fleet = (fewest: number) => z.int().min(fewest)
const volume = z.int().min(1)

const successRateConfig = z.strictObject({
  endpoints: fleet(2).default(5).describe('How many endpoints must have had `volume` attempts; with fewer there is nobody to compare with.'),
  volume: volume.default(100).describe('Attempts that an endpoint must have had in the interval to be judged, and to be compared with.'),
  factor: z.number().min(0).default(1.9)
    .describe("How many standard deviations below the mean of the endpoints' success rates an endpoint must be to be ejected."),
  gap: percent.default(10)
    .describe('By how many percentage points, at the least, it must be below the mean as well: where all are well the deviation is close to nothing, and chance alone exceeds it.'),
})

const failurePercentageConfig = z.strictObject({
  endpoints: fleet(1).default(5).describe('How many endpoints must have had `volume` attempts.'),
  volume: volume.default(50).describe('Attempts that an endpoint must have had in the interval to be judged.'),
  threshold: percent.default(85).describe('Percent of failed attempts at which it is ejected.'),
})

const latencyConfig = z.strictObject({
  endpoints: fleet(3).default(3).describe('How many endpoints must have had `volume` answers; with fewer there is nobody to compare with.'),
  volume: volume.default(20).describe('Answers that an endpoint must have given in the interval to be judged, and to be compared with.'),
  factor: z.number().min(1).default(3).describe("How many times the fleet's median its own median must be."),
  gap: duration.default(20).describe("By how much, at the least, its median must exceed the fleet's as well: three times next to nothing is nothing."),
  intervals: z.int().min(1).default(3).describe('In how many intervals in a row.'),
})

const orOff = <Shape extends z.ZodObject>(options: Shape, example: string) =>
  z.union([z.literal(false), options], { error: `must be false, or options such as ${example}` })

/** What makes an endpoint an outlier: each field is a rule, and false switches it off. */
export const outlierRulesConfig = z.strictObject({
  failures: inARow.default(5)
    .describe('Failed attempts in a row at one endpoint after which it is ejected.'),
  gatewayFailures: inARow.default(false)
    .describe('Answers 502, 503 or 504 in a row after which it is ejected, and failures without an answer unless `localFailures` counts these apart.'),
  localFailures: inARow.default(false)
    .describe('Failures in a row without an answer (no connection, a broken one, silence) after which it is ejected. If given, '
      + 'they are counted apart from answers, in every rule; if false, they count as failures like any other.'),
  successRate: orOff(successRateConfig, '{ volume: 100 }').prefault({})
    .describe("Ejects endpoints whose success rate over an `interval` is far below the fleet's."),
  failurePercentage: orOff(failurePercentageConfig, '{ threshold: 85 }').default(false)
    .describe('Ejects endpoints of whose attempts in an `interval` too many failed, however the others fare. `{}` switches it on.'),
  latency: orOff(latencyConfig, '{ factor: 3 }').default(false)
    .describe("Ejects endpoints that take several times as long to answer as the fleet does. `{}` switches it on."),
  interval: duration.refine((ms) => ms >= 10, "must be at least 10 ms; a number is milliseconds, for seconds write '10s'").default(10_000)
    .describe('How long rates and latencies are gathered before endpoints are compared; also how long a returned endpoint must be in use '
      + 'for one of its earlier ejections to be forgotten.'),
})

/** Parsed form of `outlierRulesConfig`; durations in milliseconds. */
export type OutlierRulesConfig = z.output<typeof outlierRulesConfig>

/** An endpoint that a rule wants out. */
export interface Outlier {
  readonly tally: Tally
  /** In words. */
  readonly reason: string
  /** How many intervals it did badly in. */
  readonly intervals: number
}

/** A rule that compares, at the end of each interval, what was counted of the endpoints in use. */
export interface Rule {
  readonly name: OutlierRule
  /** With fewer endpoints there is never anything to do. */
  readonly endpoints: number
  /** Those to take out, the worst first, since not all of them may have to go. */
  judge(tallies: readonly Tally[]): readonly Outlier[]
}

/** How many failures in a row an endpoint has had, by the rules that count them. */
export const rows = (tally: Tally, config: OutlierRulesConfig): readonly { readonly rule: OutlierRule, readonly count: number, readonly limit: number, readonly what: string }[] => {
  const all = [
    { rule: 'failures', count: tally.failures, limit: config.failures, what: 'failure' },
    { rule: 'gatewayFailures', count: tally.gatewayFailures, limit: config.gatewayFailures, what: 'gateway failure' },
    { rule: 'localFailures', count: tally.localFailures, limit: config.localFailures, what: 'local failure' },
  ] as const
  return all.filter((row): row is typeof row & { limit: number } => row.limit !== false)
}

/** Whether one of those rows is too long; without making anything, since each failure asks. */
export const tooManyInARow = (tally: Tally, { failures, gatewayFailures, localFailures }: OutlierRulesConfig): boolean =>
  (failures !== false && tally.failures >= failures) ||
  (gatewayFailures !== false && tally.gatewayFailures >= gatewayFailures) ||
  (localFailures !== false && tally.localFailures >= localFailures)

/** The rules of a configuration that look at intervals. */
export const intervalRules = (config: OutlierRulesConfig): readonly Rule[] => {
  const { successRate: success, failurePercentage: failing, latency, localFailures } = config
  const series = localFailures === false ? [answersOf] : [answersOf, localOf]
  return [
    ...success === false ? [] : series.map((read) => successRate(success, read)),
    ...failing === false ? [] : series.map((read) => failurePercentage(failing, read)),
    ...latency === false ? [] : [new LatencyRule(latency)],
  ]
}

const answersOf = (tally: Tally): Outcomes => tally.answers
const localOf = (tally: Tally): Outcomes => tally.local

/**
 * Endpoints whose success rate lies further below the mean of all than so many standard deviations (of the whole fleet: Envoy's
 * formula), and than the gap. Finds some bad ones among many good ones: of n endpoints at most n ÷ (factor² + 1), 1 of 5 and 2 of 10 by default.
 */
export const successRate = ({ endpoints, volume, factor, gap }: z.output<typeof successRateConfig>, read: (tally: Tally) => Outcomes): Rule => ({
  name: 'successRate',
  endpoints,
  judge: (tallies) => {
    const judged = tallies.filter((tally) => read(tally).total >= volume)
    if (judged.length < endpoints) return []
    const rates = judged.map((tally) => read(tally).successRate)
    const mean = meanOf(rates)
    const deviation = Math.sqrt(meanOf(rates.map((rate) => (rate - mean) ** 2)))
    const threshold = Math.min(mean - factor * deviation, mean - gap)
    return judged.filter((_, index) => rates[index]! < threshold)
      .sort((a, b) => read(a).successRate - read(b).successRate)
      .map((tally) => ({
        tally,
        intervals: 1,
        reason: `success rate ${round(read(tally).successRate)} %, below ${round(threshold)} %; the mean of ${judged.length} endpoints is ${round(mean)} %`,
      }))
  },
})

/** Endpoints of whose attempts so many percent failed (Envoy's, whose comparison includes the threshold). */
export const failurePercentage = (
  { endpoints, volume, threshold }: z.output<typeof failurePercentageConfig>, read: (tally: Tally) => Outcomes,
): Rule => ({
  name: 'failurePercentage',
  endpoints,
  judge: (tallies) => {
    const judged = tallies.filter((tally) => read(tally).total >= volume)
    if (judged.length < endpoints) return []
    return judged.filter((tally) => 100 - read(tally).successRate >= threshold)
      .sort((a, b) => read(a).successRate - read(b).successRate)
      .map((tally) => ({ tally, intervals: 1, reason: `${read(tally).failed} of ${read(tally).total} attempts failed, at ${threshold} % it is ejected` }))
  },
})

/**
 * Endpoints whose median latency is several times the fleet's, interval after interval. The fleet's is the median of the endpoints'
 * medians (of an even number the slower of the middle two), so neither single slow answers nor a slowdown of half of the fleet or more ejects anybody.
 */
export class LatencyRule implements Rule {
  readonly name = 'latency'
  readonly endpoints: number
  /** Milliseconds to the head of an answer, above which an endpoint is slow as things stood lately; infinite while nobody knows. */
  limit = Number.POSITIVE_INFINITY
  /** Intervals in a row that were too quiet to tell. */
  #quiet = 0
  readonly #config: z.output<typeof latencyConfig>

  constructor(config: z.output<typeof latencyConfig>) {
    this.endpoints = config.endpoints
    this.#config = config
  }

  judge(tallies: readonly Tally[]): readonly Outlier[] {
    const { endpoints, volume, intervals } = this.#config
    const measured = tallies.filter(({ latencies }) => latencies !== undefined && latencies.count >= volume)
      .map((tally) => ({ tally, median: tally.latencies!.median }))
      .sort((a, b) => b.median - a.median)
    // The sort is descending, so this is the slower of the middle two.
    const pace = measured[Math.ceil(measured.length / 2) - 1]?.median
    // One less than it takes to be ejected, so that whoever was ejected can be compared with those that are left.
    this.#setLimit(measured.length >= endpoints - 1 ? pace : undefined)
    if (measured.length < endpoints) return []
    for (const { tally, median } of measured) tally.slowIntervals = median > this.limit ? tally.slowIntervals + 1 : 0
    return measured.filter(({ tally }) => tally.slowIntervals >= intervals)
      .map(({ tally, median }) => ({
        tally,
        intervals: tally.slowIntervals,
        reason: `median of ${round(median)} ms until it answers, above ${round(this.limit)} ms ${tally.slowIntervals === 1 ? 'now' : `in ${tally.slowIntervals} intervals in a row`}; `
          + `the fleet's is ${round(pace!)} ms`,
      }))
  }

  /** What was known holds through a few quiet intervals, but not for ever: the fleet may have another pace by then. */
  #setLimit(pace: number | undefined): void {
    const { factor, gap, intervals } = this.#config
    this.#quiet = pace === undefined ? this.#quiet + 1 : 0
    if (pace !== undefined) this.limit = Math.max(pace * factor, pace + gap)
    else if (this.#quiet > intervals) this.limit = Number.POSITIVE_INFINITY
  }
}

const meanOf = (numbers: readonly number[]): number => numbers.reduce((sum, number) => sum + number, 0) / numbers.length

const round = (number: number): number => Math.round(number * 10) / 10
