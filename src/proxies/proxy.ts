import type { MeshInput } from '../mesh/config.ts'

/** The proxies that a configuration can be written for. */
export const proxyNames = ['haproxy', 'nginx', 'envoy'] as const

/** One of the proxies that a configuration can be written for. */
export type ProxyName = typeof proxyNames[number]

/** Files on the machine of the proxy, by their paths. What is left out is the file that the configuration itself names. */
export interface ProxyCertificates {
  /** The authorities to trust, in PEM, all in one file. */
  readonly ca?: string
  /** The certificate to show, its intermediates after it, in PEM. */
  readonly cert?: string
  /** The private key of `cert`, in PEM and not encrypted. */
  readonly key?: string
  /** `cert` and `key` in one file, which is how HAProxy reads them. */
  readonly bundle?: string
}

/** What the machine of a proxy has, and a mesh definition doesn't say. */
export interface ProxyOptions {
  /** Where the proxy takes calls for all services, and tells them apart by `Host`: an address and a port. `'127.0.0.1:15001'` by default. */
  readonly listen?: string
  /** An address and a port for one service alone, by its name, whatever `Host` says there. In addition to `listen`. */
  readonly ports?: Readonly<Record<string, string>>
  /** Endpoints of clusters by name, in place of their registries: for those that the proxy cannot follow. Written as in a registry of type `static`. */
  readonly endpoints?: Readonly<Record<string, readonly string[]>>
  /** Files of the clusters' TLS, by name. */
  readonly certificates?: Readonly<Record<string, ProxyCertificates>>
  /** The authorities that the machine trusts, in one PEM file; Debian's, `/etc/ssl/certs/ca-certificates.crt`, by default. */
  readonly systemAuthorities?: string
  /** DNS servers to ask where a registry of type `dns` names none: `'10.0.0.2:53'`. HAProxy and Envoy ask the system's by default, nginx has to be told. */
  readonly resolvers?: readonly string[]
  /** Threads (HAProxy), worker processes (nginx); Envoy takes it on its command line. 1 by default. */
  readonly threads?: number
  /** Where the proxy tells of itself: the path of a Unix socket (HAProxy), an address and a port (Envoy, and nginx's `stub_status`). Nowhere by default. */
  readonly admin?: string
}

/** A policy of the definition that a proxy has not, or has otherwise. */
export interface Unexpressed {
  /** Which policy, by its row in the table of the guide. */
  readonly policy: string
  /** Its place in the configuration, as one would write it in JavaScript: `clusters.pricing.breaker`. */
  readonly path: string
  /** What the proxy does instead. */
  readonly instead: string
  readonly why: string
}

/** A configuration written for a proxy. */
export interface ProxyConfig {
  /** The file's content. */
  readonly text: string
  /** What of the definition is not in it, or means something else there. */
  readonly unexpressed: readonly Unexpressed[]
}

/**
 * Writes the configuration of a sidecar proxy with the policies of a mesh definition. Throws a `MeshConfigError` for a definition that does
 * not hold together, and a `ProxyConfigError` for one that cannot be written for the proxy without doing harm.
 */
export type WriteProxy = (config: MeshInput, options?: ProxyOptions) => ProxyConfig

/** Thrown where a configuration cannot be written for a proxy: `path` is the place in the definition, or in the options. */
export class ProxyConfigError extends TypeError {
  readonly path: string

  constructor(path: string, message: string) {
    super(`${path}: ${message}`)
    this.name = 'ProxyConfigError'
    this.path = path
  }
}
