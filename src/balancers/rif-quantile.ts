/** Numbers of requests in flight that are remembered. */
const memory = 128
/** Fewer than these say nothing yet. */
const least = 16
/** Numbers between two looks at where the quantile lies. */
const between = 8
const highest = 1_023

/** A quantile of the latest numbers of requests in flight that were seen, whole numbers up to 1 023. */
export class RifQuantile {
  /** The quantile: infinity until enough were seen, and -1, below all, for a share of 0. */
  value: number
  readonly #share: number
  readonly #latest = new Int16Array(memory)
  readonly #counts = new Int32Array(highest + 1)
  #noted = 0

  constructor(share: number) {
    this.#share = share
    this.value = share === 0 ? -1 : Number.POSITIVE_INFINITY
  }

  note(rif: number): void {
    if (this.#share === 0) return
    const whole = Math.min(highest, Math.round(rif))
    const place = this.#noted % memory
    if (this.#noted >= memory) this.#counts[this.#latest[place]!]!--
    this.#latest[place] = whole
    this.#counts[whole]!++
    this.#noted++
    if (this.#noted >= least && this.#noted % between === 0) this.value = this.#quantile()
  }

  #quantile(): number {
    const rank = this.#share * Math.min(this.#noted, memory)
    let seen = 0
    for (let number = 0; number < highest; number++) {
      seen += this.#counts[number]!
      if (seen >= rank) return number
    }
    return highest
  }
}
