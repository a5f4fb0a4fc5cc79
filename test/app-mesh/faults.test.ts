import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { AppMeshError, readAppMesh, type Fault } from '../../src/app-mesh/index.ts'
import { everything, read } from './support.ts'

type Everything = ReturnType<typeof everything>
/** Breaks a mesh that was right. What is written may be of any type, so it is handed over without one. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- wrong on purpose
type Break = (mesh: any) => void

const faultsOf = async (reading: Promise<{ readonly warnings: readonly Fault[] }>): Promise<readonly Fault[]> => {
  try {
    return (await reading).warnings
  } catch (error) {
    assert.ok(error instanceof AppMeshError, String(error))
    return error.faults
  }
}

const node = (break_: Break): Break => (mesh) => break_(mesh.virtualNodes[0])
const listener = (break_: Break): Break => node(({ spec }) => break_(spec.listeners[0]))
const route = (break_: Break): Break => (mesh) => break_(mesh.routes[0].spec.httpRoute)
const gatewayRoute = (break_: Break): Break => (mesh) => break_(mesh.gatewayRoutes[0].spec.httpRoute)

const atListener = 'virtualNodes[0].spec.listeners[0]'
const atRoute = 'routes[0].spec.httpRoute'
const atGatewayRoute = 'gatewayRoutes[0].spec.httpRoute'
const atPolicy = 'virtualNodes[0].spec.backendDefaults.clientPolicy.tls'

/** A wrong definition, the resource and the place that the error must name, and what it must say. */
const wrong: Readonly<Record<string, readonly [Break, string, string, RegExp]>> = {
  'a mesh without a name': [(mesh) => { delete mesh.mesh.meshName }, 'mesh', 'mesh.meshName', /is missing: write a string/],
  'an unknown egress filter': [(mesh) => { mesh.mesh.spec.egressFilter.type = 'ALLOWALL' }, 'mesh shop', 'mesh.spec.egressFilter.type', /is 'ALLOWALL', which is none of ALLOW_ALL, DROP_ALL: did you mean 'ALLOW_ALL'\?/],
  'an egress filter without a type': [(mesh) => { mesh.mesh.spec.egressFilter = {} }, 'mesh shop', 'mesh.spec.egressFilter.type', /is missing/],
  'an unknown IP preference': [(mesh) => { mesh.mesh.spec.serviceDiscovery.ipPreference = 'IPV4_ONLY' }, 'mesh shop', 'mesh.spec.serviceDiscovery.ipPreference', /did you mean 'IPv4_ONLY'/],
  'an account that is none': [(mesh) => { mesh.mesh.meshOwner = '1234' }, 'mesh shop', 'mesh.meshOwner', /write its 12 digits/],
  'more tags than there may be': [(mesh) => { mesh.mesh.tags = Array.from({ length: 51 }, () => ({ key: 'k' })) }, 'mesh shop', 'mesh.tags', /at most 50 entries/],
  'a tag without a key': [(mesh) => { mesh.mesh.tags = [{ value: 'v' }] }, 'mesh shop', 'mesh.tags[0].key', /is missing/],
  'an unknown field of a resource': [node((one) => { one.specs = one.spec }), 'virtualNode pricing-1', 'virtualNodes[0].specs', /unknown key: did you mean 'spec'\?/],
  'an unknown field deep inside': [listener((one) => { one.portMapping.prot = 'http' }), 'virtualNode pricing-1', `${atListener}.portMapping.prot`, /unknown key: did you mean 'port'\?/],
  'a resource that is text': [(mesh) => { mesh.virtualNodes[0] = 'pricing' }, 'virtualNodes[0]', 'virtualNodes[0]', /must be an object, not a string/],
  'a name of 256 characters': [node((one) => { one.virtualNodeName = 'n'.repeat(256) }), `virtualNode ${'n'.repeat(256)}`, 'virtualNodes[0].virtualNodeName', /at most 255 characters/],
  'a node without a spec': [node((one) => { delete one.spec }), 'virtualNode pricing-1', 'virtualNodes[0].spec', /is missing: write an object/],
  'two providers': [(mesh) => { mesh.virtualServices[0].spec.provider.virtualNode = { virtualNodeName: 'stock' } }, 'virtualService pricing.shop.local', 'virtualServices[0].spec.provider', /needs exactly one of virtualNode, virtualRouter; virtualNode and virtualRouter are written/],
  'a provider of no kind': [(mesh) => { mesh.virtualServices[0].spec.provider = {} }, 'virtualService pricing.shop.local', 'virtualServices[0].spec.provider', /needs exactly one of/],
  'a misspelt provider': [(mesh) => { mesh.virtualServices[0].spec.provider = { virtualrouter: {} } }, 'virtualService pricing.shop.local', 'virtualServices[0].spec.provider.virtualrouter', /did you mean 'virtualRouter'/],
  'port 0': [listener((one) => { one.portMapping.port = 0 }), 'virtualNode pricing-1', `${atListener}.portMapping.port`, /must be at least 1, not 0/],
  'a port beyond the last': [listener((one) => { one.portMapping.port = 65_536 }), 'virtualNode pricing-1', `${atListener}.portMapping.port`, /at most 65535/],
  'a port as text': [listener((one) => { one.portMapping.port = '8080' }), 'virtualNode pricing-1', `${atListener}.portMapping.port`, /must be a number, not a string/],
  'a port with a fraction': [listener((one) => { one.portMapping.port = 80.5 }), 'virtualNode pricing-1', `${atListener}.portMapping.port`, /whole number/],
  'https as a protocol': [listener((one) => { one.portMapping.protocol = 'https' }), 'virtualNode pricing-1', `${atListener}.portMapping.protocol`, /is 'https', which is none of http, http2, grpc, tcp/],
  'tcp at a gateway': [(mesh) => { mesh.virtualGateways[0].spec.listeners[0].portMapping.protocol = 'tcp' }, 'virtualGateway gate', 'virtualGateways[0].spec.listeners[0].portMapping.protocol', /none of http, http2, grpc/],
  'a gateway without a listener': [(mesh) => { mesh.virtualGateways[0].spec.listeners = [] }, 'virtualGateway gate', 'virtualGateways[0].spec.listeners', /at least 1 entry/],
  'health checks too often': [listener((one) => { one.healthCheck.intervalMillis = 4_999 }), 'virtualNode pricing-1', `${atListener}.healthCheck.intervalMillis`, /at least 5000/],
  'health checks too patient': [listener((one) => { one.healthCheck.timeoutMillis = 60_001 }), 'virtualNode pricing-1', `${atListener}.healthCheck.timeoutMillis`, /at most 60000/],
  'a threshold of 1': [listener((one) => { one.healthCheck.healthyThreshold = 1 }), 'virtualNode pricing-1', `${atListener}.healthCheck.healthyThreshold`, /at least 2/],
  'a threshold of 11': [listener((one) => { one.healthCheck.unhealthyThreshold = 11 }), 'virtualNode pricing-1', `${atListener}.healthCheck.unhealthyThreshold`, /at most 10/],
  'a health check without its interval': [listener((one) => { delete one.healthCheck.intervalMillis }), 'virtualNode pricing-1', `${atListener}.healthCheck.intervalMillis`, /is missing/],
  'a health check of another port': [listener((one) => { one.healthCheck.port = 9 }), 'virtualNode pricing-1', `${atListener}.healthCheck.port`, /write 8080, or leave it out/],
  'a timeout of another protocol': [listener((one) => { one.timeout = { grpc: {} } }), 'virtualNode pricing-1', `${atListener}.timeout.grpc`, /write 'http' in its place/],
  'timeouts of two protocols': [listener((one) => { one.timeout.tcp = {} }), 'virtualNode pricing-1', `${atListener}.timeout`, /exactly one of http, http2, grpc, tcp; http and tcp are written/],
  'a time below 0': [listener((one) => { one.timeout.http.idle.value = -1 }), 'virtualNode pricing-1', `${atListener}.timeout.http.idle.value`, /at least 0/],
  'an unknown unit of time': [listener((one) => { one.timeout.http.idle.unit = 'm' }), 'virtualNode pricing-1', `${atListener}.timeout.http.idle.unit`, /none of s, ms/],
  'a time as text': [listener((one) => { one.timeout.http.idle = '5s' }), 'virtualNode pricing-1', `${atListener}.timeout.http.idle`, /must be an object, not a string/],
  'a request timeout for tcp': [(mesh) => { mesh.virtualNodes[3].spec.listeners[0].timeout.tcp.perRequest = { unit: 's', value: 1 } }, 'virtualNode ledger', 'virtualNodes[3].spec.listeners[0].timeout.tcp.perRequest', /unknown key/],
  'a pool of another protocol': [listener((one) => { one.connectionPool = { http2: { maxRequests: 1 } } }), 'virtualNode pricing-1', `${atListener}.connectionPool.http2`, /does not fit the listener, which speaks http/],
  'a pool without connections': [listener((one) => { one.connectionPool.http.maxConnections = 0 }), 'virtualNode pricing-1', `${atListener}.connectionPool.http.maxConnections`, /at least 1/],
  'a limit that the protocol does not have': [listener((one) => { one.connectionPool.http.maxRequests = 1 }), 'virtualNode pricing-1', `${atListener}.connectionPool.http.maxRequests`, /unknown key/],
  'more than 100 percent': [listener((one) => { one.outlierDetection.maxEjectionPercent = 101 }), 'virtualNode pricing-1', `${atListener}.outlierDetection.maxEjectionPercent`, /at most 100/],
  'outlier detection without an interval': [listener((one) => { delete one.outlierDetection.interval }), 'virtualNode pricing-1', `${atListener}.outlierDetection.interval`, /is missing/],
  'outlier detection at a gateway': [(mesh) => { mesh.virtualGateways[0].spec.listeners[0].outlierDetection = {} }, 'virtualGateway gate', 'virtualGateways[0].spec.listeners[0].outlierDetection', /unknown key/],
  'an unknown TLS mode': [listener((one) => { one.tls.mode = 'strict' }), 'virtualNode pricing-1', `${atListener}.tls.mode`, /did you mean 'STRICT'/],
  'TLS without a certificate': [listener((one) => { delete one.tls.certificate }), 'virtualNode pricing-1', `${atListener}.tls.certificate`, /is missing/],
  'trust in ACM at a listener': [listener((one) => { one.tls.validation.trust = { acm: { certificateAuthorityArns: ['arn:x'] } } }), 'virtualNode pricing-1', `${atListener}.tls.validation.trust.acm`, /unknown key/],
  'a client policy with a mode': [node((one) => { one.spec.backendDefaults.clientPolicy.tls.mode = 'STRICT' }), 'virtualNode pricing-1', `${atPolicy}.mode`, /unknown key/],
  'a client policy without validation': [node((one) => { delete one.spec.backendDefaults.clientPolicy.tls.validation }), 'virtualNode pricing-1', `${atPolicy}.validation`, /is missing/],
  'four authorities': [node((one) => { one.spec.backendDefaults.clientPolicy.tls.validation.trust.acm.certificateAuthorityArns = Array(4).fill('arn:x') }), 'virtualNode pricing-1', `${atPolicy}.validation.trust.acm.certificateAuthorityArns`, /at most 3 entries/],
  'a certificate without its key': [node((one) => { delete one.spec.backendDefaults.clientPolicy.tls.certificate.file.privateKey }), 'virtualNode pricing-1', `${atPolicy}.certificate.file.privateKey`, /is missing/],
  'a client certificate from ACM': [node((one) => { one.spec.backendDefaults.clientPolicy.tls.certificate = { acm: {} } }), 'virtualNode pricing-1', `${atPolicy}.certificate.acm`, /unknown key/],
  'two discoveries': [node((one) => { one.spec.serviceDiscovery.dns = { hostname: 'x' } }), 'virtualNode pricing-1', 'virtualNodes[0].spec.serviceDiscovery', /dns and awsCloudMap are written/],
  'an unknown response type': [(mesh) => { mesh.virtualNodes[1].spec.serviceDiscovery.dns.responseType = 'ENDPOINT' }, 'virtualNode pricing-2', 'virtualNodes[1].spec.serviceDiscovery.dns.responseType', /did you mean 'ENDPOINTS'/],
  'attributes as an object': [node((one) => { one.spec.serviceDiscovery.awsCloudMap.attributes = { version: '1' } }), 'virtualNode pricing-1', 'virtualNodes[0].spec.serviceDiscovery.awsCloudMap.attributes', /must be a list, not an object/],
  'a backend without its union': [node((one) => { one.spec.backends[0] = { virtualServiceName: 'stock.shop.local' } }), 'virtualNode pricing-1', 'virtualNodes[0].spec.backends[0].virtualServiceName', /unknown key/],
  'both formats of a log': [node((one) => { one.spec.logging.accessLog.file.format.text = 'x' }), 'virtualNode pricing-1', 'virtualNodes[0].spec.logging.accessLog.file.format', /exactly one of text, json/],
  'a log without a path': [node((one) => { delete one.spec.logging.accessLog.file.path }), 'virtualNode pricing-1', 'virtualNodes[0].spec.logging.accessLog.file.path', /is missing/],
  'two listeners on one port': [node((one) => { one.spec.listeners[1].portMapping.port = 8080 }), 'virtualNode pricing-1', 'virtualNodes[0].spec.listeners[1].portMapping.port', /is the port of another listener already/],
  'a route of two kinds': [(mesh) => { mesh.routes[0].spec.tcpRoute = mesh.routes[3].spec.tcpRoute }, 'route acme', 'routes[0].spec', /exactly one of httpRoute, http2Route, grpcRoute, tcpRoute; httpRoute and tcpRoute are written/],
  'a route of no kind': [(mesh) => { mesh.routes[0].spec = { priority: 1 } }, 'route acme', 'routes[0].spec', /none is written/],
  'a priority beyond the last': [(mesh) => { mesh.routes[0].spec.priority = 1_001 }, 'route acme', 'routes[0].spec.priority', /at most 1000/],
  'a prefix without its slash': [route(({ match }) => { match.prefix = 'price' }), 'route acme', `${atRoute}.match.prefix`, /must begin with '\/'/],
  'prefix and path': [route(({ match }) => { match.path = { exact: '/x' } }), 'route acme', `${atRoute}.match.path`, /stands beside `prefix`/],
  'exact and regex': [(mesh) => { mesh.routes[1].spec.http2Route.match.path.regex = '/x' }, 'route exact', 'routes[1].spec.http2Route.match.path', /exact and regex are written/],
  'an expression that JavaScript alone knows': [route(({ match }) => { match.headers[3].match.regex = '(?!a)b' }), 'route acme', `${atRoute}.match.headers[3].match.regex`, /is not RE2 syntax/],
  'a method in small letters': [route(({ match }) => { match.method = 'get' }), 'route acme', `${atRoute}.match.method`, /did you mean 'GET'/],
  'eleven headers': [route(({ match }) => { match.headers = Array(11).fill({ name: 'x' }) }), 'route acme', `${atRoute}.match.headers`, /at most 10 entries/],
  'headers as an object': [route(({ match }) => { match.headers = { 'x-tenant': 'acme' } }), 'route acme', `${atRoute}.match.headers`, /must be a list, not an object/],
  'two ways to compare a header': [route(({ match }) => { match.headers[0].match.prefix = 'a' }), 'route acme', `${atRoute}.match.headers[0].match`, /exact and prefix are written/],
  'a range turned round': [route(({ match }) => { match.headers[2].match.range = { start: 5, end: 5 } }), 'route acme', `${atRoute}.match.headers[2].match.range`, /`start` must be below `end`/],
  'a header with a space': [route(({ match }) => { match.headers[0].name = 'x tenant' }), 'route acme', `${atRoute}.match.headers[0].name`, /is not the name of a header/],
  'no targets': [route(({ action }) => { action.weightedTargets = [] }), 'route acme', `${atRoute}.action.weightedTargets`, /at least 1 entry/],
  'eleven targets': [route(({ action }) => { action.weightedTargets = Array(11).fill({ virtualNode: 'stock', weight: 1 }) }), 'route acme', `${atRoute}.action.weightedTargets`, /at most 10 entries/],
  'a weight above 100': [route(({ action }) => { action.weightedTargets[0].weight = 101 }), 'route acme', `${atRoute}.action.weightedTargets[0].weight`, /at most 100/],
  'weights that are all 0': [route(({ action }) => { for (const one of action.weightedTargets) one.weight = 0 }), 'route acme', `${atRoute}.action.weightedTargets`, /all have weight 0/],
  'a target without a weight': [route(({ action }) => { delete action.weightedTargets[0].weight }), 'route acme', `${atRoute}.action.weightedTargets[0].weight`, /is missing/],
  'a target of several listeners without a port': [route(({ action }) => { delete action.weightedTargets[0].port }), 'route acme', `${atRoute}.action.weightedTargets[0]`, /needs `port`, since node 'pricing-1' has several listeners: write one of 8080, 8081/],
  'a target by a port that it does not have': [route(({ action }) => { action.weightedTargets[1].port = 9 }), 'route acme', `${atRoute}.action.weightedTargets[1].port`, /node 'pricing-2' does not listen on 9: write 8080/],
  'a router of several listeners, a route without a port': [route(({ match }) => { delete match.port }), 'route acme', `${atRoute}.match`, /needs `port`, since router 'pricing' has several listeners: write one of 8080, 8081/],
  'a misspelt retry event': [route(({ retryPolicy }) => { retryPolicy.httpRetryEvents[0] = '5xx' }), 'route acme', `${atRoute}.retryPolicy.httpRetryEvents[0]`, /none of server-error, gateway-error, client-error, stream-error/],
  'retries without a time for each': [route(({ retryPolicy }) => { delete retryPolicy.perRetryTimeout }), 'route acme', `${atRoute}.retryPolicy.perRetryTimeout`, /is missing/],
  'gRPC events on a route of HTTP': [route(({ retryPolicy }) => { retryPolicy.grpcRetryEvents = ['unavailable'] }), 'route acme', `${atRoute}.retryPolicy.grpcRetryEvents`, /unknown key/],
  'retries of tcp': [(mesh) => { mesh.routes[3].spec.tcpRoute.retryPolicy = {} }, 'route all', 'routes[3].spec.tcpRoute.retryPolicy', /unknown key/],
  'a gRPC method without its service': [(mesh) => { delete mesh.routes[2].spec.grpcRoute.match.serviceName }, 'route reserve', 'routes[2].spec.grpcRoute.match.methodName', /add `serviceName`/],
  'a reserved prefix': [gatewayRoute(({ match }) => { match.prefix = '/aws-appmesh-x' }), 'gatewayRoute by-prefix', `${atGatewayRoute}.match.prefix`, /is reserved/],
  'a reserved gRPC service': [(mesh) => { mesh.gatewayRoutes[3].spec.grpcRoute.match.serviceName = 'aws.app-mesh.x' }, 'gatewayRoute grpc', 'gatewayRoutes[3].spec.grpcRoute.match.serviceName', /is reserved/],
  'a gateway route without a target': [gatewayRoute(({ action }) => { delete action.target }), 'gatewayRoute by-prefix', `${atGatewayRoute}.action.target`, /is missing/],
  'a rewritten prefix where a path is matched': [(mesh) => { mesh.gatewayRoutes[1].spec.http2Route.action.rewrite = { prefix: { value: '/x' } } }, 'gatewayRoute by-path', 'gatewayRoutes[1].spec.http2Route.action.rewrite.prefix', /has nothing to replace/],
  'a rewritten path where a prefix is matched': [gatewayRoute(({ action }) => { action.rewrite = { path: { exact: '/x' } } }), 'gatewayRoute by-prefix', `${atGatewayRoute}.action.rewrite.path`, /has nothing to replace/],
  'two ways to rewrite a prefix': [gatewayRoute(({ action }) => { action.rewrite.prefix.defaultPrefix = 'DISABLED' }), 'gatewayRoute by-prefix', `${atGatewayRoute}.action.rewrite.prefix`, /defaultPrefix and value are written/],
  'a switch as a boolean': [gatewayRoute(({ action }) => { action.rewrite.hostname.defaultTargetHostname = false }), 'gatewayRoute by-prefix', `${atGatewayRoute}.action.rewrite.hostname.defaultTargetHostname`, /must be "ENABLED" or "DISABLED", not false/],
  'a host compared in two ways': [gatewayRoute(({ match }) => { match.hostname.suffix = 'x' }), 'gatewayRoute by-prefix', `${atGatewayRoute}.match.hostname`, /exact and suffix are written/],
  'the same resource twice': [(mesh) => { mesh.virtualNodes.push(mesh.virtualNodes[1]) }, 'virtualNode pricing-2', 'virtualNodes[5]', /is defined already, by virtualNodes\[1\]/],
  'a header that JavaScript keeps for itself': [route(({ match }) => { match.headers[0].name = '__proto__' }), 'route acme', `${atRoute}.match.headers[0].name`, /keeps for itself/],
  'a parameter that JavaScript keeps for itself': [route(({ match }) => { match.queryParameters[0].name = '__proto__' }), 'route acme', `${atRoute}.match.queryParameters[0].name`, /keeps for itself/],
  'a node that JavaScript keeps for itself': [node((one) => { one.virtualNodeName = '__proto__' }), 'virtualNode __proto__', 'virtualNodes[0].virtualNodeName', /keeps for itself/],
  'an attribute that JavaScript keeps for itself': [node((one) => { one.spec.serviceDiscovery.awsCloudMap.attributes[0].key = '__proto__' }), 'virtualNode pricing-1', 'virtualNodes[0].spec.serviceDiscovery.awsCloudMap.attributes[0].key', /keeps for itself/],
  'a member of a log that JavaScript keeps for itself': [node((one) => { one.spec.logging.accessLog.file.format.json[0].key = '__proto__' }), 'virtualNode pricing-1', 'virtualNodes[0].spec.logging.accessLog.file.format.json[0].key', /keeps for itself/],
  'an attribute of two values': [node((one) => { one.spec.serviceDiscovery.awsCloudMap.attributes.push({ key: 'version', value: '2' }) }), 'virtualNode pricing-1', 'virtualNodes[0].spec.serviceDiscovery.awsCloudMap.attributes[1].key', /'version' is there already/],
  'a member of a log twice': [node((one) => { one.spec.logging.accessLog.file.format.json.push({ key: 'status', value: 'x' }) }), 'virtualNode pricing-1', 'virtualNodes[0].spec.logging.accessLog.file.format.json[1].key', /'status' is there already/],
  'a list that is an object': [(mesh) => { mesh.virtualNodes = {} }, '', 'virtualNodes', /must be a list/],
  'an unknown kind of resource': [(mesh) => { mesh.virtualnodes = [] }, '', 'virtualnodes', /is no kind of resource/],
  'what only a list call says': [(mesh) => { mesh.virtualNodes[0] = { arn: 'arn:x', virtualNodeName: 'pricing-1' } }, '', 'virtualNodes[0]', /use `aws appmesh describe-virtual-node`/],
}

describe('a wrong definition is refused with its file, its resource and its place', () => {
  for (const [title, [break_, resource, path, message]] of Object.entries(wrong)) {
    test(title, async () => {
      const mesh: Everything = everything()
      break_(mesh)
      await assert.rejects(read(mesh, 'shop.json'), AppMeshError)
      const faults = await faultsOf(read(mesh, 'shop.json'))
      const found = faults.find((fault) => fault.path === path && message.test(fault.message))
      assert.ok(found, JSON.stringify(faults, null, 1))
      assert.deepEqual([found.severity, found.file, found.resource ?? ''], ['error', 'shop.json', resource])
    })
  }
})

/** What AWS put up with. */
const odd: Readonly<Record<string, readonly [Break, string, RegExp]>> = {
  'a provider that is not there': [(mesh) => { mesh.virtualServices[2].spec.provider.virtualNode.virtualNodeName = 'ledgers' }, 'virtualServices[2].spec.provider.virtualNode.virtualNodeName', /there is no virtual node 'ledgers' \(did you mean 'ledger'\)/],
  'a router that is not there': [(mesh) => { mesh.virtualServices[0].spec.provider.virtualRouter.virtualRouterName = 'x' }, 'virtualServices[0].spec.provider.virtualRouter.virtualRouterName', /there is no virtual router 'x'/],
  'a service without a provider': [(mesh) => { mesh.virtualServices[0].spec = {} }, 'virtualServices[0].spec', /has no provider/],
  'a route of a router that is not there': [(mesh) => { mesh.routes[2].virtualRouterName = 'x' }, 'routes[2].virtualRouterName', /there is no virtual router 'x'/],
  'a target that is not there': [(mesh) => { mesh.routes[2].spec.grpcRoute.action.weightedTargets[0].virtualNode = 'x' }, 'routes[2].spec.grpcRoute.action.weightedTargets[0].virtualNode', /there is no virtual node 'x'/],
  'a backend that is not there': [node((one) => { one.spec.backends[0].virtualService.virtualServiceName = 'x' }), 'virtualNodes[0].spec.backends[0].virtualService.virtualServiceName', /there is no virtual service 'x'/],
  'a gateway that is not there': [(mesh) => { mesh.gatewayRoutes[0].virtualGatewayName = 'x' }, 'gatewayRoutes[0].virtualGatewayName', /there is no virtual gateway 'x'/],
  'a gateway route to a service that is not there': [(mesh) => { mesh.gatewayRoutes[0].spec.httpRoute.action.target.virtualService.virtualServiceName = 'x' }, 'gatewayRoutes[0].spec.httpRoute.action.target.virtualService.virtualServiceName', /there is no virtual service 'x'/],
  'a route by a port that its router does not have': [route(({ match }) => { match.port = 9 }), 'routes[0].spec.httpRoute.match.port', /can never match: router 'pricing' listens on 8080, 8081/],
  'a route of another protocol than its router': [(mesh) => { mesh.virtualRouters[1].spec.listeners[0].portMapping.protocol = 'http' }, 'routes[2].spec.grpcRoute', /does not fit router 'stock', whose listener speaks http/],
  'a path that is not in its normal form': [route(({ match }) => { match.prefix = '/a//b' }), 'routes[0].spec.httpRoute.match.prefix', /can never match: .* write '\/a\/b'/],
  'a path for a check by tcp': [listener((one) => { one.healthCheck.protocol = 'tcp' }), `${atListener}.healthCheck.path`, /has no meaning for tcp/],
  'a backend twice': [node((one) => { one.spec.backends.push(one.spec.backends[0]) }), 'virtualNodes[0].spec.backends[2].virtualService.virtualServiceName', /is a backend already/],
  'a path without its slash': [(mesh) => { mesh.routes[1].spec.http2Route.match.path.exact = 'x' }, 'routes[1].spec.http2Route.match.path.exact', /can never match: every path begins with '\/'/],
  'a query within a path': [(mesh) => { mesh.routes[1].spec.http2Route.match.path.exact = '/x?y=1' }, 'routes[1].spec.http2Route.match.path.exact', /match the query by `queryParameters`/],
  'a gRPC service that is no path': [(mesh) => { mesh.routes[2].spec.grpcRoute.match.serviceName = 'http://shop' }, 'routes[2].spec.grpcRoute.match.methodName', /can never match: .* write '\/http:\/shop\/Reserve'/],
  'a gateway route to one of several listeners': [(mesh) => { delete mesh.gatewayRoutes[0].spec.httpRoute.action.target.port }, 'gatewayRoutes[0].spec.httpRoute.action.target', /needs `port`, since 'pricing.shop.local' listens on 8080, 8081/],
  'a gateway route to a port that is not there': [(mesh) => { mesh.gatewayRoutes[0].spec.httpRoute.action.target.port = 9 }, 'gatewayRoutes[0].spec.httpRoute.action.target.port', /is 9, and 'pricing.shop.local' listens on 8080, 8081/],
  'a header of two values': [route(({ match }) => { match.headers.push({ name: 'X-Tenant', match: { exact: 'other' } }) }), 'routes[0].spec.httpRoute.match.headers', /no 'x-tenant' meets all that is asked of it/],
  'a header there and absent': [route(({ match }) => { match.headers.push({ name: 'x-seen', invert: true }) }), 'routes[0].spec.httpRoute.match.headers', /no 'x-seen' meets/],
  'a parameter of two values': [route(({ match }) => { match.queryParameters.push({ name: 'q', match: { exact: '2' } }) }), 'routes[0].spec.httpRoute.match.queryParameters', /no 'q' meets/],
  'a route behind one that takes everything': [(mesh) => { mesh.routes.push({ ...mesh.routes[0], routeName: 'later', spec: { ...mesh.routes[0].spec, priority: 5 } }) }, 'routes[4].spec', /can never match: route 'acme' comes first/],
  'less time for a request than for its first attempt': [route((one) => { one.timeout.perRequest = { unit: 'ms', value: 499 } }), 'routes[0].spec.httpRoute.timeout.perRequest', /is shorter than perRetryTimeout/],
  'a scheme on a route of HTTP/1': [route(({ match }) => { match.scheme = 'http' }), 'routes[0].spec.httpRoute.match.scheme', /was for http2Route only/],
  'a resource of another mesh': [(mesh) => { mesh.virtualNodes[4].meshName = 'x' }, 'virtualNodes[4].meshName', /is 'x', not 'shop'/],
}

describe('what is odd and no reason to stop is warned of, with its place', () => {
  for (const [title, [break_, path, message]] of Object.entries(odd)) {
    test(title, async () => {
      const mesh = everything()
      break_(mesh)
      const { warnings } = await read(mesh)
      assert.ok(warnings.some((warning) => warning.path === path && message.test(warning.message)), JSON.stringify(warnings, null, 1))
      assert.ok(warnings.every(({ severity, file }) => severity === 'warning' && file === 'mesh.json'))
    })
  }
})

test('a mesh that has every field is accepted to the last leaf without a word', async () => {
  const { document, warnings } = await read(everything())
  assert.deepEqual(document, everything())
  assert.deepEqual(warnings, [])
})

test('every fault is told, and the message of the error has them all', async () => {
  const mesh = everything()
  node((one) => { one.spec.listeners[0].portMapping.port = 0 })(mesh)
  route((one) => { one.match.prefix = 'x' })(mesh)
  await assert.rejects(read(mesh), (error: AppMeshError) => {
    assert.equal(error.faults.length, 2)
    assert.match(error.message, /have 2 faults:\n {2}mesh\.json, route acme: routes\[0\]\.spec\.httpRoute\.match\.prefix: must begin|have 2 faults:/)
    assert.match(error.message, /mesh\.json:1:\d+, virtualNode pricing-1: virtualNodes\[0\]\.spec\.listeners\[0\]\.portMapping\.port: must be at least 1, not 0/)
    return true
  })
})

test('what refers to a resource of the wrong shape is not complained about as well', async () => {
  const mesh = everything()
  node((one) => { one.spec.listeners[0].portMapping.port = 0 })(mesh)
  const faults = await faultsOf(read(mesh))
  assert.equal(faults.length, 1)
})

const unreadable: Readonly<Record<string, readonly [string, RegExp]>> = {
  'broken JSON': ['{ "meshName": "a", }', /^expected no ',' before '}'/],
  'a name twice': ['{ "meshName": "a", "meshName": "b" }', /written twice/],
  'no resource': ['{ "name": "a" }', /is no resource of App Mesh: it has none of/],
  'a spec whose names stood on a command line': ['{ "spec": {} }', /it has none of .*; the names that stood on a command line/],
  'a list of texts': ['["a"]', /is no resource: write an object/],
  'an empty list': ['[]', /nothing of App Mesh is defined/],
  'something else altogether': ['hello', /is in no format that is known here/],
}

describe('a file that cannot be read is refused by its name', () => {
  for (const [title, [text, message]] of Object.entries(unreadable)) {
    test(title, async () => {
      const [fault] = await faultsOf(readAppMesh([{ file: 'shop.json', text }]))
      assert.equal(fault?.file, 'shop.json')
      assert.match(fault.message, message)
    })
  }

  test('one that is not there', async () => {
    const [fault] = await faultsOf(readAppMesh('no-such-file.json'))
    assert.deepEqual([fault?.file, fault?.message], ['no-such-file.json', 'there is no such file'])
  })
})
