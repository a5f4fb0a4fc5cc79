import type { Attempt } from '../core/call.ts'
import type { Endpoint } from '../core/endpoint.ts'
import type { Ending } from '../core/reply.ts'
import type { Layer } from '../core/send.ts'
import type { Clock } from '../runtime/clock.ts'

/** Shortest time between two looks that are asked for, in milliseconds: an outage must not become one of the registry too. */
const shortestRest = 5_000

/** Knows the endpoints that could not be connected to when they were last tried, and asks for a look at the registry when that is all of them. */
export class Reach {
  readonly #lost = new Set<Endpoint>()
  readonly #clock: Clock
  readonly #total: () => number
  readonly #look: () => void
  #askedAt = Number.NEGATIVE_INFINITY

  /** `total` tells how many endpoints there are, `look` asks for a look. */
  constructor(clock: Clock, total: () => number, look: () => void) {
    this.#clock = clock
    this.#total = total
    this.#look = look
  }

  /** No connection could be made. */
  lost(endpoint: Endpoint): void {
    // An attempt may end long after its endpoint has gone.
    if (endpoint.state === 'retired') return
    this.#lost.add(endpoint)
    const now = this.#clock.now()
    if (this.#lost.size < this.#total() || now - this.#askedAt < shortestRest) return
    this.#askedAt = now
    this.#look()
  }

  /** It was connected to, or is gone. */
  forget(endpoint: Endpoint): void {
    if (this.#lost.size > 0) this.#lost.delete(endpoint)
  }
}

const unconnected = (ending: Ending): boolean =>
  typeof ending === 'object' && (ending.code === 'ENMESH_CONNECT_FAILED' || ending.code === 'ENMESH_TLS')

/** Notes of each attempt whether its endpoint could be connected to. One that ends before it had a socket says nothing. */
export const observeReach = (reach: Reach): Layer<Attempt> => {
  const onEnd = ({ endpoint, sentAt }: Attempt, ending: Ending): void => {
    if (unconnected(ending)) reach.lost(endpoint)
    else if (sentAt > 0) reach.forget(endpoint)
  }
  return (next) => (attempt) => {
    attempt.onEnd(onEnd)
    return next(attempt)
  }
}
