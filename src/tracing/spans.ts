import {
  context, isSpanContextValid, SpanKind, SpanStatusCode, trace,
  type Attributes, type Context, type Span, type SpanOptions, type Tracer,
} from '@opentelemetry/api'
import type { Attempt, Call } from '../core/call.ts'
import { MeshError } from '../core/errors.ts'
import type { Ending } from '../core/reply.ts'
import type { Layer } from '../core/send.ts'
import { parseAddress } from './peer.ts'
import { shielded } from './shielded.ts'
import { currentTracer } from './tracer.ts'
import { knownMethod, urlOf } from './url.ts'
import type { HttpVersion } from './version.ts'

/*
 * By OpenTelemetry's conventions for HTTP clients (stable since 1.23): one CLIENT span for each attempt on the wire, and no other
 * CLIENT span around them. https://opentelemetry.io/docs/specs/semconv/http/http-spans/
 */

/**
 * Keeps the caller's place in the trace, and puts an INTERNAL span around a call of which a policy made more than one plain attempt.
 * A span's parent is fixed when it starts, and the first attempt is on the wire before anybody knows of a second. So the first stands
 * beside the call's span, which links to it, and the others under it; a call that goes well is one span and not two. Where the
 * caller has no span, the first attempt begins the trace, and the call's span stands under it.
 */
export const callSpan: Layer<Call> = (next) => (call) => {
  if (currentTracer() === undefined) return next(call)
  call.context = context.active()
  call.onEnd(endCallSpan)
  return next(call)
}

/** Without a span where an SDK's sampler or processor throws. */
const startSpan = (tracer: Tracer | undefined, name: string, options: SpanOptions, parent: Context | undefined): Span | undefined =>
  shielded('starting a span', () => tracer?.startSpan(name, options, parent))

/** Milliseconds since the epoch at which a call began. */
const beginning = (call: Call): number => call.clock.wall() - (call.clock.now() - call.startedAt)

const startCallSpan = (call: Call): Span | undefined => {
  const first = call.attempts[0]?.span
  const link = first?.spanContext()
  return startSpan(currentTracer(), `call ${call.service}`, {
    kind: SpanKind.INTERNAL,
    startTime: beginning(call),
    attributes: { 'enmesh.service': call.service, 'enmesh.route': call.route, 'http.request.method': knownMethod(call.request.method) },
    ...(link && { links: [{ context: link }] }),
  }, parentOf(call, first))
}

/** The caller's span. Where there is none, the first attempt has begun the trace: beside it the call would be in another. */
const parentOf = ({ context: caller }: Call, first: Span | undefined): Context | undefined =>
  caller && first && !trace.getSpanContext(caller) ? trace.setSpan(caller, first) : caller

/** Whether a policy decided how the call ended: it was refused or cut by the mesh, or not tried again for another reason than having been tried enough. */
const policyActed = (call: Call, ending: Ending): boolean => {
  if (call.stopped !== undefined && call.stopped !== 'attempts') return true
  const last = call.attempts.at(-1)?.ending
  return ending instanceof MeshError && !(last instanceof MeshError && last.code === ending.code)
}

const endCallSpan = (call: Call, ending: Ending): void => {
  const span = call.span ?? (policyActed(call, ending) ? startCallSpan(call) : undefined)
  if (!span) return
  if (span.isRecording()) {
    span.setAttributes({
      'enmesh.attempts': call.attempts.length,
      ...(call.cluster && { 'enmesh.cluster': call.cluster.name }),
      ...(call.requestId && { 'enmesh.request_id': call.requestId }),
      ...(call.stopped && { 'enmesh.retry.stopped': call.stopped }),
    })
    // An answer that its caller gave up is none of the call's: it may have been one that was to be retried.
    conclude(span, ending === 'complete' ? call.attempts.at(-1)!.status : 0, ending)
  }
  span.end()
}

/** A CLIENT span for each attempt, under the caller's span, or under the call's where there is one. Ends when the body does. */
export const attemptSpan = (version: HttpVersion): Layer<Attempt> => (next) => (attempt) => {
  const tracer = currentTracer()
  const { call } = attempt
  if (!tracer || !call.context) return next(attempt)
  if (attempt.number === 2) call.span = startCallSpan(call)
  const parent = call.span ? trace.setSpan(call.context, call.span) : call.context
  const span = startSpan(tracer, nameOf(call), { kind: SpanKind.CLIENT, attributes: attributesOf(attempt, version) }, parent)
  // Inside an SDK's own work tracing is suppressed, and there is no span to carry on.
  if (!span || !isSpanContextValid(span.spanContext())) return next(attempt)
  attempt.span = span
  attempt.onEnd(endAttemptSpan)
  return context.with(trace.setSpan(parent, span), next, undefined, attempt)
}

/** The context in which an attempt is sent: its span's, where it has one. */
export const contextOf = (attempt: Attempt): Context => {
  const parent = attempt.call.context ?? context.active()
  return attempt.span ? trace.setSpan(parent, attempt.span) : parent
}

const nameOf = ({ request: { method } }: Call): string => knownMethod(method) === '_OTHER' ? 'HTTP' : method

const attributesOf = ({ call, endpoint, number, why }: Attempt, version: HttpVersion): Attributes => {
  const { request } = call
  const method = knownMethod(request.method)
  const peer = parseAddress(endpoint.address)
  return {
    'http.request.method': method,
    ...(method === '_OTHER' && { 'http.request.method_original': request.method }),
    'url.full': urlOf(request),
    'server.address': request.host,
    'server.port': request.port,
    'network.peer.address': peer.host,
    'network.peer.port': peer.port,
    'network.protocol.version': version,
    'enmesh.cluster': call.cluster?.name ?? '',
    ...(number > 1 && { 'http.request.resend_count': number - 1, 'enmesh.attempt.reason': why }),
  }
}

const endAttemptSpan = (attempt: Attempt, ending: Ending): void => {
  const span = attempt.span!
  if (span.isRecording()) {
    if (attempt.resent) span.setAttribute('enmesh.attempt.resent', true)
    conclude(span, attempt.status, ending)
  }
  span.end()
}

/** Writes down how it came out; a status of 0 is none. */
const conclude = (span: Span, status: number, ending: Ending): void => {
  if (status > 0) span.setAttribute('http.response.status_code', status)
  if (ending instanceof MeshError) fail(span, ending.code, ending)
  // For a client an answer of 4xx is an error as well.
  else if (status >= 400) fail(span, String(status))
}

const fail = (span: Span, type: string, error?: MeshError): void => {
  span.setAttribute('error.type', type)
  span.setStatus({ code: SpanStatusCode.ERROR, ...(error && { message: error.message }) })
  if (error) span.recordException({ name: error.name, message: error.message, code: error.code })
}
