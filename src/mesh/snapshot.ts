import { isDeepStrictEqual } from 'node:util'
import { Cluster } from '../cluster/cluster.ts'
import type { ClusterFamilies, ClusterParts } from '../cluster/parts.ts'
import type { clusterConfig, ClusterConfig } from '../cluster/config.ts'
import type { Attempt, Call, ClusterHandle } from '../core/call.ts'
import { MeshConfigError, OptionsError, type ConfigFault } from '../core/errors.ts'
import type { Send } from '../core/send.ts'
import type { Matcher } from '../matchers/matcher.ts'
import { egress } from '../policies/egress.ts'
import { routeTable, unreachable, type RouteTable } from '../route/table.ts'
import type { Runtime } from '../runtime/runtime.ts'
import type { LogFiles } from '../tracing/access-log/file.ts'
import type { MeshMetrics } from '../tracing/metrics.ts'
import type { ConnectionConfig } from '../transport/connections.ts'
import { serviceAddress, type MeshConfig, type RouteConfig } from './config.ts'
import { didYouMean, placeOf } from './faults.ts'
import { attemptStack, callStack, clusterStack, unroutedStack, type OwnLayers } from './stack.ts'

/** A route made ready: what matches, and how a call is sent that it applies to. */
export interface Route {
  readonly name: string
  readonly match: RouteConfig['match']
  readonly priority: number | undefined
  readonly config: RouteConfig
  readonly send: Send<Call>
}

/** A service made ready. */
export interface Service {
  readonly name: string
  readonly host: string
  readonly port: number | undefined
  readonly table: RouteTable<Route>
  readonly routes: readonly Route[]
  /** What a call meets that none of them is for. */
  readonly unrouted: Send<Call>
}

/** One configuration, compiled and immutable. A call reads it once and keeps that view to its end. */
export interface Snapshot {
  /** What is in effect, without keys and passphrases. */
  readonly config: MeshConfig
  /** What it was built from, to compare with. It may hold keys and passphrases: never shown. */
  readonly parsed: MeshConfig
  readonly services: ReadonlyMap<string, Service>
  readonly clusters: ReadonlyMap<string, Cluster>
  /** What each cluster is to become when this snapshot takes over. */
  readonly parts: ReadonlyMap<string, ClusterParts>
  /** Whether a host that is no service may be called. */
  readonly mayLeave: (host: string, port: number) => boolean
}

/** What a snapshot is built with. */
export interface Surroundings {
  readonly runtime: Runtime
  readonly families: ClusterFamilies
  readonly matchers: { make(match: NonNullable<RouteConfig['match']>): readonly Matcher[] }
  readonly metrics: MeshMetrics
  readonly logs: LogFiles
  readonly own: OwnLayers
  readonly transport: (config: ConnectionConfig, credentials: ClusterParts['credentials']) => Send<Attempt>
}

/** Every service written out as routes, and the clusters of those that list endpoints. */
export interface Plan {
  readonly services: ReadonlyMap<string, readonly RouteConfig[]>
  readonly clusters: ReadonlyMap<string, ClusterConfig>
  readonly faults: readonly ConfigFault[]
}

type ClusterOf = (endpoints: readonly unknown[]) => ClusterConfig

/** Writes a configuration out; what its names don't hold together by are `faults`. */
export const plan = (config: MeshConfig, routeOf: (fields: object) => RouteConfig, clusterOf: ClusterOf): Plan => {
  const services = new Map<string, readonly RouteConfig[]>()
  const faults = twins(Object.keys(config.services))
  const clusters = clustersOf(config, clusterOf, faults)
  for (const [name, service] of Object.entries(config.services)) {
    const place = ['services', name]
    if (Array.isArray(service)) {
      services.set(name, [routeOf({ to: name })])
    } else if ('cluster' in service) {
      const { cluster, ...policy } = service
      faults.push(...unknownClusters([[cluster, [...place, 'cluster']]], clusters))
      services.set(name, [{ ...routeOf({ to: cluster }), ...policy }])
    } else {
      const { routes } = service as { routes: readonly RouteConfig[] }
      faults.push(...routes.flatMap((route, index) => unknownClusters(namedIn(route, [...place, 'routes', index]), clusters)))
      faults.push(...duplicates(routes, place))
      services.set(name, routes)
    }
  }
  return { services, clusters, faults }
}

const twins = (names: readonly string[]): ConfigFault[] => {
  const seen = new Map<string, string>()
  return names.flatMap((name) => {
    const { host, port } = serviceAddress(name)!
    const key = keyOf(host, port)
    const twin = seen.get(key)
    seen.set(key, twin ?? name)
    return twin === undefined ? []
      : [{ path: placeOf(['services', name]), message: `is the same service as '${twin}': case and a trailing dot make no difference` }]
  })
}

/** The clusters by name, those of services that list endpoints included: a service may use one that is written after it. */
const clustersOf = (config: MeshConfig, clusterOf: ClusterOf, faults: ConfigFault[]): ReadonlyMap<string, ClusterConfig> => {
  const clusters = new Map(Object.entries(config.clusters) as [string, ClusterConfig][])
  for (const [name, service] of Object.entries(config.services)) {
    if (!Array.isArray(service)) continue
    if (!clusters.has(name)) clusters.set(name, clusterOf(service))
    else {
      faults.push({
        path: placeOf(['services', name]),
        message: `makes a cluster of its own called '${name}', and there is one of that name: write { cluster: '${name}' }, or rename it`,
      })
    }
  }
  return clusters
}

type Place = readonly (string | number)[]

const namedIn = ({ to }: RouteConfig, place: Place): readonly (readonly [string, Place])[] =>
  typeof to === 'string' ? [[to, [...place, 'to']]] : Object.keys(to).map((name) => [name, [...place, 'to', name]])

const unknownClusters = (named: readonly (readonly [string, Place])[], clusters: ReadonlyMap<string, unknown>): ConfigFault[] =>
  named.filter(([name]) => !clusters.has(name)).map(([name, place]) => ({
    path: placeOf(place),
    message: clusters.size === 0 ? `there is no cluster '${name}': \`clusters\` has none`
      : `there is no cluster '${name}': ${didYouMean(name, [...clusters.keys()])}`,
  }))

const duplicates = (routes: readonly RouteConfig[], place: Place): ConfigFault[] => [
  ...unreachable(routes).map(([later, earlier]) => ({
    path: placeOf([...place, 'routes', later]),
    message: `can never match: routes[${earlier}] has the same conditions and comes first`,
  })),
  ...routes.flatMap(({ name }, index) => {
    if (name === undefined) return []
    const first = routes.findIndex((route) => route.name === name)
    return first < index
      ? [{ path: placeOf([...place, 'routes', index, 'name']), message: `'${name}' is the name of routes[${first}] already` }] : []
  }),
]

const keyOf = (host: string, port: number | undefined): string => port === undefined ? host : `${host}:${port}`

/** The service that a host and port dial: by both, else by the host alone. */
export const findService = (snapshot: Snapshot, host: string, port: number): Service | undefined =>
  snapshot.services.get(keyOf(host, port)) ?? snapshot.services.get(host)

/** Reads what the parsed configuration leaves short. */
export interface Shorthand {
  readonly route: (fields: object) => RouteConfig
  readonly cluster: ReturnType<typeof clusterConfig>
}

/**
 * Compiles a configuration. Changes nothing yet, and throws a `MeshConfigError` if the configuration doesn't hold together;
 * clusters that exist already are asked what they would become.
 */
export const build = (config: MeshConfig, shorthand: Shorthand, before: ReadonlyMap<string, Cluster>, surroundings: Surroundings): Snapshot => {
  const { runtime, families, matchers, metrics, logs, own, transport } = surroundings
  const staticCluster = (endpoints: readonly unknown[]): ClusterConfig =>
    shorthand.cluster.parse({ registry: { type: 'static', endpoints } })
  const planned = plan(config, shorthand.route, staticCluster)
  if (planned.faults.length > 0) throw new MeshConfigError(planned.faults)

  const clusters = new Map<string, Cluster>()
  const parts = new Map<string, ClusterParts>()
  const handles = new Map<string, ClusterHandle>()
  const hosts = dialledFor(planned)
  for (const [name, clusterConfig] of planned.clusters) {
    const cluster = before.get(name) ?? new Cluster(name, families, runtime)
    const part = prepare(cluster, clusterConfig, hosts.get(name))
    clusters.set(name, cluster)
    parts.set(name, part)
    const send = attemptStack(cluster, part, config.telemetry, metrics, own, transport(part.config, part.credentials))
    handles.set(name, { name, budget: part.budget, send: clusterStack(cluster, part, send) })
  }

  const services = new Map<string, Service>()
  for (const [name, routes] of planned.services) {
    const { host, port } = serviceAddress(name)!
    const compiled = routes.map((route, index): Route => ({
      name: route.name ?? `routes[${index}]`,
      match: route.match,
      priority: route.priority,
      config: route,
      send: callStack(route, targetsOf(route, handles), config.telemetry, logs, own, runtime),
    }))
    const unrouted = unroutedStack(config.telemetry, logs, noRoute(name, routes.length), runtime)
    services.set(keyOf(host, port), { name, host, port, table: tableOf(name, compiled, matchers), routes: compiled, unrouted })
  }
  return { config: inEffect(config, (name) => parts.get(name)!), parsed: config, services, clusters, parts, mayLeave: egress(config.egress) }
}

const noRoute = (service: string, routes: number): Send<Call> => (call) => Promise.reject(call.error(
  'ENMESH_NO_ROUTE',
  `${call}: none of the ${routes} routes of service '${service}' matches. ` +
  'Add a route without `match` as a catch-all, or ask mesh.explain() why each one does not match.',
))

const inEffect = (config: MeshConfig, partsOf: (cluster: string) => ClusterParts): MeshConfig => ({
  ...config,
  clusters: Object.fromEntries(Object.keys(config.clusters).map((name) => [name, partsOf(name).config])) as MeshConfig['clusters'],
})

/** The configuration of a snapshot in use as it is now: files that were renewed since show their new `sha256`. */
export const inUse = ({ config, clusters }: Snapshot): MeshConfig => inEffect(config, (name) => clusters.get(name)!.parts)

// What cannot be told by their shape: plug-ins of the user's own may refuse options, and files may not be what they should.
const making = <Made>(place: Place, make: () => Made): Made => {
  try {
    return make()
  } catch (error) {
    if (error instanceof OptionsError) {
      throw new MeshConfigError(error.faults.map(({ path, message }) => ({ path: placeOf([...place, ...path]), message })))
    }
    throw new MeshConfigError([{ path: placeOf(place), message: error instanceof Error ? error.message : String(error) }])
  }
}

const prepare = (cluster: Cluster, config: ClusterConfig, host: string | undefined): ClusterParts =>
  making(['clusters', cluster.name], () => cluster.prepare(config, host))

/** The host that each cluster is dialled for, by the first service that sends to it. */
const dialledFor = ({ services }: Plan): ReadonlyMap<string, string> => {
  const hosts = new Map<string, string>()
  for (const [service, routes] of services) {
    for (const cluster of routes.flatMap(({ to }) => typeof to === 'string' ? [to] : Object.keys(to))) {
      if (!hosts.has(cluster)) hosts.set(cluster, serviceAddress(service)!.host)
    }
  }
  return hosts
}

const tableOf = (service: string, routes: readonly Route[], matchers: Surroundings['matchers']): RouteTable<Route> =>
  making(['services', service], () => routeTable(routes, matchers))

const targetsOf = ({ to }: RouteConfig, handles: ReadonlyMap<string, ClusterHandle>) =>
  Object.entries(typeof to === 'string' ? { [to]: 1 } : to).map(([name, weight]) => ({ cluster: handles.get(name)!, weight }))

/** What a change of configuration changed, by name: `services.NAME`, `clusters.NAME`, or the setting of the whole mesh. */
export interface Changes {
  readonly added: readonly string[]
  readonly changed: readonly string[]
  readonly removed: readonly string[]
}

/** Compares the snapshot in use with the one that is to take its place. */
export const changes = (before: Snapshot, after: Snapshot): Changes => {
  const flat = ({ services, clusters, config }: Snapshot, partsOf: (cluster: string) => ClusterParts): Map<string, unknown> => new Map<string, unknown>([
    ...[...services.values()].map(({ name, routes }) => [`services.${name}`, routes.map(({ config }) => config)] as const),
    ...[...clusters.keys()].map((name) => [`clusters.${name}`, partsOf(name).config] as const),
    ...(['egress', 'telemetry', 'replayLimit', 'drain'] as const).map((key) => [key, config[key]] as const),
  ])
  const old = flat(before, (name) => before.clusters.get(name)!.parts)
  const now = flat(after, (name) => after.parts.get(name)!)
  return {
    added: [...now.keys()].filter((key) => !old.has(key)),
    changed: [...now].filter(([key, value]) => old.has(key) && !isDeepStrictEqual(old.get(key), value)).map(([key]) => key),
    removed: [...old.keys()].filter((key) => !now.has(key)),
  }
}
