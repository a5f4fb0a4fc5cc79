import type { MeshInput } from '../mesh/config.ts'
import type { ProxyCertificates } from '../proxies/index.ts'
import type { Certificates } from './ways/way.ts'

/** What all arrangements are set before: one definition, and where the instances are. */
export interface Situation {
  readonly definition: MeshInput
  /** The service that is called, as the definition names it. */
  readonly host: string
  /** Where a mesh dials it, without a path, where that is not `http://` and the name. */
  readonly origin?: string
  /** Addresses of the instances that ways without a mesh dial: `127.0.0.1:9001`. */
  readonly addresses: readonly string[]
  /** Endpoints of clusters by name, for proxies, which cannot follow every registry. */
  readonly endpoints?: Readonly<Record<string, readonly string[]>>
  /** Where the instances speak mutual TLS. */
  readonly tls?: Certificates
  /** The same for proxies, by cluster. */
  readonly certificates?: Readonly<Record<string, ProxyCertificates>>
}

/** Milliseconds that one attempt may take to bring the head of its answer, for every arrangement that knows attempts. */
export const attemptTimeout = 500

/** Milliseconds that a call may take altogether. */
export const deadline = 3_000

/** What one service's route says, wherever it leads. */
export const policies = {
  timeout: deadline,
  attemptTimeout,
  retry: { attempts: 3, on: ['connect-failure', 'refused-stream', 'reset', 'gateway-error'] },
} as const

const clusterOf = (addresses: readonly string[], tls: Certificates | undefined): NonNullable<MeshInput['clusters']>[string] => ({
  registry: { type: 'static', endpoints: [...addresses] },
  balancer: { type: 'least-request' },
  outlier: {},
  breaker: false,
  healthCheck: { protocol: 'http', path: '/health', interval: '1s', timeout: attemptTimeout },
  ...(tls && { tls: { ca: { file: tls.ca }, cert: { file: tls.cert }, key: { file: tls.key }, servername: tls.servername } }),
})

/** Where the instances of each version are, and how calls are divided among versions. */
export interface Fleet {
  readonly versions: Readonly<Record<string, readonly string[]>>
  /** Relative weights by version; all calls to the only one where there is one. */
  readonly weights?: Readonly<Record<string, number>>
}

/**
 * The definition of the comparison's own services: three attempts within a deadline, each on another instance and bounded; the instance with the
 * fewest requests; health checks; what fails five times in a row is taken out. No breaker, which no proxy has: it would refuse calls for seconds after an
 * outage that others are through with. For the rest, the mesh's defaults.
 */
export const situationOf = (host: string, { versions, weights }: Fleet, tls?: Certificates & { readonly bundle: string }): Situation => {
  const names = Object.keys(versions)
  const clusterName = (version: string): string => `${host.split('.', 1).join('')}-${version}`
  const shares = Object.fromEntries(names.map((version) => [clusterName(version), weights?.[version] ?? 1]))
  return {
    definition: {
      services: { [host]: names.length === 1 ? { cluster: clusterName(names[0]!), ...policies } : { routes: [{ to: shares, ...policies }] } },
      clusters: Object.fromEntries(names.map((version) => [clusterName(version), clusterOf(versions[version]!, tls)])),
    },
    host,
    addresses: Object.values(versions).flat(),
    ...(tls && { tls, certificates: Object.fromEntries(names.map((version) => [clusterName(version), { ca: tls.ca, cert: tls.cert, key: tls.key, bundle: tls.bundle }])) }),
  }
}
