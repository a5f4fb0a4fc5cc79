import type { Attempt, Call } from '../core/call.ts'
import type { Endpoint } from '../core/endpoint.ts'
import type { Reply } from '../core/reply.ts'
import type { Layer } from '../core/send.ts'

/** Chooses an endpoint for a try of a call: never one that the call has tried while another is there. `undefined` only for an empty set. */
export type Picker = (call: Call) => Endpoint | undefined

/**
 * Hears, once for each attempt, what came of it: the reply whose head is in, or none where the attempt ended before it was
 * (`attempt.ending` says how). Must not throw.
 */
export type Learn = (attempt: Attempt, reply: Reply | undefined) => void

/**
 * Prepares a picker for a set of endpoints. Called again whenever the set changes.
 * What was learnt lives on the endpoints, or in the balancer by endpoint, so that a new set forgets nothing.
 */
export interface Balancer {
  (endpoints: readonly Endpoint[]): Picker
  /** Where a balancer goes by what answers say: hears of every attempt in its cluster. One around another hands it on (`learningFrom`). */
  readonly learn?: Learn | undefined
}

/** The same balancer, hearing of every attempt. */
export const learning = (balancer: Balancer, learn: Learn): Balancer =>
  Object.assign((endpoints: readonly Endpoint[]) => balancer(endpoints), { learn })

/** A balancer around others, through which they hear what they would alone. */
export const learningFrom = (inner: readonly Balancer[], outer: Balancer): Balancer => {
  const learners = inner.flatMap(({ learn }) => learn ?? [])
  if (learners.length === 0) return outer
  return learning(outer, learners.length === 1 ? learners[0]! : (attempt, reply) => {
    for (const learn of learners) learn(attempt, reply)
  })
}

/** Tells a balancer what comes of each attempt: a branch beside the way of the reply, which nobody waits for. */
export const observeReplies = (learn: Learn): Layer<Attempt> => (next) => (attempt) => {
  const reply = next(attempt)
  reply.then((head) => learn(attempt, head), () => learn(attempt, undefined))
  return reply
}
