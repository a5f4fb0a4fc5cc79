import { z } from 'zod'
import { duration } from '../config/duration.ts'
import { kind } from '../core/family.ts'
import type { Attempt, Call } from '../core/call.ts'
import type { Endpoint } from '../core/endpoint.ts'
import type { Reply } from '../core/reply.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'
import { failedBy, pushback } from './answers.ts'
import { learning, type Balancer, type Picker } from './balancer.ts'
import { drawPlace, equallyWeighted } from './draw.ts'
import { Failing } from './failing.ts'
import { LoadProbes, loadProbesConfig, type Listener } from './load-probes.ts'
import { loadReport, type LoadReport } from './load-report.ts'
import { withExplanation } from './parts.ts'
import { RifQuantile } from './rif-quantile.ts'
import { Seats } from './seats.ts'
import { preferUntried } from './untried.ts'

/** Options of the balancer; the age in milliseconds. */
interface PrequalConfig {
  readonly choices: number
  readonly pool: number
  readonly quantile: number
  readonly age: number
}

/** Where the costs of hot endpoints begin, above those of all cold ones, and where those of endpoints begin that are to be left alone. */
const hot = 1e9
const shunned = 1e12

/** How many times slower an endpoint looks that only fails, and how long that is remembered, as in `peak-ewma`. */
const penalty = Math.log(1_000)
const decay = 10_000
/** Part of its answers from which on an endpoint that fails is left alone. */
const mostlyFailing = 0.5
/** How many times more a request in flight counts at most because the endpoint is slower than usual. */
const mostSlowness = 3
/**
 * How many times the usual latency an idle endpoint must take to come after hot ones that are faster. Where few requests are under way, all others that are compared
 * may be hot at once, and a slow endpoint, idle since it is avoided, would get a call each time. What is less slow than this is worth having as long as it is idle.
 */
const muchTooSlow = 6
/** Milliseconds; what is less cannot be told apart. */
const leastLatency = 0.001
/** For how many times the usual latency the requests in flight are averaged: what comes and goes with single requests is over when the news of it arrives. */
const steadiness = 10
/**
 * How fast the latency of an endpoint that reports none follows the answers it gives. A reported one is the median of several; a single answer tells a slow
 * endpoint from a slow request only by half.
 */
const seenShare = 1 / 2
/** How fast what is usual in the cluster follows. */
const usualShare = 1 / 64

/** What the endpoints report of their load, and what they do with it. */
class Reports implements Listener {
  readonly #config: PrequalConfig
  readonly #clock: Clock
  readonly #random: Random
  readonly #seats = new Seats()
  /** Requests in flight at an endpoint that are not from here. */
  readonly #others = this.#seats.column(0)
  readonly #latency = this.#seats.column(0)
  readonly #at = this.#seats.column(Number.NEGATIVE_INFINITY)
  /** When an endpoint that asked to be left alone may be asked again. */
  readonly #until = this.#seats.column(0)
  readonly #failing = new Failing(this.#seats, decay)
  readonly #hotAbove: RifQuantile
  /** Seats of the endpoints that reported last; -1 for none. */
  readonly #pool: Int32Array
  #oldest = 0
  #learntAt = 0
  #usualOthers = 0
  #usualLatency = 0

  constructor(config: PrequalConfig, clock: Clock, random: Random) {
    this.#config = config
    this.#clock = clock
    this.#random = random
    this.#hotAbove = new RifQuantile(config.quantile)
    this.#pool = new Int32Array(config.pool).fill(-1)
  }

  choosing(endpoints: readonly Endpoint[]): Picker {
    if (endpoints.length < 2) return () => endpoints[0]
    const seats = Int32Array.from(endpoints, (endpoint) => this.#seats.take(endpoint))
    const areEqual = equallyWeighted(endpoints)
    if (areEqual && endpoints.length <= this.#config.choices) return this.#choosingOfAll(endpoints, seats)
    const placeOf = new Int32Array(seats.reduce((most, seat) => Math.max(most, seat), 0) + 1).fill(-1)
    for (const [place, seat] of seats.entries()) placeOf[seat] = place
    const draw = drawPlace(endpoints, this.#random)
    // Those in the pool would get as much as the heaviest. But whoever has nothing better than a hot one looks at all.
    const isDue = areEqual ? () => true : this.#drawing(endpoints)
    const { choices } = this.#config
    const compared = choices + this.#config.pool
    return (call) => {
      const now = this.#nowOf(call)
      let best = 0
      let lowest = Number.POSITIVE_INFINITY
      for (let turn = 0; turn < compared; turn++) {
        const place = turn < choices ? draw() : placeOf[this.#pool[turn - choices]!] ?? -1
        if (place < 0 || (turn >= choices && lowest < hot && !isDue(place))) continue
        const cost = this.#cost(seats[place]!, endpoints[place]!, now)
        if (cost >= lowest) continue
        best = place
        lowest = cost
      }
      return endpoints[best]
    }
  }

  /** Says yes as often as the weight of a place is a part of the heaviest one's. */
  #drawing(endpoints: readonly Endpoint[]): (place: number) => boolean {
    const heaviest = endpoints.reduce((most, { weight }) => Math.max(most, weight), 0)
    return (place) => this.#random() * heaviest < endpoints[place]!.weight
  }

  #choosingOfAll(endpoints: readonly Endpoint[], seats: Int32Array): Picker {
    const { length } = endpoints
    return (call) => {
      const now = this.#nowOf(call)
      const first = Math.floor(this.#random() * length)
      let best = first
      let lowest = Number.POSITIVE_INFINITY
      for (let turn = 0; turn < length; turn++) {
        const place = (first + turn) % length
        const cost = this.#cost(seats[place]!, endpoints[place]!, now)
        if (cost >= lowest) continue
        best = place
        lowest = cost
      }
      return endpoints[best]
    }
  }

  /**
   * The time of a pick. A first attempt follows at once either its call's beginning or, where it had to wait, the end of another; to ask the clock again would
   * cost a quarter of a pick (`node bench/pick.ts`).
   */
  #nowOf(call: Call): number {
    return call.attempts.length > 0 ? this.#clock.now() : Math.max(call.startedAt, this.#learntAt)
  }

  /** The lower the better. Without news, what an endpoint said gives way to what is usual; our own requests there are always known. */
  #cost(seat: number, { active }: Endpoint, now: number): number {
    const failing = this.#failing.at(seat, now)
    // Never heard of: worth a try.
    if (this.#at.values[seat] === Number.NEGATIVE_INFINITY && active === 0 && failing === 0) return 0
    const fresh = this.#freshness(seat, now)
    const rif = active + faded(this.#others.values[seat]!, this.#usualOthers, fresh)
    const latency = faded(this.#latency.values[seat]!, this.#usualLatency, fresh)
    if (failing > mostlyFailing || this.#until.values[seat]! > now) return shunned + rif
    const slowed = failing === 0 ? latency : latency * Math.exp(penalty * failing)
    const usual = this.#usualLatency
    const isCold = rif <= this.#hotAbove.value
    // Nothing is slow before it is known what is usual.
    // By our own requests there too: however many go there by habit, they are usual and make it no hot one, so that few requests would all go to one of many equals.
    if (isCold && (slowed < muchTooSlow * usual || usual === 0)) return Math.min(slowed * (active + 1), hot)
    const slowness = usual === 0 ? 1 : slowed / usual
    // With the request that it would get: one that is idle would cost nothing otherwise.
    if (isCold) return hot + (rif + 1) * slowness
    return hot + rif * Math.min(mostSlowness, Math.max(1, slowness))
  }

  #freshness(seat: number, now: number): number {
    return 1 / (1 + (now - this.#at.values[seat]!) / this.#config.age)
  }

  learn(attempt: Attempt, reply: Reply | undefined): void {
    const seat = this.#seats.of(attempt.endpoint)
    const failed = failedBy(attempt, reply)
    if (seat === undefined || failed === undefined) return
    const now = this.#learntAt = this.#clock.now()
    if (!failed) return this.#answered(seat, attempt, reply!, now)
    this.#failing.failed(seat, now, this.#at.values[seat]! > Number.NEGATIVE_INFINITY)
    if (reply) this.#until.values[seat] = now + pushback(reply, this.#clock)
  }

  /** Where an answer carries no report, our own requests and the time that it took are all there is to go by. */
  #answered(seat: number, { endpoint: { active }, startedAt, sentAt, headAt }: Attempt, reply: Reply, now: number): void {
    const report = loadReport(reply)
    const latency = Math.max(leastLatency, report && report.latency >= 0 ? report.latency : this.#seen(seat, headAt - (sentAt || startedAt)))
    this.#until.values[seat] = 0
    this.#failing.answered(seat, now)
    const others = othersOf(report, active)
    const first = this.#usualLatency === 0
    this.#usualOthers += (first ? 1 : usualShare) * (others - this.#usualOthers)
    this.#usualLatency += (first ? 1 : usualShare) * (latency - this.#usualLatency)
    this.#note(seat, others, active, latency, now)
  }

  heardAt(endpoint: Endpoint): number {
    const seat = this.#seats.of(endpoint)
    return seat === undefined ? Number.NEGATIVE_INFINITY : this.#at.values[seat]!
  }

  /**
   * That an endpoint tells its load says nothing of how it does its work: failures and `Retry-After` stay as they are. Nor does it say what is usual, since those that get
   * no calls are asked as often as the others. And it is asked in moments that have nothing to do with its work, when a small server looks as fast as a large
   * one: of the latency, answers to calls know better, once there are any.
   */
  hear(endpoint: Endpoint, answer: Pick<Reply, 'status' | 'headers'>): boolean {
    const seat = this.#seats.of(endpoint)
    const report = answer.status >= 500 || answer.status === 429 ? undefined : loadReport(answer)
    if (report === undefined || !(report.rif >= 0)) return false
    if (seat === undefined) return true
    const now = this.#clock.now()
    const known = this.#latency.values[seat]!
    // Once it is known it goes on to fade, or an endpoint that was slow would never be tried again.
    const latency = known > 0 ? faded(known, this.#usualLatency, this.#freshness(seat, now)) : report.latency >= 0 ? report.latency : this.#usualLatency
    this.#note(seat, othersOf(report, endpoint.active), endpoint.active, latency, now)
    return true
  }

  #seen(seat: number, took: number): number {
    if (this.#at.values[seat] === Number.NEGATIVE_INFINITY) return took
    const before = this.#latency.values[seat]!
    return before + seenShare * (took - before)
  }

  #note(seat: number, others: number, active: number, latency: number, now: number): void {
    const old = Math.exp((this.#at.values[seat]! - now) / (steadiness * this.#usualLatency))
    this.#others.values[seat] = others * (1 - old) + this.#others.values[seat]! * old
    this.#latency.values[seat] = latency
    this.#at.values[seat] = now
    this.#hotAbove.note(others + active)
    this.#hold(seat)
  }

  #hold(seat: number): void {
    if (this.#pool.length === 0 || this.#pool.includes(seat)) return
    this.#pool[this.#oldest] = seat
    this.#oldest = (this.#oldest + 1) % this.#pool.length
  }
}

/** What was told, as far as it is fresh (0 to 1), and what is usual for the rest. */
const faded = (told: number, usual: number, fresh: number): number => usual + fresh * (told - usual)

/** Requests in flight at an endpoint that are not from here. */
const othersOf = (report: LoadReport | undefined, active: number): number => report && report.rif > active ? report.rif - active : 0

/**
 * The endpoint with the lowest latency, times the client's own requests there and one, among those that are not hot, that is, have no more requests in flight than most; if all are hot, the one with
 * the fewest (Prequal, Wydrowski et al., NSDI 2024). Both are the server's own figures and count what other clients do: endpoints report them
 * in the header `endpoint-load-metrics` of their ordinary answers (`reportLoad` of `enmesh/server`), so there are no probes unless `probes` asks for them. Compared are a few endpoints drawn
 * and those that reported last: fresh news is worth more than much of it. What is old gives way to what is usual in the cluster.
 * An endpoint that mostly fails, or asked by `Retry-After` to be left alone, comes last; so none draws the load by failing fast.
 * Where endpoints report nothing, it goes by the requests that it has sent itself and the latency it sees.
 */
export const prequal = kind('prequal', z.strictObject({
  choices: z.int().min(2).max(16).default(2).describe('How many endpoints are drawn and compared with those in the pool.'),
  pool: z.int().min(0).max(32).default(4).describe('How many of the endpoints that reported last are compared; 0 goes by those drawn alone.'),
  quantile: z.number().min(0).max(1).default(0.6)
    .describe('Where hot begins: the quantile of the requests in flight that were reported last; 0 goes by requests in flight alone.'),
  age: duration.refine((ms) => ms > 0, { error: 'must be longer than 0' }).default(5_000)
    .describe('Age at which a report counts for half, and what is usual in the cluster for the other half.'),
  probes: z.union([z.literal(false), loadProbesConfig], { error: "must be false, or options such as { path: '/load' }" }).default(false)
    .describe('Whether endpoints are asked for their load beside the traffic. For large fleets of which each caller hears too seldom; off, since ordinary answers tell it too.'),
}), (config, runtime): Balancer => {
  const reports = new Reports(config, runtime.clock, runtime.random)
  const balancer = preferUntried((endpoints) => reports.choosing(endpoints))
  const learn: Balancer['learn'] = (attempt, reply) => reports.learn(attempt, reply)
  if (config.probes === false) return learning(balancer, learn)
  const probes = new LoadProbes(config.probes, runtime, reports)
  return learning((endpoints) => {
    const pick = balancer(endpoints)
    return withExplanation((call) => {
      probes.picked(endpoints)
      return pick(call)
    }, (endpoint) => probes.explain(endpoint))
  }, learn, (ask) => probes.start(ask))
})
