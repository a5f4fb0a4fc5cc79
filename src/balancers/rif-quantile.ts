/** Numbers of requests in flight that are remembered. */
const memory = 128
const highest = 1_023

/** A quantile of the latest numbers of requests in flight that were seen, whole numbers up to 1 023. */
export class RifQuantile {
  /** The quantile as of the latest number. */
  value = Number.POSITIVE_INFINITY
  readonly #share: number
  readonly #latest = new Int16Array(memory)
  readonly #counts = new Int32Array(highest + 1)
  #noted = 0

  constructor(share: number) {
    this.#share = share
  }

  note(rif: number): void {
    const whole = Math.min(highest, Math.round(rif))
    const place = this.#noted % memory
    if (this.#noted >= memory) this.#counts[this.#latest[place]!]!--
    this.#latest[place] = whole
    this.#counts[whole]!++
    this.#noted++
    if (this.#noted < 16 || this.#noted % 8 !== 0) return
    const rank = this.#share * Math.min(this.#noted, memory)
    let seen = 0
    let number = 0
    for (; number < highest; number++) {
      seen += this.#counts[number]!
      if (seen >= rank && seen > 0) break
    }
    this.value = number
  }
}
