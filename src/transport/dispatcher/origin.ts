import { normaliseHost } from '../../core/host.ts'
import { shownPlace } from '../shown.ts'

/** Where a request of a dispatcher's goes. */
export interface Origin {
  readonly scheme: 'http' | 'https'
  /** Normalised. */
  readonly host: string
  readonly port: number
}

const isHttp = ({ protocol }: URL): boolean => protocol === 'http:' || protocol === 'https:'

/** What a URL says of where it leads. Throws a `TypeError` for one that is not spoken to in HTTP. */
export const originOf = (url: URL): Origin => {
  const { protocol, hostname, port } = url
  if (!isHttp(url)) throw new TypeError(`requests go to 'http:' or 'https:', not to '${protocol}'`)
  return {
    scheme: protocol === 'https:' ? 'https' : 'http',
    host: normaliseHost(hostname) ?? hostname,
    port: Number(port) || (protocol === 'https:' ? 443 : 80),
  }
}

// A process dials few, and to read one parses it twice: 0.45 µs. Hostile ones must not pile up.
const known = new Map<string, Origin>()
const mostOrigins = 1_000
const longestOrigin = 300

/** Reads an origin such as undici's callers hand over. Throws a `TypeError` for what is none, and for one with a path, which nobody would send. */
export const readOrigin = (origin: unknown): Origin => {
  if (typeof origin !== 'string') return originOf(asOrigin(origin))
  let read = known.get(origin)
  if (read === undefined) {
    read = originOf(asOrigin(origin))
    if (known.size >= mostOrigins) known.clear()
    if (origin.length <= longestOrigin) known.set(origin, read)
  }
  return read
}

const asOrigin = (origin: unknown): URL => {
  const url = origin instanceof URL ? origin : typeof origin === 'string' ? URL.parse(origin) : null
  if (!url || !isHttp(url)) throw new TypeError(`a request needs an origin such as 'http://svc.local', not ${shownPlace(origin)}`)
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') {
    throw new TypeError(`the origin of a request ends with its host or port: write what follows in ${url.origin} as its path`)
  }
  return url
}
