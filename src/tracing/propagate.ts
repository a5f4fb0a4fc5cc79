import { context, createContextKey, propagation, type TextMapSetter } from '@opentelemetry/api'
import type { Attempt, Call } from '../core/call.ts'
import type { HeaderList } from '../core/request.ts'
import type { Layer } from '../core/send.ts'
import type { TelemetryConfig } from './config.ts'
import { contextOf } from './spans.ts'
import { readGrpcTimeout, timeLeftHeader, wholeMilliseconds, writeGrpcTimeout } from './time-left.ts'

/** The key by which OpenTelemetry's own packages know that somebody else traces already. It has no public name in the API. */
const suppressed = createContextKey('OpenTelemetry SDK Context Key SUPPRESS_TRACING')

const pushing: TextMapSetter<string[]> = { set: (list, name, value) => { list.push(name.toLowerCase(), value) } }

/**
 * Writes on each attempt what travels with it: the attempt's place in its trace in whatever formats the application has registered,
 * what came with the inbound request, the request id, the time left. Each field stands there once: what the mesh writes replaces
 * what a caller wrote by hand. Instrumentations below find tracing suppressed, so that they neither open a second span nor add a second field.
 */
export const propagate = ({ tracing, requestId, deadline }: TelemetryConfig): Layer<Attempt> => (next) => (attempt) => {
  const { call } = attempt
  const added: string[] = []
  if (tracing) propagation.inject(contextOf(attempt), added, pushing)
  keepOtherKeys(added, call)
  addPassport(added, attempt.headers, call)
  if (requestId && call.requestId !== '') added.push('x-request-id', call.requestId)
  if (deadline) addTimeLeft(added, call)
  if (added.length > 0) attempt.headers = replacing(attempt.headers, added)
  if (attempt.span === undefined) return next(attempt)
  return context.with(context.active().setValue(suppressed, true), next, undefined, attempt)
}

/** Formats of several fields, which belong together: one that the caller wrote is not mixed with one that came in. */
const family = (name: string): string => {
  if (name === 'tracestate') return 'traceparent'
  return name.startsWith('x-b3-') ? 'x-b3-' : name
}

const has = (headers: HeaderList, wanted: string): boolean => {
  for (let i = 0; i < headers.length; i += 2) if (family(headers[i]!.toLowerCase()) === wanted) return true
  return false
}

/** Adds what came in with the inbound request, but for formats that the application's propagator speaks for and fields that the caller wrote. */
const addPassport = (added: string[], headers: HeaderList, { passport }: Call): void => {
  if (!passport || passport.headers.length === 0) return
  const spokenFor = propagation.fields().map((name) => family(name.toLowerCase()))
  for (let i = 0; i < passport.headers.length; i += 2) {
    const name = passport.headers[i]!
    const format = family(name)
    if (!spokenFor.includes(format) && !has(headers, format)) added.push(name, passport.headers[i + 1]!)
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

/** Each attempt has less left than the one before. A `grpc-timeout` that the caller wrote is shortened to it. */
const addTimeLeft = (added: string[], call: Call): void => {
  const left = call.remaining
  if (left === Number.POSITIVE_INFINITY) return
  added.push(timeLeftHeader, String(wholeMilliseconds(left)))
  const written = call.request.header('grpc-timeout')
  if (written !== undefined && left < readGrpcTimeout(written)) added.push('grpc-timeout', writeGrpcTimeout(left))
}

/** The list without the fields that are added, and these at its end. */
const replacing = (headers: HeaderList, added: string[]): HeaderList => {
  const list: string[] = []
  for (let i = 0; i < headers.length; i += 2) {
    if (!isAdded(headers[i]!, added)) list.push(headers[i]!, headers[i + 1]!)
  }
  for (const text of added) list.push(text)
  return list
}

const isAdded = (name: string, added: readonly string[]): boolean => {
  for (let i = 0; i < added.length; i += 2) {
    const other = added[i]!
    if (name.length === other.length && (name === other || name.toLowerCase() === other)) return true
  }
  return false
}
