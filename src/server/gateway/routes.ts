import { RequestHead, type RequestBody } from '../../core/request.ts'
import type { AnyMatcherKind, Matchers } from '../../matchers/matcher.ts'
import { serviceAddress } from '../../mesh/config.ts'
import { rewrittenPath } from '../../route/rewrite.ts'
import { routeTable, type RouteTable } from '../../route/table.ts'
import { prefixOf, type GatewayRouteConfig } from './config.ts'
import type { Inbound } from './inbound.ts'

/** A route of a gateway, compiled. */
export interface GatewayRoute {
  readonly name: string | undefined
  readonly match: GatewayRouteConfig['match']
  readonly priority: number | undefined
  /** What it matches paths by, for spans. */
  readonly pattern: string
  /** Makes what goes to the service of what came in. */
  forward(inbound: Inbound, body: RequestBody | undefined, upgrade: string | undefined): RequestHead
}

/** The place in the mesh that a route leads to. */
export const placeOf = ({ service, port }: GatewayRouteConfig): { readonly host: string, readonly port: number } => {
  const address = serviceAddress(service)!
  return { host: address.host, port: port ?? address.port ?? 80 }
}

const patternOf = ({ match }: GatewayRouteConfig): string => {
  const { path = {} } = (match ?? {}) as { readonly path?: Readonly<Record<string, string>> }
  return path['exact'] ?? path['regex'] ?? `${(path['prefix'] ?? path['plainPrefix'] ?? '/').replace(/\/$/, '')}/*`
}

const compiled = (config: GatewayRouteConfig): GatewayRoute => {
  const { host, port } = placeOf(config)
  const { rewrite, match } = config
  const from = prefixOf(match)
  const hostOf = rewrite?.host
  return {
    name: config.name,
    match,
    priority: config.priority,
    pattern: patternOf(config),
    forward: ({ head, host: inboundHost }, body, upgrade) => new RequestHead({
      // Whether its endpoints speak TLS is the cluster's business, whatever the client spoke to the gateway.
      scheme: 'http', host, port, upgrade, body,
      method: head.method,
      path: rewrite ? rewrittenPath(rewrite, from, head) : head.path,
      headers: head.headers,
      hostHeader: hostOf ?? inboundHost,
    }),
  }
}

/** Compiles the routes of a gateway. */
export const compileRoutes = (routes: readonly GatewayRouteConfig[], matchers: Matchers<AnyMatcherKind>): RouteTable<GatewayRoute> =>
  routeTable(routes.map(compiled), matchers)
