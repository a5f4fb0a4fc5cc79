import { context, createContextKey, propagation, type Context, type TextMapSetter } from '@opentelemetry/api'
import type { Attempt } from '../core/call.ts'
import type { Passport } from '../core/passport.ts'
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
  const { call, headers } = attempt
  const place = contextOf(attempt)
  const carried = place.getValue(suppressed) !== true
  const formats = formatsIn(headers)
  const added = carried && tracing ? injected(place) : []
  if (carried && call.passport) {
    keepOtherKeys(added, call.passport)
    addPassport(added, formats, call.passport, tracing)
  }
  if (call.requestId !== '') added.push('x-request-id', call.requestId)
  if (deadline) addTimeLeft(added, formats, attempt)
  if (added.length > 0) attempt.headers = replacing(headers, formats, added)
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
 * The format that a field belongs to. Fields of one format are taken from one source: the state of one trace
 * means nothing to another, and of B3's two forms readers prefer the short one, so an old one would hide a new long one.
 */
const formatOf = (name: string): string => {
  const lower = name.toLowerCase()
  if (lower === 'tracestate') return 'traceparent'
  return lower.startsWith('x-b3-') ? 'b3' : lower
}

// Asked of every field of every attempt, and a process writes few names; those that callers make up must not pile up, nor long ones be kept.
const known = new Map<string, string>()
const mostNames = 1_000
const longestName = 100

const knownFormatOf = (name: string): string => {
  let format = known.get(name)
  if (format === undefined) {
    if (known.size >= mostNames) known.clear()
    format = formatOf(name)
    if (name.length <= longestName) known.set(name, format)
  }
  return format
}

/** The format of each field, in their order. */
const formatsIn = (headers: HeaderList): readonly string[] => {
  const formats = new Array<string>(headers.length / 2)
  for (let i = 0; i < formats.length; i++) formats[i] = knownFormatOf(headers[2 * i]!)
  return formats
}

/** Adds what came in with the inbound request, but for formats that the application's propagator speaks for, and those that stand there already. */
const addPassport = (added: string[], formats: readonly string[], { headers }: Passport, tracing: boolean): void => {
  if (headers.length === 0) return
  const spokenFor = propagatorFields(tracing).map(knownFormatOf)
  const injected = formatsIn(added)
  for (let i = 0; i < headers.length; i += 2) {
    const format = knownFormatOf(headers[i]!)
    if (!formats.includes(format) && !injected.includes(format) && !spokenFor.includes(format)) added.push(headers[i]!, headers[i + 1]!)
  }
}

const xray = 'x-amzn-trace-id'

const valueOf = (headers: HeaderList, formats: readonly string[], name: string): string | undefined => {
  const at = formats.indexOf(name)
  return at < 0 ? undefined : headers[2 * at + 1]
}

/** Puts back what X-Ray's propagator leaves out: keys of the inbound field beside `Root`, `Parent` and `Sampled`. */
const keepOtherKeys = (added: string[], passport: Passport): void => {
  const at = added.indexOf(xray)
  const came = at >= 0 && valueOf(passport.headers, formatsIn(passport.headers), xray)
  if (!came) return
  const others = came.split(';').filter((pair) => pair.includes('=') && !/^\s*(?:root|parent|sampled)\s*=/i.test(pair)).map((pair) => pair.trim())
  if (others.length > 0) added[at + 1] = [added[at + 1], ...others].join(';')
}

/** Each attempt has less left than the one before. Where the caller wrote that he waits less long, that stands. */
const addTimeLeft = (added: string[], formats: readonly string[], { call, headers }: Attempt): void => {
  const left = call.remaining
  if (left === Number.POSITIVE_INFINITY) return
  added.push(timeLeftHeader, String(wholeMilliseconds(Math.min(left, readTimeLeft(valueOf(headers, formats, timeLeftHeader))))))
  const written = readGrpcTimeout(valueOf(headers, formats, 'grpc-timeout'))
  if (written !== Number.POSITIVE_INFINITY && left < written) added.push('grpc-timeout', writeGrpcTimeout(left))
}

/** The list without fields of the formats that are added, and these at its end. */
const replacing = (headers: HeaderList, formats: readonly string[], added: readonly string[]): HeaderList => {
  const taken = formatsIn(added)
  if (!formats.some((format) => taken.includes(format))) return headers.concat(added)
  return headers.filter((_, i) => !taken.includes(formats[i >> 1]!)).concat(added)
}
