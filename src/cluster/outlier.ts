import { z } from 'zod'
import { duration } from '../config/duration.ts'
import { percent } from '../config/percent.ts'
import { verdict, type Attempt } from '../core/call.ts'
import type { Endpoint } from '../core/endpoint.ts'
import { publish } from '../core/events.ts'
import type { Ending, Reply } from '../core/reply.ts'
import type { Layer } from '../core/send.ts'
import type { Cancel } from '../runtime/clock.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { Probation } from './availability.ts'

const aboveZero = (ms: number): boolean => ms > 0

/** When an endpoint is taken out of use and for how long: Envoy's detection with Linkerd's return by one real request. */
export const outlierConfig = z.strictObject({
  failures: z.int().min(1).default(5)
    .describe('Failed attempts in a row at one endpoint after which it is ejected.'),
  ejection: duration.refine(aboveZero, 'must be longer than 0').default(10_000)
    .describe('How long the first ejection lasts; the second in a row lasts twice as long, the third three times, and so on.'),
  maxEjection: duration.refine(aboveZero, 'must be longer than 0').default(300_000)
    .describe('The longest that an ejection may last.'),
  maxEjected: percent.default(50)
    .describe('Share of the endpoints, in percent, that may be out at the same time; the last available one never is.'),
  minEjected: z.int().min(0).default(0)
    .describe('How many endpoints may be out whatever their share, as Envoy always lets one be; the last available one never is.'),
})

/** Parsed configuration of outlier detection; durations in milliseconds. */
export type OutlierConfig = z.output<typeof outlierConfig>

/**
 * How many of a cluster's endpoints may be out at once: the share rounded down, and never all of them.
 * With 50 %: none of 1, 1 of 2, 1 of 3, 2 of 4. Rounded down, so that two of three endpoints failing by a common cause
 * (a dependency of theirs, a bad request) can't leave the third to carry everything; a low share of a small cluster ejects none,
 * unless `minEjected` lets some be out whatever the share.
 */
export const ejectable = (total: number, maxEjected: number, minEjected = 0): number =>
  Math.max(0, Math.min(Math.max(Math.floor(total * maxEjected / 100), minEjected), total - 1))

/** How many milliseconds an ejection lasts that is the `times`-th in a row. */
export const ejectionTime = ({ ejection, maxEjection }: OutlierConfig, times: number): number =>
  Math.min(ejection * times, maxEjection)

/**
 * What is left of an endpoint's ejections in a row after it was back in use for so many milliseconds:
 * one less for each length of a first ejection (Envoy's decay, computed when asked in place of a timer).
 */
export const decayed = (ejections: number, backFor: number, config: OutlierConfig): number =>
  Math.max(0, ejections - Math.floor(backFor / ejectionTime(config, 1)))

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
 * Takes endpoints that keep failing out of use for a while and lets one real request decide on their return.
 * What it learns is kept on the endpoints; it lives as long as its cluster.
 */
export class OutlierDetection {
  /** Where calls are asked to decide on an endpoint's return. */
  readonly probation: Probation
  readonly #host: OutlierHost
  readonly #config: OutlierConfig
  readonly #runtime: Runtime
  readonly #ejections = new Map<Endpoint, Ejection>()
  #closed = false

  constructor(host: OutlierHost, config: OutlierConfig, runtime: Runtime) {
    this.#host = host
    this.#config = config
    this.#runtime = runtime
    this.probation = new Probation(runtime.clock, config.ejection)
  }

  /** Learns from an attempt how its endpoint fares. Results from before the endpoint's present state are ignored. */
  record(attempt: Attempt, failed: boolean): void {
    if (this.#closed) return
    const { endpoint } = attempt
    if (endpoint.state === 'probation') {
      if (this.probation.decides(attempt)) this.#decide(attempt, failed)
      return
    }
    if (endpoint.state !== 'available' || attempt.startedAt < endpoint.stateSince) return
    if (!failed) {
      endpoint.failuresInARow = 0
      return
    }
    endpoint.failuresInARow++
    if (endpoint.failuresInARow >= this.#config.failures && this.#room()) this.#ejectAvailable(attempt)
  }

  /** Lets go of an endpoint that is no longer in the registry, or that others have taken out: its ejection ends, whatever its state. */
  forget(endpoint: Endpoint): void {
    this.#ejections.get(endpoint)?.cancel()
    this.#ejections.delete(endpoint)
    this.probation.leave(endpoint)
  }

  /** Stops all timers; endpoints stay as they are. */
  close(): void {
    this.#closed = true
    for (const { cancel } of this.#ejections.values()) cancel()
  }

  /** In words: what state an endpoint is in and why. */
  explain(endpoint: Endpoint): string {
    if (endpoint.state === 'retired') return 'retired: its registry lists it no more'
    const ejection = this.#ejections.get(endpoint)
    if (endpoint.state === 'ejected' && ejection) {
      const left = Math.ceil(ejection.until - this.#runtime.clock.now())
      return `ejected${inARow(endpoint)}: ${ejection.reason}; on probation in ${left} ms`
    }
    if (endpoint.state === 'probation') {
      return this.probation.deciding(endpoint)
        ? 'on probation: the request that decides is under way'
        : 'on probation: waits for a request that may be repeated elsewhere'
    }
    if (endpoint.failuresInARow === 0) return 'available'
    if (endpoint.failuresInARow < this.#config.failures) {
      return `available: ${failuresInARow(endpoint)}, ejected at ${this.#config.failures}`
    }
    const { total, out, limit } = this.#census()
    return `available in spite of ${failuresInARow(endpoint)}: `
      + `at most ${limit} of ${total} endpoints may be out, and ${out} ${out === 1 ? 'is' : 'are'}`
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

  #room(): boolean {
    const { out, limit } = this.#census()
    return out < limit
  }

  #ejectAvailable(attempt: Attempt): void {
    const { endpoint } = attempt
    endpoint.ejections = decayed(endpoint.ejections, this.#runtime.clock.now() - endpoint.stateSince, this.#config)
    this.#eject(endpoint, `${failuresInARow(endpoint)}, the last with ${fault(attempt)}`)
    this.#host.changed()
  }

  /** The one request of an endpoint on probation is done. */
  #decide(attempt: Attempt, failed: boolean): void {
    const { endpoint } = attempt
    this.probation.leave(endpoint)
    if (failed) this.#eject(endpoint, `the request that was to decide on its return ended with ${fault(attempt)}`)
    else this.#return(endpoint)
  }

  #eject(endpoint: Endpoint, reason: string): void {
    const { clock } = this.#runtime
    endpoint.ejections++
    const duration = ejectionTime(this.#config, endpoint.ejections)
    endpoint.state = 'ejected'
    endpoint.stateSince = clock.now()
    endpoint.warmingSince = undefined
    const cancel = clock.background(duration, () => this.putOnProbation(endpoint))
    this.#ejections.set(endpoint, { cancel, reason, until: clock.now() + duration })
    publish(this.#runtime, 'endpoint-ejected', { cluster: this.#host.name, endpoint: endpoint.address, reason, duration })
  }

  /** Lets the next real request decide on an endpoint that is out. */
  putOnProbation(endpoint: Endpoint): void {
    this.#ejections.delete(endpoint)
    endpoint.state = 'probation'
    endpoint.stateSince = this.#runtime.clock.now()
    this.probation.enter(endpoint)
    publish(this.#runtime, 'endpoint-probation', { cluster: this.#host.name, endpoint: endpoint.address })
  }

  #return(endpoint: Endpoint): void {
    const now = this.#runtime.clock.now()
    endpoint.state = 'available'
    endpoint.stateSince = now
    endpoint.failuresInARow = 0
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
    const { attempt, status } = reply
    if (detection.probation.decides(attempt)) detection.record(attempt, status >= 500)
    return reply
  }
  return (attempt) => {
    attempt.onEnd(onEnd)
    const decides = attempt.endpoint.state === 'probation' && detection.probation.begin(attempt)
    return decides ? next(attempt).then(onHead) : next(attempt)
  }
}

const failuresInARow = ({ failuresInARow: count }: Endpoint): string =>
  count === 1 ? '1 failure' : `${count} failures in a row`

const inARow = ({ ejections }: Endpoint): string => ejections === 1 ? '' : ` ${ejections} times in a row`

const fault = ({ ending, status }: Attempt): string => typeof ending === 'object' ? ending.code : `status ${status}`
