import { percent } from '../config/percent.ts'
import type { Attempt, Call } from '../core/call.ts'
import type { Endpoint } from '../core/endpoint.ts'
import type { Clock } from '../runtime/clock.ts'

/** Below which share of available endpoints, in percent, health is disregarded and all are used. */
export const panicThresholdConfig = percent.default(50)
  .describe('Share of available endpoints, in percent, below which all endpoints are used whatever their state, but for those that could not be connected to '
    + 'when they were last tried; 0 never does.')

/** The endpoints that a balancer may pick from. */
export interface Availability {
  readonly endpoints: readonly Endpoint[]
  /** True when too few were available, so these are all that there is hope for. */
  readonly panic: boolean
  /** True when those not checked yet are among them, since without them too few are available. */
  readonly unchecked: boolean
}

/**
 * Reduces a cluster's endpoints to those in state `available`. When they are none, or fewer than the threshold (percent of all),
 * those whose first health check is not over are added. When they are too few still, to all: better to try endpoints that failed lately
 * than to crush the few left (Envoy's panic). But not those that nobody can connect to, as long as one is left that is not `lost`: they take no
 * load off anybody, and what they cost in retries is missing where a retry would help.
 * Retired endpoints are never among them. Endpoints on probation get their one request from `Probation`, not from here.
 */
export const available = (endpoints: readonly Endpoint[], panicThreshold: number, lost: (endpoint: Endpoint) => boolean = () => false): Availability => {
  if (endpoints.every(({ state }) => state === 'available')) return { endpoints, panic: false, unchecked: false }
  const present = endpoints.filter((endpoint) => endpoint.state !== 'retired')
  const enough = (some: readonly Endpoint[]): boolean => some.length * 100 >= panicThreshold * present.length
  const ready = present.filter((endpoint) => endpoint.state === 'available')
  if (ready.length > 0 && enough(ready)) return { endpoints: ready, panic: false, unchecked: false }
  const hopeful = present.filter((endpoint) => endpoint.state === 'available' || endpoint.state === 'unchecked')
  const unchecked = hopeful.length > ready.length
  if (enough(hopeful)) return { endpoints: hopeful, panic: false, unchecked }
  const within = present.filter((endpoint) => endpoint.state === 'available' || !lost(endpoint))
  return { endpoints: within.every(lost) ? present : within, panic: true, unchecked }
}

interface Seat {
  /** The attempts whose end decides: one, or more when an earlier one did not answer for long. */
  readonly probes: Set<Attempt>
  /** The call that was chosen and has not begun its attempt yet. */
  call: Call | undefined
  /** When the request to decide was last chosen (clock's now); `undefined` while there is none. */
  takenAt: number | undefined
}

/** Whether a failure of the deciding request could be made good on another endpoint, so its caller need not notice. */
const repeatable = (call: Call): boolean =>
  call.repeatable && (call.request.body === undefined || call.request.body.replayable)

/**
 * Gives each endpoint on probation its one real request: the next call that may be repeated elsewhere,
 * or any call once none such came for the length of the patience.
 */
export class Probation {
  readonly #seats = new Map<Endpoint, Seat>()
  readonly #clock: Clock
  /** Milliseconds: how long to wait for a repeatable call, and how long for a request that does not answer. */
  readonly #patience: number

  constructor(clock: Clock, patience: number) {
    this.#clock = clock
    this.#patience = patience
  }

  /** An endpoint on probation that this call should decide on; asked before the picker. */
  take(call: Call): Endpoint | undefined {
    if (this.#seats.size === 0) return undefined
    const now = this.#clock.now()
    for (const [endpoint, seat] of this.#seats) {
      if (this.#busy(seat, now) || call.hasTried(endpoint)) continue
      if (!repeatable(call) && now - endpoint.stateSince < this.#patience) continue
      seat.takenAt = now
      seat.call = call
      return endpoint
    }
    return undefined
  }

  /** Lets an endpoint wait for its request. */
  enter(endpoint: Endpoint): void {
    this.#seats.set(endpoint, { probes: new Set(), call: undefined, takenAt: undefined })
  }

  leave(endpoint: Endpoint): void {
    this.#seats.delete(endpoint)
  }

  /** Notes that an attempt begins; true if it is to decide on its endpoint. */
  begin(attempt: Attempt): boolean {
    const seat = this.#seats.get(attempt.endpoint)
    if (!seat) return false
    const now = this.#clock.now()
    // An attempt that was not chosen comes by way of panic: it decides if no other does.
    const chosen = attempt.call === seat.call
    if (!chosen && this.#busy(seat, now)) return false
    seat.call = undefined
    seat.probes.add(attempt)
    seat.takenAt = now
    return true
  }

  /** Whether an attempt decides on its endpoint. */
  decides(attempt: Attempt): boolean {
    return this.#seats.get(attempt.endpoint)?.probes.has(attempt) ?? false
  }

  /** Makes room after a deciding attempt that ended without a verdict. */
  free(attempt: Attempt): void {
    const seat = this.#seats.get(attempt.endpoint)
    if (seat?.probes.delete(attempt) && seat.probes.size === 0) seat.takenAt = undefined
  }

  /** Whether a request that decides on the endpoint is under way. */
  deciding(endpoint: Endpoint): boolean {
    const seat = this.#seats.get(endpoint)
    return seat !== undefined && this.#busy(seat, this.#clock.now())
  }

  // A request that never began or never answers must not keep an endpoint out for ever.
  #busy(seat: Seat, now: number): boolean {
    return seat.takenAt !== undefined && now - seat.takenAt < this.#patience
  }
}
