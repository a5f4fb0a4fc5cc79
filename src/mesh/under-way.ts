import type { Call } from '../core/call.ts'

/**
 * The calls under way, in places that are used again. No `Set`: as members come and go its table is replaced all the time, each old table
 * leads to the next and to the calls of its day, and once one is old enough for the big collection all that come after live until then
 * (14 MB after 2000 calls, and a third of the CPU of a fetch).
 */
export class UnderWay {
  readonly #places: (Call | undefined)[] = []
  readonly #free: number[] = []

  get size(): number {
    return this.#places.length - this.#free.length
  }

  /** Takes a call in; the place is what `leave` wants. */
  enter(call: Call): number {
    const place = this.#free.pop() ?? this.#places.length
    this.#places[place] = call
    return place
  }

  leave(place: number): void {
    this.#places[place] = undefined
    this.#free.push(place)
  }

  /** Those under way at this moment. */
  all(): Call[] {
    return this.#places.filter((call) => call !== undefined)
  }
}
