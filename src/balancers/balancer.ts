import type { Attempt, Call } from '../core/call.ts'
import type { Endpoint } from '../core/endpoint.ts'
import type { Reply } from '../core/reply.ts'
import type { RequestHead } from '../core/request.ts'
import type { Layer } from '../core/send.ts'

/**
 * Chooses an endpoint for a try of a call: never one that the call has tried while another is there that it could go to.
 * `undefined` only where there is none: for an empty set, or if what the call asks for excludes all.
 */
export interface Picker {
  (call: Call): Endpoint | undefined
  /**
   * What there is to say of an endpoint's part in the choice, in a few words, for `status()` and `explain()`; the latter has a
   * request, whose values may be secrets and are not to be repeated.
   */
  readonly explain?: ((endpoint: Endpoint, request?: RequestHead) => string | undefined) | undefined
}

/**
 * Hears, once for each attempt, what came of it: the reply whose head is in, or none where the attempt ended before it was
 * (`attempt.ending` says how). Must not throw.
 */
export type Learn = (attempt: Attempt, reply: Reply | undefined) => void

/**
 * Prepares a picker for a set of endpoints. Called again whenever the set changes; what was learnt lives on the endpoints, or in the
 * balancer by endpoint, so that a new set forgets nothing.
 *
 * `endpoints` are those that may be picked: the available ones, or all in a panic. `all` are those that the registry lists, whatever
 * their state, for a balancer that goes by how many of them are left; the same ones if it is not given.
 *
 * Weight is the balancer's business: it decides which share of the picks an endpoint gets. Slow start is not: it works around
 * any balancer, by refusing some of its picks of an endpoint that is still warming, so the two multiply.
 */
export interface Balancer {
  (endpoints: readonly Endpoint[], all?: readonly Endpoint[]): Picker
  /** For a balancer that goes by what answers say: hears of every attempt in its cluster. One around another hands it on (`learningFrom`). */
  readonly learn?: Learn | undefined
}

/** A balancer that hears of every attempt. */
export const learning = (balancer: Balancer, learn: Learn | undefined): Balancer =>
  learn ? Object.assign<Balancer, { learn: Learn }>((endpoints, all) => balancer(endpoints, all), { learn }) : balancer

/** A balancer around another, which hears through it what it would hear alone. */
export const learningFrom = ({ learn }: Balancer, outer: Balancer): Balancer => learning(outer, learn)

/** Tells a balancer what comes of each attempt: a branch beside the way of the reply, for which nobody waits. */
export const observeReplies = (learn: Learn): Layer<Attempt> => {
  const onHead = (reply: Reply): void => learn(reply.attempt, reply)
  const onEnd = (attempt: Attempt): void => { if (attempt.headAt === 0) learn(attempt, undefined) }
  return (next) => (attempt) => {
    attempt.onEnd(onEnd)
    const reply = next(attempt)
    reply.then(onHead, () => {})
    return reply
  }
}
