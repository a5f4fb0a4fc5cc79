import { context, createContextKey, propagation, type Context, type TextMapSetter } from '@opentelemetry/api'
import type { Attempt, Call } from '../core/call.ts'
import type { HeaderList } from '../core/request.ts'
import type { Layer } from '../core/send.ts'
import type { TelemetryConfig } from './config.ts'
import { shielded } from './shielded.ts'
import { contextOf } from './spans.ts'
import { currentTracer } from './tracer.ts'
import { readGrpcTimeout, readTimeLeft, timeLeftHeader, wholeMilliseconds, writeGrpcTimeout } from './time-left.ts'

/** The key by which OpenTelemetry's own packages know that somebody else traces already. It has no public name in the API. */
const suppressed = createContextKey('OpenTelemetry SDK Context Key SUPPRESS_TRACING')

const pushing: TextMapSetter<string[]> = { set: (list, name, value) => { list.push(name.toLowerCase(), value) } }

/**
 * Writes on each attempt what travels with it: the attempt's place in its trace in whatever formats the application has registered,
 * what came with the inbound request, the request id, the time left. Each format stands there once: what the mesh writes replaces
 * what a caller or a layer wrote by hand. Instrumentations below find tracing suppressed, so that they neither open a second span nor
 * add a second field; where it is suppressed already, as in an exporter's own requests, no trace is carried on.
 */
export const propagate = ({ tracing, deadline }: TelemetryConfig): Layer<Attempt> => (next) => (attempt) => {
  const { call } = attempt
  const place = contextOf(attempt)
  const carried = place.getValue(suppressed) !== true
  const added = carried && tracing ? injected(place) : []
  if (carried) {
    keepOtherKeys(added, call)
    addPassport(added, attempt.headers, call, tracing)
  }
  if (call.requestId !== '') added.push('x-request-id', call.requestId)
  if (deadline) addTimeLeft(added, attempt)
  if (added.length > 0) attempt.headers = replacing(attempt.headers, added)
  if (attempt.span === undefined) return next(attempt)
  return context.with(context.active().setValue(suppressed, true), next, undefined, attempt)
}

/** What the application's propagator writes; nothing if it throws, so that no format stands there by half. */
const injected = (place: Context): string[] => shielded("injecting an attempt's context", () => {
  const list: string[] = []
  propagation.inject(place, list, pushing)
  return list
}) ?? []

/** The fields of the application's propagator, while somebody traces: without a tracer it writes none, and the trace that came would be lost. */
const propagatorFields = (tracing: boolean): readonly string[] =>
  tracing && currentTracer() === undefined ? [] : shielded("asking for a propagator's fields", () => propagation.fields()) ?? []

/**
 * The format that a field (its name in lower case) belongs to. Fields of one format are taken from one source: the state of one trace
 * means nothing to another, and of B3's two forms readers prefer the short one, so an old one would hide a new long one.
 */
const formatOf = (name: string): string => {
  if (name === 'tracestate') return 'traceparent'
  return name.startsWith('x-b3-') ? 'b3' : name
}

const formatsIn = (headers: HeaderList): readonly string[] => {
  const formats: string[] = []
  for (let i = 0; i < headers.length; i += 2) formats.push(formatOf(headers[i]!.toLowerCase()))
  return formats
}

/** Adds what came in with the inbound request, but for formats that the application's propagator speaks for, and those that stand there already. */
const addPassport = (added: string[], headers: HeaderList, { passport }: Call, tracing: boolean): void => {
  if (!passport || passport.headers.length === 0) return
  const spokenFor = propagatorFields(tracing).map((name) => formatOf(name.toLowerCase())).concat(formatsIn(headers), formatsIn(added))
  for (let i = 0; i < passport.headers.length; i += 2) {
    const name = passport.headers[i]!
    if (!spokenFor.includes(formatOf(name))) added.push(name, passport.headers[i + 1]!)
  }
}

const xray = 'x-amzn-trace-id'

const valueOf = (headers: HeaderList, name: string): string | undefined => {
  for (let i = 0; i < headers.length; i += 2) if (headers[i]!.toLowerCase() === name) return headers[i + 1]
  return undefined
}

/** Puts back what X-Ray's propagator leaves out: keys of the inbound field beside `Root`, `Parent` and `Sampled`. */
const keepOtherKeys = (added: string[], { passport }: Call): void => {
  if (!passport) return
  const at = added.indexOf(xray)
  const came = at >= 0 && valueOf(passport.headers, xray)
  if (!came) return
  const others = came.split(';').filter((pair) => pair.includes('=') && !/^\s*(?:root|parent|sampled)\s*=/i.test(pair)).map((pair) => pair.trim())
  if (others.length > 0) added[at + 1] = [added[at + 1], ...others].join(';')
}

/** Each attempt has less left than the one before. Where the caller wrote that he waits less long, that stands. */
const addTimeLeft = (added: string[], { call, headers }: Attempt): void => {
  const left = call.remaining
  if (left === Number.POSITIVE_INFINITY) return
  added.push(timeLeftHeader, String(wholeMilliseconds(Math.min(left, readTimeLeft(valueOf(headers, timeLeftHeader))))))
  const written = readGrpcTimeout(valueOf(headers, 'grpc-timeout'))
  if (written !== Number.POSITIVE_INFINITY && left < written) added.push('grpc-timeout', writeGrpcTimeout(left))
}

/** The list without fields of the formats that are added, and these at its end. */
const replacing = (headers: HeaderList, added: readonly string[]): HeaderList => {
  const formats = formatsIn(added)
  const list: string[] = []
  for (let i = 0; i < headers.length; i += 2) {
    if (!formats.includes(formatOf(headers[i]!.toLowerCase()))) list.push(headers[i]!, headers[i + 1]!)
  }
  list.push(...added)
  return list
}
