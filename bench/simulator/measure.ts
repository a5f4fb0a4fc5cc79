/** What a phase of a scenario came to under one algorithm. Times in milliseconds. */
export interface Figures {
  readonly calls: number
  readonly failed: number
  readonly p50: number
  readonly p99: number
  readonly p999: number
  /** Attempts beyond the first of each call, in percent of the calls. */
  readonly retries: number
  /** Requests at the server that got the most of them for its capacity, relative to the mean. */
  readonly imbalance: number
  /** 99th percentile of the requests under way at a server, over servers and time. */
  readonly rif: number
  /** Share of the requests that went to the servers the scenario watches, in percent. */
  readonly watched: number
  /** Questions for their load that servers got, for each call. */
  readonly probes: number
  /** Endpoints that outlier detection took out, over all clients. */
  readonly ejected: number
  /** Connections opened until the end of the phase. */
  readonly sockets: number
}

/** Numbers of which percentiles are wanted, kept as they are. */
export class Sample {
  #values = new Float64Array(1_024)
  #count = 0
  #sorted = false

  add(value: number): void {
    if (this.#count === this.#values.length) {
      const more = new Float64Array(this.#count * 2)
      more.set(this.#values)
      this.#values = more
    }
    this.#values[this.#count++] = value
    this.#sorted = false
  }

  get count(): number {
    return this.#count
  }

  /** The value below which this share of them lies, 0 to 1 (nearest rank); 0 without values. */
  percentile(share: number): number {
    if (!this.#sorted) this.#values.subarray(0, this.#count).sort()
    this.#sorted = true
    return this.#count === 0 ? 0 : this.#values[Math.max(0, Math.ceil(share * this.#count) - 1)]!
  }
}
