import type { Cancel, Clock } from '../runtime/clock.ts'

/** Shortest time between two new lists of endpoints to pick from, in milliseconds: a thousand verdicts a second must not be a thousand pickers. */
const shortestRest = 20

/** Does something when it is asked to: now, or soon if that was just done; asked many times meanwhile it is done once. */
export class Paced {
  readonly #clock: Clock
  readonly #act: () => void
  #doneAt = Number.NEGATIVE_INFINITY
  #cancel: Cancel | undefined
  #closed = false

  constructor(clock: Clock, act: () => void) {
    this.#clock = clock
    this.#act = act
  }

  ask(): void {
    if (this.#cancel || this.#closed) return
    const rest = this.#doneAt + shortestRest - this.#clock.now()
    if (rest <= 0) this.#do()
    else this.#cancel = this.#clock.background(rest, () => this.#do())
  }

  /** Nothing is done from now on. */
  close(): void {
    this.#closed = true
    this.#cancel?.()
  }

  #do(): void {
    this.#cancel = undefined
    this.#doneAt = this.#clock.now()
    this.#act()
  }
}
