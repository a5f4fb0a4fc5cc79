import { z } from 'zod'
import { duration } from '../config/duration.ts'
import type { Attempt } from '../core/call.ts'
import type { Endpoint } from '../core/endpoint.ts'
import { publish } from '../core/events.ts'
import type { Reply } from '../core/reply.ts'
import type { Layer } from '../core/send.ts'
import type { Cancel } from '../runtime/clock.ts'
import type { Runtime } from '../runtime/runtime.ts'
import {
  grpcProbe, http1Probe, http2Probe, immediateFail, tcpProbe, type HealthFinding, type HealthProbe,
} from '../transport/probes/probe.ts'
import type { OutlierDetection } from './outlier.ts'
import { Paced } from './paced.ts'

// Whoever writes 5 for five seconds would have every endpoint asked without a rest.
const longEnough = (ms: number): boolean => ms >= 10
const tooShort = "must be at least 10 ms; a number is milliseconds, for seconds write '5s'"

const pace = {
  interval: duration.refine(longEnough, tooShort).default(5_000)
    .describe('How long an endpoint rests between two checks, ± 10 %.'),
  timeout: duration.refine(longEnough, tooShort).default(2_000)
    .describe('How long a check may take, from the connection to the end of the answer.'),
  healthyThreshold: z.int().min(1).default(2)
    .describe('Checks in a row that must pass before an unhealthy endpoint is used again; of a new endpoint the first one decides.'),
  unhealthyThreshold: z.int().min(1).default(2)
    .describe('Checks in a row without an answer that make an endpoint unhealthy. An answer that says it is not well does so at once.'),
}

/** Active health checks: what is asked of each endpoint, and how often. The defaults are those of the AWS CDK for App Mesh. */
export const healthCheckConfig = z.discriminatedUnion('protocol', [
  http1Probe.extend(pace), http2Probe.extend(pace), tcpProbe.extend(pace), grpcProbe.extend(pace),
])

/** Parsed form of `healthCheckConfig`; durations in milliseconds. */
export type HealthCheckConfig = z.output<typeof healthCheckConfig>

/** Checks of one cluster under way at once; further ones wait for their turn. */
export const mostAtOnce = 128

/** Longest time between the first checks of two endpoints that are new together, in milliseconds. */
const longestGap = 50

/** What health checks need of the cluster they work for. */
export interface HealthHost {
  readonly name: string
  /** Whether an endpoint that returns starts slowly. */
  readonly slowStart: boolean
  /** Absent where it is switched off. */
  readonly detection: OutlierDetection | undefined
  /** Called when the list of available endpoints has to be made anew. */
  changed(): void
}

/** What is known of one endpoint. */
interface Patient {
  readonly endpoint: Endpoint
  /** Whether no check under this definition is over. */
  first: boolean
  /** Checks in a row. */
  passed: number
  missed: number
  /** What the last check that did not pass found, or why the endpoint asked to be taken out. */
  complaint: string
  /** Whether outlier detection had it out when it became unhealthy. */
  ejected: boolean
  /** Calls off the next check, or gives up the one under way. */
  cancel: Cancel
}

/**
 * Asks each endpoint of a cluster, again and again, whether it is well, and takes those out that aren't (Envoy's active health checking).
 * Endpoints keep their state when the checks are replaced by others: the first one that passes then decides.
 */
export class HealthChecks {
  readonly #host: HealthHost
  readonly #config: HealthCheckConfig
  readonly #probe: HealthProbe
  readonly #runtime: Runtime
  readonly #patients = new Map<Endpoint, Patient>()
  /** Those whose check is due while too many are under way, the first the longest. */
  readonly #due = new Set<Patient>()
  #running = 0
  /** Has the list of available endpoints made anew. */
  readonly #change: Paced

  constructor(host: HealthHost, config: HealthCheckConfig, probe: HealthProbe, runtime: Runtime) {
    this.#host = host
    this.#config = config
    this.#probe = probe
    this.#runtime = runtime
    this.#change = new Paced(runtime.clock, () => host.changed())
  }

  /**
   * Checks these endpoints from now on. Their first checks follow one another at even distances, by chance a little off: soon,
   * and over the length of the interval at most. Each then has a phase of its own, drawn anew, so that processes that start together part.
   */
  watch(endpoints: readonly Endpoint[]): void {
    const gap = Math.min(longestGap, this.#config.interval / endpoints.length)
    for (const [index, endpoint] of endpoints.entries()) {
      const patient: Patient = { endpoint, first: true, passed: 0, missed: 0, complaint: '', ejected: false, cancel: () => {} }
      this.#patients.set(endpoint, patient)
      this.#rest(patient, (index + this.#runtime.random()) * gap)
    }
  }

  /** Lets go of an endpoint that is no longer in the registry. */
  forget(endpoint: Endpoint): void {
    const patient = this.#patients.get(endpoint)
    if (!patient) return
    this.#patients.delete(endpoint)
    this.#due.delete(patient)
    patient.cancel()
  }

  /** Takes an endpoint out at once, since it asked for that in an answer; health checks bring it back. */
  asked(endpoint: Endpoint): void {
    const patient = this.#patients.get(endpoint)
    // One that is out already must not put off the checks that bring it back.
    if (!patient || endpoint.state === 'unhealthy') return
    patient.cancel()
    this.#due.delete(patient)
    patient.first = false
    patient.passed = 0
    this.#rest(patient, this.#interval)
    this.#takeOut(patient, `it asked for that (${immediateFail})`)
  }

  /** In words: why an endpoint is out, or how far it is from that; `undefined` where there is nothing to say. */
  explain(endpoint: Endpoint): string | undefined {
    const patient = this.#patients.get(endpoint)
    if (!patient) return undefined
    const { healthyThreshold, unhealthyThreshold } = this.#config
    const { passed, missed, complaint, first } = patient
    if (endpoint.state === 'unchecked') return 'unchecked: its first health check is not over'
    if (endpoint.state === 'unhealthy') {
      const until = first ? 'the next health check that passes brings it back' : `${passed} of ${healthyThreshold} health checks in a row passed`
      return `unhealthy${complaint && `: ${complaint}`}; ${until}`
    }
    if (missed === 0) return undefined
    return `${missed} health check${missed === 1 ? '' : 's in a row'} without an answer, unhealthy at ${unhealthyThreshold}: ${complaint}`
  }

  /** Ends all checks, those under way too; endpoints stay as they are. */
  close(): void {
    // First those that wait, or each check that is given up would let one of them begin.
    this.#due.clear()
    for (const endpoint of [...this.#patients.keys()]) this.forget(endpoint)
    this.#change.close()
  }

  get #interval(): number {
    return this.#config.interval * (0.9 + 0.2 * this.#runtime.random())
  }

  #rest(patient: Patient, ms: number): void {
    patient.cancel = this.#runtime.clock.background(ms, () => {
      patient.cancel = () => {}
      this.#due.add(patient)
      this.#begin()
    })
  }

  /** Begins as many of the checks that are due as may be under way. */
  #begin(): void {
    for (const patient of this.#due) {
      if (this.#running >= mostAtOnce) return
      this.#due.delete(patient)
      this.#check(patient)
    }
  }

  /** One check. It ends once: found, given up after the timeout, or called off; what it found is learnt in that very moment, so nobody can come between. */
  #check(patient: Patient): void {
    const { clock } = this.#runtime
    const { timeout } = this.#config
    const startedAt = clock.now()
    const aborts = new AbortController()
    const end = (finding: HealthFinding | undefined): void => {
      if (aborts.signal.aborted) return
      aborts.abort()
      cancelTimeout()
      this.#running--
      if (finding) this.#conclude(patient, finding, clock.now() - startedAt)
      this.#begin()
    }
    this.#running++
    const cancelTimeout = clock.background(timeout, () => end({ result: 'unanswered', found: `no answer within ${timeout} ms` }))
    patient.cancel = () => end(undefined)
    void this.#ask(patient.endpoint, aborts.signal).then(end)
  }

  #conclude(patient: Patient, finding: HealthFinding, took: number): void {
    const { interval } = this.#config
    // Before anybody is told: a listener may let go of the endpoint.
    this.#rest(patient, patient.first ? interval * this.#runtime.random() : this.#interval)
    this.#learn(patient, finding, took)
    patient.first = false
  }

  async #ask(endpoint: Endpoint, signal: AbortSignal): Promise<HealthFinding> {
    try {
      return await this.#probe(endpoint, signal)
    } catch (error) {
      return { result: 'unanswered', found: String(error) }
    }
  }

  #learn(patient: Patient, { result, found }: HealthFinding, took: number): void {
    const { endpoint } = patient
    publish(this.#runtime, 'endpoint-checked', { cluster: this.#host.name, endpoint: endpoint.address, result, reason: found, took })
    if (result === 'passed') this.#pass(patient)
    else this.#miss(patient, result, found)
  }

  #pass(patient: Patient): void {
    const { endpoint: { state }, first } = patient
    patient.missed = 0
    patient.passed++
    if (state !== 'unchecked' && state !== 'unhealthy') return
    if (first || patient.passed >= this.#config.healthyThreshold) this.#admit(patient)
  }

  #miss(patient: Patient, result: HealthFinding['result'], found: string): void {
    const { endpoint: { state } } = patient
    patient.passed = 0
    patient.missed++
    patient.complaint = `health check: ${found}`
    if (state === 'unhealthy') return
    const decided = state === 'unchecked' || result === 'failed' || patient.missed >= this.#config.unhealthyThreshold
    if (decided) this.#takeOut(patient, patient.complaint)
  }

  #takeOut(patient: Patient, reason: string): void {
    const { endpoint } = patient
    patient.complaint = reason
    patient.ejected = endpoint.state === 'ejected' || endpoint.state === 'probation'
    this.#host.detection?.forget(endpoint)
    endpoint.state = 'unhealthy'
    endpoint.stateSince = this.#runtime.clock.now()
    endpoint.warmingSince = undefined
    this.#change.ask()
    publish(this.#runtime, 'endpoint-unhealthy', { cluster: this.#host.name, endpoint: endpoint.address, reason })
  }

  /** What outlier detection had taken out before comes back as from there, and now: its sentence is over, since something has changed there. */
  #admit(patient: Patient): void {
    const { endpoint, ejected } = patient
    const { detection, name } = this.#host
    patient.ejected = false
    if (ejected && detection) detection.admit(endpoint)
    else this.#return(endpoint)
    publish(this.#runtime, 'endpoint-healthy', { cluster: name, endpoint: endpoint.address })
  }

  #return(endpoint: Endpoint): void {
    const now = this.#runtime.clock.now()
    // The first set starts as a whole, so of its endpoints none is warming before it was out.
    const warms = this.#host.slowStart && (endpoint.state === 'unhealthy' || endpoint.warmingSince !== undefined)
    endpoint.state = 'available'
    endpoint.stateSince = now
    if (warms) endpoint.warmingSince = now
    this.#change.ask()
  }
}

/** Looks at each answer whether its endpoint asks to be taken out. */
export const observeHealth = (checks: HealthChecks): Layer<Attempt> => {
  const look = (reply: Reply): Reply => {
    if (reply.headers[immediateFail] !== undefined) checks.asked(reply.attempt.endpoint)
    return reply
  }
  return (next) => (attempt) => next(attempt).then(look)
}
