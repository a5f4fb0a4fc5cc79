import type { Call } from '../core/call.ts'

/** Where calls wait that are here before the first endpoint set. Those that give up take themselves out, so none piles up while a registry is silent. */
export class FirstSet {
  readonly #waiting = new Set<() => void>()

  /** Resolves when the set is there, or will never come; rejects if the call is aborted meanwhile. */
  wait(call: Call): Promise<void> {
    return new Promise((resolve, reject) => {
      const go = (): void => {
        call.untrack(waiting)
        resolve()
      }
      const waiting = { abort: (reason: unknown) => { this.#waiting.delete(go); reject(reason) } }
      this.#waiting.add(go)
      call.track(waiting)
    })
  }

  /** Lets go on whoever waits. */
  arrive(): void {
    for (const go of this.#waiting) go()
    this.#waiting.clear()
  }
}
