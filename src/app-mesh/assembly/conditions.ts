import type { GrpcMatch, HeaderMatch, HttpMatch } from '../document/match.ts'
import type { Route } from '../document.ts'

/** How the path is compared, if it is. */
export type PathCondition = { readonly prefix: string } | { readonly exact: string } | { readonly regex: string }

/** What a route asks of a request, whatever its kind: a call of gRPC is an HTTP request too. */
export interface Conditions {
  readonly path?: PathCondition
  readonly method?: string
  readonly scheme?: string
  readonly port?: number
  readonly headers: readonly HeaderMatch[]
  readonly query: readonly { readonly name: string, readonly exact?: string }[]
}

const pathOf = ({ prefix, path }: HttpMatch): PathCondition | undefined => {
  if (prefix !== undefined) return { prefix }
  if (path?.exact !== undefined) return { exact: path.exact }
  return path?.regex === undefined ? undefined : { regex: path.regex }
}

const grpcPath = ({ serviceName, methodName }: GrpcMatch): PathCondition | undefined => {
  if (serviceName === undefined) return undefined
  return methodName === undefined ? { prefix: `/${serviceName}/` } : { exact: `/${serviceName}/${methodName}` }
}

const isGrpc: HeaderMatch = { name: 'content-type', match: { prefix: 'application/grpc' } }

/** The conditions of HTTP. */
export const httpConditions = (match: HttpMatch): Conditions => {
  const { method, scheme, port, headers = [], queryParameters = [] } = match
  const path = pathOf(match)
  return {
    ...(path && { path }),
    ...(method !== undefined && { method }),
    ...(scheme !== undefined && { scheme }),
    ...(port !== undefined && { port }),
    headers,
    query: queryParameters.map(({ name, match }) => match?.exact === undefined ? { name } : { name, exact: match.exact }),
  }
}

/** The conditions of gRPC. */
export const grpcConditions = (match: GrpcMatch): Conditions => {
  const path = grpcPath(match)
  return {
    ...(path && { path }),
    ...(match.port !== undefined && { port: match.port }),
    headers: [isGrpc, ...match.metadata ?? []],
    query: [],
  }
}

/** What a route asks of a request. */
export const conditionsOf = ({ spec: { httpRoute, http2Route, grpcRoute, tcpRoute } }: Route): Conditions => {
  const http = httpRoute ?? http2Route
  if (http) return httpConditions(http.match)
  if (grpcRoute) return grpcConditions(grpcRoute.match)
  const port = tcpRoute?.match?.port
  return { ...(port !== undefined && { port }), headers: [], query: [] }
}
