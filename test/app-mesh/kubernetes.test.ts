import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Fault, Found, ReadOptions } from '../../src/app-mesh/found.ts'
import { readKubernetes } from '../../src/app-mesh/formats/kubernetes.ts'

const read = async (texts: string | readonly string[], parameters: ReadOptions['parameters'] = {}): Promise<readonly Found[]> => {
  const { found, faults } = await readKubernetes([texts].flat().map((text, at) => ({ file: `${at}.yaml`, text })), { parameters })
  assert.deepEqual(faults, [])
  return found
}

const bodies = (found: readonly Found[], kind: string): unknown[] => found.filter((one) => one.kind === kind).map(({ body }) => body)

const v1beta2 = (kind: string, metadata: string, spec = '{}'): string =>
  `---\napiVersion: appmesh.k8s.aws/v1beta2\nkind: ${kind}\nmetadata: ${metadata}\nspec: ${spec}\n`
const v1beta1 = (kind: string, metadata: string, spec = '{}'): string => v1beta2(kind, metadata, spec).replace('v1beta2', 'v1beta1')
const mesh = v1beta2('Mesh', '{ name: shop }', '{ namespaceSelector: {} }')

test('names are the controller\'s: name_namespace, name.namespace for services, awsName before all', async () => {
  const found = await read([
    mesh,
    v1beta2('VirtualNode', '{ name: pricing, namespace: shop }'),
    v1beta2('VirtualNode', '{ name: tax }'),
    v1beta2('VirtualNode', '{ name: order, namespace: shop }', '{ awsName: order-v1 }'),
    v1beta2('VirtualService', '{ name: pricing, namespace: shop }'),
    v1beta2('VirtualService', '{ name: tax, namespace: shop }', '{ awsName: tax.internal }'),
    v1beta2('VirtualRouter', '{ name: pricing, namespace: shop }'),
    v1beta2('VirtualGateway', '{ name: front, namespace: shop }', '{ namespaceSelector: {} }'),
    v1beta2('GatewayRoute', '{ name: all, namespace: shop }'),
  ])
  assert.deepEqual(bodies(found, 'virtualNode').map((body) => (body as { virtualNodeName: string }).virtualNodeName), ['pricing_shop', 'tax_default', 'order-v1'])
  assert.deepEqual(bodies(found, 'virtualService').map((body) => (body as { virtualServiceName: string }).virtualServiceName), ['pricing.shop', 'tax.internal'])
  assert.deepEqual(bodies(found, 'virtualRouter'), [{ meshName: 'shop', virtualRouterName: 'pricing_shop', spec: {} }])
  assert.deepEqual(bodies(found, 'gatewayRoute'), [{ meshName: 'shop', virtualGatewayName: 'front_shop', gatewayRouteName: 'all_shop', spec: {} }])
})

test('references lead to names, in other files and namespaces too, and by ARN', async () => {
  const found = await read([
    v1beta2('VirtualService', '{ name: pricing, namespace: shop }', '{ provider: { virtualRouter: { virtualRouterRef: { name: pricing } } } }'),
    v1beta2('VirtualService', '{ name: tax, namespace: shop }', '{ provider: { virtualNode: { virtualNodeRef: { name: tax, namespace: taxes } } } }'),
    v1beta2('VirtualNode', '{ name: tax, namespace: taxes }', `{ awsName: tax-v1, backends: [
      { virtualService: { virtualServiceRef: { name: pricing, namespace: shop } } },
      { virtualService: { virtualServiceARN: 'arn:aws:appmesh:eu-west-1:111122223333:mesh/shop/virtualService/order.internal' } } ] }`),
    v1beta2('VirtualRouter', '{ name: pricing, namespace: shop }', `{ routes: [ { name: all, priority: 1, tcpRoute: { action: { weightedTargets: [
      { virtualNodeRef: { name: elsewhere }, weight: 1 }, { virtualNodeRef: { name: tax, namespace: taxes }, weight: 2 },
      { virtualNodeARN: 'arn:aws:appmesh:eu-west-1:111122223333:mesh/shop/virtualNode/order', weight: 3 } ] } } } ] }`),
    mesh,
  ])
  assert.deepEqual(bodies(found, 'virtualService').map((body) => (body as { spec: unknown }).spec), [
    { provider: { virtualRouter: { virtualRouterName: 'pricing_shop' } } }, { provider: { virtualNode: { virtualNodeName: 'tax-v1' } } },
  ])
  assert.deepEqual(bodies(found, 'virtualNode').map((body) => (body as { spec: unknown }).spec), [
    { backends: [{ virtualService: { virtualServiceName: 'pricing.shop' } }, { virtualService: { virtualServiceName: 'order.internal' } }] },
  ])
  assert.deepEqual(bodies(found, 'route'), [{
    meshName: 'shop', virtualRouterName: 'pricing_shop', routeName: 'all',
    spec: { priority: 1, tcpRoute: { action: { weightedTargets: [{ virtualNode: 'elsewhere_shop', weight: 1 }, { virtualNode: 'tax-v1', weight: 2 }, { virtualNode: 'order', weight: 3 }] } } },
  }])
})

test('a resource belongs to the mesh whose selector selects its namespace', async () => {
  const namespace = (name: string, labels: string): string => `---\napiVersion: v1\nkind: Namespace\nmetadata: { name: ${name}, labels: ${labels} }\n`
  const found = await read([
    v1beta2('Mesh', '{ name: one }', '{ awsName: mesh-one, namespaceSelector: { matchLabels: { mesh: one } } }'),
    v1beta2('Mesh', '{ name: two }', '{ namespaceSelector: { matchExpressions: [{ key: mesh, operator: In, values: [two, three] }, { key: off, operator: DoesNotExist }] } }'),
    v1beta2('Mesh', '{ name: three }'),
    namespace('a', '{ mesh: one }'), namespace('b', '{ mesh: two }'),
    v1beta2('VirtualNode', '{ name: n, namespace: a }'), v1beta2('VirtualNode', '{ name: n, namespace: b }'),
    v1beta2('VirtualNode', '{ name: n, namespace: c }', '{ meshRef: { name: one, uid: 1 } }'),
  ])
  assert.deepEqual(bodies(found, 'virtualNode').map((body) => (body as { meshName: string }).meshName), ['mesh-one', 'two', 'mesh-one'])
})

test('a gateway route belongs to the gateway that selects its namespace and its labels', async () => {
  const found = await read([
    mesh,
    v1beta2('VirtualGateway', '{ name: a, namespace: shop }', '{ namespaceSelector: {}, gatewayRouteSelector: { matchLabels: { door: a } } }'),
    v1beta2('VirtualGateway', '{ name: b, namespace: shop }', '{ namespaceSelector: {}, gatewayRouteSelector: { matchExpressions: [{ key: door, operator: NotIn, values: [a] }] } }'),
    v1beta2('GatewayRoute', '{ name: x, namespace: shop, labels: { door: a } }'), v1beta2('GatewayRoute', '{ name: y, namespace: shop }'),
  ])
  assert.deepEqual(bodies(found, 'gatewayRoute').map((body) => (body as { virtualGatewayName: string }).virtualGatewayName), ['a_shop', 'b_shop'])
})

test('groups of backends add their services to a node', async () => {
  const found = await read([
    mesh,
    v1beta2('BackendGroup', '{ name: taxes, namespace: taxes }', '{ virtualservices: [{ name: vat }, { name: pricing, namespace: shop }] }'),
    v1beta2('VirtualService', '{ name: pricing, namespace: shop }', '{ awsName: pricing.internal }'),
    v1beta2('VirtualNode', '{ name: n, namespace: shop }', '{ backends: [{ virtualService: { virtualServiceRef: { name: own } } }], backendGroups: [{ name: taxes, namespace: taxes }, { name: "*" }] }'),
  ])
  const [{ spec }] = bodies(found, 'virtualNode') as [{ spec: unknown }]
  assert.deepEqual(spec, { backends: ['own.shop', 'vat.taxes', 'pricing.internal', 'pricing.internal'].map((virtualServiceName) => ({ virtualService: { virtualServiceName } })) })
})

test('lists and JSON are read as single manifests are', async () => {
  const items = [
    { apiVersion: 'appmesh.k8s.aws/v1beta2', kind: 'Mesh', metadata: { name: 'shop' }, spec: { namespaceSelector: {} } },
    { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'x' } },
    { apiVersion: 'appmesh.k8s.aws/v1beta2', kind: 'VirtualNode', metadata: { name: 'n', namespace: 'shop' }, spec: { listeners: null } },
  ]
  const found = await read(JSON.stringify({ apiVersion: 'v1', kind: 'List', items }))
  assert.deepEqual(found.map(({ resource }) => resource), ['Mesh shop', 'VirtualNode shop/n'])
  assert.deepEqual(found[1]!.body, { meshName: 'shop', virtualNodeName: 'n_shop', spec: {} })
  assert.equal(found[1]!.at(['spec', 'listeners', 0]), 'items[2].spec.listeners[0]')
})

test('placeholders get the values of parameters, those of other kinds need none', async () => {
  const found = await read(`
apiVersion: appmesh.k8s.aws/v1beta2
kind: Mesh
metadata: { name: "\${MESH}-{{ .stage }}" }
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualNode
metadata:
  name: n
spec:
  meshRef: { name: "\${MESH}-dev" }
  listeners: [\${LISTENER}]
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: \${NOBODY} }
`, { MESH: 'shop', stage: 'dev', LISTENER: '{ portMapping: { port: 8080, protocol: http } }' })
  assert.deepEqual(found.map(({ body }) => body), [
    { meshName: 'shop-dev' },
    { meshName: 'shop-dev', virtualNodeName: 'n_default', spec: { listeners: [{ portMapping: { port: 8080, protocol: 'http' } }] } },
  ])
})

test('reads v1beta1, where a service has its router and routes in itself', async () => {
  const found = await read([
    v1beta1('Mesh', '{ name: shop }', '{ serviceDiscoveryType: Dns }'),
    v1beta1('VirtualNode', '{ name: pricing, namespace: shop }', `{ meshName: shop,
      listeners: [{ portMapping: { port: 8080, protocol: http } }], backends: [{ virtualService: { virtualServiceName: tax.shop } }],
      serviceDiscovery: { cloudMap: { serviceName: pricing, namespaceName: shop.local, attributes: { version: "2" } } } }`),
    v1beta1('VirtualNode', '{ name: tax, namespace: shop }', '{ meshName: shop, serviceDiscovery: { dns: { hostName: tax.internal } }, logging: { accessLog: { file: { path: /dev/stdout } } } }'),
    v1beta1('VirtualService', '{ name: pricing.shop.local, namespace: shop }', `{ meshName: shop, virtualRouter: { name: router, listeners: [{ portMapping: { port: 8080, protocol: http } }] }, routes: [
      { name: some, priority: 5, http: { match: { prefix: /, headers: [{ name: x, invert: true, match: { range: { start: 1, end: 2 } } }] }, action: { weightedTargets: [{ virtualNodeName: pricing, weight: 9 }, { virtualNodeName: tax.other, weight: 1 }] },
        retryPolicy: { maxRetries: 4, perRetryTimeoutMillis: 2000, httpRetryEvents: [server-error] } } },
      { name: rest, tcp: { action: { weightedTargets: [{ virtualNodeName: tax, weight: 1 }] } } } ] }`),
    v1beta1('VirtualService', '{ name: tax.shop.local, namespace: shop }', '{ meshName: shop }'),
  ])
  assert.deepEqual(bodies(found, 'mesh'), [{ meshName: 'shop' }])
  assert.deepEqual(bodies(found, 'virtualNode'), [
    { meshName: 'shop', virtualNodeName: 'pricing-shop', spec: {
      listeners: [{ portMapping: { port: 8080, protocol: 'http' } }], backends: [{ virtualService: { virtualServiceName: 'tax.shop' } }],
      serviceDiscovery: { awsCloudMap: { serviceName: 'pricing', namespaceName: 'shop.local', attributes: [{ key: 'version', value: '2' }] } },
    } },
    { meshName: 'shop', virtualNodeName: 'tax-shop', spec: { serviceDiscovery: { dns: { hostname: 'tax.internal' } }, logging: { accessLog: { file: { path: '/dev/stdout' } } } } },
  ])
  assert.deepEqual(bodies(found, 'virtualService'), [
    { meshName: 'shop', virtualServiceName: 'pricing.shop.local', spec: { provider: { virtualRouter: { virtualRouterName: 'router-shop' } } } },
    { meshName: 'shop', virtualServiceName: 'tax.shop.local', spec: { provider: { virtualRouter: { virtualRouterName: 'tax-shop-local' } } } },
  ])
  assert.deepEqual(bodies(found, 'virtualRouter'), [
    { meshName: 'shop', virtualRouterName: 'router-shop', spec: { listeners: [{ portMapping: { port: 8080, protocol: 'http' } }] } },
    { meshName: 'shop', virtualRouterName: 'tax-shop-local', spec: {} },
  ])
  assert.deepEqual(bodies(found, 'route'), [
    { meshName: 'shop', virtualRouterName: 'router-shop', routeName: 'some', spec: { priority: 5, httpRoute: {
      match: { prefix: '/', headers: [{ name: 'x', invert: true, match: { range: { start: 1, end: 2 } } }] },
      action: { weightedTargets: [{ virtualNode: 'pricing-shop', weight: 9 }, { virtualNode: 'tax-other', weight: 1 }] },
      retryPolicy: { maxRetries: 4, perRetryTimeout: { unit: 'ms', value: 2000 }, httpRetryEvents: ['server-error'] },
    } } },
    { meshName: 'shop', virtualRouterName: 'router-shop', routeName: 'rest', spec: { tcpRoute: { action: { weightedTargets: [{ virtualNode: 'tax-shop', weight: 1 }] } } } },
  ])
})

test('the later of two manifests of one object counts, with its routes', async () => {
  const router = (routes: string): string => v1beta2('VirtualRouter', '{ name: r, namespace: shop }', `{ routes: ${routes} }`)
  const { found, faults } = await readKubernetes([{ file: 'a', text: mesh + router('[{ name: old }, { name: all }]') }, { file: 'b', text: router('[{ name: all }]') }], {})
  assert.deepEqual(faults.map(({ severity, file }: Fault) => [severity, file]), [['warning', 'a']])
  assert.deepEqual(found.filter(({ kind }) => kind === 'route').map(({ body }) => (body as { routeName: string }).routeName), ['all'])
})

test('takes no other YAML or JSON for manifests', async () => {
  const { taken, faults } = await readKubernetes(['{}', '', 'Resources: {}', 'kind: x', 'a: [', '{"apiVersion": 1, "kind": 2}'].map((text, at) => ({ file: `${at}`, text })), {})
  assert.equal(taken.size, 0)
  assert.deepEqual(faults, [])
})
