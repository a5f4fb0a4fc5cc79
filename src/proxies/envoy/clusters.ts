import type { HealthCheckConfig } from '../../cluster/health-checks.ts'
import type { OutlierConfig } from '../../cluster/outlier.ts'
import { balancerWithin, innermost, levelsOf, wholeWeights } from '../balancing.ts'
import { http2Options, type Http2Options } from '../../transport/http2/config.ts'
import { dnsServersOf, isNamed, speaksTls, type Address, type Definition, type Upstream } from '../definition.ts'
import { ProxyConfigError } from '../proxy.ts'
import { tlsFilesOf, verifiedName, verifiedNames } from '../tls.ts'
import { printable } from '../text.ts'
import { count, socketAddress, time, typed, unlimited, type Message } from './message.ts'

const slowStart = ({ config: { slowStart } }: Upstream): Message | undefined => slowStart === 0 ? undefined
  : { slow_start_config: { slow_start_window: time(slowStart), min_weight_percent: { value: 10 } } }

const balancing = (upstream: Upstream, endpoints: number): Message => {
  const inner = innermost(upstream.balancer)
  switch (inner.type) {
    case 'round-robin': case 'weighted': case 'orca-wrr': return { lb_policy: 'ROUND_ROBIN', round_robin_lb_config: slowStart(upstream) }
    case 'random': return { lb_policy: 'RANDOM' }
    case 'ring-hash': return {
      lb_policy: 'RING_HASH',
      ring_hash_lb_config: { minimum_ring_size: Math.min(8_388_608, inner.points * Math.max(1, endpoints)), maximum_ring_size: 8_388_608 },
    }
    case 'maglev': return { lb_policy: 'MAGLEV', maglev_lb_config: { table_size: inner.tableSize } }
    default: return {
      lb_policy: 'LEAST_REQUEST',
      least_request_lb_config: { choice_count: inner.type === 'least-request' ? inner.choices : 2, ...slowStart(upstream) },
    }
  }
}

const commonBalancing = ({ balancer, config: { panic } }: Upstream): Message => {
  const inner = innermost(balancer)
  const maxLoad = inner.type === 'ring-hash' || inner.type === 'maglev' ? inner.maxLoad : undefined
  return {
    healthy_panic_threshold: { value: panic },
    consistent_hashing_lb_config: maxLoad === undefined ? undefined : { hash_balance_factor: Math.round(maxLoad * 100) },
  }
}

const on = (rule: unknown): number => rule === false ? 0 : 100

const outlierDetection = (outlier: OutlierConfig): Message => {
  const { successRate, failurePercentage, failures, gatewayFailures, localFailures, minEjected } = outlier
  const apart = localFailures !== false
  return {
    consecutive_5xx: failures === false ? undefined : count(failures),
    enforcing_consecutive_5xx: on(failures),
    consecutive_gateway_failure: gatewayFailures === false ? undefined : count(gatewayFailures),
    enforcing_consecutive_gateway_failure: on(gatewayFailures),
    split_external_local_origin_errors: apart,
    consecutive_local_origin_failure: apart ? count(localFailures) : undefined,
    enforcing_consecutive_local_origin_failure: apart ? 100 : undefined,
    enforcing_success_rate: on(successRate),
    enforcing_local_origin_success_rate: apart ? on(successRate) : undefined,
    success_rate_minimum_hosts: successRate === false ? undefined : count(successRate.endpoints),
    success_rate_request_volume: successRate === false ? undefined : count(successRate.volume),
    success_rate_stdev_factor: successRate === false ? undefined : Math.round(successRate.factor * 1_000),
    enforcing_failure_percentage: on(failurePercentage),
    enforcing_failure_percentage_local_origin: apart ? on(failurePercentage) : undefined,
    failure_percentage_minimum_hosts: failurePercentage === false ? undefined : count(failurePercentage.endpoints),
    failure_percentage_request_volume: failurePercentage === false ? undefined : count(failurePercentage.volume),
    failure_percentage_threshold: failurePercentage === false ? undefined : Math.round(failurePercentage.threshold),
    interval: time(outlier.interval),
    base_ejection_time: time(outlier.ejection),
    max_ejection_time: time(Math.max(outlier.maxEjection, outlier.ejection)),
    max_ejection_time_jitter: time(outlier.jitter),
    max_ejection_percent: Math.floor(outlier.maxEjected),
    always_eject_one_host: minEjected > 0,
  }
}

const question = (check: HealthCheckConfig, host: string, path: string): Message => {
  if (check.protocol === 'tcp') return { tcp_health_check: {} }
  const asked = printable(check.host ?? host, path)
  if (check.protocol === 'grpc') return { grpc_health_check: { service_name: printable(check.service, path), authority: asked } }
  return {
    http_health_check: {
      host: asked,
      path: printable(check.path, path),
      expected_statuses: check.statuses.map((status) => ({ start: status, end: status + 1 })),
      codec_client_type: check.protocol === 'http2' ? 'HTTP2' : 'HTTP1',
    },
  }
}

const healthCheck = (check: HealthCheckConfig, host: string, path: string): Message => ({
  timeout: time(check.timeout),
  interval: time(check.interval),
  interval_jitter_percent: 10,
  unhealthy_threshold: count(check.unhealthyThreshold),
  healthy_threshold: count(check.healthyThreshold),
  ...question(check, host, path),
})

const circuitBreakers = ({ config: { connections, pending, requests, budget } }: Upstream): Message => ({
  thresholds: [{
    max_connections: unlimited,
    max_pending_requests: count(pending),
    max_requests: count(requests ?? unlimited),
    retry_budget: { budget_percent: { value: budget.percent }, min_retry_concurrency: count(Math.ceil(budget.perSecond)) },
  }],
  per_host_thresholds: [{ max_connections: count(connections) }],
})

const tls = (upstream: Upstream, { options }: Definition): Message | undefined => {
  if (!speaksTls(upstream, 'Envoy')) return undefined
  const { verify, ca = options.systemAuthorities ?? '/etc/ssl/certs/ca-certificates.crt', cert, key, path } = tlsFilesOf(upstream, options, 'Envoy')
  const names = verifiedNames(upstream) ?? (verifiedName(upstream) === undefined ? [] : [verifiedName(upstream)!])
  const { tls, http2 } = upstream.config
  const file = (name: string): Message => ({ filename: printable(name, path) })
  return {
    name: 'envoy.transport_sockets.tls',
    typed_config: typed('envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext', {
      common_tls_context: {
        tls_params: { tls_minimum_protocol_version: 'TLSv1_2' },
        alpn_protocols: http2 !== false ? ['h2'] : typeof tls === 'object' ? tls.alpn : ['http/1.1'],
        tls_certificates: cert === undefined || key === undefined ? undefined : [{ certificate_chain: file(cert), private_key: file(key) }],
        validation_context: verify ? {
          trusted_ca: file(ca),
          match_typed_subject_alt_names: names.length === 0 ? undefined
            : names.map((name) => ({ san_type: name.includes('://') ? 'URI' : 'DNS', matcher: { exact: name } })),
        } : { trust_chain_verification: 'ACCEPT_UNTRUSTED' },
      },
      sni: verifiedName(upstream),
    }),
  }
}

const protocolOptions = (upstream: Upstream): Message => {
  const dialled = upstream.source.kind === 'dns' ? upstream.source.tls : upstream.source.endpoints.some(({ tls }) => tls)
  const { tls, keepAlive, http2 } = upstream.config
  const verify = typeof tls === 'object' ? tls.verify : true
  // Where no name is given, the certificate is to carry the one that was dialled.
  const byHost = dialled && verifiedName(upstream) === undefined
  return {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': typed('envoy.extensions.upstreams.http.v3.HttpProtocolOptions', {
      common_http_protocol_options: { idle_timeout: time(Math.max(1, keepAlive)) },
      upstream_http_protocol_options: byHost ? { auto_sni: true, auto_san_validation: verify && verifiedNames(upstream) === undefined } : undefined,
      explicit_http_config: http2 === false ? { http_protocol_options: {} } : { http2_protocol_options: http2ProtocolOptions(http2Options(http2)) },
    }),
  }
}

const http2ProtocolOptions = ({ streams, ping, pingTimeout }: Http2Options): Message => ({
  max_concurrent_streams: streams,
  connection_keepalive: ping === 0 ? undefined : { interval: time(ping), timeout: time(pingTimeout) },
})

const lookupFamily = { any: 'ALL', 4: 'V4_ONLY', 6: 'V6_ONLY', 'prefer-4': 'V4_PREFERRED', 'prefer-6': 'AUTO' } as const

const endpoint = ({ host, port }: Pick<Address, 'host' | 'port'>, check: HealthCheckConfig | false): Message => ({
  address: socketAddress(host, port),
  health_check_config: check !== false && check.port !== undefined ? { port_value: check.port } : undefined,
})

const loadAssignment = (upstream: Upstream): Message => {
  const { id, source, balancer, config: { healthCheck: check } } = upstream
  if (source.kind === 'dns') {
    return { cluster_name: id, endpoints: [{ lb_endpoints: [{ endpoint: endpoint({ host: source.dns.hostname, port: source.dns.port! }, check) }] }] }
  }
  const { endpoints } = source
  const levels = levelsOf(upstream, endpoints)
  const weights = wholeWeights(endpoints.map(({ weight }) => weight), 1_000_000)
  const overprovisioning = balancerWithin(balancer, 'priority')?.overprovisioning
  return {
    cluster_name: id,
    endpoints: [...new Set(levels)].sort((one, other) => one - other).map((level) => ({
      priority: level,
      lb_endpoints: endpoints.flatMap((each, index) => levels[index] === level
        ? [{ endpoint: endpoint(each, check), load_balancing_weight: weights[index]! }] : []),
    })),
    policy: overprovisioning === undefined ? undefined : { overprovisioning_factor: Math.round(overprovisioning * 100) },
  }
}

const discovery = (upstream: Upstream, { options }: Definition): Message => {
  const { source, path, name } = upstream
  const servers = dnsServersOf(upstream, options)
  const resolver = servers === undefined ? undefined : {
    name: 'envoy.network.dns_resolver.cares',
    typed_config: typed('envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig', { resolvers: servers.map(({ host, port }) => socketAddress(host, port)) }),
  }
  if (source.kind === 'static') {
    return source.endpoints.some(isNamed) ? { type: 'STRICT_DNS', dns_lookup_family: 'ALL', respect_dns_ttl: true, typed_dns_resolver_config: resolver } : { type: 'STATIC' }
  }
  const { record, responseType, family, minTtl } = source.dns
  if (record === 'srv') {
    throw new ProxyConfigError(`${path}.registry`, `Envoy asks for no SRV records: give the endpoints of '${name}' (endpoints: { ${JSON.stringify(name)}: ['10.0.0.1:8080'] })`)
  }
  return {
    type: responseType === 'logical' ? 'LOGICAL_DNS' : 'STRICT_DNS',
    dns_lookup_family: lookupFamily[family],
    respect_dns_ttl: true,
    dns_refresh_rate: time(Math.max(1, minTtl)),
    typed_dns_resolver_config: resolver,
  }
}

/** A cluster with all that holds for it whoever calls. `host` is that of the first service that sends to it. */
export const clusterOf = (upstream: Upstream, host: string, definition: Definition): Message => {
  const { id, config, source } = upstream
  return {
    name: id,
    ...discovery(upstream, definition),
    connect_timeout: time(config.connectTimeout),
    ...balancing(upstream, source.kind === 'static' ? source.endpoints.length : 1),
    common_lb_config: commonBalancing(upstream),
    load_assignment: loadAssignment(upstream),
    health_checks: config.healthCheck === false ? undefined : [healthCheck(config.healthCheck, host, `${upstream.path}.healthCheck`)],
    circuit_breakers: circuitBreakers(upstream),
    outlier_detection: config.outlier === false ? undefined : outlierDetection(config.outlier),
    typed_extension_protocol_options: protocolOptions(upstream),
    transport_socket: tls(upstream, definition),
  }
}
