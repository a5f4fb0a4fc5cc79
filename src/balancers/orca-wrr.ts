import { z } from 'zod'
import { duration } from '../config/duration.ts'
import { kind } from '../core/family.ts'
import type { Attempt } from '../core/call.ts'
import type { Endpoint } from '../core/endpoint.ts'
import type { Reply } from '../core/reply.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'
import { learning, type Balancer } from './balancer.ts'
import { loadReport } from './load-report.ts'
import { Seats } from './seats.ts'
import { preferUntried } from './untried.ts'

/** Options of the balancer, durations in milliseconds. */
interface OrcaConfig {
  readonly blackout: number
  readonly expiration: number
  readonly update: number
  readonly errorPenalty: number
}

/**
 * The weight that a report makes: answers per second for each part of what the endpoint can bear (gRPC's A58); 0 where it says too little,
 * or so much that it is beyond counting: shares could not be made of that.
 */
export const weightOf = (utilization: number, rps: number, eps: number, errorPenalty: number): number => {
  const penalized = utilization + (eps > 0 && rps > 0 ? eps / rps * errorPenalty : 0)
  const weight = penalized > 0 && rps > 0 ? rps / penalized : 0
  return weight < Number.POSITIVE_INFINITY ? weight : 0
}

/** What the endpoints' reports make them worth. */
class Weights {
  readonly #config: OrcaConfig
  readonly #clock: Clock
  readonly #seats = new Seats()
  readonly #weight = this.#seats.column(0)
  readonly #since = this.#seats.column(Number.POSITIVE_INFINITY)
  readonly #at = this.#seats.column(Number.NEGATIVE_INFINITY)

  constructor(config: OrcaConfig, clock: Clock) {
    this.#config = config
    this.#clock = clock
  }

  seatsOf(endpoints: readonly Endpoint[]): Int32Array {
    return Int32Array.from(endpoints, (endpoint) => this.#seats.take(endpoint))
  }

  learn(attempt: Attempt, reply: Reply | undefined): void {
    const seat = this.#seats.of(attempt.endpoint)
    const report = reply && loadReport(reply)
    if (seat === undefined || report === undefined) return
    const weight = weightOf(report.utilization, report.rps, report.eps, this.#config.errorPenalty)
    if (weight === 0) return
    const now = this.#clock.now()
    if (this.#since.values[seat] === Number.POSITIVE_INFINITY) this.#since.values[seat] = now
    this.#weight.values[seat] = weight
    this.#at.values[seat] = now
  }

  /** What an endpoint is worth now; 0 while it is not known for long enough, or not any more. */
  of(seat: number, now: number): number {
    if (now - this.#at.values[seat]! >= this.#config.expiration) {
      // Its next report begins a blackout of its own.
      this.#since.values[seat] = Number.POSITIVE_INFINITY
      return 0
    }
    return now - this.#since.values[seat]! >= this.#config.blackout ? this.#weight.values[seat]! : 0
  }
}

/** Steps of a turn; a share is never less than one of them. */
const steps = 0xFFFF
/** No weight counts for more than this many times the mean. */
const mostAboveMean = 10

/** Shares in steps by weight: the heaviest has all of them, and what is unknown the mean of the known. With fewer than two known all are equal. */
export const sharesOf = (weights: Float64Array): Uint16Array => {
  let sum = 0
  let known = 0
  for (const weight of weights) {
    sum += weight
    if (weight > 0) known++
  }
  if (known < 2) return new Uint16Array(weights.length).fill(steps)
  const mean = sum / known
  const most = Math.min(mostAboveMean * mean, weights.reduce((a, b) => Math.max(a, b)))
  return Uint16Array.from(weights, (weight) => Math.max(1, Math.round(Math.min(weight === 0 ? mean : weight, most) / most * steps)))
}

/** Takes turns by shares that may change (gRPC's static stride): in each round of the set a place has its turn whenever its share has added up to another whole. */
class Turns {
  shares: Uint16Array
  #sequence: number

  constructor(shares: Uint16Array, random: Random) {
    this.shares = shares
    this.#sequence = Math.floor(random() * 0x8000_0000)
  }

  next(): number {
    const { length } = this.shares
    for (;;) {
      const sequence = this.#sequence++
      const place = sequence % length
      const round = Math.floor(sequence / length)
      const share = this.shares[place]!
      // Half a turn apart from one another, or all places with the same share would be passed over in the same round.
      const offset = steps / 2 * place
      if ((share * round + offset) % steps >= steps - share) return place
    }
  }
}

/**
 * Each endpoint in turn, by weights that it reports itself: `rps ÷ (utilization + eps ÷ rps × errorPenalty)`, from the header
 * `endpoint-load-metrics` of its answers (ORCA; client-side weighted round robin of gRPC, A58). A slower or smaller endpoint is busier by the same number of requests,
 * and so gets fewer. What has not reported for long enough has the mean weight of the others; with fewer than two that have, all are equal.
 */
export const orcaWrr = kind('orca-wrr', z.strictObject({
  blackout: duration.default(10_000).describe('How long an endpoint must have reported before its weight counts; new ones are not what they will be.'),
  expiration: duration.default(180_000).describe('Age at which a report counts no more.'),
  update: duration.refine((ms) => ms >= 100, { error: "must be '100ms' at least" }).default(1_000).describe('How often the weights are taken anew, at most.'),
  errorPenalty: z.number().min(0).default(1)
    .describe('How much an endpoint that fails seems busier: at 1, one that fails all of its requests seems busier by as much as it can bear.'),
}), (config, { clock, random }): Balancer => {
  const weights = new Weights(config, clock)
  const choosing = (endpoints: readonly Endpoint[]): () => Endpoint | undefined => {
    if (endpoints.length < 2) return () => endpoints[0]
    const seats = weights.seatsOf(endpoints)
    const anew = (now: number): Uint16Array => sharesOf(Float64Array.from(seats, (seat) => weights.of(seat, now)))
    let takenAt = clock.now()
    const turns = new Turns(anew(takenAt), random)
    return () => {
      const now = clock.now()
      if (now - takenAt >= config.update) {
        takenAt = now
        turns.shares = anew(now)
      }
      return endpoints[turns.next()]
    }
  }
  return learning(preferUntried(choosing), (attempt, reply) => weights.learn(attempt, reply))
})
