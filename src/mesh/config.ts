import { z } from 'zod'
import type { Balancer } from '../balancers/balancer.ts'
import { balancers } from '../balancers/index.ts'
import { clusterConfig } from '../cluster/config.ts'
import { duration } from '../config/duration.ts'
import type { AnyKind, Family } from '../core/family.ts'
import { normaliseHost } from '../core/host.ts'
import { matchers } from '../matchers/index.ts'
import type { AnyMatcherKind, Matchers } from '../matchers/matcher.ts'
import { egressConfig } from '../policies/egress.ts'
import { retryOverride, retryPolicy } from '../policies/retry.ts'
import { registries } from '../registries/index.ts'
import type { Registry } from '../registries/registry.ts'
import { endpointList } from '../registries/static.ts'
import { prefixToReplace, routeConfig } from '../route/config.ts'
import { telemetryConfig } from '../tracing/config.ts'

/** Splits a service's name into host and, where it has one, port. */
export const serviceAddress = (name: string): { readonly host: string, readonly port: number | undefined } | undefined => {
  const parts = /^(\[[^\]]*\]|[^:]*)(?::(\d{1,5}))?$/.exec(name)
  const host = parts && normaliseHost(parts[1]!)
  if (!host) return undefined
  const port = parts[2] === undefined ? undefined : Number(parts[2])
  return port === undefined || (port > 0 && port < 65_536) ? { host, port } : undefined
}

const serviceName = z.string().refine((name) => serviceAddress(name) !== undefined,
  "is not a service name: write the host that callers dial, with or without a port ('pricing.shop.local', 'pricing:8080')")

const names = z.string().min(1).max(255)

/** The plug-ins that a configuration may name. */
export interface Families<R extends AnyKind<Registry>, B extends AnyKind<Balancer>, M extends AnyMatcherKind> {
  readonly registries: Family<Registry, R>
  readonly balancers: Family<Balancer, B>
  readonly matchers: Matchers<M>
}

/** The families that come with enmesh. */
export const builtIn = { registries, balancers, matchers }

/** The shape of one route, for the matchers at hand; retries are on unless it says otherwise. */
export const routeShape = <M extends AnyMatcherKind>(matchers: Matchers<M>) =>
  routeConfig({ match: matchers.schema, retry: retryPolicy.prefault({}) })

/** The whole configuration language, for the plug-ins at hand. */
export const meshConfig = <R extends AnyKind<Registry>, B extends AnyKind<Balancer>, M extends AnyMatcherKind>(
  families: Families<R, B, M>,
) => {
  const route = routeShape(families.matchers)
  const { match: _match, to: _to, name: _name, priority: _priority, ...policy } = route.shape
  const service = z.union([
    endpointList.describe('Endpoints: a static cluster of its own.'),
    z.strictObject({ cluster: names.describe('The cluster that everything goes to.'), ...policy }).superRefine(prefixToReplace),
    z.strictObject({ routes: z.array(route).min(1, 'needs at least one route').describe('The routes; the best match wins.') }),
  ], { error: "must be a list of endpoints (['10.0.0.1:8080']), or have one of { cluster: 'name' } and { routes: [{ to: 'name' }] }" })
  return z.strictObject({
    services: z.record(serviceName, service).default({}).describe('What callers dial, by host.'),
    clusters: z.record(names, clusterConfig(families.registries, families.balancers)).default({}).describe('Where calls go, by name.'),
    egress: egressConfig.default('allow').describe('What happens to hosts that are no services: allow, deny, or a list.'),
    telemetry: telemetryConfig.prefault({}).describe('What OpenTelemetry is told, and what is sent along with each request to a service.'),
    replayLimit: z.int().min(0).default(64 * 1024)
      .describe('Bytes of a streamed request body that are kept for another attempt; a longer one is sent once.'),
    drain: duration.default(10_000).describe('How long close() lets calls under way end before it aborts them.'),
  })
}

type Schema<R extends AnyKind<Registry>, B extends AnyKind<Balancer>, M extends AnyMatcherKind> = ReturnType<typeof meshConfig<R, B, M>>

/** The registries that come with enmesh. */
export type BuiltInRegistry = typeof registries.kinds[number]

/** The balancers that come with enmesh. */
export type BuiltInBalancer = typeof balancers.kinds[number]

/** The matchers that come with enmesh. */
export type BuiltInMatcher = typeof matchers.kinds[number]

/** What may be written, and need not be writable: parsing changes nothing of what it is given, so a configuration may be `as const`. */
export type Readable<T> = T extends (...args: never) => unknown ? T : T extends object ? { readonly [Key in keyof T]: Readable<T[Key]> } : T

/** What the user may write. */
export type MeshInput<
  R extends AnyKind<Registry> = BuiltInRegistry,
  B extends AnyKind<Balancer> = BuiltInBalancer,
  M extends AnyMatcherKind = BuiltInMatcher,
> = Readable<z.input<Schema<R, B, M>>>

/** The configuration after parsing: every default written out, durations in milliseconds. */
export type MeshConfig = z.output<Schema<BuiltInRegistry, BuiltInBalancer, BuiltInMatcher>>

/** Parsed configuration of one route. */
export type RouteConfig = z.output<ReturnType<typeof routeShape<BuiltInMatcher>>>

/** Policy of a single call. */
export const callPolicy = z.strictObject({
  timeout: duration.optional().describe('Deadline of this call; 0 is none.'),
  attemptTimeout: duration.optional().describe('Longest wait for the head of one attempt; 0 is none.'),
  idleTimeout: duration.optional().describe('Longest silence on the wire; 0 is none.'),
  retry: retryOverride.optional().describe('Retry policy of this call, over its route\'s; false for none.'),
  hashKey: z.string().min(1).optional().describe('What sticky splits and hashing balancers go by.'),
})

/** Policy of a single call, as the user may write it (`init.mesh`). */
export type CallPolicyInput = Readable<z.input<typeof callPolicy>>
