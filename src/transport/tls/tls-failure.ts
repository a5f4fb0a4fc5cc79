import type { DetailedPeerCertificate, PeerCertificate } from 'node:tls'
import { chainOf, nameOf } from './certificates.ts'
import type { Handshake } from './tls.ts'

/** A failure of TLS in words. */
export interface Failure {
  readonly found: string
  readonly todo: string
}

/** What failed on a connection. */
export interface Failed {
  /** Node's or undici's word for it; may be empty. */
  readonly code: string
  readonly cause: Error
  /** The connection's handshake; `undefined` where TLS was not spoken. */
  readonly handshake: Handshake | undefined
  /** Whether no byte of an answer ever came over the connection. */
  readonly fresh: boolean
  /** Milliseconds since the epoch. */
  readonly now: number
}

const tlsCode = /^(ERR_TLS|ERR_SSL|CERT_|CRL_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|EPROTO|ERR_OSSL|HOSTNAME_MISMATCH|INVALID_|PATH_LENGTH)/
const unknownIssuer = /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_GET_ISSUER_CERT(_LOCALLY)?|UNABLE_TO_VERIFY_LEAF_SIGNATURE)$/
const noTls = /^ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|RECORD_LAYER_FAILURE|UNKNOWN_PROTOCOL|HTTP_REQUEST)$/
const closed = /^(UND_ERR_SOCKET|ECONNRESET|EPIPE|ECONNABORTED)$/

/** What to say of a failure where it is one of TLS; `undefined` where it isn't. */
export const tlsFailure = (failed: Failed): Failure | undefined => {
  const { code, cause, handshake, fresh } = failed
  if (!handshake) return answersInTls(cause) ? inTheClear : undefined
  // With TLS 1.3 the endpoint judges our certificate only after we began to send, and it may just hang up.
  if (handshake.unanswered && fresh && closed.test(code)) return clientCertificate(failed, handshake, 'closed the connection before it answered')
  if (!tlsCode.test(code)) return undefined
  if (code === 'CERT_HAS_EXPIRED') return expired(failed, handshake)
  if (code === 'CERT_NOT_YET_VALID') return notYetValid(failed, handshake)
  if (unknownIssuer.test(code)) return untrusted(code, handshake)
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return wrongName(cause, handshake)
  if (noTls.test(code)) {
    return { found: 'what the endpoint answered is no TLS', todo: 'If this port speaks plain HTTP, leave `tls` of the cluster out and dial http://; otherwise check the port' }
  }
  return alerted(failed, handshake) ?? {
    found: firstLine(cause),
    todo: 'Check the certificate of the endpoint, and `tls.ca` and `tls.servername` of the cluster',
  }
}

const inTheClear: Failure = { found: 'the endpoint answered a plain request with TLS', todo: 'Set `tls: true` for the cluster' }

// What could not be parsed, as undici keeps it: a record of TLS begins with its type, an alert or a handshake, and a 3.
const answersInTls = (cause: Error): boolean =>
  cause.name === 'HTTPParserError' && /^[\x15\x16]\x03/.test((cause as { data?: string }).data ?? '')

// OpenSSL's texts carry the memory and the source files of whoever built it.
const firstLine = (cause: Error): string => {
  const { reason } = cause as { reason?: unknown }
  return nameOf(typeof reason === 'string' && reason !== '' ? reason : cause.message || 'no reason given')
}

const date = (written: string): string => {
  const time = Date.parse(written)
  return Number.isNaN(time) ? nameOf(written) : new Date(time).toISOString()
}

const holder = ({ subject }: PeerCertificate): string => {
  const { CN, O } = subject as { CN?: string | string[], O?: string | string[] } | undefined ?? {}
  return `'${nameOf(String(CN ?? O ?? 'without a name'))}'`
}

const expired = ({ now }: Failed, { certificate }: Handshake): Failure => {
  const old = chainOf(certificate).find(({ valid_to: end }) => Date.parse(end) < now)
  return {
    found: old ? `the endpoint's certificate chain has ${holder(old)}, which expired at ${date(old.valid_to)}` : "a certificate of the endpoint's chain has expired",
    todo: "Renew that certificate at the endpoint; if it is valid still, correct this machine's clock",
  }
}

const notYetValid = ({ now }: Failed, { certificate }: Handshake): Failure => {
  const early = chainOf(certificate).find(({ valid_from: start }) => Date.parse(start) > now)
  return {
    found: early ? `the endpoint's certificate chain has ${holder(early)}, which is valid only from ${date(early.valid_from)} on`
      : "a certificate of the endpoint's chain is not valid yet",
    todo: "Correct this machine's clock if it is slow; otherwise give the endpoint a certificate that is valid now",
  }
}

const untrusted = (code: string, { certificate, options }: Handshake): Failure => {
  const last = chainOf(certificate).at(-1)
  const whose = options.ca === undefined ? "the machine's authorities" : '`tls.ca` of the cluster'
  if (code === 'DEPTH_ZERO_SELF_SIGNED_CERT') {
    return {
      found: `the endpoint's certificate${last ? ` (${holder(last)})` : ''} is signed by itself, and not among ${whose}`,
      todo: 'If it is the right one, put the certificate itself into `tls.ca` of the cluster',
    }
  }
  return {
    found: `the endpoint's certificate leads to the issuer ${last ? issuerOf(last) : 'unknown'}, which is not among ${whose}`,
    todo: 'Put the authority that issued it into `tls.ca` of the cluster; if it is there, have the endpoint send its intermediate certificates too',
  }
}

const issuerOf = ({ issuer }: DetailedPeerCertificate): string => holder({ subject: issuer } as PeerCertificate)

const wrongName = (cause: Error, { servername, options }: Handshake): Failure => {
  const { cert } = cause as { cert?: PeerCertificate }
  const names = nameOf(cert?.subjectaltname ?? '') || `no name at all${cert ? ` (the common name ${holder(cert)} counts for none)` : ''}`
  if (options.names) {
    return {
      found: `the endpoint's certificate should be for ${options.names.map((name) => `'${name}'`).join(' or ')}, and is for ${names}`,
      todo: 'If that is the right endpoint, put a name that it carries into `tls.names` of the cluster; otherwise have it issued for one of these',
    }
  }
  return {
    found: `the endpoint's certificate should be for '${servername}', and is for ${names}`,
    todo: 'Set `tls.servername` of the cluster to a name that it carries, or have it issued for this one',
  }
}

/** What the endpoint said in its alert (RFC 8446, section 6.2), by number: words of OpenSSL differ between versions. */
const alerted = (failed: Failed, handshake: Handshake): Failure | undefined => {
  const { cause, now } = failed
  const number = Number(/SSL alert number (\d+)/.exec(cause.message)?.[1])
  const said = `refused the handshake (alert ${number}, ${firstLine(cause)})`
  switch (number) {
    case 42: case 43: case 44: case 45: case 46: case 48: case 49: case 51: case 116: return clientCertificate(failed, handshake, said)
    case 40: return {
      found: `the endpoint ${said}: it ${handshake.options.cert === undefined ? 'may ask for a client certificate, which the cluster has not' : 'may not accept `tls.cert` of the cluster'}, ` +
        'or share no cipher with this Node',
      todo: `If it asks for a client certificate, ${giveOne(handshake, now)}`,
    }
    case 70: return { found: `the endpoint ${said}`, todo: 'Let the endpoint speak TLS 1.2 or 1.3' }
    case 112: return { found: `the endpoint ${said}: it does not know '${handshake.servername}'`, todo: 'Set `tls.servername` of the cluster to a name that it serves' }
    case 120: return {
      found: `the endpoint ${said}: it speaks none of the protocols offered, ${handshake.options.alpn.join(', ')}`,
      todo: handshake.options.alpn.includes('h2') ? 'Let the endpoint speak HTTP/2, or leave `http2` of the cluster out if it speaks HTTP/1.1'
        : 'If it speaks HTTP/2 only, set `http2: true` for the cluster; if it has another name for HTTP/1.1, set `tls.alpn` of the cluster to that',
    }
    default: return undefined
  }
}

const giveOne = ({ options, own }: Handshake, now: number): string => {
  if (options.cert === undefined) return 'set `tls.cert` and `tls.key` of the cluster'
  if (own && Date.parse(own.validTo) < now) return `renew \`tls.cert\` of the cluster, which expired at ${date(own.validTo)}, and call \`mesh.update\``
  if (own && Date.parse(own.validFrom) > now) {
    return `correct this machine's clock if it is slow: \`tls.cert\` of the cluster is valid only from ${date(own.validFrom)} on`
  }
  return 'have the endpoint trust the issuer of `tls.cert`; see that it is meant for clients, and followed by its intermediates'
}

const clientCertificate = ({ now }: Failed, handshake: Handshake, did: string): Failure => ({
  found: handshake.options.cert === undefined ? `the endpoint asks for a client certificate, the cluster has none, and it ${did}`
    : `the endpoint asks for a client certificate, was shown \`tls.cert\` of the cluster, and ${did}`,
  todo: capital(giveOne(handshake, now)),
})

const capital = (sentence: string): string => sentence[0]!.toUpperCase() + sentence.slice(1)

/** What to do where a connection was cut during the handshake, which may or may not be a matter of TLS. */
export const cutHandshake = (handshake: Handshake, now: number): string => 'It was cut during the TLS handshake: check that the endpoint runs, speaks TLS on this port, ' +
  `and accepts the name (\`tls.servername\`) and the client certificate (\`tls.cert\`) of the cluster. If it asks for a client certificate, ${giveOne(handshake, now)}.`

/**
 * The same where an endpoint that asks for client certificates closed the connection before it ever answered. Under TLS 1.2 no word tells a refusal
 * from a process that ends, which is worth another try.
 */
export const cutBeforeAnswer = (handshake: Handshake, now: number): string =>
  ` The endpoint asks for client certificates, and ${handshake.options.cert === undefined ? 'the cluster has none' : 'may not accept `tls.cert` of the cluster'}: ${giveOne(handshake, now)}.`
