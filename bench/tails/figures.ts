import { Sample } from '../simulator/measure.ts'
import { spreadOf, type Spread } from '../../src/compare/spread.ts'
import type { Findings } from './client.ts'
import { badServer } from './faults.ts'
import type { Tally } from './upstream.ts'

/** An arrangement once under a fault: what its caller found, and what the servers got. */
export interface Go {
  readonly findings: Findings
  readonly tally: Tally
}

/** What an arrangement came to under a fault, over all rounds. Times in milliseconds. */
export interface Figures {
  /** Calls that count, those that failed among them. */
  readonly calls: number
  readonly p50: number
  /** Of each round. */
  readonly p99: Spread
  readonly p999: number
  /** The p99 over that of the same arrangement with all servers well, paired within each round. */
  readonly againstWell: Spread
  readonly failed: { readonly settling: number, readonly counted: number }
  /** How often each failure came, the settling included. */
  readonly failures: Readonly<Record<string, number>>
  /** Share of the requests that count which the bad server got, in percent. */
  readonly bad: number
  /** Requests that servers got for each call that counts. */
  readonly attempts: number
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)

const sampleOf = (goes: readonly Go[]): Sample => {
  const sample = new Sample()
  for (const { findings } of goes) for (const took of findings.took) sample.add(took)
  return sample
}

const p99Of = (go: Go): number => sampleOf([go]).percentile(0.99)

const added = (maps: readonly Readonly<Record<string, number>>[]): Readonly<Record<string, number>> => {
  const total: Record<string, number> = {}
  for (const map of maps) for (const [name, count] of Object.entries(map)) total[name] = (total[name] ?? 0) + count
  return total
}

/** Sums the rounds of one arrangement under one fault up; `well` are those of the same rounds without a fault. */
export const figuresOf = (goes: readonly Go[], well: readonly Go[]): Figures => {
  const sample = sampleOf(goes)
  const calls = sum(goes.map(({ findings }) => findings.calls.counted))
  const got = sum(goes.flatMap(({ tally }) => tally.counted))
  return {
    calls,
    p50: sample.percentile(0.5),
    p99: spreadOf(goes.map(p99Of)),
    p999: sample.percentile(0.999),
    againstWell: spreadOf(goes.map((go, round) => p99Of(go) / p99Of(well[round]!))),
    failed: {
      settling: sum(goes.map(({ findings }) => findings.failed.settling)),
      counted: sum(goes.map(({ findings }) => findings.failed.counted)),
    },
    failures: added(goes.map(({ findings }) => findings.failures)),
    bad: got === 0 ? 0 : sum(goes.map(({ tally }) => tally.counted[badServer]!)) * 100 / got,
    attempts: calls === 0 ? 0 : got / calls,
  }
}
