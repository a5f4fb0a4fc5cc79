import { judged, type Attempt } from '../core/call.ts'
import type { Endpoint } from '../core/endpoint.ts'

/** How many of the attempts of one interval failed. */
export class Outcomes {
  total = 0
  failed = 0

  count(failed: boolean): void {
    this.total++
    if (failed) this.failed++
  }

  clear(): void {
    this.total = 0
    this.failed = 0
  }

  /** Percent that went well; `NaN` of none. */
  get successRate(): number {
    return 100 * (this.total - this.failed) / this.total
  }
}

/** The shortest latency that is told from shorter ones, in milliseconds. */
const shortest = 0.125
/** Parts of a doubling: a step is 9 %, so what is read is at most 4.5 % off. */
const steps = 8
/** Twenty doublings, to 131 s. */
const buckets = 20 * steps

/** The latencies of one interval, in steps that grow with them: a thousand endpoints must not keep each value. */
export class Latencies {
  count = 0
  readonly #counts = new Uint32Array(buckets)

  /** Notes one, in milliseconds. */
  add(ms: number): void {
    this.count++
    this.#counts[Math.min(buckets - 1, Math.max(0, Math.floor(steps * Math.log2(ms / shortest))))]!++
  }

  /** The median in milliseconds, at most 4.5 % off; 0 of none. */
  get median(): number {
    let left = this.count / 2
    if (left === 0) return 0
    let bucket = 0
    while ((left -= this.#counts[bucket]!) > 0) bucket++
    return shortest * 2 ** ((bucket + 0.5) / steps)
  }

  clear(): void {
    this.count = 0
    this.#counts.fill(0)
  }
}

/**
 * What outlier detection counts of one endpoint: plain numbers, made once and written to as each attempt ends.
 * An endpoint that returns begins a new one.
 */
export class Tally {
  readonly endpoint: Endpoint
  /** In a row, without a success between. */
  failures = 0
  gatewayFailures = 0
  localFailures = 0
  /** Of the present interval; with local failures counted apart only those attempts that were answered. */
  readonly answers = new Outcomes()
  /** Of the present interval, where local failures are counted apart: whether there was an answer at all. */
  readonly local = new Outcomes()
  /** Of the present interval; only where somebody asks for it. */
  readonly latencies: Latencies | undefined
  /** Intervals in a row in which it was slow against the fleet. */
  slowIntervals = 0
  /** Why it would be out since the last sweep if more endpoints might be. */
  held: string | undefined = undefined

  constructor(endpoint: Endpoint, measured: boolean) {
    this.endpoint = endpoint
    this.latencies = measured ? new Latencies() : undefined
  }

  /**
   * Counts an attempt that has ended (Envoy's rules). A failure is local if no answer said so: no connection, a broken one, silence.
   * Counted apart, it leaves what answers say alone; otherwise it is a failure, and a gateway failure, like any other.
   */
  count(attempt: Attempt, failed: boolean, localApart: boolean): void {
    const { startedAt, headAt } = attempt
    const status = judged(attempt)
    const local = failed && status < 500
    if (localApart) {
      this.local.count(local)
      this.localFailures = local ? this.localFailures + 1 : 0
      if (local) return
    }
    this.answers.count(failed)
    this.failures = failed ? this.failures + 1 : 0
    this.gatewayFailures = failed && (local || isGatewayFailure(status)) ? this.gatewayFailures + 1 : 0
    if (!failed && this.latencies && headAt > 0) this.latencies.add(headAt - startedAt)
  }

  /** Forgets the interval that is over; what is counted in a row goes on. */
  beginInterval(): void {
    this.answers.clear()
    this.local.clear()
    this.latencies?.clear()
  }
}

const isGatewayFailure = (status: number): boolean => status >= 502 && status <= 504
