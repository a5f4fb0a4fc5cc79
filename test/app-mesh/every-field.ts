import type { ResourceKind } from '../../src/app-mesh/found.ts'

/** A resource in the API's shape. */
export interface Resource {
  readonly kind: ResourceKind
  readonly body: Readonly<Record<string, unknown>>
}

const file = { certificateChain: '/certs/chain.pem', privateKey: '/certs/key.pem' }
const exact = { match: { exact: ['pricing.shop.local', 'spiffe://shop/pricing'] } }
const duration = (value: number, unit: string): unknown => ({ unit, value })
const timeout = { perRequest: duration(20, 's'), idle: duration(1500, 'ms') }
const headers = [
  { name: 'x-tenant', match: { exact: 'acme' } },
  { name: 'x-region', match: { prefix: 'eu-' } },
  { name: 'x-build', match: { suffix: '-rc' } },
  { name: 'x-color', match: { regex: 'red|green' }, invert: true },
  { name: 'x-size', match: { range: { start: 1, end: 100 } } },
  { name: 'x-trace' },
]
const queryParameters = [{ name: 'page', match: { exact: '1' } }, { name: 'debug' }]
const action = { weightedTargets: [{ virtualNode: 'pricing-v1', weight: 90, port: 8080 }, { virtualNode: 'pricing-v2', weight: 10 }] }
const retryPolicy = {
  maxRetries: 3, perRetryTimeout: duration(500, 'ms'), httpRetryEvents: ['server-error', 'stream-error'], tcpRetryEvents: ['connection-error'],
}
const tags = [{ key: 'team', value: 'prices' }]
const logging = (format: unknown): unknown => ({ accessLog: { file: { path: '/dev/stdout', format } } })
const healthCheck = {
  protocol: 'http', path: '/ping', port: 8080, intervalMillis: 5000, timeoutMillis: 2000, healthyThreshold: 2, unhealthyThreshold: 3,
}
const outlierDetection = { maxServerErrors: 5, interval: duration(10, 's'), baseEjectionDuration: duration(30, 's'), maxEjectionPercent: 50 }
const clientTls = (trust: unknown, certificate: unknown): unknown =>
  ({ tls: { enforce: false, ports: [8080, 8443], certificate, validation: { trust, subjectAlternativeNames: exact } } })
const listenerTls = (certificate: unknown, trust: unknown): unknown =>
  ({ mode: 'STRICT', certificate, validation: { trust, subjectAlternativeNames: exact } })
const acmTrust = { acm: { certificateAuthorityArns: ['arn:aws:acm-pca:eu-west-1:111122223333:certificate-authority/1', 'arn:aws:acm-pca:eu-west-1:111122223333:certificate-authority/2'] } }
const fileTrust = { file: { certificateChain: '/certs/ca.pem' } }
const sds = { sds: { secretName: 'spiffe://shop/pricing' } }
const acm = { acm: { certificateArn: 'arn:aws:acm:eu-west-1:111122223333:certificate/1' } }
const hostname = { suffix: '.shop.example' }
const target = { virtualService: { virtualServiceName: 'pricing.shop.local' }, port: 8080 }

const node = (virtualNodeName: string, spec: unknown): Resource => ({ kind: 'virtualNode', body: { meshName: 'shop', virtualNodeName, spec } })
const gateway = (virtualGatewayName: string, spec: unknown): Resource => ({ kind: 'virtualGateway', body: { meshName: 'shop', virtualGatewayName, spec } })
const route = (routeName: string, spec: unknown): Resource => ({ kind: 'route', body: { meshName: 'shop', virtualRouterName: 'pricing', routeName, spec } })
const gatewayRoute = (gatewayRouteName: string, spec: unknown): Resource =>
  ({ kind: 'gatewayRoute', body: { meshName: 'shop', virtualGatewayName: 'front', gatewayRouteName, spec } })

/** One mesh in which every field of the API stands somewhere; where only one of several may be set, in different resources. */
export const everyField: readonly Resource[] = [
  { kind: 'mesh', body: { meshName: 'shop', spec: { egressFilter: { type: 'ALLOW_ALL' }, serviceDiscovery: { ipPreference: 'IPv4_ONLY' } }, tags } },
  { kind: 'virtualService', body: { meshName: 'shop', meshOwner: '012345678901', virtualServiceName: 'pricing.shop.local', spec: { provider: { virtualRouter: { virtualRouterName: 'pricing' } } } } },
  { kind: 'virtualService', body: { meshName: 'shop', virtualServiceName: 'tax.shop.local', spec: { provider: { virtualNode: { virtualNodeName: 'pricing-v1' } } }, tags } },
  { kind: 'virtualService', body: { meshName: 'shop', virtualServiceName: 'none.shop.local', spec: {} } },
  { kind: 'virtualRouter', body: { meshName: 'shop', meshOwner: '111122223333', virtualRouterName: 'pricing', spec: { listeners: [{ portMapping: { port: 8080, protocol: 'http' } }, { portMapping: { port: 9090, protocol: 'grpc' } }] }, tags } },
  route('http', { priority: 7, httpRoute: { match: { prefix: '/price', method: 'GET', scheme: 'https', headers, queryParameters, port: 8080 }, action, retryPolicy, timeout } }),
  route('path', { httpRoute: { match: { path: { exact: '/price/1' } }, action } }),
  route('regex', { httpRoute: { match: { path: { regex: '/price/[a-z]{2,}$' } }, action } }),
  route('http2', { priority: 1000, http2Route: { match: { path: { regex: '/price/[0-9]+' }, scheme: 'http', method: 'POST', headers, queryParameters, port: 8080 }, action, retryPolicy, timeout } }),
  route('http2-prefix', { http2Route: { match: { prefix: '/', path: { exact: '/x' } }, action } }),
  route('grpc', {
    grpcRoute: {
      match: { serviceName: 'shop.Pricing', methodName: 'Quote', metadata: headers, port: 9090 }, action,
      retryPolicy: { ...retryPolicy, grpcRetryEvents: ['cancelled', 'unavailable'] }, timeout,
    },
  }),
  route('tcp', { tcpRoute: { match: { port: 5432 }, action, timeout: { idle: duration(0, 's') } } }),
  { kind: 'route', body: { ...route('owned', { tcpRoute: { action } }).body, meshOwner: '111122223333', tags } },
  node('pricing-v1', {
    listeners: [
      { portMapping: { port: 8080, protocol: 'http' }, healthCheck, timeout: { http: timeout }, connectionPool: { http: { maxConnections: 10, maxPendingRequests: 5 } }, outlierDetection, tls: listenerTls(acm, fileTrust) },
      { portMapping: { port: 8081, protocol: 'http2' }, timeout: { http2: timeout }, connectionPool: { http2: { maxRequests: 100 } }, tls: listenerTls({ file }, sds) },
      { portMapping: { port: 9090, protocol: 'grpc' }, timeout: { grpc: timeout }, connectionPool: { grpc: { maxRequests: 100 } }, tls: listenerTls(sds, sds) },
      { portMapping: { port: 5432, protocol: 'tcp' }, timeout: { tcp: { idle: duration(3600, 's') } }, connectionPool: { tcp: { maxConnections: 3 } } },
    ],
    backends: [{ virtualService: { virtualServiceName: 'tax.shop.local', clientPolicy: clientTls(acmTrust, { file }) } }, { virtualService: { virtualServiceName: 'pricing.shop.local', clientPolicy: clientTls(sds, sds) } }],
    backendDefaults: { clientPolicy: clientTls(fileTrust, sds) },
    serviceDiscovery: { awsCloudMap: { namespaceName: 'shop.local', serviceName: 'pricing', attributes: [{ key: 'version', value: '1.10' }, { key: 'zone', value: 'a' }], ipPreference: 'IPv6_PREFERRED' } },
    logging: logging({ json: [{ key: 'start', value: '%START_TIME%' }, { key: 'code', value: '%RESPONSE_CODE%' }] }),
  }),
  { kind: 'virtualNode', body: { ...node('pricing-v2', {
    backends: [{ virtualService: { virtualServiceName: 'tax.shop.local', clientPolicy: clientTls(fileTrust, { file }) } }],
    backendDefaults: { clientPolicy: clientTls(acmTrust, { file }) },
    serviceDiscovery: { dns: { hostname: 'pricing.internal', responseType: 'ENDPOINTS', ipPreference: 'IPv4_PREFERRED' } },
    logging: logging({ text: '%START_TIME% %RESPONSE_CODE%\n' }),
  }).body, meshOwner: '111122223333', tags } },
  node('defaults', { backendDefaults: { clientPolicy: clientTls(sds, sds) } }),
  { kind: 'virtualGateway', body: { ...gateway('front', {
    listeners: [{ portMapping: { port: 8088, protocol: 'http' }, healthCheck, connectionPool: { http: { maxConnections: 10, maxPendingRequests: 5 } }, tls: listenerTls(acm, fileTrust) }],
    backendDefaults: { clientPolicy: clientTls(acmTrust, { file }) },
    logging: logging({ json: [{ key: 'code', value: '%RESPONSE_CODE%' }] }),
  }).body, meshOwner: '111122223333', tags } },
  gateway('front2', {
    listeners: [{ portMapping: { port: 8088, protocol: 'http2' }, connectionPool: { http2: { maxRequests: 9 } }, tls: listenerTls({ file }, sds) }],
    backendDefaults: { clientPolicy: clientTls(fileTrust, sds) }, logging: logging({ text: '%PROTOCOL%' }),
  }),
  gateway('front3', {
    listeners: [{ portMapping: { port: 8088, protocol: 'grpc' }, connectionPool: { grpc: { maxRequests: 9 } }, tls: listenerTls(sds, sds) }],
    backendDefaults: { clientPolicy: clientTls(sds, sds) },
  }),
  gatewayRoute('http', {
    priority: 3,
    httpRoute: {
      match: { prefix: '/price', method: 'GET', headers, queryParameters, hostname: { exact: 'shop.example' }, port: 8088 },
      action: { target, rewrite: { hostname: { defaultTargetHostname: 'DISABLED' }, prefix: { defaultPrefix: 'DISABLED' } } },
    },
  }),
  gatewayRoute('http-path', { httpRoute: { match: { path: { exact: '/price' }, hostname }, action: { target, rewrite: { path: { exact: '/quote' } } } } }),
  gatewayRoute('http-regex', { httpRoute: { match: { path: { regex: '/price/.*' } }, action: { target, rewrite: { prefix: { value: '/quotes/' } } } } }),
  gatewayRoute('http2', {
    http2Route: {
      match: { prefix: '/price', method: 'GET', headers, queryParameters, hostname, port: 8088 },
      action: { target, rewrite: { hostname: { defaultTargetHostname: 'ENABLED' }, prefix: { defaultPrefix: 'ENABLED' } } },
    },
  }),
  gatewayRoute('http2-path', { http2Route: { match: { path: { exact: '/price', regex: '/p.*' }, hostname: { exact: 'shop.example' } }, action: { target, rewrite: { path: { exact: '/quote' }, prefix: { value: '/q/' } } } } }),
  { kind: 'gatewayRoute', body: { ...gatewayRoute('grpc', {
    grpcRoute: {
      match: { serviceName: 'shop.Pricing', metadata: headers, hostname: { exact: 'shop.example', suffix: '.example' }, port: 8088 },
      action: { target, rewrite: { hostname: { defaultTargetHostname: 'DISABLED' } } },
    },
  }).body, meshOwner: '111122223333', tags } },
]
