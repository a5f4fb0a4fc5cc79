import type { Cluster } from '../cluster/cluster.ts'
import { census } from '../cluster/status.ts'
import { normaliseHost } from '../core/host.ts'
import { RequestHead } from '../core/request.ts'
import { matchedPrefix, rewritten } from '../route/rewrite.ts'
import { findService, type Snapshot } from './snapshot.ts'

/** What would become of a request, and why. */
export interface Explanation {
  /** In one sentence. */
  readonly summary: string
  readonly service?: string
  /** The route that applies. */
  readonly route?: string
  /** Each route of the service in the order tried: whether its conditions hold, and why it is not the one. */
  readonly routes: readonly { readonly name: string, readonly matched: boolean, readonly chosen: boolean, readonly reason?: string }[]
  /** Where the route sends to. */
  readonly clusters: readonly ClusterExplanation[]
}

/** What would become of a request at one cluster. */
export interface ClusterExplanation {
  readonly name: string
  /** Percent of the route's calls. */
  readonly share: number
  /** State of its breaker: while it is open, nothing is sent. Absent where it is switched off. */
  readonly breaker?: string
  /** True while its registry has not answered for the first time: a call would wait for that. */
  readonly awaited?: true
  /** How many of its endpoints are in which state, in words, while none may be picked: a call would be refused. */
  readonly unavailable?: string
  /** Its endpoints, and in words whether and why each may be picked. */
  readonly endpoints: readonly { readonly address: string, readonly state: string, readonly why: string }[]
}

/** Tells what a request would meet, without sending it. */
export const explain = (
  snapshot: Snapshot,
  url: URL,
  { method = 'GET', headers }: { readonly method?: string, readonly headers?: ConstructorParameters<typeof Headers>[0] },
): Explanation => {
  const host = normaliseHost(url.hostname) ?? url.hostname
  const port = Number(url.port) || (url.protocol === 'https:' ? 443 : 80)
  const service = findService(snapshot, host, port)
  if (!service) {
    const allowed = snapshot.mayLeave(host, port)
    return {
      summary: `'${host}' is no service of this mesh; the egress policy ${allowed ? 'lets it pass untouched' : 'denies it'}`,
      routes: [],
      clusters: [],
    }
  }
  const request = new RequestHead({
    method: method.toUpperCase(),
    scheme: url.protocol === 'https:' ? 'https' : 'http',
    host,
    port,
    path: `${url.pathname}${url.search}`,
    headers: [...new Headers(headers)].flat(),
  })
  const route = service.table.find(request)
  const routes = service.table.explain(request).map(({ route: { name }, matched, chosen, reason }) => {
    if (chosen) return { name, matched, chosen }
    return { name, matched, chosen, reason: matched ? `it matches too, but route '${route!.name}' comes before it` : reason! }
  })
  if (!route) return { summary: `no route of service '${service.name}' matches`, service: service.name, routes, clusters: [] }
  const shares = Object.entries(typeof route.config.to === 'string' ? { [route.config.to]: 1 } : route.config.to)
  const total = shares.reduce((sum, [, weight]) => sum + weight, 0)
  const sentTo = shares.filter(([, weight]) => weight > 0).map(([name]) => `'${name}'`).join(' or ')
  const { rewrite, match } = route.config
  const sent = rewrite ? rewritten(rewrite, matchedPrefix(match), request) : request
  const clusters = shares.map(([name, weight]) => explainCluster(snapshot.clusters.get(name)!, weight / total, sent))
  return {
    summary: [`service '${service.name}', route '${route.name}', to ${sentTo}`, ...clusters.flatMap(refusal)].join('; '),
    service: service.name,
    route: route.name,
    routes,
    clusters,
  }
}

/** Why a cluster would refuse a call now, if so. */
const refusal = ({ name, breaker, awaited, unavailable, endpoints }: ClusterExplanation): readonly string[] => {
  if (breaker === 'open') return [`the breaker of '${name}' is open, so it would be refused there`]
  if (awaited) return [`the registry of '${name}' has not answered yet, so it would wait for that`]
  if (unavailable !== undefined) {
    const probation = endpoints.some(({ state }) => state === 'probation')
    return [`of the endpoints of '${name}' none is available (${unavailable}), so ${probation ? 'unless it is the call that decides on a return, ' : ''}it would be refused there`]
  }
  return endpoints.length === 0 ? [`'${name}' has no endpoint, so it would be refused there`] : []
}

const explainCluster = (cluster: Cluster, share: number, request: RequestHead): ClusterExplanation => {
  const { breaker } = cluster.parts
  return {
    name: cluster.name,
    share: Math.round(share * 10_000) / 100,
    ...(breaker && { breaker: breaker.state }),
    ...(!cluster.known && { awaited: true as const }),
    ...(cluster.offered === 0 && cluster.endpoints.length > 0 && { unavailable: census(cluster.endpoints) }),
    endpoints: cluster.endpoints.map((endpoint) => ({
      address: endpoint.address,
      state: endpoint.state,
      why: cluster.explain(endpoint, request),
    })),
  }
}
