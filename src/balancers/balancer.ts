import type { Attempt, Call } from '../core/call.ts'
import type { Endpoint } from '../core/endpoint.ts'
import type { Reply } from '../core/reply.ts'
import type { RequestHead } from '../core/request.ts'
import type { Layer } from '../core/send.ts'
import type { Cancel } from '../runtime/clock.ts'

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

/** What a balancer has an endpoint asked beside the traffic: a GET without a body. */
export interface Question {
  /** Path and query. */
  readonly path: string
  /** Milliseconds that it may take, from the connection to the end of the answer. */
  readonly timeout: number
}

/**
 * Asks an endpoint over the connections of its cluster, and past its policies: what comes of it is written down nowhere, counts for nobody's health and in no limit.
 * Resolves with the head of the answer, whatever its status; rejects where there is none in time, or the balancer goes out of use.
 */
export type Ask = (endpoint: Endpoint, question: Question) => Promise<Pick<Reply, 'status' | 'headers'>>

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
  /**
   * For a balancer that asks endpoints of its own accord: is given the way to do so when it comes into use, and again when connections are made in another way.
   * The function returned is called when that is over; what is asked from then on is refused. Without a network it is never given one. One around another hands it on (`learningFrom`).
   */
  readonly asking?: ((ask: Ask) => Cancel) | undefined
}

/** A balancer that hears of every attempt, and may ask endpoints itself. */
export const learning = (balancer: Balancer, learn: Learn | undefined, asking?: Balancer['asking']): Balancer =>
  learn || asking ? Object.assign<Balancer, Pick<Balancer, 'learn' | 'asking'>>((endpoints, all) => balancer(endpoints, all), { learn, asking }) : balancer

/** A balancer around another, which hears through it what it would hear alone, and asks what it would ask. */
export const learningFrom = ({ learn, asking }: Balancer, outer: Balancer): Balancer => learning(outer, learn, asking)

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
