import type { Upstream } from './definition.ts'
import { ProxyConfigError, type ProxyCertificates, type ProxyOptions } from './proxy.ts'

/** What a proxy needs for the TLS of a cluster, as files on its machine. */
export interface TlsFiles {
  /** The place in the definition. */
  readonly path: string
  readonly verify: boolean
  /** The authorities to trust; the machine's own where there is none. */
  readonly ca: string | undefined
  readonly cert: string | undefined
  readonly key: string | undefined
  /** Certificate and key in one file. */
  readonly bundle: string | undefined
}

type Part = Exclude<keyof ProxyCertificates, 'bundle'>

/** The files of a cluster's TLS. Throws where a proxy would need one that neither the definition nor the options name: no PEM text is written out, since it may be a key. */
export const tlsFilesOf = ({ config: { tls }, path, name }: Upstream, { certificates = {} }: ProxyOptions, proxy: 'HAProxy' | 'nginx' | 'Envoy'): TlsFiles => {
  const at = `${path}.tls`
  const given = Object.hasOwn(certificates, name) ? certificates[name]! : {}
  const options = typeof tls === 'object' ? tls : undefined
  const needed = (part: Part): never => {
    throw new ProxyConfigError(`${at}.${part}`, `is PEM text or several sources, and ${proxy} reads one file: name it (certificates: { ${JSON.stringify(name)}: { ${part}: '/path/of.pem' } })`)
  }
  const fileOf = (part: Part): string | undefined => {
    const written = options?.[part]
    if (given[part] !== undefined || written === undefined) return given[part]
    return typeof written === 'object' && 'file' in written ? written.file : needed(part)
  }
  if (options?.passphrase !== undefined && (given.key ?? given.bundle) === undefined) {
    throw new ProxyConfigError(`${at}.passphrase`, `opens a key, and is written into no file: give ${proxy} the key without one (certificates: { ${JSON.stringify(name)}: { key: '/path/of.pem' } })`)
  }
  const shows = options?.cert !== undefined || given.cert !== undefined || given.bundle !== undefined
  if (proxy === 'HAProxy') {
    const bundle = given.bundle ?? (shows ? sameFile(fileOf('cert'), fileOf('key')) : undefined)
    if (shows && bundle === undefined) {
      throw new ProxyConfigError(`${at}.cert`, `HAProxy reads a certificate and its key from one file: put both into one, and name it (certificates: { ${JSON.stringify(name)}: { bundle: '/path/of.pem' } })`)
    }
    return { path: at, verify: options?.verify ?? true, ca: fileOf('ca'), cert: bundle, key: bundle, bundle }
  }
  return {
    path: at, verify: options?.verify ?? true, ca: fileOf('ca'), bundle: undefined,
    cert: given.bundle ?? fileOf('cert'), key: given.bundle ?? fileOf('key'),
  }
}

const sameFile = (cert: string | undefined, key: string | undefined): string | undefined => cert === key ? cert : undefined

/** The names that a certificate must carry one of exactly; `undefined` where it is the dialled one's business. */
export const verifiedNames = ({ config: { tls } }: Upstream): readonly string[] | undefined => typeof tls === 'object' ? tls.names : undefined

/** The one name that is asked for and verified; `undefined` where it is the service's. */
export const verifiedName = (upstream: Upstream): string | undefined => {
  const { tls } = upstream.config
  const hosts = verifiedNames(upstream)?.filter((name) => !name.includes('://')) ?? []
  return typeof tls === 'object' ? hosts[0] ?? tls.servername : undefined
}
