import { isDeepStrictEqual } from 'node:util'
import type { MeshInput } from '../../mesh/config.ts'
import { didYouMean } from '../../mesh/faults.ts'
import { registries } from '../../registries/index.ts'
import { http1Probe } from '../../transport/probes/probe.ts'
import type { AppMeshDocument, VirtualNode } from '../document.ts'
import type { NodeListener } from '../document/listener.ts'
import type { Policed } from './caller.ts'
import { clientTls, type Certificates } from './client-tls.ts'
import { registryOf, type RegistryInput } from './discovery.ts'
import type { Remarks } from './remarks.ts'
import { defaultIdleTimeout, defaultRequestTimeout, inWords, milliseconds } from './time.ts'

/** A cluster as it is written. */
export type ClusterInput = NonNullable<MeshInput['clusters']>[string]

/** Addresses in place of a node's discovery, by the node's name, or by `node:port` for one of its listeners. */
export type Endpoints = Readonly<Record<string, readonly string[]>>

/** What Envoy has where nothing is limited. */
const unlimited = 2_147_483_647

/** Of the name of a cluster. */
const longestName = 255

/** Collects the clusters that routes lead to: one for each node, listener and client policy. */
export class Clusters {
  readonly #all = new Map<string, ClusterInput>()
  readonly #nodes: ReadonlyMap<string, VirtualNode>
  readonly #document: AppMeshDocument
  readonly #endpoints: Map<string, readonly string[]>
  readonly #certificates: Certificates
  readonly #remarks: Remarks

  constructor(document: AppMeshDocument, endpoints: Endpoints, certificates: Certificates, remarks: Remarks) {
    this.#document = document
    this.#nodes = new Map(document.virtualNodes.map((node) => [node.virtualNodeName, node]))
    this.#endpoints = new Map(Object.entries(endpoints))
    this.#certificates = certificates
    this.#remarks = remarks
    const known = document.virtualNodes.flatMap((node) => [node.virtualNodeName, ...listenersOf(node).map(({ portMapping }) => `${node.virtualNodeName}:${portMapping.port}`)])
    for (const [name, addresses] of Object.entries(endpoints)) {
      if (!Array.isArray(addresses) || !addresses.every((address) => typeof address === 'string')) {
        remarks.refuse('', `endpoints["${name}"]`, "must be a list of addresses, such as ['127.0.0.1:9001']")
        this.#endpoints.delete(name)
      }
      if (!known.includes(name)) remarks.refuse('', `endpoints["${name}"]`, `there is no such virtual node: ${didYouMean(name, document.virtualNodes.map(({ virtualNodeName }) => virtualNodeName))}`)
    }
  }

  /** All of them, by name. */
  get all(): Readonly<Record<string, ClusterInput>> {
    return Object.fromEntries(this.#all)
  }

  /** The node of a name, if it is there. */
  node(name: string): VirtualNode | undefined {
    return this.#nodes.get(name)
  }

  /** The cluster for a node, for one of its ports where it has several, as `service` is called under a policy. */
  for(name: string, port: number | undefined, service: string, policed: Policed | undefined): string {
    const node = this.node(name)
    if (!node) return this.#add(name, service, nobody)
    const listeners = listenersOf(node)
    const index = port === undefined ? 0 : listeners.findIndex(({ portMapping }) => portMapping.port === port)
    const listener = listeners[index]
    const written = listener ? this.#clusterOf(node, listener, index, policed) : this.#unheard(node)
    return this.#add(listeners.length > 1 && listener ? `${name}:${listener.portMapping.port}` : name, service, written)
  }

  /** A cluster that refuses every call, in the place of something that is not there. */
  refusing(name: string): string {
    return this.#add(name, name, nobody)
  }

  #unheard(node: VirtualNode): ClusterInput {
    this.#remarks.warn(`virtualNode ${node.virtualNodeName}`, ['spec', 'listeners'], 'there is none, so calls to this node are refused: give it a listener with its port')
    return nobody
  }

  #add(name: string, service: string, cluster: ClusterInput): string {
    // A node may be called as another's cluster would be.
    for (let tried = 0; ; tried++) {
      const candidate = tried === 0 ? name : `${name} for ${service}${tried === 1 ? '' : ` (${tried})`}`
      if (candidate.length > longestName) {
        this.#remarks.refuse(`virtualNode ${name}`, '',
          `makes a cluster whose name is longer than ${longestName} characters, '${candidate.slice(0, 60)}…': shorten the name of the node`)
      }
      const other = this.#all.get(candidate)
      if (other === undefined) this.#all.set(candidate, cluster)
      else if (!isDeepStrictEqual(other, cluster)) continue
      return candidate
    }
  }

  #clusterOf(node: VirtualNode, listener: NodeListener, index: number, policed: Policed | undefined): ClusterInput {
    const replaced = this.#endpoints.get(`${node.virtualNodeName}:${listener.portMapping.port}`) ?? this.#endpoints.get(node.virtualNodeName)
    // Endpoints of the caller's own are dialled as they are written: a laptop has no certificates of the production.
    const secure = replaced === undefined || replaced.some((address) => address.startsWith('https://'))
    const tls = secure
      ? clientTls({ node, listener, index, policed, certificates: this.#certificates, remarks: this.#remarks }) : undefined
    this.#remarkOn(node, listener, index)
    return {
      registry: this.#registryOf(node, listener, replaced),
      balancer: { type: 'round-robin' },
      ...timeoutsOf(listener),
      ...limitsOf(listener),
      ...(tls !== undefined && { tls }),
      ...spokenBy(listener),
      outlier: outlierOf(listener),
      ...healthCheckOf(listener, (path, message) =>
        this.#remarks.refuse(`virtualNode ${node.virtualNodeName}`, ['spec', 'listeners', index, 'healthCheck', ...path], message)),
      breaker: false,
      budget: { percent: 100, perSecond: 1_000_000 },
    }
  }

  #registryOf(
    node: VirtualNode, { portMapping: { port } }: NodeListener, replaced: readonly string[] | undefined,
  ): RegistryInput {
    if (replaced) return { type: 'static', endpoints: replaced }
    const registry = registryOf(node, port, this.#document.mesh.spec?.serviceDiscovery?.ipPreference)
    if (registry) {
      const { error } = registries.schema.safeParse(registry)
      const at = ['spec', 'serviceDiscovery', 'dns', 'hostname']
      if (error) this.#remarks.refuse(`virtualNode ${node.virtualNodeName}`, at, error.issues[0]!.message)
      return registry
    }
    this.#remarks.warn(`virtualNode ${node.virtualNodeName}`, ['spec', 'serviceDiscovery'], 'there is none, so calls to this node are refused: say where its endpoints are found')
    return { type: 'none' }
  }

  #remarkOn(node: VirtualNode, { outlierDetection }: NodeListener, index: number): void {
    const warn = (path: readonly string[], message: string): void =>
      this.#remarks.warn(`virtualNode ${node.virtualNodeName}`, ['spec', 'listeners', index, ...path], message)
    if (outlierDetection && node.spec.serviceDiscovery?.dns && node.spec.serviceDiscovery.dns.responseType !== 'ENDPOINTS') {
      warn(['outlierDetection'], "has one endpoint to look at, since responseType is LOADBALANCER, and never takes out the last one: write responseType 'ENDPOINTS'")
    }
  }
}

const nobody: ClusterInput = { registry: { type: 'none' } }

/** The listeners of a node. */
export const listenersOf = ({ spec: { listeners = [] } }: VirtualNode): readonly NodeListener[] => listeners

const timeoutsOf = ({ timeout, portMapping: { protocol } }: NodeListener): Pick<ClusterInput, 'timeout' | 'idleTimeout'> => {
  const written = timeout?.http ?? timeout?.http2 ?? timeout?.grpc
  const idle = milliseconds((written ?? timeout?.tcp)?.idle) ?? defaultIdleTimeout
  const perRequest = protocol === 'tcp' ? 0 : milliseconds(written?.perRequest) ?? defaultRequestTimeout
  return { timeout: inWords(perRequest), idleTimeout: inWords(idle) }
}

/** How endpoints are spoken to; those of gRPC are judged by its status, as Envoy does. */
const spokenBy = ({ portMapping: { protocol } }: NodeListener): Pick<ClusterInput, 'http2' | 'grpc'> => {
  if (protocol === 'grpc') return { http2: true, grpc: true }
  return protocol === 'http2' ? { http2: true } : {}
}

const limitsOf = ({ connectionPool }: NodeListener): Pick<ClusterInput, 'connections' | 'pending' | 'requests'> => {
  const connections = connectionPool?.http?.maxConnections ?? connectionPool?.tcp?.maxConnections ?? unlimited
  const requests = connectionPool?.http2?.maxRequests ?? connectionPool?.grpc?.maxRequests
  return {
    connections,
    pending: connectionPool?.http?.maxPendingRequests ?? unlimited,
    ...(requests !== undefined && { requests }),
  }
}

const outlierOf = ({ outlierDetection }: NodeListener): ClusterInput['outlier'] => outlierDetection ? {
  failures: outlierDetection.maxServerErrors,
  successRate: false,
  interval: inWords(Math.max(10, milliseconds(outlierDetection.interval) ?? 10_000)),
  return: 'sweep',
  ejection: inWords(Math.max(1, milliseconds(outlierDetection.baseEjectionDuration) ?? 30_000)),
  maxEjected: outlierDetection.maxEjectionPercent,
  minEjected: 1,
} : false

type Refuse = (path: readonly string[], message: string) => void

const healthCheckOf = ({ healthCheck }: NodeListener, refuse: Refuse): Pick<ClusterInput, 'healthCheck'> => {
  if (!healthCheck) return {}
  // Its port is the listener's, if it is written: that of the endpoints, unless an instance or the caller has one of its own,
  // which is then meant.
  const { protocol, path = '/', intervalMillis, timeoutMillis, healthyThreshold, unhealthyThreshold } = healthCheck
  const pace = { interval: inWords(intervalMillis), timeout: inWords(timeoutMillis), healthyThreshold, unhealthyThreshold }
  if (protocol === 'tcp' || protocol === 'grpc') return { healthCheck: { protocol, ...pace } }
  if (!http1Probe.shape.path.safeParse(path).success) {
    refuse(['path'], "is no path that could be asked for: it begins with '/', and has neither spaces nor '#'")
  }
  return { healthCheck: { protocol, path, ...pace } }
}
