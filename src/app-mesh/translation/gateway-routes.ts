import { didYouMean } from '../../mesh/faults.ts'
import { grpcConditions, httpConditions, type Conditions } from '../assembly/conditions.ts'
import type { AppMeshDocument, GatewayRoute } from '../document.ts'
import { AppMeshError } from '../error.ts'
import { byPrecedence } from './precedence.ts'
import { Remarks } from './remarks.ts'
import { matchOf, type MatchInput } from './routes.ts'

/** What a gateway does with the requests that come to it and match. */
export interface GatewayRouteInput {
  readonly name: string
  /** Place among the routes, the lowest first. */
  readonly priority: number
  /** Conditions on the inbound request; without any, every request matches. */
  readonly match?: MatchInput
  /** The virtual service that it goes on to. */
  readonly service: string
  /** The port that the service is called by; its default where there is none. */
  readonly port?: number
  /** What is changed: Host becomes the service's name and the matched prefix '/', unless the definition says otherwise. */
  readonly rewrite?: GatewayRewrite
}

/** What a gateway changes of a request, at least one of these. */
export interface GatewayRewrite {
  /** What is sent as Host; the inbound one stays without it. */
  readonly host?: string
  /** What takes the place of the prefix that matched. */
  readonly prefix?: string
  /** What takes the place of the whole path. */
  readonly path?: string
}

/**
 * The routes of a virtual gateway as plain data, in the order in which they are tried: by priority, then exact paths over the
 * longest prefix. Throws an `AppMeshError` for a gateway that is not there.
 */
export const gatewayRoutesOf = (document: AppMeshDocument, gateway: string): readonly GatewayRouteInput[] => {
  const remarks = new Remarks()
  const known = document.virtualGateways.map(({ virtualGatewayName }) => virtualGatewayName)
  if (!known.includes(gateway)) remarks.refuse('', 'gateway', `there is no virtual gateway '${gateway}': ${didYouMean(gateway, known)}`)
  const routes = document.gatewayRoutes.filter(({ virtualGatewayName }) => virtualGatewayName === gateway).map((route) => routeOf(route, remarks))
  if (remarks.faults.length > 0) throw new AppMeshError(remarks.faults)
  return byPrecedence(routes)
}

type Unplaced = Omit<GatewayRouteInput, 'priority'> & { readonly priority?: number }

const routeOf = ({ gatewayRouteName, spec }: GatewayRoute, remarks: Remarks): Unplaced => {
  const http = spec.httpRoute ?? spec.http2Route
  const { hostname } = (http ?? spec.grpcRoute)!.match
  const { target: { virtualService, port } } = (http ?? spec.grpcRoute)!.action
  const service = virtualService.virtualServiceName
  const conditions: Conditions = http ? httpConditions(http.match) : grpcConditions(spec.grpcRoute!.match)
  const host = hostname && hostsOf(hostname)
  const match = {
    ...host && { host },
    ...matchOf(conditions, (path, message) => remarks.refuse(`gatewayRoute ${gatewayRouteName}`, path, message)),
  }
  const rewrite = rewriteOf(service, http?.match.prefix, (http ?? spec.grpcRoute)!.action.rewrite)
  return {
    name: gatewayRouteName,
    ...(spec.priority !== undefined && { priority: spec.priority }),
    ...(Object.keys(match).length > 0 && { match }),
    service,
    ...(port !== undefined && { port }),
    ...(rewrite && { rewrite }),
  }
}

/** A suffix is letters for App Mesh; a label that ends in it is no host that anybody means. */
const hostsOf = (
  { exact, suffix = '' }: { readonly exact?: string | undefined, readonly suffix?: string | undefined },
): string | string[] =>
  exact ?? (suffix.startsWith('.') ? `*${suffix}` : [suffix, `*.${suffix}`])

interface Rewriting {
  readonly hostname?: { readonly defaultTargetHostname?: 'ENABLED' | 'DISABLED' | undefined } | undefined
  readonly prefix?: { readonly defaultPrefix?: 'ENABLED' | 'DISABLED' | undefined, readonly value?: string | undefined } | undefined
  readonly path?: { readonly exact?: string | undefined } | undefined
}

const rewriteOf = (
  service: string, prefix: string | undefined, { hostname, prefix: toPrefix, path }: Rewriting = {},
): GatewayRewrite | undefined => {
  const to = toPrefix?.value ?? (toPrefix?.defaultPrefix === 'DISABLED' ? undefined : '/')
  const rewrite = {
    ...(hostname?.defaultTargetHostname !== 'DISABLED' && { host: service }),
    // The prefix '/' that becomes '/' is no change.
    ...(prefix !== undefined && to !== undefined && prefix !== to && { prefix: to }),
    ...(path?.exact !== undefined && { path: path.exact }),
  }
  return Object.keys(rewrite).length > 0 ? rewrite : undefined
}
