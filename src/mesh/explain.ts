import { normaliseHost } from '../core/host.ts'
import { RequestHead } from '../core/request.ts'
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
  /** Where the route sends to: each cluster's share in percent, and its endpoints with why each is or isn't picked. */
  readonly clusters: readonly {
    readonly name: string
    readonly share: number
    readonly endpoints: readonly { readonly address: string, readonly state: string, readonly why: string }[]
  }[]
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
  const routes = service.table.explain(request).map(({ route, index: _, ...rest }) => ({ name: route.name, ...rest }))
  const route = service.table.find(request)
  if (!route) return { summary: `no route of service '${service.name}' matches`, service: service.name, routes, clusters: [] }
  const shares = Object.entries(typeof route.config.to === 'string' ? { [route.config.to]: 1 } : route.config.to)
  const total = shares.reduce((sum, [, weight]) => sum + weight, 0)
  return {
    summary: `service '${service.name}', route '${route.name}', to ${shares.map(([name]) => `'${name}'`).join(' or ')}`,
    service: service.name,
    route: route.name,
    routes,
    clusters: shares.map(([name, weight]) => {
      const cluster = snapshot.clusters.get(name)!
      return {
        name,
        share: Math.round(weight / total * 10_000) / 100,
        endpoints: cluster.endpoints.map((endpoint) => ({ address: endpoint.address, state: endpoint.state, why: cluster.explain(endpoint) })),
      }
    }),
  }
}
