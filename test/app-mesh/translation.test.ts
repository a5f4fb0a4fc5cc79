import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { AppMeshError, fromAppMesh, type AppMeshDocument, type Fault, type FromAppMeshOptions } from '../../src/app-mesh/index.ts'
import { createMesh, type MeshInput } from '../../src/index.ts'
import { everything, read } from './support.ts'

type Cluster = NonNullable<MeshInput['clusters']>[string]
type Spec = Record<string, unknown>

const meshName = 'shop'

const aNode = (virtualNodeName: string, spec: Spec = {}) => ({
  meshName,
  virtualNodeName,
  spec: { listeners: [{ portMapping: { port: 8080, protocol: 'http' } }], serviceDiscovery: { dns: { hostname: `${virtualNodeName}.internal` } }, ...spec },
})

/** A mesh of one service that the node `a` provides and the node `front` calls. */
const small = async (a: Spec, front: Spec = {}, mesh: Spec = {}): Promise<AppMeshDocument> => (await read({
  mesh: { meshName, spec: mesh },
  virtualServices: [{ meshName, virtualServiceName: 'a.local', spec: { provider: { virtualNode: { virtualNodeName: 'a' } } } }],
  virtualNodes: [aNode('a', a), aNode('front', { backends: [{ virtualService: { virtualServiceName: 'a.local' } }], ...front })],
})).document

const quiet: FromAppMeshOptions = { onWarning: () => {} }

const clusterOf = async (a: Spec, front: Spec = {}, options: FromAppMeshOptions = {}, mesh: Spec = {}): Promise<Cluster> =>
  fromAppMesh(await small(a, front, mesh), { as: 'front', ...quiet, ...options }).clusters!['a']!

const faultsOf = (make: () => unknown): readonly Fault[] => {
  try {
    make()
  } catch (error) {
    assert.ok(error instanceof AppMeshError, String(error))
    return error.faults
  }
  return assert.fail('it was not refused')
}

describe('discovery', () => {
  const dns = (more: Spec, mesh: Spec = {}) => clusterOf({ serviceDiscovery: { dns: { hostname: 'a.internal', ...more } } }, {}, {}, mesh).then(({ registry }) => registry)
  const asked = { type: 'dns', hostname: 'a.internal', port: 8080, responseType: 'logical', family: 'prefer-6' } as const

  test('by DNS', async () => {
    assert.deepEqual(await dns({}), asked)
    assert.deepEqual(await dns({ responseType: 'LOADBALANCER' }), asked)
    assert.deepEqual(await dns({ responseType: 'ENDPOINTS', ipPreference: 'IPv4_ONLY' }), { ...asked, responseType: 'endpoints', family: 4 })
    assert.deepEqual(await dns({ hostname: 'redis' }), { ...asked, hostname: 'redis', resolver: 'system' })
    assert.deepEqual(await dns({ hostname: '10.0.0.9' }), { type: 'static', endpoints: ['10.0.0.9:8080'] })
    assert.deepEqual(await dns({ hostname: '::1' }), { type: 'static', endpoints: ['[::1]:8080'] })
  })

  test('what is no host is refused with its place', async () => {
    for (const hostname of ['http://a.internal', 'a.internal:80', '*.a.internal', 'a b']) {
      const document = await small({ serviceDiscovery: { dns: { hostname } } })
      const [fault, ...others] = faultsOf(() => fromAppMesh(document, { as: 'front', ...quiet }))
      assert.deepEqual([fault!.resource, fault!.path, others], ['virtualNode a', 'spec.serviceDiscovery.dns.hostname', []])
      assert.match(fault!.message, /is not a host name/)
    }
    assert.deepEqual(await dns({ hostname: '[::1]' }), { type: 'static', endpoints: ['[::1]:8080'] })
  })

  test('the preference of the mesh holds for nodes that have none', async () => {
    const mesh = { serviceDiscovery: { ipPreference: 'IPv4_PREFERRED' } }
    assert.deepEqual(await dns({}, mesh), { ...asked, family: 'prefer-4' })
    assert.deepEqual(await dns({ ipPreference: 'IPv6_ONLY' }, mesh), { ...asked, family: 6 })
  })

  test('endpoints of the caller take the place of all that', async () => {
    assert.deepEqual((await clusterOf({}, {}, { endpoints: { a: ['127.0.0.1:1'] } })).registry, { type: 'static', endpoints: ['127.0.0.1:1'] })
    const faults = faultsOf(() => fromAppMesh(everything() as AppMeshDocument, { endpoints: { pricing: ['127.0.0.1:1'] }, ...quiet }))
    assert.match(faults[0]!.message, /did you mean 'pricing-1'/)
  })

  test('given addresses that are no list are refused by their place', () => {
    for (const wrong of ['127.0.0.1:1', [9001], null]) {
      const faults = faultsOf(() => fromAppMesh(everything() as AppMeshDocument, { endpoints: { 'pricing-v1': wrong } as never, ...quiet }))
      assert.deepEqual(faults.find(({ path }) => path === 'endpoints["pricing-v1"]')?.message, "must be a list of addresses, such as ['127.0.0.1:9001']")
    }
  })

  test('a node without discovery, without a listener, or that is not there is a cluster that refuses every call', async () => {
    const none = { type: 'none' }
    assert.deepEqual((await clusterOf({ serviceDiscovery: undefined })).registry, none)
    assert.deepEqual((await clusterOf({ listeners: [] })).registry, none)
    const document = await small({})
    const missing = { ...document, virtualNodes: document.virtualNodes.filter(({ virtualNodeName }) => virtualNodeName !== 'a') }
    assert.deepEqual(fromAppMesh(missing, quiet).clusters, { a: { registry: none } })
  })
})

describe('health checks', () => {
  const thresholds = { healthyThreshold: 3, unhealthyThreshold: 4 }
  const checked = (healthCheck: Spec) => ({
    listeners: [{ portMapping: { port: 8080, protocol: 'http' }, healthCheck: { intervalMillis: 5_000, timeoutMillis: 2_500, ...thresholds, ...healthCheck } }],
  })
  const pace = { interval: '5s', timeout: '2500ms', ...thresholds }
  const cases: Readonly<Record<string, readonly [written: Spec, becomes: Spec]>> = {
    'by http': [{ protocol: 'http', path: '/ping' }, { protocol: 'http', path: '/ping' }],
    'by http2': [{ protocol: 'http2', path: '/ping?x' }, { protocol: 'http2', path: '/ping?x' }],
    'by tcp': [{ protocol: 'tcp' }, { protocol: 'tcp' }],
    'by grpc': [{ protocol: 'grpc' }, { protocol: 'grpc' }],
    'of the port of the listener, which is that of the endpoints': [{ protocol: 'http', path: '/', port: 8080 }, { protocol: 'http', path: '/' }],
  }
  for (const [title, [written, becomes]] of Object.entries(cases)) {
    test(title, async () => {
      const { healthCheck } = await clusterOf(checked(written))
      assert.deepEqual(healthCheck, { ...becomes, ...pace })
      await createMesh({ clusters: { a: { registry: { type: 'none' }, healthCheck } } }).close()
    })
  }

  test('a path that cannot be asked for is refused with its place', async () => {
    const document = await small(checked({ protocol: 'http', path: 'ping' }))
    const faults = faultsOf(() => fromAppMesh(document, quiet))
    assert.deepEqual(faults.map(({ resource, path }) => [resource, path]), [['virtualNode a', 'spec.listeners[0].healthCheck.path']])
  })
})

describe('access logs', () => {
  const of = async (file: Spec): Promise<readonly [unknown, readonly Fault[]]> => {
    const warnings: Fault[] = []
    const config = fromAppMesh(await small({}, { logging: { accessLog: { file } } }), { as: 'front', onWarning: (warning) => warnings.push(warning) })
    await createMesh({ ...config, clusters: {}, services: {} }).close()
    return [config.telemetry?.accessLog, warnings]
  }

  test("a path alone is Envoy's own line", async () => assert.deepEqual(await of({ path: '/dev/stdout' }), [{ path: '/dev/stdout' }, []]))

  test('text and JSON keep their operators', async () => {
    assert.deepEqual((await of({ path: 'x', format: { text: '%RESPONSE_CODE% %REQ(a?b):3%\n' } }))[0], { path: 'x', format: '%RESPONSE_CODE% %REQ(a?b):3%\n' })
    const json = [{ key: 'status', value: '%RESPONSE_CODE%' }, { key: 'at', value: '%START_TIME(%s)%' }]
    assert.deepEqual((await of({ path: 'x', format: { json } }))[0], { path: 'x', json: { status: '%RESPONSE_CODE%', at: '%START_TIME(%s)%' } })
  })

  test('what only a proxy has, and what nobody knows, is said with its place', async () => {
    const [log, warnings] = await of({ path: 'x', format: { text: '%DOWNSTREAM_REMOTE_ADDRESS% %NOBODY(1)% %PROTOCOL%' } })
    assert.deepEqual(log, { path: 'x', format: '%DOWNSTREAM_REMOTE_ADDRESS% - %PROTOCOL%' })
    assert.deepEqual(warnings.map(({ resource, path }) => [resource, path]), Array(2).fill(['virtualNode front', 'spec.logging.accessLog.file.format.text']))
    assert.match(warnings[0]!.message, /asks for what only a proxy has/)
    assert.deepEqual((await of({ path: 'x', format: { text: '100 %' } }))[0], { path: 'x' })
  })

  test('a gateway has its own', async () => {
    const { document } = await read(everything())
    assert.deepEqual(fromAppMesh(document, { as: 'gate', ...quiet }).telemetry, { accessLog: { path: '/dev/stdout', format: '%PROTOCOL% %RESPONSE_CODE%\n' } })
  })
})

describe('TLS as a client', () => {
  const offered = { listeners: [{ portMapping: { port: 8080, protocol: 'http' }, tls: { mode: 'STRICT', certificate: { sds: { secretName: 'x' } } } }] }
  const trusting = (trust: Spec, more: Spec = {}, validation: Spec = {}) => ({ backendDefaults: { clientPolicy: { tls: { validation: { trust, ...validation }, ...more } } } })
  const ca = { file: { certificateChain: '/keys/ca.pem' } }

  const cases: Readonly<Record<string, readonly [a: Spec, front: Spec, tls: Cluster['tls']]>> = {
    'plain text where nobody asks for it': [{}, {}, undefined],
    'a policy that is enforced decides': [{}, trusting(ca), { ca: { file: '/keys/ca.pem' }, servername: 'a.internal' }],
    'one that is not leaves it to the listener': [{}, trusting(ca, { enforce: false }), undefined],
    'which may offer it': [offered, trusting(ca, { enforce: false }), { ca: { file: '/keys/ca.pem' }, servername: 'a.internal' }],
    'a policy for other ports leaves it to the listener': [{}, trusting(ca, { ports: [9] }), undefined],
    'a policy for this port decides': [{}, trusting(ca, { ports: [9, 8080] }), { ca: { file: '/keys/ca.pem' }, servername: 'a.internal' }],
    'without a policy the listener decides': [offered, {}, { servername: 'a.internal' }],
    'a name that the certificate must carry': [offered, trusting(ca, {}, { subjectAlternativeNames: { match: { exact: ['other.local'] } } }), { ca: { file: '/keys/ca.pem' }, servername: 'a.internal', names: ['other.local'] }],
    'a certificate to show': [
      offered, trusting(ca, { certificate: { file: { certificateChain: '/keys/c.pem', privateKey: '/keys/k.pem' } } }),
      { ca: { file: '/keys/ca.pem' }, cert: { file: '/keys/c.pem' }, key: { file: '/keys/k.pem' }, servername: 'a.internal' },
    ],
    'the name under which Cloud Map knows a node': [
      { ...offered, serviceDiscovery: { awsCloudMap: { namespaceName: 'shop.local', serviceName: 'a' } } }, trusting(ca), { ca: { file: '/keys/ca.pem' }, servername: 'a.shop.local' },
    ],
  }
  for (const [title, [a, front, tls]] of Object.entries(cases)) {
    test(title, async () => assert.deepEqual((await clusterOf(a, front)).tls, tls))
  }

  test('a policy for no port in particular holds for all', async () => {
    const validation = { trust: { file: { certificateChain: '/keys/ca.pem' } } }
    const to = (ports: readonly number[]) => clusterOf({}, { backendDefaults: { clientPolicy: { tls: { ports, validation } } } })
    assert.deepEqual([(await to([])).tls, (await to([8080])).tls, (await to([1])).tls].map((tls) => tls !== undefined), [true, true, false])
  })

  test('the policy of a backend comes before the defaults', async () => {
    const clientPolicy = { tls: { validation: { trust: { file: { certificateChain: '/keys/own.pem' } } } } }
    const front = { ...trusting(ca), backends: [{ virtualService: { virtualServiceName: 'a.local', clientPolicy } }] }
    assert.deepEqual((await clusterOf({}, front)).tls, { ca: { file: '/keys/own.pem' }, servername: 'a.internal' })
  })

  test('what only proxies could read is refused with its place until files are given for it', async () => {
    const arn = 'arn:aws:acm-pca:eu-west-1:1:certificate-authority/1'
    const document = await small(offered, trusting({ acm: { certificateAuthorityArns: [arn] } }, { certificate: { sds: { secretName: 'spiffe://shop/front' } } }))
    const faults = faultsOf(() => fromAppMesh(document, { as: 'front', ...quiet }))
    assert.deepEqual(faults.map(({ resource, path }) => [resource, path]), [
      ['virtualNode front', 'spec.backendDefaults.clientPolicy.tls.validation.trust.acm'], ['virtualNode front', 'spec.backendDefaults.clientPolicy.tls.certificate.sds'],
    ])
    const certificates = { [arn]: { ca: 'ca.pem' }, 'spiffe://shop/front': { cert: 'c.pem', key: 'k.pem' } }
    const { clusters } = fromAppMesh(document, { as: 'front', certificates, ...quiet })
    assert.deepEqual(clusters!['a']!.tls, { ca: { file: 'ca.pem' }, cert: { file: 'c.pem' }, key: { file: 'k.pem' }, servername: 'a.internal' })
  })

  test('files may have another place here', async () => {
    assert.deepEqual((await clusterOf({}, trusting(ca), { certificates: { '/keys/ca.pem': { ca: './test/ca.pem' } } })).tls, { ca: { file: './test/ca.pem' }, servername: 'a.internal' })
  })

  test('endpoints of the caller are dialled as they are written', async () => {
    const endpoints = (address: string): FromAppMeshOptions => ({ endpoints: { a: [address] } })
    assert.equal((await clusterOf(offered, trusting(ca), endpoints('127.0.0.1:1'))).tls, undefined)
    assert.notEqual((await clusterOf(offered, trusting(ca), endpoints('https://127.0.0.1:1'))).tls, undefined)
  })
})

test('calls of gRPC are matched as the requests that they are', async () => {
  const { document } = await read(everything())
  const { services } = fromAppMesh(document, quiet)
  const { routes } = services!['stock.shop.local'] as { routes: readonly { match: unknown }[] }
  assert.deepEqual(routes[0]!.match, {
    path: { exact: '/shop.Stock/Reserve' }, port: 9000, headers: { 'content-type': { prefix: 'application/grpc' }, 'x-a': { present: false } },
  })
})

test('one node under two client policies is two clusters', async () => {
  const clientPolicy = { tls: { validation: { trust: { file: { certificateChain: '/keys/own.pem' } } } } }
  const { document } = await read({
    mesh: { meshName },
    virtualServices: ['a.local', 'b.local'].map((virtualServiceName) => ({ meshName, virtualServiceName, spec: { provider: { virtualNode: { virtualNodeName: 'a' } } } })),
    virtualNodes: [aNode('a'), aNode('front', { backends: [{ virtualService: { virtualServiceName: 'a.local' } }, { virtualService: { virtualServiceName: 'b.local', clientPolicy } }] })],
  })
  const { services, clusters } = fromAppMesh(document, { as: 'front', ...quiet })
  assert.deepEqual(Object.values(services!).map((service) => (service as { cluster: string }).cluster), ['a', 'a for b.local'])
  assert.deepEqual(Object.values(clusters!).map(({ tls }) => tls === undefined), [true, false])
})

test('a gateway calls what its routes lead to', async () => {
  const { document } = await read(everything())
  assert.deepEqual(Object.keys(fromAppMesh(document, { as: 'gate', ...quiet }).services!), ['pricing.shop.local', 'stock.shop.local', 'ledger.shop.local'])
})

test('a node that is not there is refused with the nearest that is', async () => {
  const { document } = await read(everything())
  assert.match(faultsOf(() => fromAppMesh(document, { as: 'batsch' }))[0]!.message, /there is no virtual node or gateway 'batsch': did you mean 'batch'\?/)
})

test('what only passes through has neither retries nor a deadline', async () => {
  const { document } = await read(everything())
  const { services, clusters } = fromAppMesh(document, quiet)
  assert.deepEqual(services!['ledger.shop.local'], { cluster: 'ledger', timeout: 0, idleTimeout: '300s', retry: false })
  assert.deepEqual([clusters!['ledger']!.timeout, clusters!['ledger']!.idleTimeout, clusters!['ledger']!.connections], ['0ms', '1s', 5])
})

test('a warning that nobody listens to is one of the process', async (t) => {
  const emit = t.mock.method(process, 'emitWarning', () => {})
  fromAppMesh(await small({ listeners: [{ portMapping: { port: 8080, protocol: 'http' }, outlierDetection: { maxServerErrors: 5, interval: { unit: 's', value: 10 }, baseEjectionDuration: { unit: 's', value: 30 }, maxEjectionPercent: 50 } }] }))
  assert.equal(emit.mock.callCount(), 1)
  assert.match(String(emit.mock.calls[0]!.arguments[0]), /virtualNode a: spec\.listeners\[0\]\.outlierDetection: has one endpoint/)
})

test('services that are dialled alike are refused with their place', async () => {
  const service = (virtualServiceName: string) => ({ meshName, virtualServiceName, spec: { provider: { virtualNode: { virtualNodeName: 'a' } } } })
  const { document } = await read({ mesh: { meshName }, virtualServices: [service('A.local'), service('a.local:80'), service('a.local.')], virtualNodes: [aNode('a')] })
  const faults = faultsOf(() => fromAppMesh(document, quiet))
  assert.deepEqual(faults.map(({ resource, path, message }) => [resource, path, message]), [
    ['virtualService a.local.', 'virtualServiceName', "is dialled as 'A.local' is: case and a trailing dot make no difference"],
  ])
})

test('clusters of different nodes never share a name', async () => {
  const two = { listeners: [8080, 80].map((port) => ({ portMapping: { port, protocol: 'http' } })) }
  const found = (hostname: string) => ({ serviceDiscovery: { dns: { hostname } } })
  const nodes = [aNode('a', { ...two, ...found('1.internal') }), aNode('a:80', found('2.internal')), aNode('a:80 for s.local', found('3.internal'))]
  const { document } = await read({
    mesh: { meshName },
    virtualServices: [{ meshName, virtualServiceName: 's.local', spec: { provider: { virtualRouter: { virtualRouterName: 'r' } } } }],
    virtualRouters: [{ meshName, virtualRouterName: 'r', spec: {} }],
    routes: [['a:80 for s.local', undefined], ['a:80', undefined], ['a', 80]].map(([virtualNode, port], index) => ({
      meshName, virtualRouterName: 'r', routeName: `${index}`,
      spec: { httpRoute: { match: { prefix: `/${index}` }, action: { weightedTargets: [{ virtualNode, weight: 1, ...(port !== undefined && { port }) }] } } },
    })),
    virtualNodes: nodes,
  })
  const { clusters = {} } = fromAppMesh(document, quiet)
  assert.deepEqual(Object.values(clusters).map(({ registry }) => (registry as { hostname: string }).hostname).sort(), ['1.internal', '2.internal', '3.internal'])
})

test('what the door of a gateway does is said to be no business of a caller', async () => {
  const listener = {
    portMapping: { port: 80, protocol: 'http' }, connectionPool: { http: { maxConnections: 1 } },
    tls: { mode: 'STRICT', certificate: { sds: { secretName: 'x' } } },
    healthCheck: { protocol: 'http', path: '/', intervalMillis: 5_000, timeoutMillis: 2_000, healthyThreshold: 2, unhealthyThreshold: 2 },
  }
  const { document } = await read({ mesh: { meshName }, virtualGateways: [{ meshName, virtualGatewayName: 'gate', spec: { listeners: [listener] } }] })
  const warnings: Fault[] = []
  fromAppMesh(document, { as: 'gate', onWarning: (warning) => { warnings.push(warning) } })
  assert.deepEqual(warnings.map(({ path }) => path), ['tls', 'connectionPool', 'healthCheck'].map((field) => `spec.listeners[0].${field}`))
})
