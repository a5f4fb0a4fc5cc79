import {
  context, isSpanContextValid, propagation, SpanKind, SpanStatusCode, trace, TraceFlags,
  type Attributes, type Context, type Span, type TextMapGetter,
} from '@opentelemetry/api'
import type { Passport } from '../core/passport.ts'
import { onlyValid, type ReadHeader } from './inbound.ts'
import { readHost, type Peer } from './peer.ts'
import { shielded } from './shielded.ts'
import { currentTracer } from './tracer.ts'
import { knownMethod } from './url.ts'

/*
 * By OpenTelemetry's conventions for HTTP servers (stable since 1.23).
 * https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-server
 */

/** An inbound request as far as its passport and its span tell of it. */
export interface InboundRequest {
  readonly method: string
  /** As on the request line; the query is left out of spans, since it may hold secrets. */
  readonly target: string
  readonly scheme: string
  /** Host, and port, that it was sent to, as it says itself. */
  readonly authority: string | undefined
  /** Version of HTTP, such as `1.1`; `undefined` where it can't be known. */
  readonly version: string | undefined
  /** Address of whoever sent it, behind the proxies that the framework was told to trust. */
  readonly client: string | undefined
  /** The other end of its connection. */
  readonly peer: Peer | undefined
  /** Names of its header fields, in lower case. */
  names(): readonly string[]
  /** Value of a field by its lower-case name; several are joined by commas. */
  header(name: string): string | undefined
}

/** A SERVER span, and the context that the request's handler runs in. */
export class ServerSpan {
  readonly #span: Span
  readonly #context: Context
  readonly #method: string

  constructor(span: Span, parent: Context, method: string) {
    this.#span = span
    this.#context = trace.setSpan(parent, span)
    this.#method = method
  }

  /** Runs a task inside the span. */
  run<T>(task: () => T): T {
    return context.with(this.#context, task)
  }

  /**
   * Says how the request ended: with which status, if an answer began, and at which route, if the framework had one. Only the
   * first time counts. A status of 4xx is the client's error and not this service's; a client that hung up is none either.
   */
  end(status: number | undefined, route: string | undefined): void {
    const span = this.#span
    if (!span.isRecording()) return
    if (route !== undefined) {
      span.setAttribute('http.route', route)
      span.updateName(`${this.#method} ${route}`)
    }
    if (status !== undefined) span.setAttribute('http.response.status_code', status)
    if (status !== undefined && status >= 500) {
      span.setAttribute('error.type', String(status))
      span.setStatus({ code: SpanStatusCode.ERROR })
    }
    // Told by an event of the response, where what is thrown ends the process.
    shielded('ending a SERVER span', () => span.end())
  }
}

/** Starts SERVER spans where requests come in. */
export class ServerSpans {
  /** What is active where the hook is made, such as a span around the start of the application: it is no request's own. */
  readonly #outside = trace.getActiveSpan()

  /**
   * Starts the SERVER span of an inbound request, where OpenTelemetry has an SDK and nobody else has done so: `undefined` if a span
   * is under way already, or if tracing is suppressed. Its parent is what the application's propagator finds in the request.
   */
  start(request: InboundRequest, read: ReadHeader, passport: Passport): ServerSpan | undefined {
    const tracer = currentTracer()
    if (!tracer || this.#isUnderWay(trace.getActiveSpan(), request)) return undefined
    const parent = extract(request, read)
    const method = knownMethod(request.method) === '_OTHER' ? 'HTTP' : request.method
    const attributes = attributesOf(request, passport)
    const span = shielded('starting a SERVER span', () => tracer.startSpan(method, { kind: SpanKind.SERVER, attributes }, parent))
    return span && isSpanContextValid(span.spanContext()) ? new ServerSpan(span, parent, method) : undefined
  }

  /**
   * Whether a span is this request's own, and not left over where the server began to listen. One that records is; a sampled one that
   * records no more has ended. An unsampled one never recorded: it is told by the trace that came, else by not having been there before.
   */
  #isUnderWay(span: Span | undefined, request: InboundRequest): boolean {
    if (span === undefined || span.isRecording()) return span !== undefined
    const { traceFlags, traceId } = span.spanContext()
    if ((traceFlags & TraceFlags.SAMPLED) !== 0) return false
    // As it came, whether or not it is taken over: an instrumentation around knows nothing of `inbound`.
    const came = trace.getSpanContext(extract(request, (name) => request.header(name)))
    return came ? came.traceId === traceId : span !== this.#outside
  }
}

const extract = (request: InboundRequest, read: ReadHeader): Context => {
  const base = trace.deleteSpan(context.active())
  const getter: TextMapGetter<ReadHeader> = { get: (valid, name) => valid(name.toLowerCase()), keys: () => [...request.names()] }
  // A propagator that stumbles over what a stranger wrote must not cost the request its answer.
  return shielded("extracting a request's context", () => propagation.extract(base, onlyValid(read), getter)) ?? base
}

const attributesOf = (request: InboundRequest, passport: Passport): Attributes => {
  const method = knownMethod(request.method)
  const server = readHost(request.authority, request.scheme)
  const agent = request.header('user-agent')
  return {
    'http.request.method': method,
    ...(method === '_OTHER' && { 'http.request.method_original': request.method }),
    'url.path': pathOf(request.target),
    'url.scheme': request.scheme,
    ...(server && { 'server.address': server.host, 'server.port': server.port }),
    ...(request.client !== undefined && { 'client.address': request.client }),
    ...(request.peer && { 'network.peer.address': request.peer.host, 'network.peer.port': request.peer.port }),
    ...(request.version !== undefined && { 'network.protocol.version': request.version }),
    ...(agent !== undefined && { 'user_agent.original': agent }),
    'enmesh.request_id': passport.requestId,
  }
}

/** Path of a request's target, which may be a whole URL when it was meant for a proxy. */
const pathOf = (target: string): string => /^(?:[a-z][a-z0-9+.-]*:\/\/[^/?#]*)?([^?#]*)/i.exec(target)![1] || '/'
