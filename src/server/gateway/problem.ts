import { MeshError, type AttemptRecord, type MeshErrorCode } from '../../core/errors.ts'
import { problemHeaders, problemType } from '../problem.ts'

/**
 * Why a gateway answers by itself, as a stable word: a code of the mesh, or one of the gateway's own.
 * - `ENMESH_BAD_REQUEST`: what came is no request that can be passed on without doubt
 * - `ENMESH_TOO_LARGE`: target, header fields or body are above a limit
 * - `ENMESH_REQUEST_TIMEOUT`: the request did not come whole in time
 * - `ENMESH_NOT_SUPPORTED`: a method, expectation, upgrade or version that the gateway does not pass on
 * - `ENMESH_INTERNAL`: something failed that is neither the client's nor a service's doing, such as a layer of your own
 */
export type GatewayErrorCode =
  | MeshErrorCode
  | 'ENMESH_BAD_REQUEST'
  | 'ENMESH_TOO_LARGE'
  | 'ENMESH_REQUEST_TIMEOUT'
  | 'ENMESH_NOT_SUPPORTED'
  | 'ENMESH_INTERNAL'

/** What a gateway answers with where no service does: a problem after RFC 9457, as `application/problem+json`. */
export interface Problem {
  /** `urn:enmesh:error:` and the code. */
  readonly type: string
  readonly title: string
  readonly status: number
  /** In words, without internal names and addresses unless the gateway discloses them. */
  readonly detail: string
  /** The same as in the header `enmesh-error`. */
  readonly code: GatewayErrorCode
  /** The `x-request-id` of the answer; absent where it was not even known to be a request. */
  readonly requestId?: string
  /** Name of the gateway's route that took the request, where it has one and the gateway discloses it. */
  readonly route?: string
  /** What was tried, where the gateway discloses it. */
  readonly attempts?: readonly AttemptRecord[]
}

interface Kind {
  readonly status: number
  readonly title: string
  readonly detail: string
}

const kinds: Readonly<Record<GatewayErrorCode, Kind>> = {
  ENMESH_NO_ROUTE: { status: 404, title: 'No route', detail: 'Nothing is served under this host and path, or not for a request like this.' },
  ENMESH_EGRESS_DENIED: { status: 502, title: 'Not a service', detail: 'The way of this request leads out of the mesh.' },
  ENMESH_NO_ENDPOINT: { status: 503, title: 'No endpoint', detail: 'No instance of the service is known or well.' },
  ENMESH_CIRCUIT_OPEN: { status: 503, title: 'Circuit open', detail: 'The service has failed too often and is not called for now.' },
  ENMESH_OVERLOADED: { status: 503, title: 'Overloaded', detail: 'Too many requests to the service are under way.' },
  ENMESH_DEADLINE_EXCEEDED: { status: 504, title: 'Deadline exceeded', detail: 'The service did not answer in the time that the request has.' },
  ENMESH_ATTEMPT_TIMEOUT: { status: 504, title: 'Timeout', detail: 'The service did not answer in time.' },
  ENMESH_CONNECT_FAILED: { status: 502, title: 'Connection failed', detail: 'No connection to the service could be made.' },
  ENMESH_CONNECTION_RESET: { status: 502, title: 'Connection reset', detail: 'The connection to the service broke before it had answered.' },
  ENMESH_TLS: { status: 502, title: 'TLS failed', detail: 'No secure connection to the service could be made.' },
  ENMESH_CLOSED: { status: 503, title: 'Closed', detail: 'The gateway is about to stop.' },
  ENMESH_CONFIG_INVALID: { status: 500, title: 'Configuration invalid', detail: 'The gateway is configured wrongly.' },
  ENMESH_BAD_REQUEST: { status: 400, title: 'Bad request', detail: 'This is no request that can be passed on.' },
  ENMESH_TOO_LARGE: { status: 413, title: 'Too large', detail: 'The request is larger than it may be.' },
  ENMESH_REQUEST_TIMEOUT: { status: 408, title: 'Request timeout', detail: 'The request did not come whole in time.' },
  ENMESH_NOT_SUPPORTED: { status: 501, title: 'Not supported', detail: 'The request asks for something that the gateway does not pass on.' },
  ENMESH_INTERNAL: { status: 500, title: 'Internal error', detail: 'Something went wrong in the gateway.' },
}

/** Thrown where the gateway itself decides against a request. Its words are meant for the client. */
export class Refusal extends Error {
  readonly code: GatewayErrorCode
  readonly status: number
  /** Whether the connection must not carry another request: nobody can be sure where this one ends. */
  readonly last: boolean

  constructor(code: GatewayErrorCode, detail: string = kinds[code].detail, status = kinds[code].status, last = true) {
    super(detail)
    this.name = 'Refusal'
    this.code = code
    this.status = status
    this.last = last
  }
}

/** Puts an error into words for a client: all of them where `disclose` is set, else none that tell of the inside. */
export const problemOf = (error: unknown, requestId: string | undefined, disclose: boolean, route?: string): Problem => {
  const code = error instanceof MeshError || error instanceof Refusal ? error.code : 'ENMESH_INTERNAL'
  const { title, status, detail } = kinds[code]
  const told = error instanceof Refusal || (disclose && error instanceof Error) ? error.message : detail
  return {
    type: problemType(code),
    title,
    status: error instanceof Refusal ? error.status : status,
    detail: told,
    code,
    ...(requestId !== undefined && { requestId }),
    ...(disclose && route !== undefined && { route }),
    ...(disclose && error instanceof MeshError && { attempts: error.attempts }),
  }
}

/** Header fields and body of a problem answer. */
export const written = (problem: Problem): { readonly fields: string[], readonly body: Buffer } => {
  const body = Buffer.from(JSON.stringify(problem))
  const fields = Object.entries(problemHeaders(problem.code, body.byteLength)).flat()
  if (problem.requestId !== undefined) fields.push('x-request-id', problem.requestId)
  return { body, fields }
}

/** The head of an answer as it goes over the wire. */
export const wireHead = (status: number, text: string, fields: readonly string[]): string => {
  let head = `HTTP/1.1 ${status} ${text || (process.getBuiltinModule('node:http').STATUS_CODES[status] ?? '')}\r\n`
  for (let i = 0; i < fields.length; i += 2) head += `${fields[i]!}: ${fields[i + 1]!}\r\n`
  return `${head}\r\n`
}
