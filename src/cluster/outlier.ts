import { z } from 'zod'
import { judged, verdict, type Attempt } from '../core/call.ts'
import type { Endpoint } from '../core/endpoint.ts'
import { publish, type OutlierRule } from '../core/events.ts'
import type { Ending, Reply } from '../core/reply.ts'
import type { Layer } from '../core/send.ts'
import type { Cancel } from '../runtime/clock.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { Probation } from './availability.ts'
import { decayed, ejectable, ejectionConfig, ejectionTime } from './ejection.ts'
import { intervalRules, LatencyRule, outlierRulesConfig, rows, tooManyInARow, type Outlier, type Rule } from './outlier-rules.ts'
import { unconnected } from './reach.ts'
import { Tally } from './tally.ts'

/** When an endpoint is taken out of use and for how long: Envoy's detection and a latency rule, with Linkerd's return by one real request. */
export const outlierConfig = z.strictObject({ ...outlierRulesConfig.shape, ...ejectionConfig.shape })

/** Parsed configuration of outlier detection; durations in milliseconds. */
export type OutlierConfig = z.output<typeof outlierConfig>

/** What outlier detection needs of the cluster it works for. */
export interface OutlierHost {
  readonly name: string
  /** All endpoints at present. */
  readonly endpoints: readonly Endpoint[]
  /** Whether an endpoint that returns starts slowly. */
  readonly slowStart: boolean
  /** Called when the list of available endpoints has to be made anew. */
  changed(): void
}

interface Ejection {
  readonly cancel: Cancel
  readonly reason: string
  readonly until: number
}

/**
 * Takes endpoints that do worse than they should out of use for a while, and lets one real request decide on their return.
 * How often an endpoint was out is kept on it; the rest is kept here and lives as long as its cluster's options.
 */
export class OutlierDetection {
  /** Where calls are asked to decide on an endpoint's return. */
  readonly probation: Probation
  readonly #host: OutlierHost
  readonly #config: OutlierConfig
  readonly #runtime: Runtime
  readonly #ejections = new Map<Endpoint, Ejection>()
  /** Of endpoints in use. */
  readonly #tallies = new Map<Endpoint, Tally>()
  readonly #rules: readonly Rule[]
  readonly #latency: LatencyRule | undefined
  /** With fewer endpoints there is nothing to compare, so no interval runs. */
  readonly #fewest: number
  /** Those out for being slow: the request that decides on them has to be quick. */
  readonly #slow = new Set<Endpoint>()
  /** Ends the interval that runs; there is none while no attempt ends. */
  #cancelInterval: Cancel | undefined
  #closed = false

  constructor(host: OutlierHost, config: OutlierConfig, runtime: Runtime) {
    this.#host = host
    this.#config = config
    this.#runtime = runtime
    this.#rules = intervalRules(config)
    this.#latency = this.#rules.find((rule) => rule instanceof LatencyRule)
    this.#fewest = Math.min(...this.#rules.map(({ endpoints }) => endpoints))
    this.probation = new Probation(runtime.clock, config.ejection)
  }

  /** Learns from an attempt how its endpoint fares. Results from before the endpoint's present state are ignored. */
  record(attempt: Attempt, failed: boolean): void {
    if (this.#closed) return
    const { endpoint } = attempt
    if (endpoint.state === 'probation') {
      if (this.probation.decides(attempt)) this.#decide(attempt, failed || this.#tooSlow(attempt))
      return
    }
    if (endpoint.state !== 'available' || attempt.startedAt < endpoint.stateSince) return
    if (this.#cancelInterval === undefined && this.#host.endpoints.length >= this.#fewest) this.#beginInterval()
    const tally = this.#tallyOf(endpoint)
    tally.count(attempt, failed, this.#config.localFailures !== false)
    if (failed && tooManyInARow(tally, this.#config) && this.#room(attempt)) this.#ejectAtOnce(tally, attempt)
  }

  /** Whether an attempt at an endpoint that was out for being slow shows that it still is. */
  #tooSlow(attempt: Attempt): boolean {
    return this.#slow.has(attempt.endpoint) && timeToAnswer(attempt) > this.#latency!.limit
  }

  /** Lets go of an endpoint that is no longer in the registry, or that others have taken out: its ejection ends, whatever its state. */
  forget(endpoint: Endpoint): void {
    this.#ejections.get(endpoint)?.cancel()
    this.#ejections.delete(endpoint)
    this.#tallies.delete(endpoint)
    this.#slow.delete(endpoint)
    this.probation.leave(endpoint)
  }

  /** Stops all timers; endpoints stay as they are. */
  close(): void {
    this.#closed = true
    this.#cancelInterval?.()
    for (const { cancel } of this.#ejections.values()) cancel()
  }

  /** In words: what state an endpoint is in and why. */
  explain(endpoint: Endpoint): string {
    if (endpoint.state === 'retired') return 'retired: its registry lists it no more'
    const ejection = this.#ejections.get(endpoint)
    if (endpoint.state === 'ejected' && ejection) {
      const left = Math.max(0, Math.ceil(ejection.until - this.#runtime.clock.now()))
      const then = this.#config.return === 'probation' ? `on probation in ${left} ms` : `back at the first sweep after ${left} ms`
      return `ejected${inARow(endpoint)}: ${ejection.reason}; ${then}`
    }
    if (endpoint.state === 'probation') {
      return this.probation.deciding(endpoint)
        ? 'on probation: the request that decides is under way'
        : 'on probation: waits for a request that may be repeated elsewhere'
    }
    const tally = this.#tallies.get(endpoint)
    return tally ? this.#explainTally(tally) : 'available'
  }

  #explainTally(tally: Tally): string {
    const faults = rows(tally, this.#config).filter(({ count }) => count > 0)
    const broken = faults.find(({ count, limit }) => count >= limit)
    if (broken) return `available in spite of ${many(broken.count, broken.what)}: ${this.#cap('the next failure ejects it')}`
    if (tally.held !== undefined) return `available all the same (${tally.held}): ${this.#cap('it is judged again at the end of the next interval')}`
    const [fault] = faults
    if (fault) return `available: ${many(fault.count, fault.what)}, ejected at ${fault.limit}`
    const { latency } = this.#config
    if (tally.slowIntervals === 0 || latency === false) return 'available'
    return `available: slow against the fleet in ${tally.slowIntervals === 1 ? '1 interval' : `${tally.slowIntervals} intervals in a row`}, ejected at ${latency.intervals}`
  }

  #tallyOf(endpoint: Endpoint): Tally {
    let tally = this.#tallies.get(endpoint)
    if (!tally) this.#tallies.set(endpoint, tally = new Tally(endpoint, this.#latency !== undefined))
    return tally
  }

  #census(): { total: number, out: number, limit: number } {
    let total = 0
    let out = 0
    for (const { state } of this.#host.endpoints) {
      if (state === 'retired') continue
      total++
      if (state !== 'available') out++
    }
    return { total, out, limit: ejectable(total, this.#config.maxEjected, this.#config.minEjected) }
  }

  /** Why an endpoint that should be out is not; `next` says what becomes of one for which there is room by now. */
  #cap(next: string): string {
    const { total, out, limit } = this.#census()
    if (out < limit) return `too many others were out; ${next}`
    return `at most ${limit} of ${total} endpoints may be out, and ${out} ${out === 1 ? 'is' : 'are'}`
  }

  /** Whether one more may be out; after an attempt that could not connect, whatever the share: nobody has to carry what that endpoint would not. */
  #room(attempt?: Attempt): boolean {
    const { total, out, limit } = this.#census()
    return out < (unconnected(attempt?.ending) ? total - 1 : limit)
  }

  /** Gathers afresh, and compares when the interval is over. Begun by what happens, so that a cluster nobody calls has no timer. */
  #beginInterval(): void {
    for (const tally of this.#tallies.values()) tally.beginInterval()
    this.#cancelInterval = this.#runtime.clock.background(this.#config.interval, () => this.#sweep())
  }

  #sweep(): void {
    for (const tally of this.#tallies.values()) tally.held = undefined
    if (this.#config.return === 'sweep') this.#returnThoseDue()
    for (const rule of this.#rules) {
      for (const outlier of rule.judge([...this.#tallies.values()])) this.#ejectOutlier(rule, outlier)
    }
    this.#cancelInterval = undefined
    if (this.#config.return === 'sweep' && this.#ejections.size > 0 && !this.#closed) this.#beginInterval()
  }

  #returnThoseDue(): void {
    const now = this.#runtime.clock.now()
    // Each is looked at when its turn comes: a listener that was told of another may have let go of it.
    for (const [endpoint, { until }] of this.#ejections) if (until <= now && !this.#closed) this.#return(endpoint)
  }

  #ejectOutlier({ name }: Rule, { tally, reason, intervals }: Outlier): void {
    const { endpoint } = tally
    // A listener that was told of another may have let go of this one, or of the detection as a whole.
    if (this.#closed || this.#tallies.get(endpoint) !== tally) return
    if (this.#room()) this.#ejectUsed(endpoint, name, reason, intervals * this.#config.interval)
    else tally.held = reason
  }

  #ejectAtOnce(tally: Tally, attempt: Attempt): void {
    const { rule, count, what } = rows(tally, this.#config).find(({ count, limit }) => count >= limit)!
    this.#ejectUsed(attempt.endpoint, rule, `${many(count, what)}, the last with ${fault(attempt)}`, 0)
  }

  /** Takes out an endpoint that was in use; good times let it off earlier ejections, the `illFor` milliseconds that it was watched in do not. */
  #ejectUsed(endpoint: Endpoint, rule: OutlierRule, reason: string, illFor: number): void {
    const wellFor = this.#runtime.clock.now() - endpoint.stateSince - illFor
    endpoint.ejections = decayed(endpoint.ejections, wellFor, this.#config.interval)
    if (rule === 'latency') this.#slow.add(endpoint)
    this.#tallies.delete(endpoint)
    this.#eject(endpoint, rule, reason)
    this.#host.changed()
  }

  /** The one request of an endpoint on probation is done. */
  #decide(attempt: Attempt, failed: boolean): void {
    const { endpoint } = attempt
    this.probation.leave(endpoint)
    if (failed) this.#eject(endpoint, 'probation', `the request that was to decide on its return ${this.#shortcoming(attempt)}`)
    else this.#return(endpoint)
  }

  #shortcoming(attempt: Attempt): string {
    if (judged(attempt) >= 500 || typeof attempt.ending === 'object') return `ended with ${fault(attempt)}`
    const ms = (time: number): number => Math.round(time * 10) / 10
    return `took ${ms(timeToAnswer(attempt))} ms, above ${ms(this.#latency!.limit)} ms`
  }

  #eject(endpoint: Endpoint, rule: OutlierRule, reason: string): void {
    const { clock, random } = this.#runtime
    const { jitter } = this.#config
    endpoint.ejections++
    const duration = ejectionTime(this.#config, endpoint.ejections) + (jitter > 0 ? random() * jitter : 0)
    endpoint.state = 'ejected'
    endpoint.stateSince = clock.now()
    endpoint.warmingSince = undefined
    this.#ejections.set(endpoint, { cancel: this.#scheduleReturn(endpoint, duration), reason, until: clock.now() + duration })
    publish(this.#runtime, 'endpoint-ejected', { cluster: this.#host.name, endpoint: endpoint.address, rule, reason, duration })
  }

  #scheduleReturn(endpoint: Endpoint, duration: number): Cancel {
    if (this.#config.return === 'probation') return this.#runtime.clock.background(duration, () => this.#putOnProbation(endpoint))
    if (this.#cancelInterval === undefined) this.#beginInterval()
    return () => {}
  }

  /** Lets an endpoint that is out back in, by the way that is configured. */
  admit(endpoint: Endpoint): void {
    if (this.#config.return === 'probation') this.#putOnProbation(endpoint)
    else this.#return(endpoint)
  }

  #putOnProbation(endpoint: Endpoint): void {
    this.#ejections.delete(endpoint)
    endpoint.state = 'probation'
    endpoint.stateSince = this.#runtime.clock.now()
    this.probation.enter(endpoint)
    publish(this.#runtime, 'endpoint-probation', { cluster: this.#host.name, endpoint: endpoint.address })
  }

  #return(endpoint: Endpoint): void {
    const now = this.#runtime.clock.now()
    this.#ejections.delete(endpoint)
    this.#slow.delete(endpoint)
    endpoint.state = 'available'
    endpoint.stateSince = now
    if (this.#host.slowStart) endpoint.warmingSince = now
    this.#host.changed()
    publish(this.#runtime, 'endpoint-returned', { cluster: this.#host.name, endpoint: endpoint.address })
  }
}

/**
 * Tells outlier detection how each attempt went, once its body has ended.
 * Outside the attempt timeout, which is a failure of the endpoint. The request that decides on a return is judged by the head
 * of its reply: a long stream must not keep out an endpoint that answers.
 */
export const observeOutliers = (detection: OutlierDetection): Layer<Attempt> => (next) => {
  const onEnd = (attempt: Attempt, ending: Ending): void => {
    const said = verdict(attempt, ending)
    if (said === undefined) detection.probation.free(attempt)
    else detection.record(attempt, said === 'failure')
  }
  const onHead = (reply: Reply): Reply => {
    const { attempt } = reply
    if (detection.probation.decides(attempt)) detection.record(attempt, judged(attempt) >= 500)
    return reply
  }
  return (attempt) => {
    attempt.onEnd(onEnd)
    const decides = attempt.endpoint.state === 'probation' && detection.probation.begin(attempt)
    return decides ? next(attempt).then(onHead) : next(attempt)
  }
}

/** Of a request that decides, from when its connection stands: its endpoint was out for long, so it finds none open, and must not be blamed for that. */
const timeToAnswer = ({ startedAt, sentAt, headAt }: Attempt): number => headAt - (sentAt > 0 ? sentAt : startedAt)

const many = (count: number, what: string): string => count === 1 ? `1 ${what}` : `${count} ${what}s in a row`

const inARow = ({ ejections }: Endpoint): string => ejections === 1 ? '' : ` ${ejections} times in a row`

const fault = ({ ending, status, grpcStatus }: Attempt): string =>
  typeof ending === 'object' ? ending.code : grpcStatus > 0 ? `gRPC status ${grpcStatus}` : `status ${status}`
