import type { X509Certificate } from 'node:crypto'
import { carries, namesIn, type Name } from '../transport/tls/certificate-names.ts'
import { nameOf } from '../transport/tls/certificates.ts'

/** Who is at the other end of a connection, as far as its certificate says. */
export interface Caller {
  /** Whether it showed a certificate that leads to a trusted authority. Only then does it have names. */
  readonly verified: boolean
  /** What its certificate is for, each name of its kind. */
  readonly identities: readonly Name[]
  /** Hosts and URIs among them, SPIFFE IDs too, fit for a log. */
  readonly names: readonly string[]
  /** The common name of its certificate, for logs. */
  readonly subject: string | undefined
}

/** Whether a caller goes by a name. */
export const carriesName = ({ identities }: Caller, wanted: string): boolean => carries(identities, wanted)

/** A connection, as far as its caller is known by it. */
export interface CallerSocket {
  readonly authorized?: boolean
  readonly remoteAddress?: string | undefined
  readonly remotePort?: number | undefined
  getPeerX509Certificate?(): X509Certificate | undefined
}

const stranger: Caller = { verified: false, identities: [], names: [], subject: undefined }

// A connection keeps its certificate to its end, and serves many requests.
const known = new WeakMap<object, Caller>()

/** Names of one certificate that are told, at most: whoever has an authority that signs anything may have it sign thousands. */
const mostNames = 20

/** The names of a certificate by which services are known, fit for a log: no addresses, and none where the list is in doubt. */
export const serviceNames = (certificate: X509Certificate): readonly string[] => shown(namesIn(certificate.subjectAltName))

// A host that looks like a URI is told for what it is.
const shown = (identities: readonly Name[]): readonly string[] => identities
  .filter(({ kind }) => kind === 'DNS' || kind === 'URI').slice(0, mostNames).map(({ kind, name }) => nameOf(kind === 'DNS' && name.includes(':') ? `DNS:${name}` : name))

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
  if (!certificate) return stranger
  const identities = namesIn(certificate.subjectAltName)
  return { verified: true, identities, names: shown(identities), subject: subjectOf(certificate) }
}

/** Address of the other end: `10.0.0.7:51324`, `[::1]:51324`. */
export const addressOf = ({ remoteAddress, remotePort }: CallerSocket): string =>
  remoteAddress === undefined ? 'unknown' : `${remoteAddress.includes(':') ? `[${remoteAddress}]` : remoteAddress}:${String(remotePort)}`
