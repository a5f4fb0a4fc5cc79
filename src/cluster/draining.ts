import type { Endpoint } from '../core/endpoint.ts'
import type { Clock } from '../runtime/clock.ts'

/** Longest time that connections of an endpoint which is gone may take to finish, in milliseconds. */
const drainLimit = 30_000

/** Lets go of endpoints' connections: what is under way on them may end, within a limit. */
export class Draining {
  readonly #clock: Clock
  readonly #running = new Set<Promise<void>>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Takes an endpoint's connections out of use; an attempt that comes later gets new ones. */
  drain(endpoint: Endpoint): void {
    if (!endpoint.dialled) return
    const pools = [...endpoint.pools.values()]
    endpoint.pools.clear()
    for (const pool of pools) {
      const cancel = this.#clock.background(drainLimit, () => { void pool.destroy() })
      const drained = pool.close().catch(() => {}).then(() => {
        cancel()
        this.#running.delete(drained)
      })
      this.#running.add(drained)
    }
  }

  /** Resolves when all of them are closed. */
  async finished(): Promise<void> {
    await Promise.all(this.#running)
  }
}
