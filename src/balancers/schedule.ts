/**
 * Earliest deadline first: a heap of places, each with a deadline, of which the earliest is at hand and can be moved on.
 * Among equal deadlines the lower place is first.
 */
export class Schedule {
  readonly #deadlines: Float64Array
  readonly #heap: Uint32Array

  /** A schedule with a place for each of the deadlines, which it keeps and changes; there must be one at least. */
  constructor(deadlines: Float64Array) {
    this.#deadlines = deadlines
    this.#heap = Uint32Array.from(deadlines, (_, place) => place)
    for (let at = (deadlines.length >>> 1) - 1; at >= 0; at--) this.#sink(at)
  }

  /** The place whose deadline is the earliest. */
  get first(): number {
    return this.#heap[0]!
  }

  /** Puts off the deadline of the first place. */
  postpone(by: number): void {
    this.#deadlines[this.#heap[0]!]! += by
    this.#sink(0)
  }

  #sink(at: number): void {
    const heap = this.#heap
    const place = heap[at]!
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && this.#isBefore(heap[child + 1]!, heap[child]!)) child++
      if (!this.#isBefore(heap[child]!, place)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = place
  }

  #isBefore(one: number, other: number): boolean {
    const difference = this.#deadlines[one]! - this.#deadlines[other]!
    return difference < 0 || (difference === 0 && one < other)
  }
}
