import { readAppMesh, type AppMeshDocument, type AppMeshReading } from '../../src/app-mesh/index.ts'

type Mutable<T> = T extends readonly (infer Item)[] ? Mutable<Item>[] : T extends object ? { -readonly [Key in keyof T]: Mutable<T[Key]> } : T

/** Reads JSON that stands in a file of that name. */
export const read = (json: unknown, file = 'mesh.json'): Promise<AppMeshReading> => readAppMesh([{ file, text: JSON.stringify(json) }])

/** A mesh that has every field of the model at least once, and nothing odd. */
export const everything = (): Mutable<AppMeshDocument> => structuredClone(document) as Mutable<AppMeshDocument>

const sds = (secretName: string) => ({ sds: { secretName } })
const files = { file: { certificateChain: '/keys/chain.pem', privateKey: '/keys/key.pem' } }
const of = { meshName: 'shop' }
const target = (virtualServiceName: string) => ({ virtualService: { virtualServiceName } })
const names = (...exact: string[]) => ({ match: { exact } })
const arn = 'arn:aws:acm-pca:eu-west-1:111122223333:certificate-authority/1'

const document: AppMeshDocument = {
  mesh: {
    ...of,
    meshOwner: '111122223333',
    tags: [{ key: 'team', value: 'shop' }, { key: 'stage' }],
    spec: { egressFilter: { type: 'ALLOW_ALL' }, serviceDiscovery: { ipPreference: 'IPv4_PREFERRED' } },
  },
  virtualGateways: [{
    ...of,
    virtualGatewayName: 'gate',
    spec: {
      listeners: [{
        portMapping: { port: 8443, protocol: 'http' },
        healthCheck: { protocol: 'http', path: '/', port: 8443, intervalMillis: 10_000, timeoutMillis: 2_000, healthyThreshold: 2, unhealthyThreshold: 2 },
        connectionPool: { http: { maxConnections: 50, maxPendingRequests: 10 } },
        tls: { mode: 'STRICT', certificate: { acm: { certificateArn: 'arn:aws:acm:eu-west-1:111122223333:certificate/1' } } },
      }],
      backendDefaults: { clientPolicy: { tls: { validation: { trust: { file: { certificateChain: '/keys/ca.pem' } } } } } },
      logging: { accessLog: { file: { path: '/dev/stdout', format: { text: '%PROTOCOL% %RESPONSE_CODE%\n' } } } },
    },
  }],
  gatewayRoutes: [
    {
      ...of,
      virtualGatewayName: 'gate',
      gatewayRouteName: 'by-prefix',
      spec: {
        priority: 1,
        httpRoute: {
          match: {
            prefix: '/pricing',
            method: 'GET',
            hostname: { exact: 'shop.example.com' },
            port: 8443,
            headers: [{ name: 'x-tenant', match: { exact: 'acme' } }],
            queryParameters: [{ name: 'v', match: { exact: '2' } }, { name: 'debug' }],
          },
          action: {
            target: { ...target('pricing.shop.local'), port: 8080 },
            rewrite: { hostname: { defaultTargetHostname: 'DISABLED' }, prefix: { value: '/v1' } },
          },
        },
      },
    },
    {
      ...of,
      virtualGatewayName: 'gate',
      gatewayRouteName: 'by-path',
      spec: {
        http2Route: {
          match: { path: { regex: '/orders/[0-9]+' }, hostname: { suffix: '.example.com' } },
          action: { target: { ...target('pricing.shop.local'), port: 8081 }, rewrite: { path: { exact: '/order' }, hostname: { defaultTargetHostname: 'ENABLED' } } },
        },
      },
    },
    {
      ...of,
      virtualGatewayName: 'gate',
      gatewayRouteName: 'whole-prefix',
      spec: {
        httpRoute: { match: { prefix: '/plain' }, action: { target: target('ledger.shop.local'), rewrite: { prefix: { defaultPrefix: 'DISABLED' } } } },
      },
    },
    {
      ...of,
      virtualGatewayName: 'gate',
      gatewayRouteName: 'grpc',
      spec: {
        grpcRoute: {
          match: { serviceName: 'shop.Stock', hostname: { exact: 'stock.example.com' }, metadata: [{ name: 'x-a', match: { suffix: 'z' } }], port: 8443 },
          action: { target: target('stock.shop.local'), rewrite: { hostname: { defaultTargetHostname: 'DISABLED' } } },
        },
      },
    },
  ],
  virtualServices: [
    { ...of, virtualServiceName: 'pricing.shop.local', spec: { provider: { virtualRouter: { virtualRouterName: 'pricing' } } } },
    { ...of, virtualServiceName: 'stock.shop.local', spec: { provider: { virtualRouter: { virtualRouterName: 'stock' } } } },
    { ...of, virtualServiceName: 'ledger.shop.local', spec: { provider: { virtualNode: { virtualNodeName: 'ledger' } } } },
  ],
  virtualRouters: [
    { ...of, virtualRouterName: 'pricing', spec: { listeners: [{ portMapping: { port: 8080, protocol: 'http' } }, { portMapping: { port: 8081, protocol: 'http2' } }] } },
    { ...of, virtualRouterName: 'stock', spec: { listeners: [{ portMapping: { port: 9000, protocol: 'grpc' } }] } },
    { ...of, virtualRouterName: 'ledger', spec: { listeners: [{ portMapping: { port: 5432, protocol: 'tcp' } }] } },
  ],
  routes: [
    {
      ...of,
      virtualRouterName: 'pricing',
      routeName: 'acme',
      spec: {
        priority: 0,
        httpRoute: {
          match: {
            prefix: '/price',
            method: 'GET',
            port: 8080,
            headers: [
              { name: 'x-tenant', match: { exact: 'acme' } }, { name: 'x-from', invert: true, match: { prefix: 'test-' } },
              { name: 'x-age', match: { range: { start: 1, end: 18 } } }, { name: 'x-kind', match: { regex: 'a|b' } }, { name: 'x-seen' },
            ],
            queryParameters: [{ name: 'q', match: { exact: '1' } }],
          },
          action: { weightedTargets: [{ virtualNode: 'pricing-1', weight: 90, port: 8080 }, { virtualNode: 'pricing-2', weight: 10 }] },
          retryPolicy: {
            maxRetries: 2,
            perRetryTimeout: { unit: 'ms', value: 500 },
            httpRetryEvents: ['server-error', 'gateway-error', 'client-error', 'stream-error'],
            tcpRetryEvents: ['connection-error'],
          },
          timeout: { perRequest: { unit: 's', value: 5 }, idle: { unit: 's', value: 60 } },
        },
      },
    },
    {
      ...of,
      virtualRouterName: 'pricing',
      routeName: 'exact',
      spec: {
        http2Route: {
          match: { path: { exact: '/price/list' }, scheme: 'http', port: 8081 },
          action: { weightedTargets: [{ virtualNode: 'pricing-1', weight: 1, port: 8081 }] },
        },
      },
    },
    {
      ...of,
      virtualRouterName: 'stock',
      routeName: 'reserve',
      spec: {
        grpcRoute: {
          match: { serviceName: 'shop.Stock', methodName: 'Reserve', metadata: [{ name: 'x-a', invert: true }], port: 9000 },
          action: { weightedTargets: [{ virtualNode: 'stock', weight: 100 }] },
          retryPolicy: {
            maxRetries: 1,
            perRetryTimeout: { unit: 's', value: 1 },
            grpcRetryEvents: ['cancelled', 'deadline-exceeded', 'internal', 'resource-exhausted', 'unavailable'],
            httpRetryEvents: ['gateway-error'],
            tcpRetryEvents: ['connection-error'],
          },
          timeout: { perRequest: { unit: 's', value: 0 }, idle: { unit: 'ms', value: 100 } },
        },
      },
    },
    {
      ...of,
      virtualRouterName: 'ledger',
      routeName: 'all',
      spec: { tcpRoute: { match: { port: 5432 }, action: { weightedTargets: [{ virtualNode: 'ledger', weight: 1 }] }, timeout: { idle: { unit: 's', value: 9 } } } },
    },
  ],
  virtualNodes: [
    {
      ...of,
      virtualNodeName: 'pricing-1',
      tags: [],
      spec: {
        listeners: [
          {
            portMapping: { port: 8080, protocol: 'http' },
            healthCheck: { protocol: 'http', path: '/health', intervalMillis: 5_000, timeoutMillis: 2_000, healthyThreshold: 2, unhealthyThreshold: 3 },
            timeout: { http: { perRequest: { unit: 's', value: 20 }, idle: { unit: 's', value: 30 } } },
            connectionPool: { http: { maxConnections: 100 } },
            outlierDetection: {
              maxServerErrors: 5, interval: { unit: 's', value: 10 }, baseEjectionDuration: { unit: 's', value: 30 }, maxEjectionPercent: 50,
            },
            tls: { mode: 'PERMISSIVE', certificate: files, validation: { trust: { file: { certificateChain: '/keys/ca.pem' } }, subjectAlternativeNames: names('gate.shop') } },
          },
          { portMapping: { port: 8081, protocol: 'http2' }, connectionPool: { http2: { maxRequests: 1_000 } }, timeout: { http2: { idle: { value: 0 } } } },
        ],
        serviceDiscovery: {
          awsCloudMap: { namespaceName: 'shop.local', serviceName: 'pricing', attributes: [{ key: 'version', value: '1' }], ipPreference: 'IPv6_ONLY' },
        },
        backends: [
          { virtualService: { virtualServiceName: 'stock.shop.local' } },
          {
            virtualService: {
              virtualServiceName: 'ledger.shop.local',
              clientPolicy: {
                tls: {
                  enforce: false,
                  ports: [5432],
                  certificate: sds('spiffe://shop/pricing'),
                  validation: { trust: sds('spiffe://shop'), subjectAlternativeNames: names('spiffe://shop/ledger') },
                },
              },
            },
          },
        ],
        backendDefaults: {
          clientPolicy: { tls: { enforce: true, certificate: files, validation: { trust: { acm: { certificateAuthorityArns: [arn] } } } } },
        },
        logging: { accessLog: { file: { path: '/dev/stdout', format: { json: [{ key: 'status', value: '%RESPONSE_CODE%' }] } } } },
      },
    },
    {
      ...of,
      virtualNodeName: 'pricing-2',
      spec: {
        listeners: [{ portMapping: { port: 8080, protocol: 'http' }, tls: { mode: 'DISABLED', certificate: sds('x'), validation: { trust: sds('spiffe://shop') } } }],
        serviceDiscovery: { dns: { hostname: 'pricing-2.internal', responseType: 'ENDPOINTS', ipPreference: 'IPv4_ONLY' } },
      },
    },
    {
      ...of,
      virtualNodeName: 'stock',
      spec: {
        listeners: [{
          portMapping: { port: 9000, protocol: 'grpc' },
          healthCheck: { protocol: 'grpc', intervalMillis: 300_000, timeoutMillis: 60_000, healthyThreshold: 10, unhealthyThreshold: 10 },
          timeout: { grpc: { perRequest: { unit: 's', value: 1 } } },
          connectionPool: { grpc: { maxRequests: 1 } },
        }],
        serviceDiscovery: { dns: { hostname: 'stock.internal', responseType: 'LOADBALANCER', ipPreference: 'IPv6_PREFERRED' } },
      },
    },
    {
      ...of,
      virtualNodeName: 'ledger',
      spec: {
        listeners: [{
          portMapping: { port: 5432, protocol: 'tcp' }, connectionPool: { tcp: { maxConnections: 5 } }, timeout: { tcp: { idle: { unit: 's', value: 1 } } },
        }],
        serviceDiscovery: { dns: { hostname: '10.0.0.9' } },
      },
    },
    { ...of, virtualNodeName: 'batch', spec: { backends: [{ virtualService: { virtualServiceName: 'pricing.shop.local' } }] } },
  ],
}
