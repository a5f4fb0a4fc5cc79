import type { Endpoint } from '../core/endpoint.ts'
import { openConnections, type OpenConnections } from '../transport/connections.ts'
import type { CertificateStatus } from '../transport/tls/expiry.ts'
import type { Cluster } from './cluster.ts'
import type { ClusterConfig } from './config.ts'

/** State of one endpoint, as plain data. Times in milliseconds. */
export interface EndpointStatus {
  readonly id: string
  readonly address: string
  readonly state: string
  /** In words why it is or isn't picked. */
  readonly why: string
  readonly weight: number
  readonly metadata: Readonly<Record<string, string>>
  /** Attempts under way. */
  readonly active: number
  readonly attempts: number
  readonly failures: number
  /** Peak-sensitive moving average. */
  readonly latency: number
}

/** State of one cluster, as plain data. */
export interface ClusterStatus {
  readonly active: number
  readonly pending: number
  /** Those that are open to its endpoints, and what is under way on them; the ones that are being drained are not counted. */
  readonly connections: OpenConnections
  readonly panic: boolean
  readonly registry: object
  readonly breaker: object | false
  /** Retries that the budget would allow now. */
  readonly budget: number
  /** Certificates that it dials with, and when they expire: its own, and the last of its authorities that does; none where the configuration names none. */
  readonly certificates: readonly CertificateStatus[]
  readonly endpoints: readonly EndpointStatus[]
  /** The effective configuration, every default written out; keys and passphrases are left out. */
  readonly config: ClusterConfig
}

/** What a cluster is doing, as plain data; `now` is the clock's. */
export const clusterStatus = (cluster: Cluster, now: number): ClusterStatus => {
  const { load: { active, pending }, panic, registry, endpoints, parts: { config, breaker, budget, credentials } } = cluster
  return {
    active,
    pending,
    connections: openConnections(endpoints),
    panic,
    registry,
    breaker: breaker?.status() ?? false,
    budget: budget.balance,
    certificates: credentials.status(),
    endpoints: endpoints.map((endpoint) => endpointStatus(endpoint, cluster.explain(endpoint), now)),
    config,
  }
}

const endpointStatus = (endpoint: Endpoint, why: string, now: number): EndpointStatus => ({
  id: endpoint.id,
  address: endpoint.address,
  state: endpoint.state,
  why,
  weight: endpoint.weight,
  metadata: endpoint.metadata,
  active: endpoint.active,
  attempts: endpoint.attempts,
  failures: endpoint.failures,
  latency: Math.round(endpoint.latency.at(now) * 1000) / 1000,
})

/** How many endpoints are in each state, in words. */
export const census = (endpoints: readonly Endpoint[]): string => {
  const counts = new Map<string, number>()
  for (const { state } of endpoints) counts.set(state, (counts.get(state) ?? 0) + 1)
  return [...counts].map(([state, count]) => `${count} ${state}`).join(', ')
}
