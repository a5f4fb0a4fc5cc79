import { isIP, isIPv6 } from 'node:net'
import type { ClusterConfig } from '../cluster/config.ts'
import { clusterConfig } from '../cluster/config.ts'
import { MeshConfigError } from '../core/errors.ts'
import type { EndpointSpec } from '../core/endpoint.ts'
import type { FamilyOutput } from '../core/family.ts'
import { builtIn, meshConfig, routeShape, serviceAddress } from '../mesh/config.ts'
import type { BuiltInBalancer, BuiltInRegistry, MeshConfig, MeshInput, RouteConfig } from '../mesh/config.ts'
import { parse, placeIn, placeOf } from '../mesh/faults.ts'
import { plan } from '../mesh/snapshot.ts'
import type { DnsConfig } from '../registries/dns.ts'
import { endpointList } from '../registries/static.ts'
import { inOrder } from '../route/table.ts'
import { enforcesTls } from '../transport/tls/tls.ts'
import { ProxyConfigError, type ProxyOptions } from './proxy.ts'
import { label, plain } from './text.ts'

/** An endpoint of a cluster, taken apart. */
export interface Address {
  /** A name or an IP address, v6 in brackets. */
  readonly host: string
  readonly port: number
  readonly weight: number
  readonly tls: boolean
  readonly metadata: Readonly<Record<string, string>>
}

/** Where the endpoints of a cluster come from, as far as proxies know such sources. */
export type Source =
  | { readonly kind: 'static', readonly endpoints: readonly Address[] }
  | { readonly kind: 'dns', readonly dns: DnsConfig, readonly tls: boolean }

/** A cluster that something is sent to. */
export interface Upstream {
  readonly name: string
  /** Its name in configurations: harmless, and no other cluster's. */
  readonly id: string
  /** Its place in the definition. */
  readonly path: string
  readonly config: ClusterConfig
  readonly registry: FamilyOutput<BuiltInRegistry>
  readonly balancer: FamilyOutput<BuiltInBalancer>
  readonly source: Source
  /** Whether `source` is what the options give in place of the registry. */
  readonly given: boolean
}

/** One of the clusters of a route. */
export interface Target {
  readonly upstream: Upstream
  /** Its part of the route's calls, above 0; those of a route add up to 1. */
  readonly share: number
}

/** A route of a service. */
export interface ServiceRoute {
  /** Its place in the definition. */
  readonly path: string
  readonly config: RouteConfig
  readonly targets: readonly Target[]
}

/** A service, its routes in the order in which they are asked. */
export interface Service {
  readonly name: string
  readonly path: string
  /** As hosts are compared: lower case, no trailing dot. */
  readonly host: string
  readonly port: number | undefined
  /** Where it alone is listened for: an address and a port; absent where the common listener serves it only. */
  readonly own: ListenAddress | undefined
  readonly routes: readonly ServiceRoute[]
}

/** Where a proxy listens. */
export interface ListenAddress {
  readonly host: string
  readonly port: number
}

/** Where a proxy listens, and the place in the options that says so. */
export interface Listened extends ListenAddress {
  readonly path: string
}

/** A mesh definition as the writers of proxies' configurations read it. */
export interface Definition {
  readonly config: MeshConfig
  readonly options: ProxyOptions
  readonly listen: ListenAddress
  readonly services: readonly Service[]
  /** Those that some route sends something to. */
  readonly upstreams: readonly Upstream[]
}

/** Reads `host:port`, the host an IP address or a name, v6 in brackets. */
export const listenAddress = (text: string, path: string): ListenAddress => {
  const [, host, port] = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})$/.exec(text) ?? []
  if (host === undefined || Number(port) < 1 || Number(port) > 65_535 || (host.startsWith('[') && !isIPv6(host.slice(1, -1)))) {
    throw new ProxyConfigError(path, `'${text.slice(0, 100)}' is not where one could listen: write an address and a port, as in '127.0.0.1:15001'`)
  }
  return { host, port: Number(port) }
}

/** Where the options have a proxy listen, with their places: two of them on one port would take each other's calls. */
export const listened = ({ listen, services, options: { admin } }: Pick<Definition, 'listen' | 'services' | 'options'>): readonly Listened[] => [
  { path: 'options.listen', ...listen },
  ...services.flatMap(({ name, own }) => own === undefined ? [] : [{ path: placeOf(['options', 'ports', name]), ...own }]),
  // Otherwise it is a socket's path.
  ...admin !== undefined && /^[^/@]+:\d+$/.test(admin) ? [{ path: 'options.admin', ...listenAddress(admin, 'options.admin') }] : [],
]

const everyAddress: ReadonlySet<string> = new Set(['0.0.0.0', '[::]'])

const refuseShared = (all: readonly Listened[]): void => {
  for (const [index, { path, host, port }] of all.entries()) {
    const other = all.slice(0, index).find((each) => each.port === port && (each.host === host || everyAddress.has(host) || everyAddress.has(each.host)))
    if (other) throw new ProxyConfigError(path, `${host}:${port} is taken by ${other.path} (${other.host}:${other.port}) already: write another port`)
  }
}

/** A DNS server's address, v6 without brackets, and its port. */
export const dnsServer = (text: string, path: string): ListenAddress => {
  const [, v6, v4, port = '53'] = /^(?:\[([0-9a-fA-F:.]+)\]|(\d+\.\d+\.\d+\.\d+))(?::(\d{1,5}))?$/.exec(isIPv6(text) ? `[${text}]` : text) ?? []
  const host = v6 ?? v4
  if (host === undefined || isIP(host) === 0 || Number(port) < 1 || Number(port) > 65_535) {
    throw new ProxyConfigError(path, `'${text.slice(0, 100)}' is no DNS server: write an IP address, with a port where it is not 53, as in '10.0.0.2:53'`)
  }
  return { host, port: Number(port) }
}

/** The DNS servers to ask for a name; `undefined` where neither its registry nor the options name any. */
export const dnsServersOf = ({ source, path }: Upstream, { resolvers }: ProxyOptions): readonly ListenAddress[] | undefined => {
  const { servers = resolvers } = source.kind === 'dns' ? source.dns : {}
  return servers?.map((server, index) => dnsServer(server, `${path}.registry.servers[${index}]`))
}

/** Whether an endpoint is written by a name, which somebody has to look up. */
export const isNamed = ({ host }: Pick<Address, 'host'>): boolean => !host.startsWith('[') && isIP(host) === 0

const addressOf = ({ address, weight = 1, tls, metadata = {} }: EndpointSpec, { tls: clusterTls }: ClusterConfig): Address => {
  const at = address.lastIndexOf(':')
  const port = Number(address.slice(at + 1))
  return { host: address.slice(0, at), port, weight, tls: enforcesTls(clusterTls, port) || (tls ?? false), metadata }
}

const givenEndpoints = (name: string, { endpoints = {} }: ProxyOptions): readonly EndpointSpec[] | undefined => {
  if (!Object.hasOwn(endpoints, name)) return undefined
  const { value, faults } = parse(endpointList, endpoints[name])
  if (!value) throw new ProxyConfigError(placeOf(['options', 'endpoints', name]), faults.map(({ path, message }) => `${path} ${message}`.trim()).join('; '))
  return value
}

const sourceOf = (name: string, path: string, config: ClusterConfig, options: ProxyOptions): Source => {
  const registry = config.registry as FamilyOutput<BuiltInRegistry>
  const all = (endpoints: readonly EndpointSpec[]): Source => ({ kind: 'static', endpoints: endpoints.map((endpoint) => addressOf(endpoint, config)) })
  const given = givenEndpoints(name, options)
  if (given) return all(given)
  switch (registry.type) {
    case 'static': return all(registry.endpoints)
    case 'none': return { kind: 'static', endpoints: [] }
    case 'dns': return { kind: 'dns', dns: registry, tls: enforcesTls(config.tls, registry.port ?? 0) || (registry.tls ?? false) }
    default: throw new ProxyConfigError(`${path}.registry`, `no proxy can follow a registry of type '${registry.type}': give the endpoints of '${name}' `
      + `(endpoints: { ${JSON.stringify(name)}: ['10.0.0.1:8080'] })`)
  }
}

const sharesOf = (to: RouteConfig['to']): readonly (readonly [name: string, share: number])[] => {
  if (typeof to === 'string') return [[to, 1]]
  const drawn = Object.entries(to).filter(([, weight]) => weight > 0)
  const total = drawn.reduce((sum, [, weight]) => sum + weight, 0)
  return drawn.map(([name, weight]) => [name, weight / total])
}

/** Sees that a host has no letters that would mean something in a configuration. */
export const harmlessHost = (host: string, path: string): string => {
  if (host.startsWith('.') || host.includes('..')) throw new ProxyConfigError(path, 'has a dot with nothing before it, which is no name that could be dialled')
  return plain(host, '._\\[\\]:-', path, 'a host')
}

/** Sees that options name what is there. */
const refuseUnknown = (what: 'endpoints' | 'certificates' | 'ports', given: object | undefined, known: { has(name: string): boolean }, kind: string): void => {
  const unknown = Object.keys(given ?? {}).find((name) => !known.has(name))
  if (unknown !== undefined) throw new ProxyConfigError(placeOf(['options', what, unknown]), `there is no ${kind} of that name`)
}

/** The configuration language; made once, since that takes longer than anything else here. */
let language: { readonly mesh: ReturnType<typeof meshLanguage>, readonly route: ReturnType<typeof routeLanguage>, readonly cluster: ReturnType<typeof clusterLanguage> } | undefined

const meshLanguage = () => meshConfig(builtIn)
const routeLanguage = () => routeShape(builtIn.matchers)
const clusterLanguage = () => clusterConfig(builtIn.registries, builtIn.balancers)

/** Sees that the options which are no places of something in the definition say what they may. */
const checkOptions = ({ threads = 1, resolvers, systemAuthorities, admin, certificates = {} }: ProxyOptions): void => {
  if (!Number.isInteger(threads) || threads < 1 || threads > 64) throw new ProxyConfigError('options.threads', `${String(threads)} is no number of threads: write a whole number from 1 to 64`)
  if (admin === '') throw new ProxyConfigError('options.admin', "is empty: write the path of a socket, or an address and a port, as in '127.0.0.1:15002'")
  for (const [name, files] of Object.entries(certificates)) {
    const [empty] = Object.entries(files).find(([, file]) => file === '') ?? []
    if (empty !== undefined) throw new ProxyConfigError(placeOf(['options', 'certificates', name, empty]), 'is empty: write the path of a PEM file')
  }
  if (systemAuthorities === '') throw new ProxyConfigError('options.systemAuthorities', 'is empty: write the path of a PEM file')
  for (const [index, server] of (resolvers ?? []).entries()) dnsServer(server, placeOf(['options', 'resolvers', index]))
}

/** Parses a definition and what options say of the proxy's machine. Throws where either doesn't hold together. */
export const readDefinition = (input: MeshInput, options: ProxyOptions): Definition => {
  language ??= { mesh: meshLanguage(), route: routeLanguage(), cluster: clusterLanguage() }
  const { mesh, route, cluster } = language
  const { value: config, faults } = parse(mesh, input)
  if (!config) throw new MeshConfigError(faults)
  checkOptions(options)
  const planned = plan(config, (fields) => route.parse(fields),
    (endpoints) => cluster.parse({ registry: { type: 'static', endpoints } as never }))
  if (planned.faults.length > 0) throw new MeshConfigError(planned.faults)
  refuseUnknown('endpoints', options.endpoints, planned.clusters, 'cluster')
  refuseUnknown('certificates', options.certificates, planned.clusters, 'cluster')
  refuseUnknown('ports', options.ports, planned.services, 'service')

  const upstreams = new Map<string, Upstream>()
  const upstreamOf = (name: string): Upstream => {
    const known = upstreams.get(name)
    if (known) return known
    const config = planned.clusters.get(name)!
    const path = Object.hasOwn((input.clusters ?? {}), name) ? placeOf(['clusters', name]) : placeOf(['services', name])
    const upstream: Upstream = {
      name, path, config,
      id: `c${upstreams.size}_${label(name)}`,
      registry: config.registry as FamilyOutput<BuiltInRegistry>,
      balancer: config.balancer as FamilyOutput<BuiltInBalancer>,
      source: sourceOf(name, path, config, options),
      given: Object.hasOwn(options.endpoints ?? {}, name),
    }
    upstreams.set(name, upstream)
    return upstream
  }
  const services = [...planned.services].map(([name, routes]): Service => {
    const path = placeOf(['services', name])
    const { host, port } = serviceAddress(name)!
    harmlessHost(host, path)
    const written = config.services[name]!
    const places = new Map(routes.map((each, index) =>
      [each, !Array.isArray(written) && 'routes' in written ? placeIn(`${path}.routes`, index) : path]))
    return {
      name, path, host, port,
      own: Object.hasOwn(options.ports ?? {}, name) ? listenAddress(options.ports![name]!, placeOf(['options', 'ports', name])) : undefined,
      routes: inOrder(routes, builtIn.matchers).map((each) => ({
        path: places.get(each)!,
        config: each,
        targets: sharesOf(each.to).map(([name, share]) => ({ upstream: upstreamOf(name), share })),
      })),
    }
  })
  const listen = listenAddress(options.listen ?? '127.0.0.1:15001', 'options.listen')
  refuseShared(listened({ listen, services, options }))
  return { config, options, listen, services, upstreams: [...upstreams.values()] }
}

/** Whether all endpoints of a cluster speak TLS. Throws where some do and others don't, for a proxy that cannot tell them apart. */
export const speaksTls = ({ source, path, name }: Upstream, proxy: string): boolean => {
  if (source.kind === 'dns') return source.tls
  const secured = source.endpoints.filter(({ tls }) => tls).length
  if (secured === 0 || secured === source.endpoints.length) return secured > 0
  throw new ProxyConfigError(path, `some endpoints of '${name}' speak TLS and others don't, and for ${proxy} all do or none: make two clusters of it`)
}
