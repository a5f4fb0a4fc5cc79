import type { Clock } from '../runtime/clock.ts'

/** Header field in which a server tells its load: ORCA's, in its text form. */
export const loadHeader = 'endpoint-load-metrics'

/** Shortest time over which rates are taken, in milliseconds. */
const window = 1_000
/** Age in milliseconds from which what was learnt at some load says nothing of the present. */
const outdated = 5_000
/** Latencies kept for each level of load. */
const depth = 9

/** The latest latencies of requests that arrived at about the same load. */
class Level {
  readonly #latencies = new Float64Array(depth)
  #count = 0
  #at = Number.NEGATIVE_INFINITY

  note(latency: number, now: number): void {
    if (now - this.#at > outdated) this.#count = 0
    this.#latencies[this.#count++ % depth] = latency
    this.#at = now
  }

  knows(now: number): boolean {
    return now - this.#at <= outdated
  }

  get median(): number {
    const known = this.#latencies.slice(0, Math.min(this.#count, depth)).sort()
    return known[known.length >> 1]!
  }
}

/** Each number of requests has a level of its own up to 16, from there on each quarter of a doubling: a latency is then known near any load. */
const levelOf = (requests: number): number => requests < 16 ? requests : 16 + Math.floor(4 * Math.log2(requests / 16))

/**
 * Measures the load of this process, for the balancers of its callers: requests in flight, the latency to expect with so many of them
 * (Prequal's estimate: the median of late answers to requests that arrived when about as many were in flight), answers and failures per second, and how busy it is.
 */
export class LoadMeter {
  readonly #clock: Clock
  readonly #busy: () => number
  readonly #levels: (Level | undefined)[] = []
  #inFlight = 0
  #answered = 0
  #failed = 0
  #windowFrom: number
  #busyFrom: number
  /** Rates of the last whole window, as they are told; empty before the first. */
  #rates = ''

  /** `busy` says how many milliseconds the process has been at work since some beginning. */
  constructor(clock: Clock, busy: () => number) {
    this.#clock = clock
    this.#busy = busy
    this.#windowFrom = clock.now()
    this.#busyFrom = busy()
  }

  /** A request arrives; returns how many are in flight with it. */
  begin(): number {
    return ++this.#inFlight
  }

  /** The head of its answer goes out, so many milliseconds after it arrived with so many in flight. */
  answer(inFlight: number, took: number, status: number): void {
    this.#answered++
    if (status >= 500) {
      // To fail fast is not to be fast.
      this.#failed++
      return
    }
    const level = levelOf(inFlight)
    const known = this.#levels[level] ??= new Level()
    known.note(took, this.#clock.now())
  }

  /** A request is over, answered or not. */
  end(): void {
    this.#inFlight--
  }

  /** The value of the header field. */
  report(): string {
    this.#turn()
    const latency = this.#latency()
    const expected = latency === undefined ? '' : `,named_metrics.latency=${rounded(latency)}`
    return `TEXT named_metrics.rif=${this.#inFlight}${expected}${this.#rates}`
  }

  /** The latency to expect now, from the level that is nearest to the present load; `undefined` before anything is known. */
  #latency(): number | undefined {
    const now = this.#clock.now()
    const present = levelOf(this.#inFlight)
    const far = Math.max(present, this.#levels.length)
    for (let distance = 0; distance <= far; distance++) {
      const below = this.#levels[present - distance]
      if (below?.knows(now)) return below.median
      const above = this.#levels[present + distance]
      if (above?.knows(now)) return above.median
    }
    return undefined
  }

  #turn(): void {
    const now = this.#clock.now()
    const passed = now - this.#windowFrom
    if (passed < window) return
    const busy = this.#busy()
    const perSecond = (count: number): string => rounded(count * 1_000 / passed)
    this.#rates = `,application_utilization=${rounded((busy - this.#busyFrom) / passed)},rps_fractional=${perSecond(this.#answered)},eps=${perSecond(this.#failed)}`
    this.#answered = this.#failed = 0
    this.#windowFrom = now
    this.#busyFrom = busy
  }
}

const rounded = (value: number): string => String(Math.round(value * 1_000) / 1_000)
