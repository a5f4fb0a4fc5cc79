import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { configSchema, type MeshInput } from '../../src/index.ts'
import { policyRows } from '../../src/proxies/expression.ts'
import { proxyNames, toEnvoy, toHaproxy, toNginx, type ProxyConfig, type ProxyName, type ProxyOptions, type WriteProxy } from '../../src/proxies/index.ts'
import { balancers } from '../../src/balancers/index.ts'
import { matchers } from '../../src/matchers/index.ts'
import { examples, single } from './definitions.ts'

const writers: Readonly<Record<ProxyName, WriteProxy>> = { haproxy: toHaproxy, nginx: toNginx, envoy: toEnvoy }

interface Sample {
  /** A definition in which the option has another value than in `before`. */
  readonly after: MeshInput
  /** The same without; the defaults if it is not given. */
  readonly before?: MeshInput
  readonly options?: ProxyOptions
}

const split = { to: { shop: 1, other: 1 } } as const
const spread = (route: object): MeshInput => {
  const { services, clusters } = single({}, route)
  return { services, clusters: { ...clusters, other: clusters!['shop']! } } as MeshInput
}
const prefixed = { match: { path: { prefix: '/a' } } } as const
const named = { type: 'dns', hostname: 'shop.internal', port: 80 } as const
const resolvers = { resolvers: ['127.0.0.1'] }
const ca = { file: '/a.pem' }
const check = (options: object): Sample => ({ before: single({ healthCheck: { protocol: 'http' } }), after: single({ healthCheck: { protocol: 'http', ...options } as never }) })
const outlier = (options: object, before: object = {}): Sample => ({ before: single({ outlier: before }), after: single({ outlier: { ...before, ...options } }) })
const secure = (options: object): Sample => ({ before: single({ tls: {} }), after: single({ tls: options }) })
const of = (cluster: Parameters<typeof single>[0], route?: Parameters<typeof single>[1]): Sample => ({ after: single(cluster, route) })
const mesh = (options: Partial<MeshInput>): Sample => ({ after: { ...single(), ...options } })

/** Each option of the configuration language at work. */
const samples: Readonly<Record<string, Sample>> = {
  'egress.allow': mesh({ egress: { allow: ['a.test'] } }),
  'telemetry.tracing': { before: mesh({ telemetry: { tracing: false } }).after, after: single() },
  'telemetry.metrics.duration': mesh({ telemetry: { metrics: { duration: true } } }),
  'telemetry.metrics.requests': mesh({ telemetry: { metrics: { requests: false } } }),
  'telemetry.metrics.connections': mesh({ telemetry: { metrics: { connections: false } } }),
  'telemetry.metrics.mesh': mesh({ telemetry: { metrics: { mesh: false } } }),
  'telemetry.requestId': mesh({ telemetry: { requestId: false } }),
  'telemetry.accessLog': mesh({ telemetry: { accessLog: { path: '/dev/stdout' } as never } }),
  'telemetry.deadline': { before: mesh({ telemetry: { deadline: false } }).after, after: single() },
  'replayLimit': mesh({ replayLimit: 99_999 }),
  'drain': mesh({ drain: 77_000 }),
  'cluster.registry': { after: single({ registry: named }), options: resolvers },
  'cluster.discovery.grace': { before: single({ registry: named }), after: single({ registry: named, discovery: { grace: 1 } }), options: resolvers },
  'cluster.discovery.maxLoss': { before: single({ registry: named }), after: single({ registry: named, discovery: { maxLoss: 1 } }), options: resolvers },
  'cluster.balancer': of({ balancer: { type: 'random' } }),
  'cluster.http2.streams': { before: single({ http2: true }), after: single({ http2: { streams: 7 } }) },
  'cluster.http2.ping': { before: single({ http2: true }), after: single({ http2: { ping: 777 } }) },
  'cluster.http2.pingTimeout': { before: single({ http2: true }), after: single({ http2: { pingTimeout: 777 } }) },
  'cluster.grpc': of({ grpc: true }),
  'cluster.connections': of({ connections: 7 }),
  'cluster.connectTimeout': of({ connectTimeout: 777 }),
  'cluster.keepAlive': of({ keepAlive: 777 }),
  'cluster.tls.ca.file': secure({ ca }),
  'cluster.tls.cert.file': secure({ cert: ca, key: ca }),
  'cluster.tls.key.file': secure({ cert: ca, key: ca }),
  'cluster.tls.enforce': { before: single({ tls: { ca } }), after: single({ tls: { ca, enforce: false } }) },
  'cluster.tls.ports': { before: single({ tls: { ca } }), after: single({ tls: { ca, ports: [1] } }) },
  'cluster.tls.servername': secure({ servername: 'a.test' }),
  'cluster.tls.names': secure({ names: ['a.test'] }),
  'cluster.tls.verify': secure({ verify: false }),
  'cluster.tls.alpn': secure({ alpn: ['http/1.1', 'x'] }),
  'cluster.tls.warnBefore': secure({ warnBefore: '90h' }),
  'cluster.requests': of({ requests: 7 }),
  'cluster.pending': of({ pending: 7 }),
  'cluster.breaker.calls': of({ breaker: { calls: 7 } }),
  'cluster.breaker.failures': of({ breaker: { failures: 7 } }),
  'cluster.breaker.window': of({ breaker: { window: 7 } }),
  'cluster.breaker.open': of({ breaker: { open: 7 } }),
  'cluster.outlier.failures': outlier({ failures: 7 }),
  'cluster.outlier.gatewayFailures': outlier({ gatewayFailures: 7 }),
  'cluster.outlier.localFailures': outlier({ localFailures: 7 }),
  'cluster.outlier.successRate.endpoints': outlier({ successRate: { endpoints: 7 } }),
  'cluster.outlier.successRate.volume': outlier({ successRate: { volume: 7 } }),
  'cluster.outlier.successRate.factor': outlier({ successRate: { factor: 7 } }),
  'cluster.outlier.successRate.gap': outlier({ successRate: { gap: 7 } }),
  'cluster.outlier.failurePercentage.endpoints': outlier({ failurePercentage: { endpoints: 7 } }),
  'cluster.outlier.failurePercentage.volume': outlier({ failurePercentage: { volume: 7 } }),
  'cluster.outlier.failurePercentage.threshold': outlier({ failurePercentage: { threshold: 7 } }),
  'cluster.outlier.latency.endpoints': outlier({ latency: { endpoints: 7 } }),
  'cluster.outlier.latency.volume': outlier({ latency: { volume: 7 } }),
  'cluster.outlier.latency.factor': outlier({ latency: { factor: 7 } }),
  'cluster.outlier.latency.gap': outlier({ latency: { gap: 7 } }),
  'cluster.outlier.latency.intervals': outlier({ latency: { intervals: 7 } }),
  'cluster.outlier.interval': outlier({ interval: 777 }),
  'cluster.outlier.ejection': outlier({ ejection: 77_000 }),
  'cluster.outlier.maxEjection': outlier({ maxEjection: 777_000 }),
  'cluster.outlier.jitter': outlier({ jitter: 777 }),
  'cluster.outlier.return': { before: single({ outlier: { return: 'sweep' } }), after: single() },
  'cluster.outlier.maxEjected': outlier({ maxEjected: 77 }),
  'cluster.outlier.minEjected': outlier({ minEjected: 7 }),
  'cluster.healthCheck.protocol': { before: single({ healthCheck: { protocol: 'http' } }), after: single({ healthCheck: { protocol: 'tcp' } }) },
  'cluster.healthCheck.path': check({ path: '/x' }),
  'cluster.healthCheck.statuses': check({ statuses: [201] }),
  'cluster.healthCheck.host': check({ host: 'a.test' }),
  'cluster.healthCheck.port': check({ port: 7 }),
  'cluster.healthCheck.interval': check({ interval: 777 }),
  'cluster.healthCheck.timeout': check({ timeout: 777 }),
  'cluster.healthCheck.healthyThreshold': check({ healthyThreshold: 7 }),
  'cluster.healthCheck.unhealthyThreshold': check({ unhealthyThreshold: 7 }),
  'cluster.healthCheck.service': { before: single({ healthCheck: { protocol: 'grpc' } }), after: single({ healthCheck: { protocol: 'grpc', service: 'a' } }) },
  'cluster.panic': of({ panic: 7 }),
  'cluster.slowStart': of({ slowStart: 7_777, balancer: { type: 'round-robin' } }),
  'cluster.budget.percent': of({ budget: { percent: 7 } }),
  'cluster.budget.perSecond': of({ budget: { perSecond: 7 } }),
  'cluster.budget.window': of({ budget: { window: 7_777 } }),
  'cluster.timeout': of({ timeout: 777 }),
  'cluster.idleTimeout': of({ idleTimeout: 777 }),
  'route.name': of({}, { name: 'a' }),
  'route.match': of({}, prefixed),
  'route.to': { after: spread(split) },
  'route.priority': { after: { ...single(), services: { 'shop.test': { routes: [{ match: { method: 'GET' }, to: 'shop' }, { match: { method: 'POST' }, to: 'shop', priority: 0 }] } } },
    before: { ...single(), services: { 'shop.test': { routes: [{ match: { method: 'GET' }, to: 'shop' }, { match: { method: 'POST' }, to: 'shop' }] } } } },
  'route.timeout': of({}, { timeout: 777 }),
  'route.attemptTimeout': of({}, { attemptTimeout: 777 }),
  'route.idleTimeout': of({}, { idleTimeout: 777 }),
  'route.retry.attempts': of({}, { retry: { attempts: 7 } }),
  'route.retry.on': of({}, { retry: { on: [500] } }),
  'route.retry.methods': of({}, { retry: { methods: 'any' } }),
  'route.retry.backoff.base': of({}, { retry: { backoff: { base: 7 } } }),
  'route.retry.backoff.max': of({}, { retry: { backoff: { max: 777 } } }),
  'route.retry.retryAfter.max': of({}, { retry: { retryAfter: { max: 777 } } }),
  'route.sticky': { before: spread(split), after: spread({ ...split, sticky: { header: 'x-user' } }) },
  'route.rewrite.host': of({}, { rewrite: { host: 'a.test' } }),
  'route.rewrite.path': of({}, { rewrite: { path: '/x' } }),
  'route.rewrite.prefix': { before: single({}, prefixed), after: single({}, { ...prefixed, rewrite: { prefix: '/x' } }) },
}

/** A key without its certificate is no configuration, and a passphrase is refused with its place: test/proxies/tls.test.ts. */
const elsewhere = ['cluster.tls.passphrase']

interface Schema {
  readonly $ref?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly additionalProperties?: Schema
  readonly items?: Schema
  readonly anyOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
}

const root = configSchema() as unknown as Schema

const resolved = (schema: Schema): Schema => schema.$ref === undefined ? schema
  : resolved(schema.$ref.split('/').slice(1).reduce((within, name) => (within as never)[name], root))

const propertiesOf = (schema: Schema): Readonly<Record<string, Schema>> => {
  const { properties = {}, anyOf = [], oneOf = [] } = resolved(schema)
  return Object.assign({}, properties, ...[...anyOf, ...oneOf].map(propertiesOf)) as Readonly<Record<string, Schema>>
}

/** Where other families of options begin, which have rows of their own. */
const families = /(?:balancer|registry|match|sticky|accessLog)$/

/** Every option by its place. */
const optionsIn = (schema: Schema, place: string): readonly string[] => {
  const inner = Object.entries(propertiesOf(schema))
  if (inner.length === 0 || families.test(place)) return [place]
  return inner.flatMap(([name, each]) => optionsIn(each, place === '' ? name : `${place}.${name}`))
}

const { services, clusters, ...rest } = propertiesOf(root)
const routes = Object.assign({}, ...[resolved(services!).additionalProperties!].map(propertiesOf)) as Readonly<Record<string, Schema>>
const options = [
  ...optionsIn({ properties: rest }, '').filter((name) => name !== '$schema'),
  ...optionsIn(resolved(clusters!).additionalProperties!, 'cluster'),
  ...optionsIn(resolved(routes['routes']!).items!, 'route'),
].filter((name) => !elsewhere.includes(name))

const about = ({ unexpressed }: ProxyConfig, option: string): readonly string[] => unexpressed
  .filter(({ policy }) => { const plain = policy.split(':')[0]!; return option === plain || option.startsWith(`${plain}.`) || plain.startsWith(`${option}.`) })
  .map(({ path }) => path)

describe('nothing of a definition is left out in silence', () => {
  test('every option has a sample', () => assert.deepEqual(options.filter((name) => !(name in samples)), []))
  test('every sample is of an option', () => assert.deepEqual(Object.keys(samples).filter((name) => !options.includes(name)), []))

  test('every option has a row in the table', () => {
    const policies = policyRows.map(({ policy }) => policy.split(':')[0]!)
    assert.deepEqual(options.filter((option) => !policies.some((policy) =>
      option === policy || option.startsWith(`${policy}.`) || policy.startsWith(`${option}.`))), [])
  })

  for (const proxy of proxyNames) {
    for (const [option, { before = single(), after, options }] of Object.entries(samples)) {
      test(`${option} for ${proxy}`, () => {
        const one = writers[proxy](before, options)
        const other = writers[proxy](after, options)
        assert.ok(one.text !== other.text || about(one, option).length + about(other, option).length > 0, `${option} changes nothing, and nobody is told`)
      })
    }
  }

  test('every balancer has a row', () => {
    const policies = policyRows.map(({ policy }) => policy)
    assert.deepEqual(balancers.kinds.map(({ type }) => type).filter((type) => !policies.some((policy) => policy.startsWith(`cluster.balancer.${type}`))), [])
  })

  test('every matcher has a row', () => {
    const policies = policyRows.map(({ policy }) => policy)
    assert.deepEqual(matchers.kinds.map(({ field }) => field).filter((field) => !policies.includes(`route.match.${field}`)), [])
  })
})

describe('what is told of a definition', () => {
  test('has a place, what happens instead, and why', () => {
    for (const { config, options } of examples) {
      for (const proxy of proxyNames) {
        for (const { path, instead, why, policy } of writers[proxy](config, options).unexpressed) {
          assert.match(path, /^(?:services\[|clusters\.|egress|replayLimit|drain|telemetry)/, policy)
          assert.ok(instead !== '' && why !== '')
        }
      }
    }
  })

  test('says it once for each place', () => {
    const { unexpressed } = toNginx(single({}, { match: { headers: { 'x-a': { range: { start: 0, end: 2 } } } } }))
    assert.deepEqual(unexpressed.filter(({ policy }) => policy === 'route.match.headers.range'), [{
      policy: 'route.match.headers.range', path: 'services["shop.test"].routes[0].match.headers', instead: 'never takes the route', why: 'it does not compare numbers',
    }])
  })

  test('a registry that no proxy follows needs endpoints, and is told of', () => {
    const config = single({ registry: { type: 'consul', service: 'shop' } as never })
    for (const proxy of proxyNames) {
      assert.throws(() => writers[proxy](config), {
        name: 'ProxyConfigError',
        message: "clusters.shop.registry: no proxy can follow a registry of type 'consul': give the endpoints of 'shop' (endpoints: { \"shop\": ['10.0.0.1:8080'] })",
      })
      const { unexpressed } = writers[proxy](config, { endpoints: { shop: ['10.0.0.1:8080'] } })
      assert.ok(unexpressed.some(({ policy, path }) => policy === 'cluster.registry' && path === 'clusters.shop.registry'))
    }
  })
})
