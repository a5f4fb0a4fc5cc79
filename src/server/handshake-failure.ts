import type { X509Certificate } from 'node:crypto'
import { nameOf } from '../transport/tls/certificates.ts'
import { serviceNames, subjectOf } from './caller.ts'

/** How a handshake came to nothing, other than by our refusal: `alert` said why, `left` did not, `timeout` never ended, and in `protocol` the two found nothing in common. */
export type HandshakeFailureCode = 'alert' | 'left' | 'timeout' | 'protocol'

/** What is told of it. */
export interface HandshakeFailure {
  readonly code: HandshakeFailureCode
  /** What was found, and what to do. */
  readonly reason: string
}

const date = (written: string): string => new Date(Date.parse(written)).toISOString()

const aboutOurs = (chain: readonly X509Certificate[], now: number): string => {
  const expired = chain.find(({ validTo }) => Date.parse(validTo) < now)
  const early = chain.find(({ validFrom }) => Date.parse(validFrom) > now)
  const validity = expired ? `in whose chain '${subjectOf(expired)}' expired at ${date(expired.validTo)}: renew it`
    : early ? `in whose chain '${subjectOf(early)}' is valid only from ${date(early.validFrom)} on` : `valid until ${date(chain[0]!.validTo)}`
  return `this server's certificate, '${subjectOf(chain[0]!)}' for ${serviceNames(chain[0]!).join(', ') || 'no name'}, ${validity}`
}

/** What happened where Node says that a handshake failed. `own` is what the client was shown: the server's certificate and its intermediates. */
export const handshakeFailure = (error: Error & { readonly code?: string, readonly reason?: string }, own: readonly X509Certificate[], now: number): HandshakeFailure => {
  const { code = '', message } = error
  const alert = /SSL alert number (\d+)/.exec(message)?.[1]
  const words = nameOf(error.reason ?? (message || 'no reason given'))
  if (alert !== undefined) {
    return { code: 'alert', reason: `the client refused the handshake (alert ${alert}, ${words}). See that it trusts and expects ${aboutOurs(own, now)}` }
  }
  if (code === 'ERR_TLS_HANDSHAKE_TIMEOUT') return { code: 'timeout', reason: 'the handshake did not end in `handshakeTimeout`' }
  if (code === 'ECONNRESET' || code === 'EPIPE') {
    return { code: 'left', reason: `the client closed the connection during the handshake. See that it trusts and expects ${aboutOurs(own, now)}` }
  }
  return { code: 'protocol', reason: `the handshake could not be made (${[code, words].filter((part) => part !== '').join(', ')}). Look for a version, a cipher or a protocol that both sides speak` }
}

/** What is told of a client that went without a request: clients that don't like a certificate often say nothing. */
export const leftWithoutRequest = (own: readonly X509Certificate[], now: number): HandshakeFailure => ({
  code: 'left', reason: `the client closed the connection after the handshake, without a request. If it was to make one, see that it trusts and expects ${aboutOurs(own, now)}`,
})
