import type { Passport } from '../core/passport.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { newRequestId } from './request-id.ts'
import { readGrpcTimeout, readTimeLeft, timeLeftHeader } from './time-left.ts'
import { newTraceparent, readTraceparent, readTracestate } from './trace-context.ts'

/** Reads one field of an inbound request by its lower-case name; several of one name come joined by commas. */
export type ReadHeader = (name: string) => string | undefined

/** Header fields that travel on as they came, beside W3C's own, whose rules are stricter. */
export const passedOn: readonly string[] = [
  'baggage', 'b3', 'x-b3-traceid', 'x-b3-spanid', 'x-b3-parentspanid', 'x-b3-sampled', 'x-b3-flags', 'x-amzn-trace-id', 'uber-trace-id',
]

/** Longest field that travels on, in characters: what W3C has everyone carry of baggage. Longer ones are dropped whole. */
const longest = 8_192

/** What is carried on: any text that is a field's value, and no longer than it should be. */
const isCarried = (value: string): boolean => value !== '' && value.length <= longest && !/[^\t\x20-\x7e\x80-\xff]/.test(value)

/** A request id is somebody else's text that goes to logs: one word of visible characters, else a new one is made. */
const isRequestId = (id: string): boolean => /^[\x21-\x7e]{1,200}$/.test(id)

/**
 * Reads what an inbound request brings for the calls made for it. W3C's rules decide on `traceparent` and `tracestate`: a valid
 * trace goes on, an invalid one is begun anew. Where none came none is made up: the next service that records begins it, by its own sampling.
 */
export const readPassport = (
  read: ReadHeader, { clock, ids }: Pick<Runtime, 'clock' | 'ids'>, timeout = Number.POSITIVE_INFINITY,
): Passport => {
  const id = read('x-request-id')
  const headers = traceHeaders(read, () => newTraceparent(ids))
  for (const name of passedOn) {
    const value = read(name)
    if (value !== undefined && isCarried(value)) headers.push(name, value)
  }
  return {
    requestId: id !== undefined && isRequestId(id) ? id : newRequestId(ids),
    headers,
    deadline: clock.now() + Math.min(timeout, timeLeft(read)),
  }
}

const traceHeaders = (read: ReadHeader, restart: () => string): string[] => {
  const parent = read('traceparent')
  if (parent === undefined) return []
  const valid = readTraceparent(parent)
  if (valid === undefined) return ['traceparent', restart()]
  const text = read('tracestate')
  const state = text !== undefined && text.length <= longest ? readTracestate(text) : undefined
  return state === undefined ? ['traceparent', valid] : ['traceparent', valid, 'tracestate', state]
}

/**
 * Reads for the application's own propagator: what W3C's rules refuse is as good as absent, so that its trace is begun anew; what
 * would not be carried on is absent too. Fields of formats that the mesh does not know pass.
 */
export const onlyValid = (read: ReadHeader): ReadHeader => (name) => {
  const value = read(name)
  if (value === undefined || !isCarried(value)) return undefined
  if (name === 'traceparent') return readTraceparent(value)
  return name === 'tracestate' ? readTracestate(value) : value
}

/** Milliseconds that the sender still waits: the shorter of what `grpc-timeout` and `x-envoy-expected-rq-timeout-ms` say; what can't be read says nothing. */
const timeLeft = (read: ReadHeader): number =>
  Math.min(readGrpcTimeout(read('grpc-timeout')), readTimeLeft(read(timeLeftHeader)))
