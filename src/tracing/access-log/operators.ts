import { trace } from '@opentelemetry/api'
import { hostname } from 'node:os'
import type { MeshErrorCode } from '../../core/errors.ts'
import type { HeaderList } from '../../core/request.ts'
import type { ReplyHeaders } from '../../core/reply.ts'
import { parseAddress } from '../peer.ts'
import { redactedPath } from '../url.ts'
import { attemptOf, errorOf, type Entry } from './entry.ts'
import { startTime, timeFault } from './start-time.ts'

/** What an operator finds; `undefined` is written as `-`. */
export type Reading = (entry: Entry) => string | number | undefined

/** An operator of Envoy's, for what stands in its brackets. */
interface Operator {
  readonly make: (argument: string | undefined) => Reading
  /** What is wrong with what stands in its brackets, if anything is; none may stand there where this is absent. */
  readonly faultOf?: (argument: string | undefined) => string | undefined
}

const plain = (reading: Reading): Operator => ({ make: () => reading })

const milliseconds = (from: number, to: number): number | undefined => from > 0 && to > 0 ? Math.max(0, Math.round(to - from)) : undefined

const endpointOf = (entry: Entry) => {
  const attempt = attemptOf(entry)
  return attempt && parseAddress(attempt.endpoint.address)
}

/** Envoy's word for what the mesh did; what comes from a service has none. */
const flags: Readonly<Partial<Record<MeshErrorCode, string>>> = {
  ENMESH_NO_ROUTE: 'NR',
  ENMESH_NO_ENDPOINT: 'UH',
  ENMESH_CIRCUIT_OPEN: 'UO',
  ENMESH_OVERLOADED: 'UO',
  ENMESH_DEADLINE_EXCEEDED: 'UT',
  ENMESH_ATTEMPT_TIMEOUT: 'UT',
  ENMESH_CONNECT_FAILED: 'UF',
  ENMESH_TLS: 'UF',
  ENMESH_CONNECTION_RESET: 'UC',
  ENMESH_CLOSED: 'LR',
}

const flagsOf = (entry: Entry): string | undefined => {
  const { call, ending } = entry
  const code = errorOf(entry)?.code
  const flag = ending === 'cancelled' ? 'DC' : code && flags[code]
  const found = [flag, call.stopped === 'attempts' ? 'URX' : undefined].filter((one) => one !== undefined)
  return found.length > 0 ? found.join(',') : undefined
}

const detailsOf = (entry: Entry): string | undefined => {
  if (entry.reply) return 'via_upstream'
  return errorOf(entry)?.code.toLowerCase() ?? (entry.ending === 'cancelled' ? 'downstream_disconnect' : undefined)
}

const fieldOf = (headers: HeaderList, name: string): string | undefined => {
  for (let i = 0; i < headers.length; i += 2) if (headers[i]!.toLowerCase() === name) return headers[i + 1]
  return undefined
}

const requestField = (name: string): Reading => {
  switch (name) {
    case ':method': return ({ call: { request } }) => request.connection ? undefined : request.method
    case ':scheme': return ({ call: { request } }) => request.scheme
    case ':authority': case 'host': return ({ call: { request } }) => request.hostHeader ?? request.authority
    case ':path': return ({ call: { request } }) => redactedPath(request) || undefined
    // As Envoy has it where a route rewrites the path.
    case 'x-envoy-original-path': return ({ asked, call: { request } }) => asked.path === request.path ? undefined : redactedPath(asked)
    case 'x-request-id': return ({ call }) => call.requestId || call.request.header(name)
    default: return (entry) => fieldOf(attemptOf(entry)?.headers ?? entry.call.request.headers, name)
  }
}

const valueOf = (headers: ReplyHeaders, name: string): string | undefined => {
  const value = headers[name]
  return Array.isArray(value) ? value.join(',') : value
}

const replyField = (name: string): Reading => {
  if (name === ':status') return ({ reply }) => reply?.status
  // Envoy writes it into the answer, the mesh changes none.
  if (name === 'x-envoy-upstream-service-time') {
    return ({ reply }) => reply && (valueOf(reply.headers, name) ?? milliseconds(reply.attempt.sentAt, reply.attempt.headAt))
  }
  return ({ reply }) => reply && valueOf(reply.headers, name)
}

/** `X?Y`: the field X, or where it is not there Y. */
const field = (of: (name: string) => Reading): Operator => ({
  make: (argument = '') => {
    const [first = '', second] = argument.toLowerCase().split('?')
    const main = of(first)
    if (second === undefined) return main
    const other = of(second)
    return (entry) => main(entry) ?? other(entry)
  },
  faultOf: (argument) => argument !== undefined && /^:?[!#$%&'*+.^_`|~\w-]+(?:\?:?[!#$%&'*+.^_`|~\w-]+)?$/.test(argument)
    ? undefined : "names a header, as in (user-agent), or one and another to take where it is not there, as in (x-real-host?:authority)",
})

/** The operators that have a meaning without a proxy. */
export const operators: Readonly<Record<string, Operator>> = {
  START_TIME: {
    make: (format) => {
      const write = startTime(format)
      return ({ call: { clock, startedAt } }) => write(clock.wall() - (clock.now() - startedAt))
    },
    faultOf: (format = '') => timeFault(format),
  },
  PROTOCOL: plain(({ call: { request } }) => request.connection ? undefined : 'HTTP/1.1'),
  METHOD: plain(requestField(':method')),
  PATH: plain(requestField(':path')),
  REQ: field(requestField),
  RESP: field(replyField),
  RESPONSE_CODE: plain(({ reply }) => reply?.status ?? 0),
  RESPONSE_CODE_DETAILS: plain(detailsOf),
  RESPONSE_FLAGS: plain(flagsOf),
  BYTES_RECEIVED: plain(({ sent }) => sent),
  BYTES_SENT: plain((entry) => attemptOf(entry)?.received ?? 0),
  DURATION: plain(({ call }) => Math.round(call.endedAt - call.startedAt)),
  RESPONSE_DURATION: plain(({ call, reply }) => reply && milliseconds(call.startedAt, reply.attempt.headAt)),
  RESPONSE_TX_DURATION: plain(({ call, reply }) => reply && milliseconds(reply.attempt.headAt, call.endedAt)),
  UPSTREAM_HOST: plain((entry) => attemptOf(entry)?.endpoint.address),
  UPSTREAM_REMOTE_ADDRESS: plain((entry) => attemptOf(entry)?.endpoint.address),
  UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: plain((entry) => endpointOf(entry)?.host),
  UPSTREAM_REMOTE_PORT: plain((entry) => endpointOf(entry)?.port),
  UPSTREAM_CLUSTER: plain(({ call }) => call.cluster?.name),
  UPSTREAM_REQUEST_ATTEMPT_COUNT: plain(({ call }) => call.attempts.length),
  UPSTREAM_TRANSPORT_FAILURE_REASON: plain((entry) => errorOf(entry)?.code === 'ENMESH_TLS' ? 'enmesh_tls' : undefined),
  ROUTE_NAME: plain(({ call }) => call.route || undefined),
  TRACE_ID: plain((entry) => {
    const span = entry.call.span ?? attemptOf(entry)?.span
    return span?.spanContext().traceId ?? (entry.call.context && trace.getSpanContext(entry.call.context)?.traceId)
  }),
  HOSTNAME: plain(() => hostname()),
}

/** Operators of Envoy's that ask for what only a proxy has: the other side of its connections, its own settings, trailers. */
export const foreignOperators: ReadonlySet<string> = new Set([
  'ACCESS_LOG_TYPE', 'CONNECTION_ID', 'CONNECTION_TERMINATION_DETAILS', 'COMMON_DURATION', 'CUSTOM_FLAGS', 'DYNAMIC_METADATA', 'CLUSTER_METADATA',
  'UPSTREAM_METADATA', 'METADATA', 'VIRTUAL_CLUSTER_NAME', 'UPSTREAM_CONNECTION_ID', 'EMIT_TIME', 'ENVIRONMENT', 'FILTER_CHAIN_NAME',
  'FILTER_STATE', 'UPSTREAM_FILTER_STATE', 'GRPC_STATUS', 'GRPC_STATUS_NUMBER', 'LOCAL_REPLY_BODY', 'PEER_CERT_V_START', 'PROTOCOL_UPSTREAM',
  'REQUEST_DURATION', 'REQUEST_TX_DURATION', 'REQUEST_HEADERS_BYTES', 'RESPONSE_HEADERS_BYTES', 'RESPONSE_TRAILERS_BYTES', 'REQUESTED_SERVER_NAME',
  'ROUNDTRIP_DURATION', 'START_TIME_LOCAL', 'STREAM_ID', 'TLS_JA3_FINGERPRINT', 'TRAILER', 'UNIQUE_ID', 'BYTES_RETRANSMITTED', 'PACKETS_RETRANSMITTED',
])

/** Families of such operators, by how their names begin. */
const foreignBeginnings = /^(?:DOWNSTREAM|UPSTREAM|QUERY_PARAM)_/

/** Whether Envoy knows the operator and nothing here can answer it. */
export const isForeign = (name: string): boolean => foreignOperators.has(name) || (!Object.hasOwn(operators, name) && foreignBeginnings.test(name))
