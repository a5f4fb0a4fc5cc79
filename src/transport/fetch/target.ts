import { normaliseHost } from '../../core/host.ts'

/** Where a request goes, read from its URL. */
export interface Target {
  readonly scheme: 'http' | 'https'
  /** Normalised. */
  readonly host: string
  readonly port: number
  /** Path and query. */
  readonly path: string
  /** The whole URL without its fragment. */
  readonly url: string
}

// Ports that the Fetch standard blocks ("bad ports"): there the platform has to refuse.
const blockedPorts: ReadonlySet<number> = new Set([
  1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110, 111, 113, 115, 117,
  119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636,
  989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
])

// To normalise a host parses it a second time, and a process dials few; hostile ones must not pile up.
const hosts = new Map<string, string>()
const mostHosts = 1_000
const longestHost = 253

const normalised = (hostname: string): string => {
  const known = hosts.get(hostname)
  if (known !== undefined) return known
  if (hosts.size >= mostHosts) hosts.clear()
  const host = normaliseHost(hostname) ?? hostname
  if (hostname.length <= longestHost) hosts.set(hostname, host)
  return host
}

/** Reads a URL; `undefined` for one that the platform has to judge: no URL, no HTTP, with credentials, with a blocked port, … */
export const readTarget = (text: string): Target | undefined => {
  const url = URL.parse(text)
  if (!url) return undefined
  const { protocol, hash, href, search } = url
  if ((protocol !== 'http:' && protocol !== 'https:') || url.username !== '' || url.password !== '') return undefined
  const port = url.port === '' ? (protocol === 'https:' ? 443 : 80) : Number(url.port)
  if (blockedPorts.has(port)) return undefined
  const plain = hash === '' ? href : href.slice(0, -hash.length)
  // The platforms of different versions send an empty query or leave it away; an empty fragment is in `href` alone.
  if (search === '' && (plain.endsWith('?') || plain.endsWith('#'))) return undefined
  return { scheme: protocol === 'https:' ? 'https' : 'http', host: normalised(url.hostname), port, path: url.pathname + search, url: plain }
}
