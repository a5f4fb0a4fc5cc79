import type { OutlierConfig } from '../../cluster/outlier.ts'
import { balancerWithin, innermost } from '../balancing.ts'
import { isNamed, type Upstream } from '../definition.ts'
import { mostCounted } from '../nginx/locations.ts'
import type { BuiltInBalancer } from '../../mesh/config.ts'
import { inClusters, nearly, none, otherwise, same, type Expression, type PolicyRow } from './row.ts'

const everywhere = (expression: Expression): Pick<PolicyRow, 'haproxy' | 'nginx' | 'envoy'> => ({ haproxy: expression, nginx: expression, envoy: expression })

const discovering: readonly PolicyRow[] = [
  {
    policy: 'cluster.registry.static',
    places: inClusters('registry', ({ source }) => source.kind === 'static' && source.endpoints.some(isNamed)),
    haproxy: nearly('names are looked up'),
    nginx: otherwise('looks names up when it starts, and not again', 'servers of a group are addresses; a name that has none keeps nginx from starting'),
    envoy: nearly('names are looked up'),
  },
  {
    policy: 'cluster.registry.dns',
    places: inClusters('registry', ({ source }) => source.kind === 'dns'),
    haproxy: otherwise('has room for 32 addresses, of one family where the name has both', 'servers of a name are made in advance, and it asks for the family that it prefers first'),
    nginx: otherwise('takes the addresses in turn, keeps no connection alive and takes none out', 'a name that is asked for again and again has no group of servers in nginx 1.22, and what groups do is not done'),
    envoy: nearly('SRV records are refused, by nginx too'),
  },
  {
    policy: 'cluster.registry',
    places: inClusters('registry', ({ given }) => given),
    ...everywhere(otherwise('keeps to the endpoints that it was given', 'it cannot follow the registry: write its configuration anew when they change')),
  },
  {
    policy: 'cluster.discovery',
    places: inClusters('discovery', ({ source }) => source.kind === 'dns'),
    ...everywhere(none('believes every answer at once', 'it does not doubt an answer that takes many endpoints away')),
  },
]

const chosenBy = (...types: readonly BuiltInBalancer['type'][]) => ({ balancer }: Upstream): boolean => types.includes(innermost(balancer).type)

const hashes = ({ balancer }: Upstream) => {
  const inner = innermost(balancer)
  return inner.type === 'ring-hash' || inner.type === 'maglev' ? inner : undefined
}

const wrapped = (type: 'aperture' | 'zone-aware' | 'subset', instead: string, why: string): PolicyRow => ({
  policy: `cluster.balancer.${type}`,
  places: inClusters('balancer', ({ balancer }) => balancerWithin(balancer, type)),
  ...everywhere(none(instead, why)),
})

const fewest = (balancer: string): Expression => otherwise(`${balancer}`, 'it goes neither by latency nor by the load that endpoints report')

const balancing: readonly PolicyRow[] = [
  {
    policy: 'cluster.balancer.prequal',
    places: inClusters('balancer', chosenBy('prequal')),
    haproxy: fewest('takes the server with the fewest requests under way (leastconn)'),
    nginx: fewest('takes the server with the fewest requests under way (least_conn)'),
    envoy: fewest('takes of two servers drawn the one with fewer requests under way'),
  },
  {
    policy: 'cluster.balancer.peak-ewma',
    places: inClusters('balancer', chosenBy('peak-ewma')),
    haproxy: fewest('takes the server with the fewest requests under way (leastconn)'),
    nginx: fewest('takes the server with the fewest requests under way (least_conn)'),
    envoy: fewest('takes of two servers drawn the one with fewer requests under way'),
  },
  { policy: 'cluster.balancer.orca-wrr', places: inClusters('balancer', chosenBy('orca-wrr')), ...everywhere(otherwise('takes servers in turn, by their weights', 'it reads no load reports')) },
  { policy: 'cluster.balancer.round-robin', places: () => [], ...everywhere(same) },
  { policy: 'cluster.balancer.random', places: () => [], ...everywhere(same) },
  {
    policy: 'cluster.balancer.weighted.bias',
    places: inClusters('balancer.bias', ({ balancer }) => { const inner = innermost(balancer); return inner.type === 'weighted' && inner.bias > 0 }),
    ...everywhere(otherwise('goes by the weights alone', 'it takes weights or load, not both')),
  },
  { policy: 'cluster.balancer.weighted', places: () => [], ...everywhere(same) },
  {
    policy: 'cluster.balancer.least-request',
    places: inClusters('balancer.choices', ({ balancer }) => { const inner = innermost(balancer); return inner.type === 'least-request' && inner.choices !== 2 }),
    haproxy: same,
    nginx: otherwise('draws two', 'it draws no more'),
    envoy: same,
  },
  {
    policy: 'cluster.balancer.ring-hash',
    places: inClusters('balancer', chosenBy('ring-hash')),
    ...everywhere(otherwise('keeps a key with one server, but not with the one that the mesh would', 'it hashes otherwise, and its ring has points of its own')),
  },
  {
    policy: 'cluster.balancer.maglev',
    places: inClusters('balancer', chosenBy('maglev')),
    haproxy: otherwise('uses a ring', "it has no table as Maglev's"),
    nginx: otherwise('uses a ring', "it has no table as Maglev's"),
    envoy: otherwise('keeps a key with one server, but not with the one that the mesh would', 'it hashes otherwise'),
  },
  {
    policy: 'cluster.balancer.maxLoad',
    places: inClusters('balancer.maxLoad', (upstream) => hashes(upstream)?.maxLoad),
    haproxy: same,
    nginx: none('sends all requests of a key to its server', 'it bounds no load when it hashes'),
    envoy: same,
  },
  {
    policy: 'cluster.balancer.priority',
    places: inClusters('balancer', ({ balancer }) => balancerWithin(balancer, 'priority')),
    haproxy: otherwise('uses the other levels, all together, when every server of the first is down', 'servers stand by or they do not'),
    nginx: otherwise('uses the other levels, all together, when every server of the first is out, and neither draws nor hashes', 'servers stand by or they do not, and not with every way to choose'),
    envoy: same,
  },
  wrapped('aperture', 'uses all endpoints', 'it does not know which of its peers it is'),
  wrapped('zone-aware', 'uses all zones alike', 'it would have to know the fleet of callers, which a file does not tell it'),
  wrapped('subset', 'uses all endpoints, whatever their metadata', 'it chooses by no value of a request (Envoy by values in its routes, which would have to be listed)'),
]

const calling: readonly PolicyRow[] = [
  {
    policy: 'cluster.connections',
    places: inClusters('connections', () => true),
    haproxy: same,
    nginx: otherwise('goes to another server when one has so many, and answers 502 where all have', 'nothing waits for a connection there'),
    envoy: same,
  },
  {
    policy: 'cluster.pending',
    places: inClusters('pending', () => true),
    haproxy: otherwise('bounds the queue of each server by its part of that number', 'queues are bounded by the server'),
    nginx: none('has nothing wait', 'it has no queues'),
    envoy: same,
  },
  {
    policy: 'cluster.requests',
    places: inClusters('requests', ({ config: { requests = 0 } }) => requests > mostCounted),
    haproxy: nearly('what is over it is answered with 503'),
    nginx: otherwise(`answers what is over ${mostCounted} with 503 even where more is allowed`, 'it counts no further'),
    envoy: nearly('what is over it is answered with 503'),
  },
  { policy: 'cluster.connectTimeout', places: () => [], ...everywhere(same) },
  {
    policy: 'cluster.keepAlive',
    places: inClusters('keepAlive', () => true),
    haproxy: otherwise('closes half of the idle connections each time that it has passed', 'so it thins out its pool'),
    nginx: same,
    envoy: same,
  },
  {
    policy: 'cluster.http2',
    places: inClusters('http2', ({ config }, proxy) => config.http2 !== false && (proxy === 'nginx' || typeof config.http2 === 'object')),
    haproxy: otherwise('has as many streams as the server allows, and sends no pings', 'its limits are those of the whole process, and it has no pings for servers'),
    nginx: none('speaks HTTP/1.1', 'it speaks HTTP/2 to clients alone'),
    envoy: nearly('pings come at their interval, whether anything else came or not'),
  },
  {
    policy: 'cluster.grpc',
    places: inClusters('grpc', ({ config }) => config.grpc),
    haproxy: none('judges by the HTTP status', 'it does not read statuses of gRPC'),
    nginx: none('judges by the HTTP status', 'it does not read statuses of gRPC here'),
    envoy: otherwise('judges answers of gRPC so, whether that is asked for or not', 'it knows them by their content type'),
  },
  {
    policy: 'cluster.timeout',
    places: inClusters('timeout', ({ config, name }, proxy, { services }) => config.timeout > 0 && (proxy !== 'envoy'
      || services.some(({ routes }) => routes.some(({ targets }) => targets.length > 1 && targets.some(({ upstream }) => upstream.name === name))))),
    haproxy: none('bounds each wait by that time, but not all of them together', 'it has no time for a call as a whole'),
    nginx: otherwise('begins no attempt after it, and bounds each wait by it, but not all of them together', 'it has no time for a call as a whole'),
    envoy: none("has the route's time hold for all clusters of a split", 'times belong to routes'),
  },
  {
    policy: 'cluster.idleTimeout',
    places: inClusters('idleTimeout', ({ config, name }, _, { services }) => config.idleTimeout > 0
      && services.some(({ routes }) => routes.some(({ targets }) => targets.length > 1 && targets.some(({ upstream }) => upstream.name === name)))),
    haproxy: same,
    nginx: same,
    envoy: none("has the route's time hold for all clusters of a split", 'times belong to routes'),
  },
  {
    policy: 'cluster.breaker',
    places: inClusters('breaker', ({ config }) => config.breaker),
    haproxy: none('goes on calling as long as a server is up', 'it has no breaker for a service as a whole'),
    nginx: none('goes on calling', 'it has no breaker for a service as a whole'),
    envoy: none('goes on calling', 'what it calls circuit breakers are limits of what is under way'),
  },
  {
    policy: 'cluster.budget',
    places: inClusters('budget', () => true),
    haproxy: none('retries as often as `attempts` allows, however many fail', 'it has no budget'),
    nginx: none('retries as often as `attempts` allows, however many fail', 'it has no budget'),
    envoy: otherwise('counts retries under way against requests under way', 'its budget has no window of time; `perSecond` becomes the retries that are always allowed at once'),
  },
  {
    policy: 'cluster.slowStart',
    places: inClusters('slowStart', ({ config, balancer, source }, proxy) => config.slowStart > 0 && (proxy === 'nginx' || source.kind === 'dns'
      || (proxy === 'envoy' && ['random', 'ring-hash', 'maglev'].includes(innermost(balancer).type)))),
    haproxy: otherwise('starts slowly only those that were down and come back', 'a server that a name brings is up at once'),
    nginx: none('gives a server its full share at once', 'the open-source nginx has no slow start'),
    envoy: none('gives a server its full share at once', 'it starts slowly only in turn or by requests under way'),
  },
  {
    policy: 'cluster (under several policies)',
    places: (definition) => definition.upstreams.filter(({ name }) => severalPolicies(definition.services.flatMap(({ routes }) => routes), name)).map(({ path }) => path),
    haproxy: otherwise('has a backend for each set of policies under which the cluster is called, and each counts, limits and checks by itself', 'times, retries and changes of requests belong to backends'),
    nginx: same,
    envoy: same,
  },
]

const severalPolicies = (routes: readonly { readonly config: { readonly to: unknown }, readonly targets: readonly { readonly upstream: Upstream }[] }[], name: string): boolean =>
  routes.filter(({ targets }) => targets.some(({ upstream }) => upstream.name === name)).length > 1

const outlier = (option: string, matters: (outlier: OutlierConfig) => unknown): PolicyRow['places'] =>
  inClusters(`outlier.${option}`, ({ config }) => config.outlier && matters(config.outlier))

const rule = (option: 'gatewayFailures' | 'localFailures' | 'successRate' | 'failurePercentage', envoy: Expression): PolicyRow => ({
  policy: `cluster.outlier.${option}`,
  places: outlier(option, (config) => config[option]),
  haproxy: none('takes nobody out for it', 'it counts all failures in a row alike'),
  nginx: none('takes nobody out for it', 'it counts all failures alike'),
  envoy,
})

const judging: readonly PolicyRow[] = [
  {
    policy: 'cluster.outlier.failures',
    places: outlier('failures', ({ failures }) => failures),
    haproxy: otherwise('counts 5xx (but 501 and 505) and what is no answer, except answers that it retries; a single server is not watched', 'it retries a status before it looks at it'),
    nginx: otherwise('counts what it would retry, within the time of an ejection and not in a row', 'so it counts `max_fails`'),
    envoy: same,
  },
  rule('gatewayFailures', same),
  rule('localFailures', same),
  rule('successRate', otherwise('leaves `gap` aside', 'it goes by the deviation alone')),
  rule('failurePercentage', same),
  { policy: 'cluster.outlier.latency', places: outlier('latency', ({ latency }) => latency), ...everywhere(none('takes nobody out for being slow', 'it does not compare latencies')) },
  {
    policy: 'cluster.outlier.interval',
    places: outlier('interval', ({ successRate, failurePercentage }) => successRate !== false || failurePercentage !== false),
    haproxy: none('compares nothing', 'it has no rules that would'),
    nginx: none('compares nothing', 'it has no rules that would'),
    envoy: same,
  },
  {
    policy: 'cluster.outlier.ejection',
    places: outlier('ejection', ({ failures }) => failures),
    haproxy: otherwise('leaves a server out until its next check passes, which comes within that time', 'a check brings it back, and none waits for longer the more often it was out'),
    nginx: otherwise('leaves a server out for that time in whole seconds, however often it was out', 'the time does not grow'),
    envoy: same,
  },
  {
    policy: 'cluster.outlier.maxEjection',
    places: outlier('maxEjection', ({ failures }) => failures),
    haproxy: none('needs no bound', 'the time does not grow'),
    nginx: none('needs no bound', 'the time does not grow'),
    envoy: same,
  },
  { policy: 'cluster.outlier.jitter', places: outlier('jitter', ({ jitter }) => jitter), haproxy: none('has none', 'it has no such option'), nginx: none('has none', 'it has no such option'), envoy: same },
  {
    policy: 'cluster.outlier.return',
    places: inClusters('outlier.return', ({ config: { outlier } }, proxy) => outlier && (proxy === 'haproxy' ? outlier.failures : outlier.return === (proxy === 'nginx' ? 'sweep' : 'probation'))),
    haproxy: otherwise('has a check decide on the return: a connection where no health check is written', 'servers that were marked down come back by checks'),
    nginx: otherwise('has one request decide on the return, whatever is written', 'so it tries servers out'),
    envoy: otherwise('gives a server its traffic back when its time is over', 'it tries none out'),
  },
  {
    policy: 'cluster.outlier.maxEjected',
    places: outlier('maxEjected', ({ failures }) => failures),
    haproxy: none('may take all out, and answers 503 then', 'it does not look at the others'),
    nginx: otherwise('may take all out, and tries all again then', 'it does not look at the others'),
    envoy: otherwise('keeps what nobody can connect to within the share too', 'it takes all failures alike'),
  },
  {
    policy: 'cluster.outlier.minEjected',
    places: outlier('minEjected', ({ minEjected }) => minEjected),
    haproxy: none('has no such bound', 'it may take all out'),
    nginx: none('has no such bound', 'it may take all out'),
    envoy: otherwise('lets one endpoint be out whatever the share', 'it knows one or none'),
  },
  {
    policy: 'cluster.healthCheck',
    places: inClusters('healthCheck', ({ config }) => config.healthCheck),
    haproxy: nearly('an answer that says no counts as none: `unhealthyThreshold` holds for both'),
    nginx: none('checks nobody', 'the open-source nginx learns from requests alone'),
    envoy: same,
  },
  {
    policy: 'cluster.healthCheck.service',
    places: inClusters('healthCheck.protocol', ({ config }, proxy) => config.healthCheck && config.healthCheck.protocol === 'grpc' && proxy !== 'nginx'),
    haproxy: otherwise('looks whether a connection can be made', 'it does not speak the health service of gRPC'),
    nginx: none('checks nobody', 'the open-source nginx learns from requests alone'),
    envoy: same,
  },
  {
    policy: 'cluster.panic',
    places: inClusters('panic', ({ config }) => config.panic > 0),
    haproxy: none('uses those that are up, be they ever so few, and answers 503 where none is', 'it has no such threshold'),
    nginx: otherwise('uses all again only when none is left', 'it has no such threshold'),
    envoy: otherwise('uses those too that nobody can connect to', 'its panic takes all hosts alike'),
  },
]

const tlsOptions = ({ config: { tls } }: Upstream) => typeof tls === 'object' ? tls : undefined

const securing: readonly PolicyRow[] = [
  { policy: 'cluster.tls', places: () => [], ...everywhere(nearly('from files on its machine; no PEM text is written out')) },
  {
    policy: 'cluster.tls.names',
    places: inClusters('tls.names', (upstream) => tlsOptions(upstream)?.names),
    haproxy: otherwise("verifies one name: the first that is a host, or the service's", 'it compares neither several names nor URIs'),
    nginx: otherwise("verifies one name: the first that is a host, or the service's", 'it compares neither several names nor URIs'),
    envoy: same,
  },
  {
    policy: 'cluster.tls.alpn',
    places: inClusters('tls.alpn', (upstream) => (tlsOptions(upstream)?.alpn.join() ?? 'http/1.1') !== 'http/1.1'),
    haproxy: otherwise('offers http/1.1', 'it speaks nothing else to servers here'),
    nginx: none('offers none', 'it sends no protocols to servers'),
    envoy: same,
  },
  {
    policy: 'cluster.tls.warnBefore',
    places: inClusters('tls.warnBefore', (upstream) => tlsOptions(upstream)?.warnBefore),
    ...everywhere(none('warns of no date', 'it does not watch its certificates')),
  },
]

/** Policies of clusters. */
export const clusterRows: readonly PolicyRow[] = [...discovering, ...balancing, ...calling, ...judging, ...securing]
