import type { Context, Span } from '@opentelemetry/api'
import type { Clock } from '../runtime/clock.ts'
import type { Endpoint, Load } from './endpoint.ts'
import { MeshError, type AttemptRecord, type MeshErrorCode } from './errors.ts'
import { httpStatusOf } from './grpc.ts'
import type { Passport } from './passport.ts'
import type { Ending, Reply, ReplyHeaders } from './reply.ts'
import type { HeaderList, RequestHead } from './request.ts'
import type { Send } from './send.ts'

/** The cluster of a call, as far as policies around it need to know it. */
export interface ClusterHandle {
  readonly name: string
  /** Allowance for retries and hedges together, shared by all callers of the cluster. */
  readonly budget: Budget
  /** Through breaker and limits to an endpoint. */
  readonly send: Send<Call>
}

/** Bounds what retries and hedges add to the load of a cluster. */
export interface Budget {
  /** Notes one call that began `now` (the clock's), which earns a fraction of a retry. */
  deposit(now: number): void
  /** Takes one retry out if there is one. */
  withdraw(): boolean
}

/**
 * Why a call whose attempt failed in a way worth retrying was not tried again:
 * - `attempts`: as many were made as the policy allows
 * - `not-repeatable`: it may have reached an endpoint, and sending it twice could mean something else
 * - `body-not-replayable`: its body had begun and can't be had again
 * - `retry-after`: the endpoint asked for a longer wait than the policy accepts
 * - `deadline`: the wait would not have ended before it
 * - `budget`: the cluster's allowance is used up
 * - `refused`: the cluster had no endpoint for it (breaker, limits, none left)
 */
export type RetryStop = 'attempts' | 'not-repeatable' | 'body-not-replayable' | 'retry-after' | 'deadline' | 'budget' | 'refused'

/** Retry policy of one call, in place of its route's. */
export interface RetryOverride {
  readonly attempts?: number | undefined
  readonly on?: readonly (string | number)[] | undefined
  readonly methods?: 'idempotent' | 'any' | readonly string[] | undefined
}

/** Policy of one call (`init.mesh`), parsed; what is absent stays with the route. */
export interface CallPolicy {
  /** Milliseconds; 0 is off. */
  readonly timeout?: number | undefined
  readonly attemptTimeout?: number | undefined
  readonly idleTimeout?: number | undefined
  readonly retry?: RetryOverride | false | undefined
  /** Takes the place of the sticky header or cookie, and keys hashing balancers. */
  readonly hashKey?: string | undefined
}

/** Something under way that can be stopped. */
export interface Abortable {
  /** Stops it; whoever waits for it hears the reason. */
  abort(reason: unknown): void
}

// An array that something is pushed to gets room for 17 at once, and most calls have one attempt: it is made with it (part of 16.3 to 14.4 KB of garbage for a `mesh.fetch`).
const none: readonly Attempt[] = []
const idle: readonly Abortable[] = []

/**
 * One logical request, from the caller's door to the end of its body.
 * Fixed shape: with the attempt, the only object of ours that every request makes.
 */
export class Call {
  /** What sticky splits and hashing balancers go by in place of what they are configured with; a layer of the user's own may set it. */
  hashKey: string | undefined
  /** What is sent; a route that rewrites puts a changed head in its place before the first attempt. */
  request: RequestHead
  readonly policy: CallPolicy | undefined
  /** Of the inbound request that it is made for. */
  readonly passport: Passport | undefined
  readonly clock: Clock
  readonly startedAt: number
  /** When it was rejected or its body was over (clock's now); 0 before. */
  endedAt = 0
  /** When everything must be over (clock's now); lifted once its connection has changed over to another protocol. */
  deadline = Number.POSITIVE_INFINITY
  /** Milliseconds of silence on the wire that end an attempt; 0 is off. */
  idleTimeout = 300_000
  /** Milliseconds until the head of an attempt's answer must be in; 0 is none. */
  attemptTimeout = 0
  /** Names it in the logs of both sides; empty where request ids are off. */
  requestId = ''
  /** OpenTelemetry's context of the caller, and the span around the call where there is one. Kept by `tracing/`. */
  context: Context | undefined = undefined
  span: Span | undefined = undefined
  /** Name of the service that was dialled. */
  service = ''
  /** Name of the route that matched. */
  route = ''
  cluster: ClusterHandle | undefined = undefined
  attempts: readonly Attempt[] = none
  /** Why the next attempt is made, for the trail. */
  why = 'first'
  /** Whether a request that may have reached an endpoint may be sent again; the retry policy widens it. */
  repeatable: boolean
  /**
   * An endpoint's answer kept while a better one is sought. It is let go only when the next attempt
   * has its endpoint: if it is still here when that fails, the caller gets it.
   */
  reserve: Reply | undefined = undefined
  /** Why retries stopped although the last attempt was worth one, for the trail. */
  stopped: RetryStop | undefined = undefined
  /** Whether an answer of gRPC is kept until its first message, or the trailers of one without a message: set by a retry policy that goes by its status. */
  holdsGrpc = false
  /** Hears 1xx answers, which are forwarded and never end an attempt. */
  onInformation: ((status: number, headers: Record<string, string | string[] | undefined>, raw: readonly (string | Buffer)[]) => void) | undefined = undefined

  aborted = false
  reason: unknown = undefined
  #ended = false
  #running: readonly Abortable[] = idle
  #endListeners: ((call: Call, ending: Ending) => void)[] | undefined = undefined

  constructor(request: RequestHead, clock: Clock, policy?: CallPolicy, passport?: Passport) {
    this.request = request
    this.policy = policy
    this.hashKey = policy?.hashKey
    this.passport = passport
    this.clock = clock
    this.startedAt = clock.now()
    this.repeatable = request.idempotent
  }

  /** The endpoints tried so far, the latest last. */
  get tried(): readonly Endpoint[] {
    return this.attempts.map((attempt) => attempt.endpoint)
  }

  /** Whether one of its attempts went to the endpoint. */
  hasTried(endpoint: Endpoint): boolean {
    for (const attempt of this.attempts) if (attempt.endpoint === endpoint) return true
    return false
  }

  /** Milliseconds left until the deadline. */
  get remaining(): number {
    return this.deadline - this.clock.now()
  }

  /** Starts an attempt at an endpoint. */
  begin(endpoint: Endpoint, load: Load): Attempt {
    const attempt = new Attempt(this, endpoint, load)
    this.attempts = this.attempts === none ? [attempt] : [...this.attempts, attempt]
    return attempt
  }

  /** Stops whatever is under way for this call, with the reason that its caller will see. */
  abort(reason: unknown): void {
    if (this.aborted || this.#ended) return
    this.aborted = true
    this.reason = reason
    for (const running of this.#running) running.abort(reason)
  }

  /** Has something stopped when the call is aborted; at once if it has been already. */
  track(running: Abortable): void {
    if (this.aborted) running.abort(this.reason)
    else this.#running = this.#running === idle ? [running] : [...this.#running, running]
  }

  /** No longer stops it with the call. */
  untrack(running: Abortable): void {
    this.#running = this.#running.length === 1 && this.#running[0] === running ? idle : this.#running.filter((one) => one !== running)
  }

  /** Waits on the clock; rejects with the reason if the call is aborted meanwhile. */
  pause(ms: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiting: Abortable = { abort: (reason) => { cancel(); this.untrack(waiting); reject(reason) } }
      const cancel = this.clock.after(ms, () => { this.untrack(waiting); resolve() })
      this.track(waiting)
    })
  }

  /** Hears, once, how the call ended: rejected, or its body over. */
  onEnd(listener: (call: Call, ending: Ending) => void): void {
    if (this.#endListeners === undefined) this.#endListeners = [listener]
    else this.#endListeners.push(listener)
  }

  /** Says how the call ended; only the first time counts. An attempt that got onto no wire, since a layer refused it, is over with it. */
  end(ending: Ending): void {
    if (this.#ended) return
    this.#ended = true
    this.endedAt = this.clock.now()
    for (const attempt of this.attempts) if (attempt.wire === undefined) attempt.end('cancelled')
    this.request.body?.release()
    if (this.#endListeners) for (const listener of this.#endListeners) notify(listener, this, ending)
  }

  /**
   * An error about this call: names its service, its cluster and its attempts; one that still runs is written down as ended by it.
   * Its cause is by default what the last attempt failed with.
   */
  error(code: MeshErrorCode, message: string, cause: unknown = this.#lastFailure): MeshError {
    return new MeshError(code, message, {
      service: this.service || undefined,
      cluster: this.cluster?.name,
      attempts: this.attempts.map((attempt) => attempt.record(code)),
      cause,
    })
  }

  get #lastFailure(): unknown {
    const failed = this.attempts.findLast(({ ending }) => typeof ending === 'object')
    return failed?.ending
  }

  /** What was asked, for messages: the method and the service, never the query, which may hold secrets. */
  toString(): string {
    const { method, host, port, authority, path, connection } = this.request
    if (connection) return `connection to ${host}:${port}`
    const query = path.indexOf('?')
    return `${method} ${authority}${method === 'CONNECT' ? ' to ' : ''}${query < 0 ? path : path.slice(0, query)}`
  }
}

/** Tells one listener of an end. One that throws must not keep the others from hearing, or the call would never be over: its error surfaces as an uncaught exception. */
const notify = <Ended>(listener: (ended: Ended, ending: Ending) => void, ended: Ended, ending: Ending): void => {
  try {
    listener(ended, ending)
  } catch (error) {
    queueMicrotask(() => { throw error })
  }
}

/** Hears of an attempt's end. */
export type AttemptListener = (attempt: Attempt, ending: Ending) => void

/** One try of a call at one endpoint; ends when its body ends. */
export class Attempt implements Abortable {
  readonly call: Call
  readonly endpoint: Endpoint
  readonly load: Load
  /** What is sent: the request's own fields, until a layer that adds to them puts another list in their place. `Host` is the transport's. */
  headers: HeaderList
  /** OpenTelemetry's span of this attempt. Kept by `tracing/`. */
  span: Span | undefined = undefined
  /** 1 for the first. */
  readonly number: number
  readonly why: string
  readonly startedAt: number
  /** When it was written to a socket (clock's now); 0 before, and for good if it never was. */
  sentAt = 0
  /** When the head of the answer came; 0 before. */
  headAt = 0
  endedAt = 0
  status = 0
  /** gRPC's status of the answer, where its cluster is judged by it; -1 before it is known, and elsewhere. */
  grpcStatus = -1
  /** Hears the fields of an answer's head from its transport, and then those of its trailers, before anybody else hears of either. */
  onFields: ((attempt: Attempt, fields: ReplyHeaders) => void) | undefined = undefined
  /** Bytes of the answer's body that have come; counted by the transport. */
  received = 0
  ending: Ending | undefined = undefined
  /** Set by the transport when a reused socket died under the request and it was sent once more. */
  resent = false
  /** Set by the transport when a reused socket died under it: that says nothing of the endpoint's health. */
  stale = false
  /** Which state of its cluster's breaker it began under; set by the breaker, which ignores results of earlier states. */
  generation = 0
  /** What carries it; set by the transport. */
  wire: Abortable | undefined = undefined
  /** What waits for layers of the user's; set while they have it. */
  held: Abortable | undefined = undefined
  readonly #listeners: AttemptListener[] = []

  constructor(call: Call, endpoint: Endpoint, load: Load) {
    this.call = call
    this.endpoint = endpoint
    this.load = load
    this.headers = call.request.headers
    this.number = call.attempts.length + 1
    this.why = call.why
    this.startedAt = call.clock.now()
  }

  /** Stops the attempt on the wire, without effect once it has ended, and whoever waits for layers that have it. */
  abort(reason: unknown): void {
    if (this.ending === undefined) this.wire?.abort(reason)
    this.held?.abort(reason)
  }

  /** Hears, once, how the attempt ended: failed, or its body over; at once if it has. */
  onEnd(listener: AttemptListener): void {
    if (this.ending === undefined) this.#listeners.push(listener)
    else listener(this, this.ending)
  }

  /** Says how the attempt ended; only the first time counts. */
  end(ending: Ending): void {
    if (this.ending !== undefined) return
    this.ending = ending
    this.endedAt = this.call.clock.now()
    for (const listener of this.#listeners) notify(listener, this, ending)
  }

  /** What became of it, as plain data; `fatal` is the error that is about to end it. */
  record(fatal?: MeshErrorCode): AttemptRecord {
    const since = (at: number): number => Math.round((at - this.startedAt) * 1000) / 1000
    const ending = this.ending ?? fatal
    const endedAt = this.ending === undefined && fatal ? this.call.clock.now() : this.endedAt
    return {
      number: this.number,
      endpoint: this.endpoint.address,
      why: this.why,
      startedAt: Math.round((this.startedAt - this.call.startedAt) * 1000) / 1000,
      ...(this.sentAt > 0 && { queued: since(this.sentAt) }),
      ...(this.headAt > 0 && { head: since(this.headAt) }),
      ...(endedAt > 0 && { took: since(endedAt) }),
      ...(this.status > 0 && { status: this.status }),
      ...(ending !== undefined && { ending: typeof ending === 'string' ? ending : ending.code }),
      ...(this.resent && { resent: true as const }),
    }
  }
}

/** What an answer says of its endpoint, as a status of HTTP; 0 before there is one. */
export const judged = ({ status, grpcStatus }: Attempt): number => grpcStatus > 0 ? httpStatusOf(grpcStatus) : status

/** Whether an ended attempt speaks for or against its endpoint; `undefined` when it says nothing. */
export const verdict = (attempt: Attempt, ending: Ending): 'success' | 'failure' | undefined => {
  // A head with such a status has said it all, whoever cut the body.
  if (judged(attempt) >= 500) return 'failure'
  if (ending === 'complete') return 'success'
  if (ending === 'cancelled' || attempt.stale) return undefined
  return 'failure'
}
