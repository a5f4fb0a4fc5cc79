import type { Attempt } from '../../src/core/call.ts'
import type { MeshError, MeshErrorCode } from '../../src/core/errors.ts'
import type { BodySink, Reply, ReplyHeaders } from '../../src/core/reply.ts'
import type { Send } from '../../src/core/send.ts'
import type { Cancel, Clock } from '../../src/runtime/clock.ts'
import type { Endpoint } from '../../src/core/endpoint.ts'
import { loadHeader } from '../../src/server/load-meter.ts'
import { loadPath } from './algorithms.ts'
import type { ModelServer, Outcome } from './server.ts'

/** Milliseconds from a server to a client, and to a server that is not there and back. */
const wayBack = 0.5

/** The network between clients and modelled servers: takes the place of the mesh's transport. */
export class Wire {
  /** Connections ever needed: for each client and endpoint as many as it had attempts under way at once. */
  sockets = 0
  readonly #servers: ReadonlyMap<string, ModelServer>
  readonly #clock: Clock
  readonly #reports: boolean
  readonly #open = new Map<Endpoint, number>()

  constructor(servers: ReadonlyMap<string, ModelServer>, clock: Clock, reports: boolean) {
    this.#reports = reports
    this.#servers = servers
    this.#clock = clock
  }

  readonly send: Send<Attempt> = (attempt) => new Promise((resolve, reject) => {
    const { endpoint, call } = attempt
    const server = this.#servers.get(endpoint.address)!
    const isProbe = call.request.path === loadPath
    // An attempt is counted at its endpoint, a question of the balancer's is not.
    this.#connect(endpoint, endpoint.active + (isProbe ? 1 : 0))
    attempt.sentAt = this.#clock.now()
    const exchange = new Exchange(attempt, resolve, reject)
    const over = (outcome: Outcome): void => {
      const report = this.#reports ? server.meter.report() : undefined
      exchange.cancel = this.#clock.after(wayBack, () => exchange.arrive(outcome, report))
    }
    exchange.cancel = isProbe ? server.probe(over) : server.take(over)
    attempt.wire = { abort: (reason) => exchange.stop(reason) }
    call.track(attempt)
  })

  #connect(endpoint: Endpoint, needed: number): void {
    if (needed <= (this.#open.get(endpoint) ?? 0)) return
    this.#open.set(endpoint, needed)
    this.sockets++
  }
}

const codes: Readonly<Record<'reset' | 'refuse', MeshErrorCode>> = { reset: 'ENMESH_CONNECTION_RESET', refuse: 'ENMESH_CONNECT_FAILED' }

/** One attempt on the wire. Bodies take no time: an attempt ends with its head. */
class Exchange implements Reply {
  readonly attempt: Attempt
  cancel: Cancel = () => {}
  status = 0
  readonly statusText = ''
  headers: ReplyHeaders = {}
  readonly rawHeaders = []
  readonly #resolve: (reply: Reply) => void
  readonly #reject: (error: unknown) => void

  constructor(attempt: Attempt, resolve: (reply: Reply) => void, reject: (error: unknown) => void) {
    this.attempt = attempt
    this.#resolve = resolve
    this.#reject = reject
  }

  arrive(outcome: Outcome, report: string | undefined): void {
    const { attempt } = this
    if (attempt.ending !== undefined) return
    attempt.call.untrack(attempt)
    if (typeof outcome === 'string') {
      if (outcome === 'refuse') attempt.sentAt = 0
      const error = attempt.call.error(codes[outcome], outcome)
      attempt.end(error)
      return this.#reject(error)
    }
    this.status = attempt.status = outcome.status
    this.headers = { [loadHeader]: report, ...(outcome.retryAfter !== undefined && { 'retry-after': String(outcome.retryAfter) }) }
    attempt.headAt = attempt.call.clock.now()
    attempt.end('complete')
    this.#resolve(this)
  }

  stop(reason: unknown): void {
    const { attempt } = this
    if (attempt.ending !== undefined) return
    this.cancel()
    attempt.call.untrack(attempt)
    attempt.end(isMeshError(reason) ? reason : 'cancelled')
    this.#reject(reason)
  }

  pipe(sink: BodySink): void {
    sink.end({})
  }

  pause(): void {}
  resume(): void {}
  discard(): void {}
  abort(): void {}
}

const isMeshError = (reason: unknown): reason is MeshError => reason instanceof Error && 'code' in reason
