import { carry, type Passport } from '../core/passport.ts'
import { busyTime } from '../runtime/busy.ts'
import type { Clock } from '../runtime/clock.ts'
import { systemRuntime, type Runtime } from '../runtime/runtime.ts'
import { readPassport, type ReadHeader } from '../tracing/inbound.ts'
import { ServerSpans, type InboundRequest, type ServerSpan } from '../tracing/server-span.ts'
import { keepContext } from './keep-context.ts'
import { listenFirst } from './listen-first.ts'
import { loadHeader, LoadMeter } from './load-meter.ts'
import { NodeInbound, type Framework, type NodeRequest, type NodeResponse } from './node-inbound.ts'
import { checkOptions, timeoutOf, type PassportOptions } from './options.ts'
import { writtenPath } from './plain-path.ts'
import { reportLoad } from './report-load.ts'

/** A request that was let in. */
interface Admission {
  readonly passport: Passport
  readonly span: ServerSpan | undefined
  /** Says the route that took it. */
  route?: (() => string | undefined) | undefined
}

// On the request itself, for all hooks: one that passes several, one inside the other, keeps its first passport.
// A WeakMap would say the same; collecting its entries takes the whole hook from 0.9 to 1.8 µs.
const admitted = Symbol('enmesh.admitted')

const nothing: ReadHeader = () => undefined

/** Ends the deadline with the response that it was for. */
export const liftDeadline = (passport: Passport): void => { passport.deadline = Number.POSITIVE_INFINITY }

/** Where requests come in: what all hooks do. */
export class Entrance {
  readonly #runtime: Runtime
  readonly #restarts: boolean
  readonly #timeout: number
  readonly #spans = new ServerSpans()
  /** Where the load is to be told. */
  readonly meter: LoadMeter | undefined
  readonly #uncounted: ReadonlySet<string>

  constructor(options: PassportOptions) {
    checkOptions(options)
    this.#runtime = { ...systemRuntime(), ...options.runtime }
    this.#restarts = options.inbound === 'restart'
    this.#timeout = timeoutOf(options)
    this.meter = options.reportLoad ? new LoadMeter(this.clock, busyTime) : undefined
    this.#uncounted = new Set(typeof options.reportLoad === 'object' ? options.reportLoad.except : [])
  }

  /** Whether a request of this target is part of the load. */
  counts(target: string): boolean {
    return this.#uncounted.size === 0 || !this.#uncounted.has(writtenPath(target))
  }

  get clock(): Clock {
    return this.#runtime.clock
  }

  /** Makes the passport of a request, and its span where it is due. */
  open(request: InboundRequest): Admission {
    const read: ReadHeader = this.#restarts ? nothing : (name) => request.header(name)
    const passport = readPassport(read, this.#runtime, this.#timeout)
    return { passport, span: this.#spans.start(request, read, passport) }
  }

  /** Runs what handles one of Node's requests, with its passport; its response says the request id, whatever it will be. */
  admit<T>(request: NodeRequest & { [admitted]?: Admission }, response: NodeResponse, task: () => T, framework: Framework = {}): T {
    const known = request[admitted]
    if (known) {
      // An inner hook may know the route where the outer one does not.
      if (known.span) known.route ??= framework.followRoute?.()
      return carry(known.passport, task)
    }
    const { passport, span } = this.#begin(request, response, framework)
    if (!response.headersSent) response.setHeader('x-request-id', passport.requestId)
    this.#tellLoad(framework.target ?? request.url ?? '/', request, response)
    const handle = (): T => {
      keepContext(passport, request, response)
      return task()
    }
    return carry(passport, span ? () => span.run(handle) : handle)
  }

  /**
   * The same for one who alone reads and writes request and response: he says the request id himself (a head without fields set before is written in half the
   * time), and what their listeners hear is not of this context.
   */
  pass(request: NodeRequest & { [admitted]?: Admission }, response: NodeResponse, task: () => void, framework: Framework): void {
    if (request[admitted]) return this.admit(request, response, task, framework)
    const { passport, span } = this.#begin(request, response, framework)
    carry(passport, span ? () => span.run(task) : task)
  }

  #begin(request: NodeRequest & { [admitted]?: Admission }, response: NodeResponse, framework: Framework): Admission {
    const admission = request[admitted] = this.open(new NodeInbound(request, framework))
    const { passport, span } = admission
    // However it ended: nobody waits for it any more.
    if (passport.deadline < Number.POSITIVE_INFINITY) listenFirst(response, 'close', () => liftDeadline(passport))
    if (!span) return admission
    admission.route = framework.followRoute?.()
    // A client that hangs up brings `close` alone.
    const end = (): void => span.end(response.headersSent ? response.statusCode : undefined, admission.route?.())
    listenFirst(response, 'finish', end)
    listenFirst(response, 'close', end)
    return admission
  }

  #tellLoad(target: string, { httpVersion }: NodeRequest, response: NodeResponse): void {
    if (!this.meter) return
    if (this.counts(target)) reportLoad(this.meter, this.clock, httpVersion, response)
    else if (!response.headersSent) response.setHeader(loadHeader, this.meter.report())
  }
}
