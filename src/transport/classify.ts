import type { Attempt } from '../core/call.ts'
import type { MeshError } from '../core/errors.ts'
import type { Line } from './connections.ts'
import { cutBeforeAnswer, cutHandshake, tlsFailure } from './tls/tls-failure.ts'

const codeOf = (cause: unknown): string => {
  const { code } = cause as { code?: unknown }
  return typeof code === 'string' ? code : ''
}

// undici's word for a request that cannot be sent as it stands, by whomever.
const unsendable = /^UND_ERR_(INVALID_ARG|NOT_SUPPORTED|REQ_CONTENT_LENGTH_MISMATCH)$/

/** Whether a failure is of the caller's making: a request that cannot be sent, or a body whose source failed. It is passed on as it is. */
export const causedByCaller = ({ call }: Attempt, cause: Error): boolean =>
  unsendable.test(codeOf(cause)) || (call.request.body?.error !== undefined && call.request.body.error === cause)

// What could not be parsed, as undici keeps it: HTTP/2 begins with a frame of settings (RFC 9113, section 3.4).
const answersInHttp2 = (cause: Error): boolean =>
  cause.name === 'HTTPParserError' && /^\0[^]{2}\x04\0/.test((cause as { data?: string }).data ?? '')

/** Names a failure on the wire: what was asked, what was found, what to do. */
export const classify = (attempt: Attempt, cause: Error, line: Line | undefined): MeshError => {
  const { call, endpoint } = attempt
  const code = codeOf(cause)
  const found = `${code ? `${code}, ` : ''}${cause.message || 'no reason given'}`
  const asked = `${call} at ${endpoint.address}`
  const fresh = attempt.headAt === 0 && (line?.socket?.bytesRead ?? 0) === 0
  const handshake = line?.handshake
  const now = call.clock.wall()
  const tls = tlsFailure({ code, cause, handshake, fresh, now })
  const inHttp2 = answersInHttp2(cause)
  // undici keeps in it what could not be parsed: fields of the answer, cookies among them.
  if (cause.name === 'HTTPParserError') Reflect.deleteProperty(cause, 'data')
  if (tls) return call.error('ENMESH_TLS', `${asked}: the TLS connection could not be made (${code || cause.name}): ${tls.found}. ${tls.todo}.`, cause)
  if (code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT') {
    return call.error('ENMESH_ATTEMPT_TIMEOUT', `${asked}: the endpoint sent nothing for the \`idleTimeout\` of ${call.idleTimeout} ms (${found}). ` +
      'Raise it if silence of this length is meant, at the route and at the cluster: the less of the two holds.', cause)
  }
  if (attempt.sentAt === 0) {
    return call.error('ENMESH_CONNECT_FAILED', `${asked}: no connection could be made (${found}). ` +
      `The request was not sent. ${handshake && code === 'ECONNRESET' ? cutHandshake(handshake, now) : 'Check that the endpoint runs and that its registry is right.'}`, cause)
  }
  const when = attempt.headAt > 0 ? 'while its body was coming' : 'before it answered'
  const hint = inHttp2 ? ' It speaks HTTP/2: set `http2: true` for the cluster.' : !fresh ? ''
    : handshake === undefined ? ' If it speaks TLS, set `tls: true` for the cluster.' : handshake.asked ? cutBeforeAnswer(handshake, now) : ''
  return call.error('ENMESH_CONNECTION_RESET', `${asked}: the connection broke ${when} (${found}). ` +
    `Look at the endpoint: it, or something on the way to it, closed the connection.${hint}`, cause)
}
