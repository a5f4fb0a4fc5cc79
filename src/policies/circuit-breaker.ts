import { EventEmitter } from 'node:events'
import CircuitBreaker from 'opossum'
import { z } from 'zod'
import { duration } from '../config/duration.ts'
import { percent } from '../config/percent.ts'
import { judged, verdict, type Attempt, type Call } from '../core/call.ts'
import type { MeshError } from '../core/errors.ts'
import { publish } from '../core/events.ts'
import type { Ending, Reply } from '../core/reply.ts'
import type { Layer, Send } from '../core/send.ts'
import type { Cancel } from '../runtime/clock.ts'
import type { Runtime } from '../runtime/runtime.ts'

const aboveZero = (ms: number): boolean => ms > 0

/** When a cluster's breaker opens and for how long: Hystrix's rule with Hystrix's numbers. */
export const circuitBreakerConfig = z.strictObject({
  calls: z.int().min(1).default(20)
    .describe('Attempts that must have ended within the window before their failure rate says anything.'),
  failures: percent.gt(0).default(50)
    .describe('Share of failed attempts, in percent, at which the breaker opens; reaching it exactly opens it.'),
  window: duration.refine(aboveZero, 'must be longer than 0').default(10_000)
    .describe('How far back attempts are counted.'),
  open: duration.refine(aboveZero, 'must be longer than 0').default(5_000)
    .describe('How long calls are refused before one may probe the cluster; each time 20 % more or less, by chance.'),
})

/** A breaker's parsed configuration; durations in milliseconds. */
export type CircuitBreakerConfig = z.output<typeof circuitBreakerConfig>

/** `closed`: traffic flows. `open`: calls are refused. `half-open`: one call at a time probes the cluster. */
export type BreakerState = 'closed' | 'open' | 'half-open'

/** What a breaker knows, as plain data. */
export interface BreakerStatus {
  readonly state: BreakerState
  /** Attempts counted in the window; unless closed, those that were counted when it opened. */
  readonly calls: number
  /** Of those, the failed ones. */
  readonly failures: number
  /** When it opened, in milliseconds since the Unix epoch; absent while closed. */
  readonly openedAt?: number
  /** Milliseconds until a call may probe, 0 when the next may; absent while closed. */
  readonly nextProbeIn?: number
}

const buckets = 10

// Node fires a longer timer at once. Opossum's own never comes to run: its instance is shut down when it opens.
const outOfReach = 2 ** 31 - 1

// Opossum compares strictly while Hystrix opens at the threshold itself. No rate of fewer than 10^11 calls lies between.
const justBelow = 1e-9

const anyFailure = new Error('an attempt failed')

// Settles within `then`, so a recorded success has changed opossum's state by the time `fire` returns.
const settled = {
  then(fulfilled: () => void) {
    fulfilled()
    return { catch() {} }
  },
} as unknown as Promise<void>

/** The action given to opossum: it plays back an outcome that is already known. */
const replay = (failed: boolean): Promise<void> => {
  if (failed) throw anyFailure
  return settled
}

const ignore = (): void => {}

type Opossum = CircuitBreaker<[boolean], void>
type OpossumOptions = CircuitBreaker.Options<[boolean]> & { state?: { closed: boolean, open: boolean, halfOpen: boolean } }
type Counter = Exclude<keyof CircuitBreaker.Bucket, 'percentiles' | 'latencyTimes'>
interface CountingStatus extends CircuitBreaker.Status { increment(counter: Counter): void }

/**
 * Opossum's events (`fire`, `success`, `failure`, `reject`, `open`, `halfOpen`, `close`, `shutdown`) of one cluster's breaker,
 * for dashboards that listen to an opossum circuit. It stays the same while opossum's instances come and go behind it.
 */
export class BreakerEvents extends EventEmitter {
  /** The cluster: what dashboards label the circuit with. */
  readonly name: string
  readonly group: string

  constructor(name: string) {
    super()
    this.name = name
    this.group = name
  }

  /** All events there are, heard or not: exporters such as opossum-prometheus subscribe to what this lists. */
  override eventNames(): string[] {
    return ['fire', 'success', 'failure', 'reject', 'open', 'halfOpen', 'close', 'shutdown']
  }

  /** Tells the listeners if there are any; one that throws doesn't disturb the breaker. */
  tell(event: string, ...detail: unknown[]): void {
    if (this.listenerCount(event) === 0) return
    try {
      this.emit(event, ...detail)
    } catch (error) {
      queueMicrotask(() => { throw error })
    }
  }
}

/**
 * Answers for one cluster: is it worth calling at all? Single endpoints are outlier detection's business.
 *
 * Opossum 10 counts and decides when to open. Around it, this class does what opossum can't: admission (only verdicts
 * reach opossum, so refusals, overflow and cancelled calls never dilute the rate), time (the mesh's clock turns the window
 * and ends the open state), and a guard against results of attempts that began before the last change of state.
 * Belongs to the cluster and outlives configuration snapshots.
 */
export class Breaker {
  readonly cluster: string
  readonly config: CircuitBreakerConfig
  readonly events: BreakerEvents
  /** Grows with each change of state; attempts carry the one they began under. */
  generation = 0
  readonly #runtime: Runtime
  readonly #bucket: number
  readonly #rotation = new EventEmitter()
  /** Absent while open, when nothing is to be counted, and after `close`. */
  #opossum: Opossum | undefined
  /** Its window, the newest bucket first. Asked for once a turn: opossum copies it each time. */
  #window: readonly CircuitBreaker.Bucket[] = []
  #state: BreakerState = 'closed'
  #rotated = 0
  /** What was counted when it last opened. */
  #calls = 0
  #failures = 0
  #openedAt = 0
  #openedWall = 0
  #probeFrom = 0
  #cancel: Cancel = ignore
  /** The turn of the probe under way; 0 when there is none. */
  #probe = 0
  #turns = 0

  constructor(cluster: string, config: CircuitBreakerConfig, runtime: Runtime) {
    this.cluster = cluster
    this.config = config
    this.events = new BreakerEvents(cluster)
    this.#runtime = runtime
    this.#bucket = config.window / buckets
    this.#replace(false)
  }

  get state(): BreakerState {
    return this.#state
  }

  /** What it knows, as plain data. */
  status(): BreakerStatus {
    if (this.#state === 'closed') {
      this.#rotate(this.#runtime.clock.now())
      return { state: 'closed', ...this.#totals() }
    }
    return {
      state: this.#state,
      calls: this.#calls,
      failures: this.#failures,
      openedAt: this.#openedWall,
      nextProbeIn: this.#nextProbeIn(),
    }
  }

  /**
   * Counts an attempt that ended, or decides the half-open state by it.
   * Ignored if the attempt began before the last change of state.
   */
  record(attempt: Attempt, failed: boolean): void {
    if (attempt.generation !== this.generation || this.#opossum === undefined) return
    // Half-open it is told at the head, before the attempt has ended.
    const now = attempt.endedAt || this.#runtime.clock.now()
    this.#rotate(now)
    this.#report(attempt, failed, now)
    if (!failed && this.#state === 'closed') return this.#countSuccess()
    this.#opossum.fire(failed).catch(ignore)
  }

  /** All that opossum would do with a success while closed is to count it; to have it fired costs 0.3 µs more. */
  #countSuccess(): void {
    const newest = this.#window[0]!
    newest.fires++
    newest.successes++
    this.#openAfterSuccess()
  }

  /** Admits a probe if it is its turn; the number that `release` takes, or 0 for a refusal. */
  admitProbe(): number {
    if (this.#state !== 'half-open' || this.#nextProbeIn() > 0) return 0
    this.#probe = ++this.#turns
    this.#probeFrom = this.#runtime.clock.now() + this.config.open
    return this.#probe
  }

  /** Gives the turn of a probe back that ended without a verdict. */
  release(turn: number): void {
    if (this.#probe === turn) this.#probe = 0
  }

  /** The error of a call that is not admitted. */
  refusal(call: Call): MeshError {
    const now = this.#runtime.clock.now()
    const probe = Math.ceil(this.#nextProbeIn())
    const underWay = this.#state === 'open' ? '' : 'a probe is under way, '
    const error = call.error('ENMESH_CIRCUIT_OPEN',
      `${call} was not sent: the breaker of cluster '${this.cluster}' is ${this.#state}. `
      + `It opened ${Math.round(now - this.#openedAt)} ms ago when ${this.#failures} of ${this.#calls} attempts had failed; `
      + `${underWay}the next probe is allowed in ${probe} ms. `
      + 'Find out why the cluster fails (mesh.status() shows its endpoints); a fallback can answer meanwhile.')
    this.events.tell('fire', [])
    this.events.tell('reject', error)
    return error
  }

  /** Stops timers and opossum. Nothing is counted any more. */
  close(): void {
    this.#cancel()
    this.#retire()
    this.events.tell('shutdown')
    this.events.removeAllListeners()
  }

  #nextProbeIn(): number {
    if (this.#state === 'half-open' && this.#probe === 0) return 0
    return Math.max(0, this.#probeFrom - this.#runtime.clock.now())
  }

  /** Hystrix looks at the rate after every attempt, opossum only after a failure. */
  #openAfterSuccess(): void {
    const { calls, failures } = this.#totals()
    if (failures > 0 && calls >= this.config.calls && failures * 100 >= this.config.failures * calls) this.#opossum?.open()
  }

  #totals(): { calls: number, failures: number } {
    let calls = 0
    let failures = 0
    for (const bucket of this.#window) {
      calls += bucket.fires
      failures += bucket.failures
    }
    return { calls, failures }
  }

  /** Turns the window to the present. Done when somebody counts or looks, so no breaker needs an interval of its own. */
  #rotate(now: number): void {
    const present = Math.floor(now / this.#bucket)
    if (present === this.#rotated) return
    for (let turns = Math.min(present - this.#rotated, buckets); turns > 0; turns--) this.#rotation.emit('rotate')
    this.#rotated = present
    this.#window = this.#opossum?.status.window ?? []
  }

  #report(attempt: Attempt, failed: boolean, now: number): void {
    const { events } = this
    events.tell('fire', [])
    const took = now - attempt.startedAt
    if (!failed) events.tell('success', attempt.status, took)
    else if (events.listenerCount('failure') > 0) events.tell('failure', failureOf(attempt), took, [])
  }

  #retire(): void {
    this.#opossum?.shutdown()
    this.#opossum = undefined
    this.#window = []
  }

  /** Starts afresh: a new window, so what was counted before the change can't open it again. */
  #replace(halfOpen: boolean): void {
    this.#retire()
    // A literal of its own for each instance, since opossum writes its defaults into it.
    const options: OpossumOptions = {
      name: this.cluster,
      timeout: false,
      errorThresholdPercentage: this.config.failures - justBelow,
      volumeThreshold: this.config.calls,
      resetTimeout: outOfReach,
      rollingCountTimeout: this.config.window,
      rollingCountBuckets: buckets,
      rollingPercentilesEnabled: false,
      enableSnapshots: false,
      allowWarmUp: false,
      rotateBucketController: this.#rotation,
      ...(halfOpen && { state: { closed: false, open: false, halfOpen: true } }),
    }
    const opossum: Opossum = new CircuitBreaker(replay, options)
    // Opossum keeps each latency even with percentiles off: half a million numbers a window at 50 000 attempts per second.
    const status = opossum.status as CountingStatus
    status.increment = (counter) => { this.#window[0]![counter]++ }
    opossum.on('open', () => this.#opened())
    opossum.on('close', () => this.#recovered())
    this.#opossum = opossum
    this.#rotate(this.#runtime.clock.now())
    this.#window = opossum.status.window
  }

  #enter(state: BreakerState): void {
    this.#cancel()
    this.#cancel = ignore
    this.#state = state
    this.#probe = 0
    this.generation++
  }

  #opened(): void {
    const { calls, failures } = this.#totals()
    const { clock, random } = this.#runtime
    const open = this.config.open * (0.8 + 0.4 * random())
    this.#enter('open')
    this.#calls = calls
    this.#failures = failures
    this.#openedAt = clock.now()
    this.#openedWall = clock.wall()
    this.#probeFrom = clock.now() + open
    this.#retire()
    this.#cancel = clock.background(open, () => this.#halfOpened(open))
    publish(this.#runtime, 'breaker-opened', { cluster: this.cluster, failures, calls })
    this.events.tell('open')
  }

  #halfOpened(after: number): void {
    this.#enter('half-open')
    this.#replace(true)
    publish(this.#runtime, 'breaker-half-opened', { cluster: this.cluster })
    this.events.tell('halfOpen', after)
  }

  #recovered(): void {
    this.#enter('closed')
    this.#replace(false)
    publish(this.#runtime, 'breaker-closed', { cluster: this.cluster })
    this.events.tell('close')
  }
}

/**
 * Refuses calls while the breaker is open, and lets one at a time through while it is half-open.
 * Around the cluster's send, before the pick: a refusal takes no turn and marks no endpoint as tried.
 */
export const circuitBreaker = (breaker: Breaker): Layer<Call> => (next) => (call) => {
  if (breaker.state === 'closed') return next(call)
  const turn = breaker.admitProbe()
  return turn > 0 ? probe(breaker, turn, next, call) : Promise.reject(breaker.refusal(call))
}

// By the time `next` settles a verdict has ended the half-open state; if it hasn't, the probe said nothing and makes room.
const probe = async (breaker: Breaker, turn: number, next: Send<Call>, call: Call): Promise<Reply> => {
  try {
    return await next(call)
  } finally {
    breaker.release(turn)
  }
}

/**
 * Tells the breaker how each attempt went, once its body has ended.
 * Half-open it is decided at the head of the reply: a long stream must not hold back a cluster that answers.
 */
export const observeBreaker = (breaker: Breaker): Layer<Attempt> => (next) => {
  const onEnd = (attempt: Attempt, ending: Ending): void => {
    const said = verdict(attempt, ending)
    if (said !== undefined) breaker.record(attempt, said === 'failure')
  }
  const onHead = (reply: Reply): Reply => {
    breaker.record(reply.attempt, judged(reply.attempt) >= 500)
    return reply
  }
  return (attempt) => {
    attempt.generation = breaker.generation
    attempt.onEnd(onEnd)
    return breaker.state === 'half-open' ? next(attempt).then(onHead) : next(attempt)
  }
}

const failureOf = (attempt: Attempt): Error =>
  typeof attempt.ending === 'object' ? attempt.ending : new Error(`${attempt.grpcStatus > 0 ? `gRPC status ${attempt.grpcStatus}` : `status ${attempt.status}`} from ${attempt.endpoint.address}`)
