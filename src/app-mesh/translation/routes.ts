import type { MeshInput } from '../../mesh/config.ts'
import { conditionsOf, type Conditions, type PathCondition } from '../assembly/conditions.ts'
import type { HeaderMatch } from '../document/match.ts'
import type { GrpcRetryPolicy } from '../document/route.ts'
import type { Route } from '../document.ts'
import { impossible, kindOf } from '../assembly/never-matching.ts'
import { byPrecedence } from './precedence.ts'
import type { Remarks } from './remarks.ts'
import { defaultIdleTimeout, defaultRequestTimeout, inWords, milliseconds } from './time.ts'

type ServiceInput = NonNullable<MeshInput['services']>[string]

/** A route as it is written. */
export type RouteInput = Extract<ServiceInput, { readonly routes: unknown }>['routes'][number]

/** Conditions as they are written in a route. */
export type MatchInput = NonNullable<RouteInput['match']>
type RetryInput = Exclude<NonNullable<RouteInput['retry']>, false>
type Policy = Pick<RouteInput, 'timeout' | 'attemptTimeout' | 'idleTimeout' | 'retry'>

/** Gives the cluster for a target of a route. */
export type ClusterFor = (node: string, port: number | undefined) => string

/** What App Mesh did where a definition says nothing of retries (S10); it looked at no method. */
const defaultRetry = { attempts: 3, on: ['connect-failure', 'refused-stream', 'reset', 503], methods: 'any' } as const

/** The same for calls of gRPC. */
const defaultGrpcRetry = { ...defaultRetry, on: [...defaultRetry.on, 'grpc-unavailable'] } as const

/** What holds for requests where there is no route to say it: with a virtual node for a provider. */
export const defaultPolicy: Policy = {
  timeout: inWords(defaultRequestTimeout), idleTimeout: inWords(defaultIdleTimeout), retry: defaultRetry,
}

/** The same with a node that speaks gRPC. */
export const defaultGrpcPolicy: Policy = { ...defaultPolicy, retry: defaultGrpcRetry }

/** What holds for connections that are only passed on. */
export const tcpPolicy: Policy = { timeout: 0, idleTimeout: inWords(defaultIdleTimeout), retry: false }

/** The routes of a router in the order in which they are tried, each with its priority written out. */
export const routesOf = (routes: readonly Route[], clusterFor: ClusterFor, remarks: Remarks): readonly RouteInput[] => {
  const possible = routes.filter((route) => {
    const reasons = impossible(route)
    for (const { path, message } of reasons) remarks.warn(resourceOf(route), path, `${message}; the route is left out`)
    return reasons.length === 0
  })
  return byPrecedence(possible.map((route) => routeOf(route, clusterFor, remarks)))
}

const resourceOf = ({ routeName, virtualRouterName }: Route): string => `route ${routeName} of ${virtualRouterName}`

const routeOf = (route: Route, clusterFor: ClusterFor, remarks: Remarks): RouteInput => {
  const match = matchOf(conditionsOf(route), (path, message) => remarks.refuse(resourceOf(route), path, message))
  return {
    name: route.routeName,
    ...(match && { match }),
    to: targetsOf(route, clusterFor),
    ...(route.spec.priority !== undefined && { priority: route.spec.priority }),
    ...policyOf(route, remarks),
  }
}

const targetsOf = (route: Route, clusterFor: ClusterFor): RouteInput['to'] => {
  const weights = new Map<string, number>()
  for (const { virtualNode, port, weight } of kindOf(route).route.action.weightedTargets) {
    const cluster = clusterFor(virtualNode, port)
    weights.set(cluster, (weights.get(cluster) ?? 0) + weight)
  }
  const [[only] = ['']] = weights
  return weights.size === 1 ? only : Object.fromEntries(weights)
}

const policyOf = (route: Route, remarks: Remarks): Policy => {
  const { kind, route: written } = kindOf(route)
  const idleTimeout = inWords(milliseconds(written.timeout?.idle) ?? defaultIdleTimeout)
  if (kind === 'tcpRoute') return { ...tcpPolicy, idleTimeout }
  const { timeout, retryPolicy } = written as { timeout?: { perRequest?: Parameters<typeof milliseconds>[0] }, retryPolicy?: GrpcRetryPolicy }
  const perTry = milliseconds(retryPolicy?.perRetryTimeout) ?? 0
  return {
    timeout: inWords(milliseconds(timeout?.perRequest) ?? defaultRequestTimeout),
    ...(perTry > 0 && { attemptTimeout: inWords(perTry) }),
    idleTimeout,
    retry: retryPolicy ? retryOf(route, retryPolicy, remarks) : kind === 'grpcRoute' ? defaultGrpcRetry : defaultRetry,
  }
}

const httpEvents = {
  'server-error': 'server-error', 'gateway-error': 'gateway-error', 'client-error': 409, 'stream-error': 'refused-stream',
} as const

const mostRetries = 99

const retryOf = (route: Route, policy: GrpcRetryPolicy, remarks: Remarks): RouteInput['retry'] => {
  const at = ['spec', kindOf(route).kind, 'retryPolicy']
  const { maxRetries, httpRetryEvents = [], tcpRetryEvents = [], grpcRetryEvents = [] } = policy
  if (maxRetries === 0) return false
  if (maxRetries > mostRetries) remarks.warn(resourceOf(route), [...at, 'maxRetries'], `is more than ${mostRetries}, at which it is tried no more`)
  const on = new Set<NonNullable<RetryInput['on']>[number]>([
    ...tcpRetryEvents.map(() => 'connect-failure' as const),
    ...httpRetryEvents.map((event) => httpEvents[event]),
    ...grpcRetryEvents.map((event) => `grpc-${event}` as const),
  ])
  return { attempts: Math.min(maxRetries, mostRetries) + 1, on: [...on], methods: 'any' }
}

const pathOf = (path: PathCondition | undefined): MatchInput['path'] => {
  if (path === undefined || ('prefix' in path && path.prefix === '/')) return undefined
  return 'prefix' in path ? { plainPrefix: path.prefix } : path
}

type Refuse = (path: readonly string[], message: string) => void

/** Conditions as they are written in a route; `undefined` where there are none. */
export const matchOf = (
  { path: asked, method, scheme, port, headers, query }: Conditions, refuse: Refuse,
): MatchInput | undefined => {
  const path = pathOf(asked)
  const match = {
    ...(path && { path }),
    ...(method !== undefined && { method }),
    ...(scheme !== undefined && { scheme: scheme as 'http' | 'https' }),
    ...(port !== undefined && { port }),
    ...(headers.length > 0 && { headers: headersOf(headers, refuse) }),
    ...(query.length > 0 && { query: Object.fromEntries(query.map(({ name, exact }) => [name, exact ?? { present: true }])) }),
  }
  return Object.keys(match).length === 0 ? undefined : match
}

type HeaderConditions = NonNullable<MatchInput['headers']>
type HeaderCondition = Exclude<HeaderConditions[string], readonly unknown[]>

const conditionOf = ({ invert, match }: HeaderMatch): HeaderCondition => {
  if (!match) return { present: invert !== true }
  if (match.exact !== undefined && invert !== true) return match.exact
  return { ...match, ...(invert === true && { invert }) }
}

const headersOf = (headers: readonly HeaderMatch[], refuse: Refuse): HeaderConditions => {
  const asked = new Map<string, HeaderCondition[]>()
  for (const header of headers) {
    const name = header.name.toLowerCase()
    if (name.startsWith(':')) {
      refuse(['headers'], `'${header.name}' is no header but a part of the request: ask for it by \`method\`, \`path\` or \`scheme\`, and for :authority by a virtual service of its own`)
    } else asked.set(name, [...asked.get(name) ?? [], conditionOf(header)])
  }
  return Object.fromEntries([...asked].map(([name, conditions]) => [name, conditions.length === 1 ? conditions[0]! : conditions]))
}
