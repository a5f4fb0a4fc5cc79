import { X509Certificate } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import { carries, namesIn } from '../transport/tls/certificate-names.ts'
import { chainOf as chainBehind, nameOf } from '../transport/tls/certificates.ts'

/** Why a client is refused, as a stable word. */
export type RefusalCode = 'plain-text' | 'tls' | 'silent' | 'no-certificate' | 'untrusted' | 'expired' | 'not-yet-valid' | 'wrong-name' | 'revoked'

/** Why a client is refused. */
export interface Refusal {
  readonly code: RefusalCode
  /** What was found, and what to do. */
  readonly reason: string
}

/** Which clients are let in. */
export interface ClientCheck {
  readonly names?: readonly string[] | undefined
  readonly required: boolean
}

const date = (written: string): string => new Date(Date.parse(written)).toISOString()

/** Judges the certificate of a client once the handshake is over; `undefined` for one that may come in. */
export const judgeClient = (socket: TLSSocket, certificate: X509Certificate | undefined, { names, required }: ClientCheck, now: number): Refusal | undefined => {
  if (!certificate) {
    return required ? { code: 'no-certificate', reason: 'the client showed no certificate. Give it one, or let everybody in with `clients.required: false`' } : undefined
  }
  // A session that goes on from before may outlive the certificate that it began with.
  if (Date.parse(certificate.validTo) < now) {
    return { code: 'expired', reason: `the client's certificate expired at ${date(certificate.validTo)}. Renew it at the client` }
  }
  if (Date.parse(certificate.validFrom) > now) {
    return { code: 'not-yet-valid', reason: `the client's certificate is valid only from ${date(certificate.validFrom)} on. Correct this machine's clock if it is slow` }
  }
  if (!socket.authorized) return untrusted(socket, certificate)
  if (names && !names.some((name) => carries(namesIn(certificate.subjectAltName), name))) {
    return {
      code: 'wrong-name',
      reason: `the client's certificate should be for ${names.map((name) => `'${name}'`).join(' or ')}, and is for ${nameOf(certificate.subjectAltName ?? 'no name at all')}. ` +
        'If it may come in, put a name that it carries into `clients.names`',
    }
  }
  return undefined
}

const untrusted = ({ authorizationError }: TLSSocket, { issuer }: X509Certificate): Refusal => {
  const code = nameOf(String(authorizationError))
  const chain = `${nameOf((issuer) ?? 'nobody')} (${code})`
  if (/EXPIRED/.test(code)) return { code: 'expired', reason: `a certificate in the client's chain has expired, issued by ${chain}. Renew it at the client` }
  if (/NOT_YET/.test(code)) return { code: 'not-yet-valid', reason: `a certificate in the client's chain is not valid yet, issued by ${chain}. Correct this machine's clock if it is slow` }
  return {
    code: 'untrusted',
    reason: `the client's certificate was issued by ${chain}, which does not lead to an authority in \`clients.ca\`. Put its authority there; if it is there, ` +
      'see that the certificate is meant for clients, and that the client sends its intermediates too',
  }
}

/**
 * The certificate of a client, and its issuers as far as they are known: of what a client sends, Node shows a server the client's own certificate, and issuers only
 * if they are among the authorities.
 */
export const chainOf = (socket: TLSSocket): readonly X509Certificate[] =>
  chainBehind(socket.getPeerCertificate(true)).filter(({ raw }) => raw !== undefined).map(({ raw }) => new X509Certificate(raw))

/** Whether a certificate that was good under other authorities leads to one of these; `unknown` where its last issuer is not at hand. */
export const standing = (authorities: readonly X509Certificate[], chain: readonly X509Certificate[]): 'trusted' | 'stranger' | 'unknown' => {
  const isTrusted = (one: X509Certificate): boolean => authorities.some((authority) => one.fingerprint256 === authority.fingerprint256 || isIssuedBy(one, authority))
  if (chain.some(isTrusted)) return 'trusted'
  const last = chain.at(-1)
  return last?.checkIssued(last) ? 'stranger' : 'unknown'
}

const isIssuedBy = (one: X509Certificate, by: X509Certificate): boolean => one.checkIssued(by) && one.verify(by.publicKey)
