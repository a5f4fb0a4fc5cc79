import type { MeshInput } from '../../src/index.ts'
import type { ProxyOptions } from '../../src/proxies/index.ts'

type ClusterInput = NonNullable<MeshInput['clusters']>[string]
type ServiceInput = NonNullable<MeshInput['services']>[string]
type RouteInput = Extract<ServiceInput, { routes: unknown }>['routes'][number]

const endpoints = ['10.0.0.1:8080', '10.0.0.2:8080', '10.0.0.3:8080'] as const
const registry = { type: 'static', endpoints } as const

/** One service with one route to one cluster, each with something special. */
export const single = (cluster: Partial<ClusterInput> = {}, route: Partial<RouteInput> = {}): MeshInput => ({
  services: { 'shop.test': { routes: [{ to: 'shop', ...route } as RouteInput] } },
  clusters: { shop: { registry, ...cluster } as ClusterInput },
})

const balancers: readonly NonNullable<ClusterInput['balancer']>[] = [
  { type: 'round-robin' }, { type: 'weighted', bias: 1 }, { type: 'random' }, { type: 'least-request', choices: 3 }, { type: 'peak-ewma' }, { type: 'prequal' }, { type: 'orca-wrr' },
  { type: 'ring-hash', key: [{ header: 'x-user' }, { cookie: 'user' }, { query: 'user' }, { path: true }], maxLoad: 1.25 },
  { type: 'ring-hash' }, { type: 'maglev', key: { path: true } }, { type: 'aperture', size: 2, peer: { index: 0, count: 3 }, of: { type: 'round-robin' } } as never,
  { type: 'zone-aware', zone: 'a' }, { type: 'subset', metadata: { version: '2' }, of: { type: 'random' } },
  { type: 'priority', of: { type: 'ring-hash', key: { header: 'x-user' } }, overprovisioning: 2 }, { type: 'priority', of: { type: 'random' } }, { type: 'priority', of: { type: 'least-request' } },
]

const leveled = { type: 'static', endpoints: endpoints.map((address, index) => ({ address, weight: index + 0.5, metadata: { priority: String(index * 2) } })) } as const

const healthChecks: readonly NonNullable<ClusterInput['healthCheck']>[] = [
  { protocol: 'http', path: '/health?a=%20b', statuses: [200, 204], host: 'health.test', port: 9000 }, { protocol: 'http2' }, { protocol: 'tcp', port: 9001 }, { protocol: 'grpc', service: 'shop' },
]

const file = { file: '/etc/proxy/a.pem' }

const securities: readonly NonNullable<ClusterInput['tls']>[] = [
  true, { ca: { file: '/etc/ssl/certs/ca-certificates.crt' }, servername: 'other.test' }, { verify: false }, { names: ['one.test', 'spiffe://shop.test/svc'], alpn: ['http/1.1', 'x-other'] },
  { ca: { file: '/etc/ssl/certs/ca-certificates.crt' }, enforce: true },
]

const conditions: readonly NonNullable<RouteInput['match']>[] = [
  { path: { exact: "/it's \"quoted\" {}; $x %[src] }" } }, { path: { prefix: '/a' } }, { path: { prefix: '/a/' } }, { path: { plainPrefix: '/a' } }, { path: { regex: '/[a-z]{2,3}(?:/.*)?' } },
  { method: ['GET', 'PATCH'] }, { scheme: 'https' }, { scheme: 'http' }, { port: 80 }, { port: 8080 }, { host: ['*.shop.test', 'a.test:80', 'b.test:81', '*.c.test:82'] },
  {
    headers: {
      'x-a': 'it\'s "quoted" {}; # $x %[src] \\', 'x-b': { prefix: '-f' }, 'x-c': { suffix: '}' }, 'x-d': { regex: '[^"\';#]+' }, 'x-e': { range: { start: -5, end: 10 } },
      'x-f': { range: { start: 0, end: 10 }, invert: true }, 'x-g': { present: true }, 'x-h': { present: false }, 'x-i': { invert: true }, 'x-j': { exact: 'a', invert: true }, 'x-k': [{ prefix: 'a' }, { suffix: 'b' }], 'x-l': '',
    },
  },
  { query: { a: 'b c', 'b[]': { prefix: 'x' }, c: { suffix: '$' }, d: { regex: 'a+|b' }, e: { present: true }, f: { present: false }, g: { invert: true }, h: { exact: 'x', invert: true } } },
]

const retries: readonly NonNullable<RouteInput['retry']>[] = [
  false, { attempts: 1 }, { attempts: 5, on: [500, 404, 429, 599], methods: 'any' }, { on: ['retry-after'] }, { on: ['5xx', 'grpc-cancelled', 'grpc-unavailable', 'attempt-timeout'], methods: ['GET', 'POST'] },
  { on: ['server-error', 'gateway-error', 'reset', 'connect-failure', 'refused-stream'], backoff: { base: '10ms', max: '1s' }, retryAfter: { max: '5s' }, methods: [] },
]

const rewrites: readonly (readonly [NonNullable<RouteInput['match']>, NonNullable<RouteInput['rewrite']>])[] = [
  [{}, { host: 'other.test:81' }], [{}, { path: '/new;a=b' }], [{ path: { prefix: '/a' } }, { prefix: '/' }], [{ path: { prefix: '/a/' } }, { prefix: '/b' }], [{ path: { plainPrefix: '/a' } }, { prefix: '/b', host: 'b.test' }],
]

const several: MeshInput = {
  services: {
    'shop.test': { routes: [{ match: { path: { exact: '/x' } }, to: 'c' }, { to: { a: 33.333, b: 66, c: 0.001, d: 0 }, sticky: { header: 'x-user' } }, { match: { port: 99 }, to: { a: 1, b: 1 }, timeout: 0, attemptTimeout: '1s' }] },
    'shop.test:80': { cluster: 'a', timeout: '3s' },
    'shop.test:8080': { cluster: 'a', idleTimeout: 0 },
    '[::1]': { cluster: 'b' },
    'tax.test': ['10.0.0.9:80', '[fd00::1]:8080'],
    'secure.test': ['https://10.0.0.9'],
    'nowhere.test': { cluster: 'nowhere' },
  },
  clusters: {
    a: { registry, requests: 10, pending: 5, connections: 3, keepAlive: '1s', connectTimeout: '1s', timeout: '2s', idleTimeout: '1s', panic: 0, slowStart: '10s', balancer: { type: 'round-robin' } },
    b: { registry: { type: 'consul', service: 'b' } as never, breaker: false, budget: { percent: 50, perSecond: 2.5 } },
    c: { registry: leveled, outlier: { failures: false, gatewayFailures: 3, localFailures: 4, failurePercentage: {}, latency: {}, jitter: '1s', minEjected: 1, return: 'sweep' } },
    d: { registry: { type: 'consul', service: 'd' } as never },
    nowhere: { registry: { type: 'none' } },
  },
  egress: { allow: ['*.example.com'] },
  telemetry: { requestId: false, deadline: false, tracing: false, metrics: false },
  replayLimit: 0,
}

const named: readonly ClusterInput['registry'][] = [
  { type: 'dns', hostname: 'shop.internal', port: 8080 },
  { type: 'dns', hostname: 'shop.internal', port: 8080, responseType: 'logical', family: 'prefer-6', servers: ['10.0.0.2', '10.0.0.3:5353'] },
  { type: 'dns', hostname: 'shop.internal', port: 443, tls: true, family: 4, minTtl: '5s' },
]

/** A definition, what is said of the proxy's machine, and a name for the tests. */
export interface Example {
  readonly name: string
  readonly config: MeshInput
  readonly options?: ProxyOptions
}

const each = <Item>(what: string, items: readonly Item[], config: (item: Item) => MeshInput, options?: ProxyOptions): readonly Example[] =>
  items.map((item) => ({ name: `${what} ${JSON.stringify(item)}`, config: config(item), ...(options && { options }) }))

/** Definitions that together have every option at work. */
export const examples: readonly Example[] = [
  { name: 'nothing', config: {} },
  { name: 'defaults', config: single() },
  {
    name: 'many', config: several,
    options: {
      listen: '127.0.0.1:15002', ports: { 'tax.test': '127.0.0.1:15003', 'shop.test': '127.0.0.1:15004', 'shop.test:8080': '127.0.0.1:15005' },
      endpoints: { b: ['10.0.0.7:80'] }, threads: 2,
    },
  },
  ...each('balancer', balancers, (balancer) => single({ balancer, registry: leveled, slowStart: '5s' })),
  ...each('health check', healthChecks, (healthCheck) => single({ healthCheck, registry: leveled })),
  ...each('HTTP/2', [true, { streams: 7, ping: '1s', pingTimeout: '2s' }, { ping: 0 }], (http2) => single({ http2 })),
  ...each('HTTP/2 and TLS', [true], (http2) => single({ http2, grpc: true, tls: true })),
  ...each('TLS', securities, (tls) => single({ tls, healthCheck: { protocol: 'http' } })),
  ...each('match', conditions, (match) => single({}, { match })),
  ...each('retry', retries, (retry) => single({}, { retry, attemptTimeout: '1s' })),
  ...each('retry without attempt timeout', retries, (retry) => single({}, { retry })),
  ...each('rewrite', rewrites, ([match, rewrite]) => single({}, { match, rewrite })),
  ...each('registry', named, (registry) => single({ registry }), { resolvers: ['127.0.0.1', '127.0.0.1:5353', '[::1]:53'] }),
]

/** A definition with TLS whose files need not be there, for proxies that are not run. */
export const withFiles: Example = { name: 'certificates', config: single({ tls: { ca: file, cert: file, key: file } }) }
