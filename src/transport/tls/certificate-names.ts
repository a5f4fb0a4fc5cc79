import { checkServerIdentity, type PeerCertificate } from 'node:tls'
import { z } from 'zod'

/** A name that a certificate must carry exactly. */
export const certificateName = z.string()
  .regex(/^[\x21-\x7e]{1,254}$/, "is not a name: write a host ('svc.shop.local') or a URI ('spiffe://shop/svc')")

// Node puts a value with a comma or a quote into quotes (CVE-2021-44532), so that no name can pass for two.
const entry = /(?:^|, )([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,"]*)(?=, |$)/y

/** An alternative name of a certificate, with Node's word for its kind: `DNS`, `URI`, `IP Address`, … */
export interface Name {
  readonly kind: string
  readonly name: string
}

const unquoted = (written: string): string | undefined => {
  try {
    return written.startsWith('"') ? JSON.parse(written) as string : written
  } catch {
    return undefined
  }
}

/** The alternative names of a certificate; none where anything about the list is in doubt. */
export const namesIn = (list: string | undefined = ''): readonly Name[] => {
  const names: Name[] = []
  let end = 0
  while (end < list.length) {
    entry.lastIndex = end
    const found = entry.exec(list)
    if (!found) return []
    end = entry.lastIndex
    const name = unquoted(found[2]!)
    if (name === undefined) return []
    names.push({ kind: found[1]!, name })
  }
  return names
}

/**
 * Whether a name is among those of a certificate: a URI exactly, a host in any case. An authority that lets its clients choose their hosts may guard their URIs, so
 * neither passes for the other: what has a colon is a URI.
 */
export const carries = (names: readonly Name[], wanted: string): boolean => wanted.includes(':')
  ? names.some(({ kind, name }) => kind === 'URI' && name === wanted)
  : names.some(({ kind, name }) => kind === 'DNS' && name.toLowerCase() === wanted.toLowerCase())

/**
 * Checks that a certificate carries one of the names, exactly: a host name stands for no subdomain, and no wildcard for it.
 * Like Node's `checkServerIdentity` it returns the error, with the same code.
 */
export const checkNames = (wanted: readonly string[], certificate: PeerCertificate): Error | undefined => {
  const names = namesIn(certificate.subjectaltname)
  if (wanted.some((name) => carries(names, name))) return undefined
  return Object.assign(new Error('the certificate carries none of the names'), { code: 'ERR_TLS_CERT_ALTNAME_INVALID', cert: certificate })
}

/**
 * Checks that a certificate is for a host or an address, by its alternative names as Node does: exactly, or by a wildcard in the first label.
 * A common name names nobody (RFC 9525, section 2), which Node still takes for a host where there is no other.
 */
export const checkHost = (host: string, certificate: PeerCertificate): Error | undefined => {
  const error = checkServerIdentity(host, { ...certificate, subject: { ...certificate.subject, CN: '' } })
  return error && Object.assign(error, { cert: certificate })
}
