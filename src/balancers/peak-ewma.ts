import { z } from 'zod'
import { duration } from '../config/duration.ts'
import { kind } from '../core/family.ts'
import type { Attempt } from '../core/call.ts'
import type { Endpoint } from '../core/endpoint.ts'
import type { Reply } from '../core/reply.ts'
import type { Clock } from '../runtime/clock.ts'
import { failedBy, pushback } from './answers.ts'
import { learning, type Balancer } from './balancer.ts'
import { Failing } from './failing.ts'
import { Seats } from './seats.ts'
import { betterOfTwo } from './two-places.ts'
import { preferUntried } from './untried.ts'

/** Above any real cost: an endpoint that has yet to answer for the first time gets one attempt, and no more while others are there. */
const unknown = 1e12
/** How fast the latency that is usual in the cluster follows. */
const usualShare = 1 / 64

const logarithms = Float64Array.from({ length: 1_024 }, (_, number) => Math.log(number))
const logarithm = (number: number): number => number < logarithms.length ? logarithms[number]! : Math.log(number)

/**
 * What is known of the endpoints. A cost is kept as its logarithm at the clock's zero: since all costs fade alike, `cost × e^(-now / decay)`,
 * comparing two takes neither the time nor an exponential.
 */
class Costs {
  readonly #clock: Clock
  readonly #decay: number
  readonly #penalty: number
  readonly #seats = new Seats()
  readonly #cost = this.#seats.column(Number.NEGATIVE_INFINITY)
  /** The average of latency in milliseconds as of its last change; 0 is unknown. */
  readonly #latency = this.#seats.column(0)
  readonly #changedAt = this.#seats.column(0)
  readonly #failing: Failing
  /** Of all endpoints' good answers. */
  #usual = 0

  constructor(clock: Clock, decay: number, penalty: number) {
    this.#clock = clock
    this.#decay = decay
    this.#penalty = Math.log(penalty)
    this.#failing = new Failing(this.#seats, decay)
  }

  /** Compares two places of a set by what they cost now: whether the one is cheaper than the other. */
  comparing(endpoints: readonly Endpoint[]): (one: number, other: number) => boolean {
    const seats = Int32Array.from(endpoints, (endpoint) => this.#seats.take(endpoint))
    const column = this.#cost
    const costOf = (place: number): number => {
      const known = column.values[seats[place]!]!
      const { active } = endpoints[place]!
      if (known === Number.NEGATIVE_INFINITY) return active === 0 ? known : unknown + active
      return known + logarithm(active + 1)
    }
    return (one, other) => costOf(one) < costOf(other)
  }

  learn(attempt: Attempt, reply: Reply | undefined): void {
    const seat = this.#seats.of(attempt.endpoint)
    const failed = failedBy(attempt, reply)
    if (seat === undefined || failed === undefined) return
    const now = this.#clock.now()
    const old = Math.exp(-(now - this.#changedAt.values[seat]!) / this.#decay)
    const took = (reply ? attempt.headAt : now) - attempt.startedAt
    if (failed) this.#failed(seat, took, old, now)
    else this.#answered(seat, took, old, now)
    this.#changedAt.values[seat] = now
    const dearer = this.#penalty * this.#failing.at(seat, now)
    const until = now + (reply ? pushback(reply, this.#clock) : 0)
    this.#cost.values[seat] = Math.log(this.#latency.values[seat]!) + dearer + until / this.#decay
  }

  #answered(seat: number, took: number, old: number, now: number): void {
    this.#usual += (this.#usual === 0 ? 1 : usualShare) * (took - this.#usual)
    const before = this.#latency.values[seat]!
    this.#latency.values[seat] = Math.max(leastLatency, took >= before ? took : took * (1 - old) + before * old)
    this.#failing.answered(seat, now)
  }

  /** To fail fast is not to be fast: a failure may only worsen the average. */
  #failed(seat: number, took: number, old: number, now: number): void {
    const before = this.#latency.values[seat]!
    this.#latency.values[seat] = Math.max(leastLatency, took, before === 0 ? this.#usual : before * old)
    this.#failing.failed(seat, now, before > 0)
  }
}

/** Milliseconds; what is less cannot be told apart, and nothing has no logarithm. */
const leastLatency = 0.001

/**
 * Of two endpoints drawn, the one expected to answer sooner: latency × (attempts under way + 1).
 * Peak-sensitive (Finagle's Peak EWMA): a slow answer counts at once, a fast one only as old evidence fades.
 * An endpoint never heard of costs nothing while idle, so it is tried, by one attempt at a time until it answers.
 * One that fails costs more, up to `penalty` times as much the more of its answers are failures (5xx, 429 or none), so that one which fails
 * at once does not draw the load by its speed (as Linkerd's load biaser, but by evidence: a failure now and then weighs little). After a refusal with
 * `Retry-After` it does not begin to fade before that time has passed.
 * Weight decides how often an endpoint is drawn; its latency then tells whether it can bear that.
 */
export const peakEwma = kind('peak-ewma', z.strictObject({
  decay: duration.refine((ms) => ms > 0, { error: 'must be longer than 0' }).default(10_000)
    .describe('How long a slow answer is remembered: after this time it weighs about a third.'),
  penalty: z.number().min(1).max(1_000_000).default(1_000)
    .describe('How many times slower an endpoint looks than it is when all its answers are failures (5xx, 429 or none); 1 looks at latency alone.'),
}), ({ decay, penalty }, { clock, random }): Balancer => {
  const costs = new Costs(clock, decay, penalty)
  return learning(
    preferUntried((endpoints) => betterOfTwo(endpoints, random, costs.comparing(endpoints))),
    (attempt, reply) => costs.learn(attempt, reply),
  )
})
