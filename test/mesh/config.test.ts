import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import {
  createMesh, kind, matcherKind, matchers, MeshConfigError, registries, type ConfigFault, type MeshInput,
} from '../../src/index.ts'
import { fakeRuntime, scriptedUpstream } from '../../src/testing/index.ts'

const quiet = () => ({ runtime: fakeRuntime(), transport: scriptedUpstream({}).send })

const meshOf = (config: MeshInput) => createMesh(config, quiet())

/** The faults of a configuration, of any type, that must be refused. */
const faultsOf = (config: unknown): readonly ConfigFault[] => {
  try {
    meshOf(config as MeshInput)
  } catch (error) {
    if (!(error instanceof MeshConfigError)) throw error
    assert.equal(error.code, 'ENMESH_CONFIG_INVALID')
    for (const { path, message } of error.faults) assert.ok(error.message.includes(`${path || '(the whole)'}: ${message}`))
    return error.faults
  }
  return assert.fail('was accepted')
}

const listed = { registry: { type: 'static', endpoints: ['10.0.0.1:8080'] } }

/** A configuration whose service has one good route, and then this one. */
const route = (route: unknown) => ({
  services: { 'pricing.shop.local': { routes: [{ match: { port: 81 }, to: 'pricing-v1' }, route] } },
  clusters: { 'pricing-v1': listed, 'pricing-v2': listed },
})
const policy = (fields: object) => route({ to: 'pricing-v1', ...fields })
const matching = (match: unknown) => policy({ match })
const cluster = (fields: object) => ({ clusters: { order: { ...listed, ...fields } } })
const registry = (registry: unknown) => ({ clusters: { order: { registry } } })
const service = (service: unknown, name = 'a.local') => ({ services: { [name]: service }, clusters: { order: listed } })
const json = (text: string): unknown => JSON.parse(text)

const atService = 'services["a.local"]'
const atRoute = 'services["pricing.shop.local"].routes[1]'
const someService = /must be a list of endpoints .* \{ cluster: 'name' \} and \{ routes: /
const aDuration = /is not a duration: write milliseconds as a number \(250\) or text such as '250ms'/

/** What is written, where the fault must be found, and what must be said of it. */
const mistakes: Readonly<Record<string, readonly [config: unknown, path: string, message: RegExp]>> = {
  // The whole
  'nothing': [undefined, '', /is missing: write an object/],
  'null in place of everything': [null, '', /must be an object, not null/],
  'a list in place of everything': [[], '', /must be an object, not a list/],
  'text in place of everything': ['services', '', /must be an object, not a string/],
  'a function in place of everything': [() => ({}), '', /must be an object, not a function/],
  'a typo at the top': [{ service: {} }, 'service', /unknown key: did you mean 'services'\?/],
  'a key that is far from any': [{ plugins: [] }, 'plugins', /unknown key: known here: services, clusters, egress/],
  'services as a list': [{ services: [] }, 'services', /must be an object, not a list/],
  'services as null': [{ services: null }, 'services', /must be an object, not null/],
  'clusters as a list': [{ clusters: [listed] }, 'clusters', /must be an object, not a list/],
  'drain that is null': [{ drain: null }, 'drain', aDuration],
  'a replay limit below 0': [{ replayLimit: -1 }, 'replayLimit', /must be at least 0, not -1/],
  'a replay limit that is no whole number': [{ replayLimit: 1.5 }, 'replayLimit', /must be a whole number, not 1.5/],
  // Names that every object has
  'a key called constructor': [{ constructor: {} }, 'constructor', /unknown key/],
  'a key called __proto__': [json('{"__proto__":{}}'), '__proto__', /unknown key/],
  'a service called __proto__': [json('{"services":{"__proto__":["a:1"]}}'), 'services.__proto__', /choose another/],
  'a cluster called __proto__': [json('{"clusters":{"__proto__":{}}}'), 'clusters.__proto__', /choose another/],
  'a weight for a cluster called __proto__':
    [route(json('{"to":{"pricing-v1":1,"__proto__":1}}')), `${atRoute}.to.__proto__`, /choose another/],
  'a header called __proto__': [
    route(json('{"to":"pricing-v1","match":{"headers":{"__proto__":"x"}}}')),
    `${atRoute}.match.headers.__proto__`, /choose another/,
  ],
  'a cluster that only Object.prototype has':
    [service({ cluster: 'constructor' }), `${atService}.cluster`, /no cluster 'constructor': known here: order/],
  'a registry type that only Object.prototype has':
    [registry({ type: 'toString' }), 'clusters.order.registry.type', /known here: static, dns/],
  // Services
  'a service that is text': [service('order'), atService, someService],
  'a service that is null': [service(null), atService, someService],
  'a service that is a number': [service(8080), atService, someService],
  'a service that says nothing': [service({}), atService, someService],
  'a service with both cluster and routes': [service({ cluster: 'order', routes: [{ to: 'order' }] }), atService, someService],
  'a typo in a service': [service({ cluster: 'order', timout: '2s' }), `${atService}.timout`, /did you mean 'timeout'\?/],
  'a typo in `cluster`': [service({ clustr: 'order' }), `${atService}.clustr`, /did you mean 'cluster'\?/],
  'a typo in `routes`': [service({ route: [{ to: 'order' }] }), `${atService}.route`, /did you mean 'routes'\?/],
  'an unknown cluster of a service':
    [service({ cluster: 'oder' }), `${atService}.cluster`, /no cluster 'oder': did you mean 'order'\?/],
  'an unknown cluster where there are none':
    [{ services: { 'a.local': { cluster: 'order' } } }, `${atService}.cluster`, /no cluster 'order': `clusters` has none/],
  'an empty name of a cluster': [service({ cluster: '' }), `${atService}.cluster`, /must have at least 1 character/],
  'no routes': [service({ routes: [] }), `${atService}.routes`, /needs at least one route/],
  'routes that are no list': [service({ routes: { to: 'order' } }), `${atService}.routes`, /must be a list, not an object/],
  'a route that is null': [service({ routes: [null] }), `${atService}.routes[0]`, /must be an object, not null/],
  'a prefix rewritten in the short form': [
    service({ cluster: 'order', rewrite: { prefix: '/v2' } }),
    `${atService}.rewrite.prefix`, /needs a route with match\.path\.prefix/,
  ],
  'a service name with a scheme':
    [service(['b:1'], 'http://a.local'), 'services["http://a.local"]', /write the host that callers dial/],
  'an empty service name': [service(['b:1'], ''), 'services[""]', /is not a service name/],
  'a service name with a port out of range':
    [service(['b:1'], 'a.local:70000'), 'services["a.local:70000"]', /is not a service name/],
  'the same service in capitals':
    [{ services: { 'a.local': ['b:1'], 'A.Local': ['c:1'] } }, 'services["A.Local"]', /the same service as 'a\.local'/],
  'the same service with a trailing dot':
    [{ services: { 'a.local': ['b:1'], 'a.local.': ['c:1'] } }, 'services["a.local."]', /a trailing dot make no difference/],
  'a shortest form whose cluster exists':
    [{ services: { order: ['b:1'] }, clusters: { order: listed } }, 'services.order', /write \{ cluster: 'order' \}, or rename it/],
  // Endpoints
  'no endpoints': [service([]), atService, /must have at least 1 entry/],
  'an endpoint without a port': [service(['10.0.0.1']), `${atService}[0]`, /has no port: write '10\.0\.0\.1:8080'/],
  'an endpoint with a path': [service(['b:1', 'http://b:2/api']), `${atService}[1]`, /has a path: an endpoint is 'host:port'/],
  'an endpoint with credentials': [service(['http://root:hunter2@b:1']), `${atService}[0]`, /holds credentials/],
  'an endpoint with port 70000': [service(['b:70000']), `${atService}[0]`, /a number from 1 to 65535/],
  'an endpoint with another scheme': [service(['ftp://b:1']), `${atService}[0]`, /http:\/\/ or https:\/\//],
  'an endpoint that is a number': [service([8080]), `${atService}[0]`, /must be a string or an object, not 8080/],
  'an endpoint that is null': [service(['b:1', null]), `${atService}[1]`, /must be a string or an object, not null/],
  'a typo in an endpoint': [service([{ adress: 'b:1' }]), `${atService}[0].adress`, /did you mean 'address'\?/],
  'an endpoint twice': [service(['b:1', 'B.:1']), `${atService}[1]`, /is endpoint 0 again \('b:1'\)/],
  'an endpoint of weight 0': [service([{ address: 'b:1', weight: 0 }]), `${atService}[0].weight`, /must be above 0, not 0/],
  // Routes
  'a route to nowhere': [route({}), `${atRoute}.to`, /name of a cluster, or clusters with their weights: \{ a: 90, b: 10 \}/],
  'an unknown cluster of a route':
    [route({ to: 'pricing-v9' }), `${atRoute}.to`, /no cluster 'pricing-v9': did you mean 'pricing-v1'\?/],
  'an unknown cluster of a split':
    [route({ to: { 'pricing-v1': 90, 'pricing-v9': 10 } }), `${atRoute}.to["pricing-v9"]`, /did you mean 'pricing-v1'\?/],
  'an empty split': [route({ to: {} }), `${atRoute}.to`, /is empty: name a cluster/],
  'a split that is a list': [route({ to: ['pricing-v1'] }), `${atRoute}.to`, /\{ a: 90, b: 10 \}/],
  'a negative weight': [route({ to: { 'pricing-v1': -1 } }), `${atRoute}.to["pricing-v1"]`, /is negative: a weight is 0 or more/],
  'a weight that is text':
    [route({ to: { 'pricing-v1': '90%' } }), `${atRoute}.to["pricing-v1"]`, /must be a number, not a string/],
  'a weight that is NaN':
    [route({ to: { 'pricing-v1': Number.NaN } }), `${atRoute}.to["pricing-v1"]`, /must be a number, not NaN/],
  'weights that are all 0': [route({ to: { 'pricing-v1': 0, 'pricing-v2': 0 } }), `${atRoute}.to`, /nothing could be sent/],
  'a typo in a route': [policy({ retri: 3 }), `${atRoute}.retri`, /did you mean 'retry'\?/],
  'an empty name of a route': [policy({ name: '' }), `${atRoute}.name`, /must have at least 1 character/],
  'a priority above 1000': [policy({ priority: 1001 }), `${atRoute}.priority`, /must be at most 1000, not 1001/],
  'a priority below 0': [policy({ priority: -1 }), `${atRoute}.priority`, /must be at least 0, not -1/],
  'a route with the conditions of another':
    [route({ to: 'pricing-v2', match: { port: 81 } }), atRoute, /routes\[0\] has the same conditions/],
  'a name that another route has': [
    service({ routes: [{ name: 'x', to: 'order', match: { port: 1 } }, { name: 'x', to: 'order' }] }),
    `${atService}.routes[1].name`, /'x' is the name of routes\[0\]/,
  ],
  // Durations
  'a duration in words': [policy({ timeout: '2 sec' }), `${atRoute}.timeout`, aDuration],
  'a negative duration': [policy({ timeout: -1 }), `${atRoute}.timeout`, aDuration],
  'a duration that is NaN': [policy({ attemptTimeout: Number.NaN }), `${atRoute}.attemptTimeout`, aDuration],
  'a duration without end': [policy({ idleTimeout: Number.POSITIVE_INFINITY }), `${atRoute}.idleTimeout`, aDuration],
  'a duration that is true': [policy({ timeout: true }), `${atRoute}.timeout`, aDuration],
  'a duration that is null': [policy({ timeout: null }), `${atRoute}.timeout`, aDuration],
  // Matchers
  'a typo in match': [matching({ pth: '/' }), `${atRoute}.match.pth`, /did you mean 'path'\?/],
  'match as a list': [matching([]), `${atRoute}.match`, /must be an object, not a list/],
  'a path that is text': [matching({ path: '/a' }), `${atRoute}.match.path`, /must be an object, not a string/],
  'a path condition that says nothing': [matching({ path: {} }), `${atRoute}.match.path`, /exactly one of exact, prefix/],
  'a path condition that says two things':
    [matching({ path: { exact: '/', prefix: '/' } }), `${atRoute}.match.path`, /exact and prefix are written/],
  'a prefix without a slash': [matching({ path: { prefix: 'api' } }), `${atRoute}.match.path.prefix`, /begin with '\/'/],
  'a lookahead': [matching({ path: { regex: '/a(?=b)' } }), `${atRoute}.match.path.regex`, /not RE2 syntax.*`\(\?=`/],
  'a backreference':
    [matching({ headers: { 'x-a': { regex: '(a)\\1' } } }), `${atRoute}.match.headers["x-a"].regex`, /backreferences are not/],
  'an unbalanced bracket': [matching({ path: { regex: '/(a' } }), `${atRoute}.match.path.regex`, /missing closing \)/],
  'a typo in a header condition':
    [matching({ headers: { 'x-a': { exat: 'b' } } }), `${atRoute}.match.headers["x-a"].exat`, /did you mean 'exact'\?/],
  'a header condition that is null':
    [matching({ headers: { 'x-a': null } }), `${atRoute}.match.headers["x-a"]`, /must be a string or an object or a list, not null/],
  'a header name with a space':
    [matching({ headers: { 'x a': 'b' } }), `${atRoute}.match.headers["x a"]`, /is not a header name/],
  'a range as a list':
    [matching({ headers: { n: { range: [1, 5] } } }), `${atRoute}.match.headers.n.range`, /must be an object, not a list/],
  'a scheme that there is not':
    [matching({ scheme: 'ftp' }), `${atRoute}.match.scheme`, /must be "http" or "https", not another string/],
  'a matched port 0': [matching({ port: 0 }), `${atRoute}.match.port`, /must be at least 1, not 0/],
  'a matched host with a path': [matching({ host: 'a/b' }), `${atRoute}.match.host`, /write 'name', 'name:port'/],
  'a query parameter that is a number':
    [matching({ query: { page: 5 } }), `${atRoute}.match.query.page`, /must be a string or an object, not 5/],
  // Policies of a route
  'retry: true': [policy({ retry: true }), `${atRoute}.retry`, /must be false, or options such as \{ attempts: 3 \}/],
  '0 attempts': [policy({ retry: { attempts: 0 } }), `${atRoute}.retry.attempts`, /must be at least 1, not 0/],
  '101 attempts': [policy({ retry: { attempts: 101 } }), `${atRoute}.retry.attempts`, /must be at most 100, not 101/],
  'attempts as text': [policy({ retry: { attempts: '3' } }), `${atRoute}.retry.attempts`, /must be a number, not a string/],
  'an unknown retry condition':
    [policy({ retry: { on: ['reset', 'gateway-eror'] } }), `${atRoute}.retry.on[1]`, /write one of connect-failure, reset,/],
  'a retry condition outside a list': [policy({ retry: { on: '5xx' } }), `${atRoute}.retry.on`, /must be a list, not a string/],
  'unknown retry methods': [policy({ retry: { methods: 'safe' } }), `${atRoute}.retry.methods`, /'idempotent', 'any', or a list/],
  'a typo deep inside retry':
    [policy({ retry: { backoff: { bse: 1 } } }), `${atRoute}.retry.backoff.bse`, /did you mean 'base'\?/],
  'sticky by header and cookie':
    [policy({ sticky: { header: 'a', cookie: 'b' } }), `${atRoute}.sticky`, /exactly one of header, cookie/],
  'sticky by nothing': [policy({ sticky: {} }), `${atRoute}.sticky`, /exactly one of header, cookie/],
  'a prefix rewritten that is not matched':
    [policy({ rewrite: { prefix: '/x' } }), `${atRoute}.rewrite.prefix`, /needs a route with match\.path\.prefix/],
  'prefix beside path': [
    policy({ match: { path: { prefix: '/a' } }, rewrite: { path: '/b', prefix: '/c' } }),
    `${atRoute}.rewrite.prefix`, /no effect beside path/,
  ],
  'a rewrite of nothing': [policy({ rewrite: {} }), `${atRoute}.rewrite`, /write host, path or prefix/],
  // Clusters
  'a cluster that is null': [{ clusters: { order: null } }, 'clusters.order', /must be an object, not null/],
  'a cluster that is a list': [{ clusters: { order: ['b:1'] } }, 'clusters.order', /must be an object, not a list/],
  'a cluster without a name': [{ clusters: { '': listed } }, 'clusters[""]', /must have at least 1 character/],
  'a typo in a cluster': [cluster({ balncer: { type: 'random' } }), 'clusters.order.balncer', /did you mean 'balancer'\?/],
  'a cluster without a registry':
    [{ clusters: { order: {} } }, 'clusters.order.registry', /is missing: write an object with a type: one of static, dns/],
  'a registry that is text':
    [registry('static'), 'clusters.order.registry', /must be an object with a type: one of static, dns, .*; it is a string/],
  'a registry without a type':
    [registry({ endpoints: ['b:1'] }), 'clusters.order.registry.type', /needs a type: one of static, dns/],
  'an unknown registry':
    [registry({ type: 'zookeeper' }), 'clusters.order.registry.type', /unknown type: known here: static, dns/],
  'a typo in the type of a registry':
    [registry({ type: 'sttic' }), 'clusters.order.registry.type', /unknown type: did you mean 'static'\?/],
  'a static registry without endpoints':
    [registry({ type: 'static' }), 'clusters.order.registry.endpoints', /is missing: write a list/],
  'endpoints that are text':
    [registry({ type: 'static', endpoints: 'b:1' }), 'clusters.order.registry.endpoints', /must be a list, not a string/],
  'metadata that is a number': [
    registry({ type: 'static', endpoints: [{ address: 'b:1', metadata: { version: 2 } }] }),
    'clusters.order.registry.endpoints[0].metadata.version', /must be a string, not 2/,
  ],
  'a dns registry without a port':
    [registry({ type: 'dns', hostname: 'b' }), 'clusters.order.registry.port', /is needed: addresses have none/],
  'a dns registry with a URL':
    [registry({ type: 'dns', hostname: 'http://b', port: 1 }), 'clusters.order.registry.hostname', /without scheme/],
  'a dns registry with an unknown family': [
    registry({ type: 'dns', hostname: 'b', port: 1, family: 5 }),
    'clusters.order.registry.family', /must be 4 or 6 or "any" or "prefer-4" or "prefer-6", not 5/,
  ],
  'a balancer that is text':
    [cluster({ balancer: 'random' }), 'clusters.order.balancer', /an object with a type: one of round-robin, weighted, random/],
  'an unknown balancer':
    [cluster({ balancer: { type: 'least-requests' } }), 'clusters.order.balancer.type', /did you mean 'least-request'\?/],
  'an option that a balancer does not have':
    [cluster({ balancer: { type: 'random', seed: 1 } }), 'clusters.order.balancer.seed', /unknown key/],
  '0 connections': [cluster({ connections: 0 }), 'clusters.order.connections', /must be at least 1, not 0/],
  'breaker: true': [cluster({ breaker: true }), 'clusters.order.breaker', /must be false, or options such as \{ calls: 20 \}/],
  'a percentage above 100':
    [cluster({ breaker: { failures: 101 } }), 'clusters.order.breaker.failures', /must be at most 100, not 101/],
  'a breaker that opens without failures':
    [cluster({ breaker: { failures: 0 } }), 'clusters.order.breaker.failures', /must be above 0, not 0/],
  'a window of length 0': [cluster({ breaker: { window: 0 } }), 'clusters.order.breaker.window', /must be longer than 0/],
  'outlier: true': [cluster({ outlier: true }), 'clusters.order.outlier', /must be false, or options such as \{ failures: 5 \}/],
  'a percentage as text': [cluster({ panic: '50%' }), 'clusters.order.panic', /must be a number, not a string/],
  'a budget switched off': [cluster({ budget: false }), 'clusters.order.budget', /must be an object, not false/],
  'a budget window out of range':
    [cluster({ budget: { window: '5m' } }), 'clusters.order.budget.window', /must be from '1s' to '60s'/],
  'tls as text': [cluster({ tls: 'yes' }), 'clusters.order.tls', /must be a boolean or an object, not a string/],
  'a typo in tls': [cluster({ tls: { serverName: 'x' } }), 'clusters.order.tls.serverName', /did you mean 'servername'\?/],
  // Egress
  'a typo in egress': [{ egress: 'dney' }, 'egress', /must be 'allow', 'deny', or \{ allow: \[/],
  'egress as a list': [{ egress: ['a.com'] }, 'egress', /must be 'allow', 'deny', or \{ allow: \[/],
  'a typo in an egress list': [{ egress: { alow: [] } }, 'egress.alow', /did you mean 'allow'\?/],
  'an egress pattern with a scheme':
    [{ egress: { allow: ['b.com', 'https://a.com'] } }, 'egress.allow[1]', /a host without a scheme/],
  'an egress pattern for everything': [{ egress: { allow: ['*'] } }, 'egress.allow[0]', /write egress: 'allow'/],
}

describe('a mistake in the configuration is refused with its place and what to write', () => {
  for (const [mistake, [config, path, message]] of Object.entries(mistakes)) {
    test(mistake, () => {
      const faults = faultsOf(config)
      const found = faults.find((fault) => fault.path === path)
      assert.ok(found, `no fault at ${path}: ${JSON.stringify(faults)}`)
      assert.match(found.message, message)
      for (const { message } of faults) assert.doesNotMatch(message, /Invalid|expected|undefined|^$/, 'is not in our words')
    })
  }
})

test('all faults are reported at once, each in its place', () => {
  const faults = faultsOf({
    services: {
      'a.local': { cluster: 'order', timeout: 'soon' },
      'b.local': ['b'],
      'c.local': { routes: [{ to: {} }, { to: 'order', typo: 1, mistake: 2 }] },
    },
    clusters: { order: { ...listed, connections: 0, breaker: { calls: 0 } } },
    egress: 'never',
  })
  assert.deepEqual(faults.map(({ path }) => path).sort(), [
    'clusters.order.breaker.calls',
    'clusters.order.connections',
    'egress',
    'services["a.local"].timeout',
    'services["b.local"][0]',
    'services["c.local"].routes[0].to',
    'services["c.local"].routes[1].mistake',
    'services["c.local"].routes[1].typo',
  ])
})

test('faults between the parts are reported together too', () => {
  const faults = faultsOf({
    services: { 'a': { cluster: 'x' }, 'A.': { cluster: 'y' }, 'b': { routes: [{ to: { x: 1, y: 1 } }] } },
    clusters: { order: listed },
  })
  assert.deepEqual(faults.map(({ path }) => path), [
    'services["A."]', 'services.a.cluster', 'services["A."].cluster', 'services.b.routes[0].to.x', 'services.b.routes[0].to.y',
  ])
})

test('no fault repeats a text that may be a secret', () => {
  const secret = 'sk_live_hunter2'
  const message = JSON.stringify([
    cluster({ tls: secret }), cluster({ tls: { ca: { key: secret } } }), cluster({ password: secret }), cluster({ breaker: secret }),
    registry({ type: secret }), registry({ type: 'static', token: secret, endpoints: [`http://user:${secret}@b:1`] }), registry(secret),
    registry({ type: 'dns', hostname: `user:${secret}@b`, port: secret, resolver: secret }),
    service([`https://${secret}@b:1`]), service(['b:1'], `http://user:${secret}@b`), service({ cluster: 'order', timeout: secret }),
    route({ to: 'pricing-v1', retry: { on: [secret] } }), route({ to: 'pricing-v1', match: { scheme: secret } }),
    { egress: secret }, { egress: { allow: [`user:${secret}@b`] } }, secret,
  ].map(faultsOf))
  assert.ok(!message.includes(secret), message)
})

test('a list of many known names is cut short', () => {
  const clusters = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`cluster-number-${i}`, listed]))
  const [fault] = faultsOf({ services: { a: { cluster: 'pricing' } }, clusters })
  assert.ok(fault!.message.length < 500 && fault!.message.endsWith('…'), fault!.message)
})

test('a plug-in that cannot be made is a fault of its cluster', () => {
  const broken = kind('broken', z.strictObject({}), () => { throw new Error('no token in the environment') })
  assert.throws(
    () => createMesh({ clusters: { a: { registry: { type: 'broken' } } } }, { registries: registries.with(broken) }),
    (error: MeshConfigError) => {
      assert.deepEqual(error.faults, [{ path: 'clusters.a', message: 'no token in the environment' }])
      return true
    },
  )
})

test('a condition that cannot be made is a fault of its service', () => {
  const broken = matcherKind('broken', z.boolean(), () => { throw new Error('has no table of tenants') })
  const config = { services: { a: { routes: [{ to: 'b', match: { broken: true } }] } }, clusters: { b: { ...listed } } } as const
  assert.throws(() => createMesh(config as never, { matchers: matchers.with(broken) }), (error: MeshConfigError) => {
    assert.deepEqual(error.faults, [{ path: 'services.a', message: 'has no table of tenants' }])
    return true
  })
})

test('a policy of one call is checked like the configuration', async () => {
  const mesh = meshOf({ services: { a: ['b:1'] } })
  await assert.rejects(mesh.fetch('http://a/', { mesh: { timeout: 'soon', retry: { atempts: 1 } as object } }), (error: MeshConfigError) => {
    assert.deepEqual(error.faults.map(({ path }) => path).sort(), ['init.mesh.retry.atempts', 'init.mesh.timeout'])
    return true
  })
  await mesh.close()
})

const shop = {
  services: {
    'order.shop.local': { cluster: 'order' },
    'pricing.shop.local': {
      routes: [
        { match: { path: { prefix: '/' }, headers: { 'x-tenant': 'acme' } }, to: 'pricing-v2' },
        { to: { 'pricing-v1': 90, 'pricing-v2': 10 }, retry: { attempts: 3, on: ['gateway-error', 'connect-failure'] }, timeout: '2s' },
      ],
    },
    'tax.shop.local': ['http://10.0.0.9:8080', 'http://10.0.0.10:8080'],
  },
  clusters: {
    'order': { registry: { type: 'static', endpoints: ['10.0.0.1:8080', '10.0.0.2:8080'] } },
    'pricing-v1': { registry: { type: 'dns', hostname: 'pricing-v1.internal', port: 8080 }, balancer: { type: 'peak-ewma' } },
    'pricing-v2': { registry: { type: 'static', endpoints: ['10.0.1.1:8080'] }, slowStart: '30s' },
  },
  egress: 'deny',
} as const satisfies MeshInput

const policyDefaults = {
  timeout: 15_000,
  attemptTimeout: 0,
  idleTimeout: 300_000,
  retry: {
    attempts: 3,
    on: ['connect-failure', 'refused-stream', 'reset', 503],
    methods: 'idempotent',
    backoff: { base: 25, max: 250 },
    retryAfter: { max: 10_000 },
  },
}

const clusterDefaults = {
  http2: false,
  grpc: false,
  balancer: { type: 'prequal', choices: 2, pool: 4, quantile: 0.6, age: 5_000, probes: false },
  discovery: { grace: 30_000, maxLoss: 50 },
  connections: 128,
  connectTimeout: 5_000,
  keepAlive: 4_000,
  tls: false,
  pending: 1_024,
  breaker: { calls: 20, failures: 50, window: 10_000, open: 5_000 },
  outlier: {
    failures: 5, gatewayFailures: false, localFailures: false,
    successRate: { endpoints: 5, volume: 100, factor: 1.9, gap: 10 }, failurePercentage: false, latency: false, interval: 10_000,
    ejection: 10_000, maxEjection: 300_000, jitter: 0, return: 'probation', maxEjected: 50, minEjected: 0,
  },
  healthCheck: false,
  panic: 50,
  slowStart: 0,
  budget: { percent: 20, perSecond: 10, window: 10_000 },
  timeout: 0,
  idleTimeout: 0,
}

/** The shop without its dns registry, which would ask the network. */
const offline = {
  ...shop,
  clusters: { ...shop.clusters, 'pricing-v1': { registry: { type: 'static', endpoints: ['10.0.2.1:8080'] } } },
} as const

test('the example of the documentation is accepted, services in every form', async () => {
  const mesh = meshOf(shop)
  const { services } = mesh.status()
  assert.deepEqual(Object.fromEntries(Object.entries(services).map(([name, { routes }]) => [name, routes.map(({ to }) => to)])), {
    'order.shop.local': [{ order: 1 }],
    'pricing.shop.local': [{ 'pricing-v2': 1 }, { 'pricing-v1': 90, 'pricing-v2': 10 }],
    'tax.shop.local': [{ 'tax.shop.local': 1 }],
  })
  await mesh.close()
})

test('the other forms of egress and of durations are accepted', async () => {
  for (const egress of ['allow', 'deny', { allow: ['api.example.com', '*.amazonaws.com'] }] as const) await meshOf({ egress }).close()
  const mesh = meshOf({ drain: '1.5m' })
  assert.equal(mesh.status().config.drain, 90_000)
  await mesh.close()
})

test('an empty configuration is one, with the defaults of the mesh', async () => {
  const mesh = meshOf({})
  const metrics = { duration: 'auto', requests: true, connections: true, mesh: true }
  const telemetry = { tracing: true, metrics, requestId: true, deadline: true }
  assert.deepEqual(mesh.status().config, { services: {}, clusters: {}, egress: 'allow', telemetry, replayLimit: 65_536, drain: 10_000 })
  await mesh.close()
})

test('status shows the defaults of every cluster, the short forms included', async () => {
  const mesh = meshOf(offline)
  const { clusters, config } = mesh.status()
  assert.deepEqual(clusters['order']!.config, {
    registry: { type: 'static', endpoints: [{ address: '10.0.0.1:8080' }, { address: '10.0.0.2:8080' }] },
    ...clusterDefaults,
  })
  assert.deepEqual(clusters['tax.shop.local']!.config, {
    registry: { type: 'static', endpoints: [{ address: '10.0.0.9:8080', tls: false }, { address: '10.0.0.10:8080', tls: false }] },
    ...clusterDefaults,
  })
  assert.equal(clusters['pricing-v2']!.config.slowStart, 30_000)
  assert.deepEqual(config.clusters['order'], clusters['order']!.config)
  await mesh.close()
})

test('status shows the effective policy of every route, the short forms included', async () => {
  const mesh = meshOf(offline)
  const routes = (name: string) => mesh.status().services[name]!.routes.map(({ config }) => config)
  assert.deepEqual(routes('order.shop.local'), [{ to: 'order', ...policyDefaults }])
  assert.deepEqual(routes('tax.shop.local'), [{ to: 'tax.shop.local', ...policyDefaults }])
  assert.deepEqual(routes('pricing.shop.local')[1], {
    to: { 'pricing-v1': 90, 'pricing-v2': 10 },
    ...policyDefaults,
    timeout: 2_000,
    retry: { ...policyDefaults.retry, on: ['gateway-error', 'connect-failure'] },
  })
  await mesh.close()
})

test('a service may use the cluster of one that lists endpoints, before it or after', async () => {
  const mesh = meshOf({ services: { first: { cluster: 'listed' }, listed: ['b:1'], last: { cluster: 'listed' } } })
  assert.deepEqual(Object.keys(mesh.status().clusters), ['listed'])
  await mesh.close()
})

test('what is parsed means the same when it is parsed again', async () => {
  const mesh = meshOf(offline)
  const again = meshOf(mesh.status().config)
  assert.deepEqual(again.status().config, mesh.status().config)
  assert.deepEqual(again.status().services, mesh.status().services)
  await Promise.all([mesh.close(), again.close()])
})

test('types: a configuration is checked while it is written', () => {
  const right = {
    services: { a: { cluster: 'b', timeout: '2s', retry: false }, c: ['b:1', { address: 'b:2', weight: 2 }] },
    clusters: {
      b: { registry: { type: 'dns', hostname: 'b', port: 1 }, balancer: { type: 'round-robin' }, breaker: false, outlier: { failures: 3 } },
    },
    egress: { allow: ['x'] },
  } satisfies MeshInput
  void right
  const b = { type: 'static', endpoints: ['b:1'] } as const
  void [
    // @ts-expect-error -- a typo at the top
    { service: {} } satisfies MeshInput,
    // @ts-expect-error -- no registry
    { clusters: { a: {} } } satisfies MeshInput,
    // @ts-expect-error -- a typo in a cluster
    { clusters: { a: { registry: b, breakr: false } } } satisfies MeshInput,
    // @ts-expect-error -- an unknown registry
    { clusters: { a: { registry: { type: 'zookeeper' } } } } satisfies MeshInput,
    // @ts-expect-error -- an option of another registry
    { clusters: { a: { registry: { ...b, hostname: 'x' } } } } satisfies MeshInput,
    // @ts-expect-error -- a wrong type
    { clusters: { a: { registry: b, connections: '5' } } } satisfies MeshInput,
    // @ts-expect-error -- an unknown balancer
    { clusters: { a: { registry: b, balancer: { type: 'fastest' } } } } satisfies MeshInput,
    // @ts-expect-error -- an option that a balancer doesn't have
    { clusters: { a: { registry: b, balancer: { type: 'random', seed: 1 } } } } satisfies MeshInput,
    // @ts-expect-error -- a typo in a service
    { services: { a: { clustr: 'b' } } } satisfies MeshInput,
    // @ts-expect-error -- a typo in a route's condition
    { services: { a: { routes: [{ to: 'b', match: { pth: { prefix: '/' } } }] } } } satisfies MeshInput,
    // @ts-expect-error -- an unknown retry condition
    { services: { a: { cluster: 'b', retry: { on: ['gateway-eror'] } } } } satisfies MeshInput,
    // @ts-expect-error -- not a policy
    { egress: 'never' } satisfies MeshInput,
  ]
})

test('types: kinds of your own widen what createMesh and update accept', async () => {
  const flat = kind('flat-file', z.strictObject({ file: z.string() }), ({ file }) => async function* () { yield [{ address: `${file}:1` }] })
  const tenant = matcherKind('tenant', z.string(), (wanted) => ({
    conditions: 1, matches: (request) => request.header('x-tenant') === wanted, explain: () => `is not tenant '${wanted}'`,
  }))
  const own = { ...quiet(), registries: registries.with(flat), matchers: matchers.with(tenant) }
  const config = {
    services: { a: { routes: [{ to: 'c', match: { tenant: 'acme' } }] } },
    clusters: { c: { registry: { type: 'flat-file', file: 'hosts' } } },
  } as const
  const mesh = createMesh(config, own)
  await mesh.ready()
  assert.deepEqual(mesh.status().clusters['c']!.endpoints.map(({ address }) => address), ['hosts:1'])
  assert.equal(mesh.explain('http://a/', { headers: { 'x-tenant': 'acme' } }).route, 'routes[0]')
  mesh.update({ ...config, clusters: { c: { registry: { type: 'static', endpoints: ['b:1'] } } } })
  // @ts-expect-error -- an option that the kind doesn't have
  assert.throws(() => mesh.update({ clusters: { c: { registry: { type: 'flat-file', path: 'x' } } } }), /clusters\.c\.registry\.path: unknown key/)
  // @ts-expect-error -- unknown without the widened table
  assert.throws(() => createMesh({ clusters: { c: { registry: { type: 'flat-file', file: 'x' } } } }, quiet()), /unknown type/)
  await mesh.close()
})

test('a configuration that was not awaited, or is no plain object, is refused and takes nothing away', async () => {
  const places: readonly (readonly [unknown, RegExp])[] = [
    [Promise.resolve({}), /\(the whole\): is a promise: await it first, as in createMesh\(await loadConfig\(path\)\)/],
    [new Map(), /must be a plain object such as \{ services: \{ … \} \}, not a Map/],
    [new Date(), /not a Date/],
    [Object.create(Object.create(null) as object), /not a thing without a class/],
  ]
  const mesh = meshOf({ services: { 'a.local': ['10.0.0.1:80'] } })
  for (const [input, message] of places) {
    assert.throws(() => meshOf(input as MeshInput), message)
    assert.throws(() => mesh.update(input as MeshInput), message)
  }
  assert.deepEqual(Object.keys(mesh.status().services), ['a.local'])
  await mesh.close()
})
