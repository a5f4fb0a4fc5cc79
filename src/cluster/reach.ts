import type { Attempt } from '../core/call.ts'
import type { Endpoint } from '../core/endpoint.ts'
import type { Ending } from '../core/reply.ts'
import type { Layer } from '../core/send.ts'
import type { Clock } from '../runtime/clock.ts'

/** How long an endpoint that is lost is left alone, and the shortest time between two looks that are asked for, in milliseconds: an outage must not become one of the registry too. */
const rest = 5_000

/** What is done about endpoints that cannot be connected to. */
export interface ReachHost {
  /** How many endpoints there are. */
  readonly total: () => number
  /** Asks for a look at the registry. */
  readonly look: () => void
  /** Another endpoint is to be left alone, or one no longer. */
  readonly changed: () => void
}

/** Knows the endpoints that could not be connected to when they were last tried, and asks for a look at the registry when that is all of them. */
export class Reach {
  /** When they were last tried (clock's now). */
  readonly #lost = new Map<Endpoint, number>()
  readonly #clock: Clock
  readonly #host: ReachHost
  #askedAt = Number.NEGATIVE_INFINITY

  constructor(clock: Clock, host: ReachHost) {
    this.#clock = clock
    this.#host = host
  }

  /** No connection could be made. */
  lost(endpoint: Endpoint): void {
    // An attempt may end long after its endpoint has gone.
    if (endpoint.state === 'retired') return
    const now = this.#clock.now()
    const known = this.aloneUntil(endpoint) > now
    this.#lost.set(endpoint, now)
    if (!known) this.#host.changed()
    if (this.#lost.size < this.#host.total() || now - this.#askedAt < rest) return
    this.#askedAt = now
    this.#host.look()
  }

  /** It was connected to. */
  found(endpoint: Endpoint): void {
    if (this.#lost.size === 0) return
    const all = this.#lost.size >= this.#host.total()
    if (!this.#lost.delete(endpoint)) return
    // An outage of all is ending: the first that is back must not be left to carry everything until the others' time is over.
    if (all) this.#lost.clear()
    this.#host.changed()
  }

  /** It is gone. */
  forget(endpoint: Endpoint): void {
    this.#lost.delete(endpoint)
  }

  /** Until when a lost endpoint is better left alone (clock's now); a time that is over for any other. */
  aloneUntil(endpoint: Endpoint): number {
    return (this.#lost.get(endpoint) ?? Number.NEGATIVE_INFINITY) + rest
  }
}

/** Whether an attempt ended since no connection could be made. */
export const unconnected = (ending: Ending | undefined): boolean =>
  typeof ending === 'object' && (ending.code === 'ENMESH_CONNECT_FAILED' || ending.code === 'ENMESH_TLS')

/** Notes of each attempt whether its endpoint could be connected to. One that ends before it had a socket says nothing. */
export const observeReach = (reach: Reach): Layer<Attempt> => {
  const onEnd = ({ endpoint, sentAt }: Attempt, ending: Ending): void => {
    if (unconnected(ending)) reach.lost(endpoint)
    else if (sentAt > 0) reach.found(endpoint)
  }
  return (next) => (attempt) => {
    attempt.onEnd(onEnd)
    return next(attempt)
  }
}
