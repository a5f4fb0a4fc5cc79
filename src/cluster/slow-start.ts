import { learningFrom, type Balancer } from '../balancers/balancer.ts'
import { duration } from '../config/duration.ts'
import { Attempt, Call } from '../core/call.ts'
import type { Endpoint, Load } from '../core/endpoint.ts'
import type { Runtime } from '../runtime/runtime.ts'

/** How long an endpoint that is new or back takes to reach its full share of the traffic. */
export const slowStartConfig = duration
  .describe('How long an endpoint that is new, or back from an ejection, takes to reach its full share of the traffic; 0 is off.')

const leastShare = 0.1

/**
 * The part of its full share that an endpoint gets so many milliseconds after its start, from 0.1 to 1.
 * Envoy's formula with aggression 1: the time since the start, at least a second, over the window.
 */
export const warmth = (elapsed: number, window: number): number =>
  Math.min(1, Math.max(leastShare, Math.max(elapsed, 1_000) / window))

/**
 * When all of these endpoints have reached their full share (clock's now); `undefined` if none is warming.
 * The moment to make the picker anew, which then costs nothing any more.
 */
export const warmingEnds = (endpoints: readonly Endpoint[], window: number): number | undefined => {
  let last: number | undefined
  for (const { warmingSince } of endpoints) {
    if (warmingSince !== undefined && (last === undefined || warmingSince + window > last)) last = warmingSince + window
  }
  return last
}

/** Ends the warming of endpoints whose window is over. */
export const endWarming = (endpoints: readonly Endpoint[], window: number, now: number): void => {
  for (const endpoint of endpoints) if (endpoint.warmingSince !== undefined && !isWarming(endpoint, window, now)) endpoint.warmingSince = undefined
}

// As a sum, since that is how the moment is reckoned at which it ends: a difference may be rounded to the other side of it.
const isWarming = ({ warmingSince }: Endpoint, window: number, now: number): boolean => warmingSince !== undefined && now < warmingSince + window

// Enough that an endpoint at a tenth of its share, beside one other, gets less than 0.2 % too much.
const tries = 8

/**
 * Lets endpoints with `warmingSince` grow into their share of the traffic over a window of milliseconds.
 * Works around any balancer by rejection: a pick that is still warming is kept with the probability of its warmth, else another
 * is asked for, of a balancer that learns one other than those refused. Warmth is relative to the warmest endpoint, so a cluster that starts as a whole starts at once.
 * A picker made when nothing is warming is the balancer's own.
 */
export const slowStart = (window: number, runtime: Runtime) => (balancer: Balancer): Balancer => learningFrom(balancer, (endpoints, all) => {
  const pick = balancer(endpoints, all)
  const again = balancer.learn ? passingOver : unchanged
  const firstWarming = firstSince(endpoints, window, runtime.clock.now())
  if (firstWarming === undefined) return pick
  return Object.assign((call: Call) => pickWarm(pick, call, window, firstWarming, again, runtime), { explain: pick.explain })
})

/** When the warmest endpoint began to warm: minus infinity if one has its full share, `undefined` if all have. */
const firstSince = (endpoints: readonly Endpoint[], window: number, now: number): number | undefined => {
  let first = Number.POSITIVE_INFINITY
  let warming = 0
  for (const endpoint of endpoints) {
    const since = isWarming(endpoint, window, now) ? endpoint.warmingSince! : Number.NEGATIVE_INFINITY
    if (since > Number.NEGATIVE_INFINITY) warming++
    first = Math.min(first, since)
  }
  return warming === 0 ? undefined : first
}

const pickWarm = (
  pick: (call: Call) => Endpoint | undefined, call: Call, window: number, firstWarming: number, again: Again, { clock, random }: Runtime,
): Endpoint | undefined => {
  const now = clock.now()
  const warmest = warmth(now - firstWarming, window)
  let asked = call
  let endpoint = pick(call)
  for (let tried = 1; tried < tries; tried++) {
    if (endpoint?.warmingSince === undefined) return endpoint
    const share = warmth(now - endpoint.warmingSince, window) / warmest
    if (share >= 1 || random() < share) return endpoint
    asked = again(asked, endpoint)
    const other = pick(asked)
    // Nobody is left but those that were refused or that the call has tried.
    if (other === undefined || asked.hasTried(other)) return endpoint
    endpoint = other
  }
  return endpoint
}

/** With which call a balancer is asked again, once its pick of an endpoint was refused. */
type Again = (call: Call, refused: Endpoint) => Call

const unchanged: Again = (call) => call

const nobody: Load = Object.freeze({ active: 0, pending: 0 })

/** The call as if it had tried the endpoint: one that is idle since its picks are refused is the best one still, by load and latency. */
const passingOver: Again = (call, refused) => {
  const { request, clock, policy, passport, attempts, hashKey, service, route, cluster, deadline } = call
  return Object.assign(new Call(request, clock, policy, passport),
    { attempts: [...attempts, new Attempt(call, refused, nobody)], hashKey, service, route, cluster, deadline })
}
