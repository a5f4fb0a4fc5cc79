import type { Endpoint } from '../core/endpoint.ts'
import type { Cancel, Clock } from '../runtime/clock.ts'

/** Longest time that connections of an endpoint which is gone may take to finish, in milliseconds. */
const drainLimit = 30_000

/** Bounds the time that connections which end still have. */
type Limit = () => void

/** Lets go of endpoints' connections: what is under way on them may end. */
export class Draining {
  readonly #clock: Clock
  readonly #running = new Map<Promise<void>, Limit>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Takes an endpoint's connections out of use, and closes them within a limit; an attempt that comes later gets new ones. */
  drain(endpoint: Endpoint): void {
    for (const limit of this.#begin(endpoint)) limit()
  }

  /** The same without a limit, for connections of which nothing is wrong: what is under way on them may take as long as it does, until `finished` is asked for. */
  drainInItsTime(endpoint: Endpoint): void {
    this.#begin(endpoint)
  }

  #begin(endpoint: Endpoint): readonly Limit[] {
    if (!endpoint.dialled) return []
    const pools = [...endpoint.pools.values()]
    endpoint.pools.clear()
    return pools.map((pool) => {
      let cancel: Cancel | undefined
      const limit = (): void => { cancel ??= this.#clock.background(drainLimit, () => { void pool.destroy() }) }
      const drained = pool.close().catch(() => {}).then(() => {
        cancel?.()
        this.#running.delete(drained)
      })
      this.#running.set(drained, limit)
      return limit
    })
  }

  /** Resolves when all of them are closed, which from now on has a limit for each. */
  async finished(): Promise<void> {
    for (const limit of this.#running.values()) limit()
    await Promise.all(this.#running.keys())
  }
}
