import type { X509Certificate } from 'node:crypto'
import { namesIn } from '../transport/tls/certificate-names.ts'
import { nameOf } from '../transport/tls/certificates.ts'

/** Who is at the other end of a connection, as far as its certificate says. */
export interface Caller {
  /** Whether it showed a certificate that leads to a trusted authority. Only then does it have names. */
  readonly verified: boolean
  /** Hosts and URIs, SPIFFE IDs among them, that its certificate is for. */
  readonly names: readonly string[]
  /** The common name of its certificate, for logs. */
  readonly subject: string | undefined
}

/** Whether a caller goes by a name: a URI exactly, a host in any case. */
export const carriesName = ({ names }: Caller, wanted: string): boolean => wanted.includes('://') ? names.includes(wanted)
  : names.some((name) => name.toLowerCase() === wanted.toLowerCase())

/** A connection, as far as its caller is known by it. */
export interface CallerSocket {
  readonly authorized?: boolean
  readonly remoteAddress?: string | undefined
  readonly remotePort?: number | undefined
  getPeerX509Certificate?(): X509Certificate | undefined
}

const stranger: Caller = { verified: false, names: [], subject: undefined }

// A connection keeps its certificate to its end, and serves many requests.
const known = new WeakMap<object, Caller>()

/** The names of a certificate by which services are known: no addresses, and none where the list is in doubt. */
export const serviceNames = (certificate: X509Certificate): readonly string[] => namesIn(certificate.subjectAltName)
  .filter(({ kind }) => kind === 'DNS' || kind === 'URI').map(({ name }) => name)

/** The common name of a certificate, fit for a log. */
export const subjectOf = ({ subject }: X509Certificate): string => {
  const written = (subject as string | undefined) ?? ''
  return nameOf(/(?:^|\n)CN=(.*)/.exec(written)?.[1] ?? written)
}

/** Who is at the other end. */
export const callerOf = (socket: CallerSocket): Caller => {
  const before = known.get(socket)
  if (before) return before
  const caller = read(socket)
  known.set(socket, caller)
  return caller
}

const read = (socket: CallerSocket): Caller => {
  const certificate = socket.authorized === true ? socket.getPeerX509Certificate?.() : undefined
  return certificate ? { verified: true, names: serviceNames(certificate), subject: subjectOf(certificate) } : stranger
}

/** Address of the other end: `10.0.0.7:51324`, `[::1]:51324`. */
export const addressOf = ({ remoteAddress, remotePort }: CallerSocket): string =>
  remoteAddress === undefined ? 'unknown' : `${remoteAddress.includes(':') ? `[${remoteAddress}]` : remoteAddress}:${String(remotePort)}`
