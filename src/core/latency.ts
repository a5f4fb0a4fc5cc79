/**
 * Peak-sensitive moving average of latency in milliseconds (Finagle's Peak EWMA):
 * a slow answer counts at once, a fast one only as old evidence fades.
 */
export class Latency {
  /** Time constant in milliseconds: after it, old evidence weighs 1/e. */
  decay = 10_000
  #value = 0
  #at = 0

  /** Notes a latency, in milliseconds, seen at `now`. */
  observe(ms: number, now: number): void {
    if (ms >= this.#value) {
      this.#value = ms
    } else {
      const old = Math.exp(-(now - this.#at) / this.decay)
      this.#value = ms * (1 - old) + this.#value * old
    }
    this.#at = now
  }

  /** The average as of `now`: it fades towards 0 while nothing is observed. 0 means never observed, or long ago. */
  at(now: number): number {
    return this.#value === 0 ? 0 : this.#value * Math.exp(-(now - this.#at) / this.decay)
  }
}
