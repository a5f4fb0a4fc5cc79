import { isNamed, listenAddress, listened, readDefinition, type Definition, type ListenAddress, type Service } from './definition.ts'
import { clusterOf } from './envoy/clusters.ts'
import { socketAddress, time, typed, type Message } from './envoy/message.ts'
import { routeOf } from './envoy/routes.ts'
import { unexpressedBy } from './expression.ts'
import { ProxyConfigError, type ProxyConfig, type WriteProxy } from './proxy.ts'

/** What `Host` may be for a service: an exact one comes before one with any port. */
const domainsOf = ({ host, port }: Service, services: readonly Service[]): readonly string[] => {
  const spellings = [host, `${host}.`]
  if (port !== undefined) return [...spellings.map((each) => `${each}:${port}`), ...port === 80 ? spellings : []]
  const hasPort80 = services.some((other) => other.host === host && other.port === 80)
  return [...hasPort80 ? [] : spellings, ...spellings.map((each) => `${each}:*`)]
}

const virtualHost = (service: Service, domains: readonly string[], definition: Definition): Message =>
  ({ name: service.name, domains, routes: service.routes.map((route) => routeOf(route, service, definition)) })

const connectionManager = (name: string, virtualHosts: readonly Message[], { config: { telemetry, drain } }: Definition): Message => ({
  name: 'envoy.filters.network.http_connection_manager',
  typed_config: typed('envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager', {
    stat_prefix: name,
    route_config: { name, virtual_hosts: virtualHosts },
    // Matched in its normal form, and sent so.
    normalize_path: true,
    merge_slashes: true,
    stream_idle_timeout: '0s',
    drain_timeout: time(drain),
    generate_request_id: telemetry.requestId,
    preserve_external_request_id: true,
    use_remote_address: false,
    skip_xff_append: true,
    server_header_transformation: 'PASS_THROUGH',
    http_filters: [{
      name: 'envoy.filters.http.router',
      typed_config: typed('envoy.extensions.filters.http.router.v3.Router', { suppress_envoy_headers: !telemetry.deadline }),
    }],
  }),
})

const listener = (name: string, { host, port }: ListenAddress, virtualHosts: readonly Message[], definition: Definition): Message =>
  ({ name, address: socketAddress(host, port), filter_chains: [{ filters: [connectionManager(name, virtualHosts, definition)] }] })

const listeners = (definition: Definition): readonly Message[] => {
  const { services, listen } = definition
  return [
    listener('outbound', listen, services.map((service) => virtualHost(service, domainsOf(service, services), definition)), definition),
    ...services.flatMap((service, index) => service.own ? [listener(`own${index}`, service.own, [virtualHost(service, ['*'], definition)], definition)] : []),
  ]
}

const adminOf = (admin: string | undefined): Message | undefined => {
  if (admin === undefined) return undefined
  const { host, port } = listenAddress(admin, 'options.admin')
  return { address: socketAddress(host, port) }
}

const firstHost = ({ services }: Definition, name: string): string =>
  services.find(({ routes }) => routes.some(({ targets }) => targets.some(({ upstream }) => upstream.name === name)))!.host

/**
 * Writes a static bootstrap of Envoy (API v3) as JSON, for `envoy -c FILE`: a listener that tells services apart by `Host`, a virtual host for each service,
 * and the clusters.
 */
export const toEnvoy: WriteProxy = (config, options = {}): ProxyConfig => {
  const definition = readDefinition(config, options)
  const named = listened(definition).find(isNamed)
  if (named) throw new ProxyConfigError(named.path, `'${named.host}' is a name, and Envoy listens at IP addresses: write one, as in '127.0.0.1:${named.port}'`)
  const bootstrap: Message = {
    admin: adminOf(options.admin),
    static_resources: {
      listeners: listeners(definition),
      clusters: definition.upstreams.map((upstream) => clusterOf(upstream, firstHost(definition, upstream.name), definition)),
    },
  }
  return { text: `${JSON.stringify(bootstrap, null, 2)}\n`, unexpressed: unexpressedBy('envoy', definition) }
}
