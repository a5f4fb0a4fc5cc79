import type { Definition, ServiceRoute, Upstream } from '../definition.ts'
import type { ProxyName } from '../proxy.ts'

/** How far a proxy has a policy. */
export type Expression =
  | { readonly level: 'same', readonly remark?: string }
  | { readonly level: 'otherwise' | 'none', readonly instead: string, readonly why: string }

/** A policy of mesh definitions, and what becomes of it in each proxy. */
export interface PolicyRow {
  /** Its options in the configuration: `cluster.breaker` is `clusters.NAME.breaker`, and `route` is that of a service. */
  readonly policy: string
  /** Places in a definition where it is in effect, and a proxy that has it otherwise does something else. */
  readonly places: (definition: Definition, proxy: ProxyName) => readonly string[]
  readonly haproxy: Expression
  readonly nginx: Expression
  readonly envoy: Expression
}

/** The proxy does what the mesh does. */
export const same: Expression = { level: 'same' }

/** The proxy does what the mesh does, but for something that nobody should notice. */
export const nearly = (remark: string): Expression => ({ level: 'same', remark })

/** The proxy has something of the kind. */
export const otherwise = (instead: string, why: string): Expression => ({ level: 'otherwise', instead, why })

/** The proxy has nothing of the kind. */
export const none = (instead: string, why: string): Expression => ({ level: 'none', instead, why })

/** The place of an option of routes, where a test says that it matters. */
export const inRoutes = (option: string, matters: (route: ServiceRoute, proxy: ProxyName) => unknown): PolicyRow['places'] =>
  ({ services }, proxy) => services.flatMap(({ routes }) => routes.filter((route) => Boolean(matters(route, proxy))).map(({ path }) => `${path}.${option}`))

/** The place of an option of clusters, where a test says that it matters. */
export const inClusters = (option: string, matters: (upstream: Upstream, proxy: ProxyName, definition: Definition) => unknown): PolicyRow['places'] =>
  (definition, proxy) => definition.upstreams.filter((upstream) => Boolean(matters(upstream, proxy, definition))).map(({ path }) => `${path}.${option}`)

/** An option of the whole mesh, where a test says that it matters. */
export const inMesh = (option: string, matters: (definition: Definition) => unknown): PolicyRow['places'] =>
  (definition) => matters(definition) ? [option] : []
