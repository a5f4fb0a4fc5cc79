import type { Cluster } from '../cluster/cluster.ts'
import type { ClusterFigures } from '../tracing/metrics.ts'
import { openConnections } from '../transport/connections.ts'

/** What metrics tell of a cluster, as it stands now. */
export const figuresOf = (cluster: Cluster): ClusterFigures => {
  const { name, endpoints, age, parts: { config, budget, breaker, checks, credentials } } = cluster
  return {
    name,
    budget: budget.balance,
    breaker: breaker?.state,
    endpoints,
    checked: checks !== undefined,
    // A list in the configuration says itself once, and is never out of date.
    age: config.registry.type === 'static' ? undefined : age,
    certificates: credentials.status(),
    connections: () => openConnections(endpoints),
  }
}
