/**
 * The messages of Envoy's API v3 that configurations are made of, with the fields that are written, as Envoy documents them:
 * a type (`list` and `map` of them, `enum` with its values), bounds (`some` is not empty), and the `oneof` that a field belongs to. Wrappers such as `UInt32Value` are what
 * they wrap, as in JSON. A field that is missing here is looked up in the documentation before it is added.
 */
export const messages: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'envoy.config.bootstrap.v3.Admin': {
    address: 'envoy.config.core.v3.Address',
  },
  'envoy.config.bootstrap.v3.Bootstrap': {
    static_resources: 'envoy.config.bootstrap.v3.Bootstrap.StaticResources',
    admin: 'envoy.config.bootstrap.v3.Admin',
  },
  'envoy.config.bootstrap.v3.Bootstrap.StaticResources': {
    listeners: 'list envoy.config.listener.v3.Listener',
    clusters: 'list envoy.config.cluster.v3.Cluster',
  },
  'envoy.config.cluster.v3.CircuitBreakers': {
    thresholds: 'list envoy.config.cluster.v3.CircuitBreakers.Thresholds',
    per_host_thresholds: 'list envoy.config.cluster.v3.CircuitBreakers.Thresholds',
  },
  'envoy.config.cluster.v3.CircuitBreakers.Thresholds': {
    max_connections: 'uint32',
    max_pending_requests: 'uint32',
    max_requests: 'uint32',
    retry_budget: 'envoy.config.cluster.v3.CircuitBreakers.Thresholds.RetryBudget',
  },
  'envoy.config.cluster.v3.CircuitBreakers.Thresholds.RetryBudget': {
    budget_percent: 'envoy.type.v3.Percent',
    min_retry_concurrency: 'uint32',
  },
  'envoy.config.cluster.v3.Cluster': {
    name: 'string some',
    type: 'enum STATIC|STRICT_DNS|LOGICAL_DNS|EDS|ORIGINAL_DST oneof cluster_discovery_type',
    connect_timeout: 'duration',
    lb_policy: 'enum ROUND_ROBIN|LEAST_REQUEST|RING_HASH|RANDOM|MAGLEV|CLUSTER_PROVIDED|LOAD_BALANCING_POLICY_CONFIG',
    least_request_lb_config: 'envoy.config.cluster.v3.Cluster.LeastRequestLbConfig oneof lb_config',
    common_lb_config: 'envoy.config.cluster.v3.Cluster.CommonLbConfig',
    load_assignment: 'envoy.config.endpoint.v3.ClusterLoadAssignment',
    circuit_breakers: 'envoy.config.cluster.v3.CircuitBreakers',
    outlier_detection: 'envoy.config.cluster.v3.OutlierDetection',
    typed_extension_protocol_options: 'map any',
    round_robin_lb_config: 'envoy.config.cluster.v3.Cluster.RoundRobinLbConfig oneof lb_config',
    transport_socket: 'envoy.config.core.v3.TransportSocket',
    ring_hash_lb_config: 'envoy.config.cluster.v3.Cluster.RingHashLbConfig oneof lb_config',
    maglev_lb_config: 'envoy.config.cluster.v3.Cluster.MaglevLbConfig oneof lb_config',
    health_checks: 'list envoy.config.core.v3.HealthCheck',
    dns_lookup_family: 'enum AUTO|V4_ONLY|V6_ONLY|V4_PREFERRED|ALL',
    respect_dns_ttl: 'bool',
    dns_refresh_rate: 'duration',
    typed_dns_resolver_config: 'envoy.config.core.v3.TypedExtensionConfig',
  },
  'envoy.config.cluster.v3.Cluster.CommonLbConfig': {
    healthy_panic_threshold: 'envoy.type.v3.Percent',
    consistent_hashing_lb_config: 'envoy.config.cluster.v3.Cluster.CommonLbConfig.ConsistentHashingLbConfig',
  },
  'envoy.config.cluster.v3.Cluster.CommonLbConfig.ConsistentHashingLbConfig': {
    hash_balance_factor: 'uint32 >=100',
  },
  'envoy.config.cluster.v3.Cluster.LeastRequestLbConfig': {
    choice_count: 'uint32 >=2',
    slow_start_config: 'envoy.config.cluster.v3.Cluster.SlowStartConfig',
  },
  'envoy.config.cluster.v3.Cluster.MaglevLbConfig': {
    table_size: 'uint64 <=5000011',
  },
  'envoy.config.cluster.v3.Cluster.RingHashLbConfig': {
    minimum_ring_size: 'uint64 <=8388608',
    maximum_ring_size: 'uint64 <=8388608',
  },
  'envoy.config.cluster.v3.Cluster.RoundRobinLbConfig': {
    slow_start_config: 'envoy.config.cluster.v3.Cluster.SlowStartConfig',
  },
  'envoy.config.cluster.v3.Cluster.SlowStartConfig': {
    slow_start_window: 'duration',
    min_weight_percent: 'envoy.type.v3.Percent',
  },
  'envoy.config.cluster.v3.OutlierDetection': {
    consecutive_5xx: 'uint32',
    enforcing_consecutive_5xx: 'uint32 <=100',
    enforcing_consecutive_gateway_failure: 'uint32 <=100',
    split_external_local_origin_errors: 'bool',
    enforcing_success_rate: 'uint32 <=100',
    success_rate_minimum_hosts: 'uint32',
    success_rate_request_volume: 'uint32',
    success_rate_stdev_factor: 'uint32',
    enforcing_failure_percentage: 'uint32 <=100',
    interval: 'duration',
    base_ejection_time: 'duration',
    max_ejection_time: 'duration',
    max_ejection_time_jitter: 'duration',
    max_ejection_percent: 'uint32 <=100',
    always_eject_one_host: 'bool',
    consecutive_gateway_failure: 'uint32',
    consecutive_local_origin_failure: 'uint32',
    enforcing_consecutive_local_origin_failure: 'uint32 <=100',
    enforcing_local_origin_success_rate: 'uint32 <=100',
    enforcing_failure_percentage_local_origin: 'uint32 <=100',
    failure_percentage_minimum_hosts: 'uint32',
    failure_percentage_request_volume: 'uint32',
    failure_percentage_threshold: 'uint32 <=100',
  },
  'envoy.config.core.v3.Address': {
    socket_address: 'envoy.config.core.v3.SocketAddress oneof address',
  },
  'envoy.config.core.v3.DataSource': {
    filename: 'string some oneof specifier',
  },
  'envoy.config.core.v3.HealthCheck': {
    timeout: 'duration',
    interval: 'duration',
    interval_jitter_percent: 'uint32',
    unhealthy_threshold: 'uint32',
    healthy_threshold: 'uint32',
    http_health_check: 'envoy.config.core.v3.HealthCheck.HttpHealthCheck oneof health_checker',
    tcp_health_check: 'envoy.config.core.v3.HealthCheck.TcpHealthCheck oneof health_checker',
    grpc_health_check: 'envoy.config.core.v3.HealthCheck.GrpcHealthCheck oneof health_checker',
  },
  'envoy.config.core.v3.HealthCheck.GrpcHealthCheck': {
    service_name: 'string',
    authority: 'string',
  },
  'envoy.config.core.v3.HealthCheck.HttpHealthCheck': {
    host: 'string',
    path: 'string some',
    expected_statuses: 'list envoy.type.v3.Int64Range',
    codec_client_type: 'enum HTTP1|HTTP2|HTTP3',
  },
  'envoy.config.core.v3.HealthCheck.TcpHealthCheck': {},
  'envoy.config.core.v3.Http1ProtocolOptions': {},
  'envoy.config.core.v3.Http2ProtocolOptions': {
    max_concurrent_streams: 'uint32 >=1 <=2147483647',
    connection_keepalive: 'envoy.config.core.v3.KeepaliveSettings',
  },
  'envoy.config.core.v3.KeepaliveSettings': {
    interval: 'duration',
    timeout: 'duration',
  },
  'envoy.config.core.v3.HttpProtocolOptions': {
    idle_timeout: 'duration',
  },
  'envoy.config.core.v3.SocketAddress': {
    address: 'string some',
    port_value: 'uint32 <=65535 oneof port_specifier',
  },
  'envoy.config.core.v3.TransportSocket': {
    name: 'string some',
    typed_config: 'any oneof config_type',
  },
  'envoy.config.core.v3.TypedExtensionConfig': {
    name: 'string some',
    typed_config: 'any',
  },
  'envoy.config.core.v3.UpstreamHttpProtocolOptions': {
    auto_sni: 'bool',
    auto_san_validation: 'bool',
  },
  'envoy.config.endpoint.v3.ClusterLoadAssignment': {
    cluster_name: 'string some',
    endpoints: 'list envoy.config.endpoint.v3.LocalityLbEndpoints',
    policy: 'envoy.config.endpoint.v3.ClusterLoadAssignment.Policy',
  },
  'envoy.config.endpoint.v3.ClusterLoadAssignment.Policy': {
    overprovisioning_factor: 'uint32 >0',
  },
  'envoy.config.endpoint.v3.Endpoint': {
    address: 'envoy.config.core.v3.Address',
    health_check_config: 'envoy.config.endpoint.v3.Endpoint.HealthCheckConfig',
  },
  'envoy.config.endpoint.v3.Endpoint.HealthCheckConfig': {
    port_value: 'uint32 <=65535',
  },
  'envoy.config.endpoint.v3.LbEndpoint': {
    endpoint: 'envoy.config.endpoint.v3.Endpoint oneof host_identifier',
    load_balancing_weight: 'uint32 >=1',
  },
  'envoy.config.endpoint.v3.LocalityLbEndpoints': {
    priority: 'uint32 <=128',
    lb_endpoints: 'list envoy.config.endpoint.v3.LbEndpoint',
  },
  'envoy.config.listener.v3.Filter': {
    name: 'string some',
    typed_config: 'any oneof config_type',
  },
  'envoy.config.listener.v3.FilterChain': {
    filters: 'list envoy.config.listener.v3.Filter',
  },
  'envoy.config.listener.v3.Listener': {
    name: 'string',
    address: 'envoy.config.core.v3.Address',
    filter_chains: 'list envoy.config.listener.v3.FilterChain',
  },
  'envoy.config.route.v3.HeaderMatcher': {
    name: 'string some',
    string_match: 'envoy.type.matcher.v3.StringMatcher oneof header_match_specifier',
    present_match: 'bool oneof header_match_specifier',
    range_match: 'envoy.type.v3.Int64Range oneof header_match_specifier',
    invert_match: 'bool',
  },
  'envoy.config.route.v3.QueryParameterMatcher': {
    name: 'string some <=1024',
    string_match: 'envoy.type.matcher.v3.StringMatcher oneof query_parameter_match_specifier',
    present_match: 'bool oneof query_parameter_match_specifier',
  },
  'envoy.config.route.v3.RetryPolicy': {
    retry_on: 'string',
    retriable_status_codes: 'list uint32',
    num_retries: 'uint32',
    retry_host_predicate: 'list envoy.config.route.v3.RetryPolicy.RetryHostPredicate',
    host_selection_retry_max_attempts: 'int64',
    retry_back_off: 'envoy.config.route.v3.RetryPolicy.RetryBackOff',
    rate_limited_retry_back_off: 'envoy.config.route.v3.RetryPolicy.RateLimitedRetryBackOff',
    retriable_request_headers: 'list envoy.config.route.v3.HeaderMatcher',
    per_try_timeout: 'duration',
  },
  'envoy.config.route.v3.RetryPolicy.RateLimitedRetryBackOff': {
    reset_headers: 'list envoy.config.route.v3.RetryPolicy.ResetHeader some',
    max_interval: 'duration',
  },
  'envoy.config.route.v3.RetryPolicy.ResetHeader': {
    name: 'string some',
    format: 'enum SECONDS|UNIX_TIMESTAMP',
  },
  'envoy.config.route.v3.RetryPolicy.RetryBackOff': {
    base_interval: 'duration',
    max_interval: 'duration',
  },
  'envoy.config.route.v3.RetryPolicy.RetryHostPredicate': {
    name: 'string some',
    typed_config: 'any oneof config_type',
  },
  'envoy.config.route.v3.Route': {
    name: 'string',
    match: 'envoy.config.route.v3.RouteMatch',
    route: 'envoy.config.route.v3.RouteAction oneof action',
    per_request_buffer_limit_bytes: 'uint32',
  },
  'envoy.config.route.v3.RouteAction': {
    cluster: 'string some oneof cluster_specifier',
    timeout: 'duration',
    idle_timeout: 'duration',
    retry_policy: 'envoy.config.route.v3.RetryPolicy',
    host_rewrite_literal: 'string oneof host_rewrite_specifier',
    weighted_clusters: 'envoy.config.route.v3.WeightedCluster oneof cluster_specifier',
    hash_policy: 'list envoy.config.route.v3.RouteAction.HashPolicy',
    regex_rewrite: 'envoy.type.matcher.v3.RegexMatchAndSubstitute',
    prefix_rewrite: 'string',
  },
  'envoy.config.route.v3.RouteAction.HashPolicy': {
    header: 'envoy.config.route.v3.RouteAction.HashPolicy.Header oneof policy_specifier',
    terminal: 'bool',
    cookie: 'envoy.config.route.v3.RouteAction.HashPolicy.Cookie oneof policy_specifier',
    query_parameter: 'envoy.config.route.v3.RouteAction.HashPolicy.QueryParameter oneof policy_specifier',
  },
  'envoy.config.route.v3.RouteAction.HashPolicy.Cookie': {
    name: 'string some',
  },
  'envoy.config.route.v3.RouteAction.HashPolicy.Header': {
    header_name: 'string some',
    regex_rewrite: 'envoy.type.matcher.v3.RegexMatchAndSubstitute',
  },
  'envoy.config.route.v3.RouteAction.HashPolicy.QueryParameter': {
    name: 'string some',
  },
  'envoy.config.route.v3.RouteConfiguration': {
    name: 'string',
    virtual_hosts: 'list envoy.config.route.v3.VirtualHost',
  },
  'envoy.config.route.v3.RouteMatch': {
    prefix: 'string oneof path_specifier',
    path: 'string oneof path_specifier',
    headers: 'list envoy.config.route.v3.HeaderMatcher',
    path_separated_prefix: 'string oneof path_specifier',
    safe_regex: 'envoy.type.matcher.v3.RegexMatcher oneof path_specifier',
    query_parameters: 'list envoy.config.route.v3.QueryParameterMatcher',
  },
  'envoy.config.route.v3.VirtualHost': {
    name: 'string some',
    domains: 'list string some',
    routes: 'list envoy.config.route.v3.Route',
  },
  'envoy.config.route.v3.WeightedCluster': {
    clusters: 'list envoy.config.route.v3.WeightedCluster.ClusterWeight some',
  },
  'envoy.config.route.v3.WeightedCluster.ClusterWeight': {
    name: 'string',
    weight: 'uint32',
  },
  'envoy.extensions.filters.http.router.v3.Router': {
    suppress_envoy_headers: 'bool',
  },
  'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager': {
    stat_prefix: 'string some',
    route_config: 'envoy.config.route.v3.RouteConfiguration oneof route_specifier',
    normalize_path: 'bool',
    merge_slashes: 'bool',
    stream_idle_timeout: 'duration',
    drain_timeout: 'duration',
    generate_request_id: 'bool',
    preserve_external_request_id: 'bool',
    use_remote_address: 'bool',
    skip_xff_append: 'bool',
    server_header_transformation: 'enum OVERWRITE|APPEND_IF_ABSENT|PASS_THROUGH',
    http_filters: 'list envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter',
  },
  'envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter': {
    name: 'string some',
    typed_config: 'any oneof config_type',
  },
  'envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig': {
    resolvers: 'list envoy.config.core.v3.Address some',
  },
  'envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate': {},
  'envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext': {
    trusted_ca: 'envoy.config.core.v3.DataSource',
    match_typed_subject_alt_names: 'list envoy.extensions.transport_sockets.tls.v3.SubjectAltNameMatcher',
    trust_chain_verification: 'enum VERIFY_TRUST_CHAIN|ACCEPT_UNTRUSTED',
  },
  'envoy.extensions.transport_sockets.tls.v3.CommonTlsContext': {
    tls_params: 'envoy.extensions.transport_sockets.tls.v3.TlsParameters',
    alpn_protocols: 'list string',
    validation_context: 'envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext oneof validation_context_type',
    tls_certificates: 'list envoy.extensions.transport_sockets.tls.v3.TlsCertificate',
  },
  'envoy.extensions.transport_sockets.tls.v3.SubjectAltNameMatcher': {
    san_type: 'enum SAN_TYPE_UNSPECIFIED|EMAIL|DNS|URI|IP_ADDRESS|OTHER_NAME',
    matcher: 'envoy.type.matcher.v3.StringMatcher',
  },
  'envoy.extensions.transport_sockets.tls.v3.TlsCertificate': {
    certificate_chain: 'envoy.config.core.v3.DataSource',
    private_key: 'envoy.config.core.v3.DataSource',
  },
  'envoy.extensions.transport_sockets.tls.v3.TlsParameters': {
    tls_minimum_protocol_version: 'enum TLS_AUTO|TLSv1_0|TLSv1_1|TLSv1_2|TLSv1_3',
  },
  'envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext': {
    common_tls_context: 'envoy.extensions.transport_sockets.tls.v3.CommonTlsContext',
    sni: 'string <=255',
  },
  'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
    common_http_protocol_options: 'envoy.config.core.v3.HttpProtocolOptions',
    explicit_http_config: 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions.ExplicitHttpConfig oneof upstream_protocol_options',
    upstream_http_protocol_options: 'envoy.config.core.v3.UpstreamHttpProtocolOptions',
  },
  'envoy.extensions.upstreams.http.v3.HttpProtocolOptions.ExplicitHttpConfig': {
    http_protocol_options: 'envoy.config.core.v3.Http1ProtocolOptions oneof protocol_config',
    http2_protocol_options: 'envoy.config.core.v3.Http2ProtocolOptions oneof protocol_config',
  },
  'envoy.type.matcher.v3.RegexMatchAndSubstitute': {
    pattern: 'envoy.type.matcher.v3.RegexMatcher',
    substitution: 'string',
  },
  'envoy.type.matcher.v3.RegexMatcher': {
    regex: 'string some',
  },
  'envoy.type.matcher.v3.StringMatcher': {
    safe_regex: 'envoy.type.matcher.v3.RegexMatcher oneof match_pattern',
    exact: 'string oneof match_pattern',
    prefix: 'string some oneof match_pattern',
    suffix: 'string some oneof match_pattern',
  },
  'envoy.type.v3.Int64Range': {
    start: 'int64',
    end: 'int64',
  },
  'envoy.type.v3.Percent': {
    value: 'double <=100 >=0',
  },
}

type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json }

const scalars: Readonly<Record<string, (value: Json) => boolean>> = {
  string: (value) => typeof value === 'string',
  bool: (value) => typeof value === 'boolean',
  double: (value) => typeof value === 'number',
  uint32: (value) => Number.isInteger(value) && Number(value) >= 0 && Number(value) < 2 ** 32,
  uint64: (value) => Number.isSafeInteger(value) && Number(value) >= 0,
  int64: (value) => Number.isSafeInteger(value),
  duration: (value) => typeof value === 'string' && /^\d+(?:\.\d{1,9})?s$/.test(value),
}

const size = (value: Json): number => typeof value === 'number' ? value : typeof value === 'string' || Array.isArray(value) ? (value as readonly Json[]).length : Number.NaN

const bounds: Readonly<Record<string, (value: Json, bound: number) => boolean>> = {
  'some': (value) => size(value) > 0,
  '<=': (value, bound) => size(value) <= bound,
  '>=': (value, bound) => size(value) >= bound,
  '>': (value, bound) => size(value) > bound,
}

const isRecord = (value: Json): value is { readonly [name: string]: Json } => typeof value === 'object' && value !== null && !Array.isArray(value)

/** What is wrong with a value of a type, each with its place. */
const faultsOf = (value: Json, words: readonly string[], path: string): readonly string[] => {
  const [type = '', ...rest] = words
  if (type === 'list') {
    if (!Array.isArray(value)) return [`${path}: is no list`]
    return (value as readonly Json[]).flatMap((each, index) => faultsOf(each, rest, `${path}[${index}]`))
  }
  if (type === 'map') return isRecord(value) ? Object.entries(value).flatMap(([name, each]) => faultsOf(each, rest, `${path}[${name}]`)) : [`${path}: is no map`]
  if (type === 'enum') return typeof value === 'string' && rest[0]!.split('|').includes(value) ? [] : [`${path}: ${JSON.stringify(value)} is none of ${rest[0]!}`]
  if (type in scalars) return scalars[type]!(value) ? [] : [`${path}: ${JSON.stringify(value)} is no ${type}`]
  if (!isRecord(value)) return [`${path}: is no message`]
  if (type !== 'any') return messageFaults(value, type, path)
  const { '@type': url, ...fields } = value
  const name = typeof url === 'string' ? /^type\.googleapis\.com\/(.+)$/.exec(url)?.[1] : undefined
  return name === undefined ? [`${path}: has no @type`] : messageFaults(fields, name, path)
}

const boundFaults = (value: Json, words: readonly string[], path: string): readonly string[] => words.flatMap((word) => {
  const [, bound, number] = /^(some|<=|>=|>)(\d*)$/.exec(word) ?? []
  return bound === undefined || bounds[bound]!(value, Number(number)) ? [] : [`${path}: ${JSON.stringify(value)} is not ${word}`]
})

/** What is wrong with a message: fields that there are not, values of the wrong type or out of bounds, two fields of which only one may be there. */
export const messageFaults = (value: { readonly [name: string]: Json }, type: string, path: string): readonly string[] => {
  const fields = messages[type]
  if (!fields) return [`${path}: there is no message ${type}`]
  const chosen = new Map<string, string>()
  return Object.entries(value).flatMap(([name, inner]) => {
    const at = `${path}.${name}`
    const written = Object.hasOwn(fields, name) ? fields[name]!.split(' ') : undefined
    if (!written) return [`${at}: ${type} has no such field`]
    const oneof = written.includes('oneof') ? written.at(-1)! : undefined
    const rival = oneof === undefined ? undefined : chosen.get(oneof)
    if (oneof !== undefined) chosen.set(oneof, name)
    const words = oneof === undefined ? written : written.slice(0, -2)
    return [...faultsOf(inner, words, at), ...boundFaults(inner, words, at), ...rival === undefined ? [] : [`${at}: ${rival} is there, and only one of them may be`]]
  })
}
