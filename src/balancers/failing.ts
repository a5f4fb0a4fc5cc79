import type { Seats } from './seats.ts'

/** How much of what is believed the first failure in a row changes; the second twice as much, and so on. */
const share = 0.2

/**
 * How much of what is sent to each endpoint fails, 0 to 1. A failure now and then weighs little and is forgotten with the next good answers;
 * failures in a row are believed soon, and one that has never done anything but fail at once. Without news it fades.
 */
export class Failing {
  readonly #decay: number
  readonly #part
  readonly #inARow
  readonly #changedAt

  /** `decay` is the time in milliseconds after which a third is left. */
  constructor(seats: Seats, decay: number) {
    this.#decay = decay
    this.#part = seats.column(0)
    this.#inARow = seats.column(0)
    this.#changedAt = seats.column(0)
  }

  /** The part as of now. */
  at(seat: number, now: number): number {
    const part = this.#part.values[seat]!
    return part === 0 ? 0 : part * Math.exp(-(now - this.#changedAt.values[seat]!) / this.#decay)
  }

  /** A good answer came. */
  answered(seat: number, now: number): void {
    this.#part.values[seat] = this.at(seat, now) * (1 - share)
    this.#inARow.values[seat] = 0
    this.#changedAt.values[seat] = now
  }

  /** An attempt failed; `ever` tells whether an earlier one did not. */
  failed(seat: number, now: number, ever: boolean): void {
    const before = this.at(seat, now)
    const inARow = ++this.#inARow.values[seat]!
    this.#part.values[seat] = before + (ever ? Math.min(1, share * inARow) : 1) * (1 - before)
    this.#changedAt.values[seat] = now
  }
}
