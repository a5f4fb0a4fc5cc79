import type { ResourceKind } from './found.ts'

/**
 * What the API has at one place: a plain value, a list, or an object of named fields. `name` is a text that names another resource.
 * Readers need it to translate (a template's `"80"` is a number where the API has one); it says nothing of what is right or required.
 */
export type Shape = 'text' | 'name' | 'number' | 'flag' | ListShape | ObjectShape

/** A list whose items are all alike. */
export interface ListShape { readonly items: Shape }

/** An object; what is not among its fields is no field of the API. */
export interface ObjectShape { readonly fields: Readonly<Record<string, Shape>> }

const object = (fields: Readonly<Record<string, Shape>>): ObjectShape => ({ fields })
const list = (items: Shape): ListShape => ({ items })

const texts = list('text')
const pairs = list(object({ key: 'text', value: 'text' }))
const duration = object({ unit: 'text', value: 'number' })
const portMapping = object({ port: 'number', protocol: 'text' })

const textMatch = object({
  exact: 'text', prefix: 'text', suffix: 'text', regex: 'text', range: object({ start: 'number', end: 'number' }),
})
const namedMatches = list(object({ name: 'text', invert: 'flag', match: textMatch }))
const httpMatch = {
  prefix: 'text', path: object({ exact: 'text', regex: 'text' }), method: 'text', headers: namedMatches, port: 'number',
  queryParameters: list(object({ name: 'text', match: object({ exact: 'text' }) })),
} as const

const file = object({ certificateChain: 'text', privateKey: 'text' })
const sds = object({ secretName: 'text' })
const fileTrust = { file: object({ certificateChain: 'text' }), sds } as const
const validation = (trust: ObjectShape): ObjectShape => object({ trust, subjectAlternativeNames: object({ match: object({ exact: texts }) }) })
const clientPolicy = object({
  tls: object({
    enforce: 'flag', ports: list('number'), certificate: object({ file, sds }),
    validation: validation(object({ ...fileTrust, acm: object({ certificateAuthorityArns: texts }) })),
  }),
})
const listenerTls = object({
  mode: 'text', certificate: object({ acm: object({ certificateArn: 'text' }), file, sds }), validation: validation(object(fileTrust)),
})

const healthCheck = object({
  protocol: 'text', path: 'text', port: 'number', intervalMillis: 'number', timeoutMillis: 'number', healthyThreshold: 'number',
  unhealthyThreshold: 'number',
})
const pools = {
  http: object({ maxConnections: 'number', maxPendingRequests: 'number' }), http2: object({ maxRequests: 'number' }),
  grpc: object({ maxRequests: 'number' }),
}
const logging = object({ accessLog: object({ file: object({ path: 'text', format: object({ text: 'text', json: pairs }) }) }) })

const timeout = object({ perRequest: duration, idle: duration })
const tcpTimeout = object({ idle: duration })
const action = object({ weightedTargets: list(object({ virtualNode: 'name', weight: 'number', port: 'number' })) })
const retryPolicy = { maxRetries: 'number', perRetryTimeout: duration, httpRetryEvents: texts, tcpRetryEvents: texts } as const
const httpRoute = object({ match: object({ ...httpMatch, scheme: 'text' }), action, retryPolicy: object(retryPolicy), timeout })
const grpcMatch = { serviceName: 'text', metadata: namedMatches, port: 'number' } as const

const target = object({ virtualService: object({ virtualServiceName: 'name' }), port: 'number' })
const hostnameMatch = object({ exact: 'text', suffix: 'text' })
const hostnameRewrite = object({ defaultTargetHostname: 'text' })
const httpGatewayRoute = object({
  match: object({ ...httpMatch, hostname: hostnameMatch }),
  action: object({
    target,
    rewrite: object({
      hostname: hostnameRewrite, prefix: object({ defaultPrefix: 'text', value: 'text' }), path: object({ exact: 'text' }),
    }),
  }),
})

const specs: Readonly<Record<ResourceKind, ObjectShape>> = {
  mesh: object({ egressFilter: object({ type: 'text' }), serviceDiscovery: object({ ipPreference: 'text' }) }),
  virtualService: object({
    provider: object({ virtualNode: object({ virtualNodeName: 'name' }), virtualRouter: object({ virtualRouterName: 'name' }) }),
  }),
  virtualRouter: object({ listeners: list(object({ portMapping })) }),
  route: object({
    priority: 'number',
    httpRoute,
    http2Route: httpRoute,
    grpcRoute: object({
      match: object({ ...grpcMatch, methodName: 'text' }), action, retryPolicy: object({ ...retryPolicy, grpcRetryEvents: texts }), timeout,
    }),
    tcpRoute: object({ match: object({ port: 'number' }), action, timeout: tcpTimeout }),
  }),
  virtualNode: object({
    listeners: list(object({
      portMapping,
      healthCheck,
      timeout: object({ http: timeout, http2: timeout, grpc: timeout, tcp: tcpTimeout }),
      connectionPool: object({ ...pools, tcp: object({ maxConnections: 'number' }) }),
      outlierDetection: object({
        maxServerErrors: 'number', interval: duration, baseEjectionDuration: duration, maxEjectionPercent: 'number',
      }),
      tls: listenerTls,
    })),
    backends: list(object({ virtualService: object({ virtualServiceName: 'name', clientPolicy }) })),
    backendDefaults: object({ clientPolicy }),
    serviceDiscovery: object({
      dns: object({ hostname: 'text', responseType: 'text', ipPreference: 'text' }),
      awsCloudMap: object({ namespaceName: 'text', serviceName: 'text', attributes: pairs, ipPreference: 'text' }),
    }),
    logging,
  }),
  virtualGateway: object({
    listeners: list(object({ portMapping, healthCheck, connectionPool: object(pools), tls: listenerTls })),
    backendDefaults: object({ clientPolicy }),
    logging,
  }),
  gatewayRoute: object({
    priority: 'number',
    httpRoute: httpGatewayRoute,
    http2Route: httpGatewayRoute,
    grpcRoute: object({
      match: object({ ...grpcMatch, hostname: hostnameMatch }),
      action: object({ target, rewrite: object({ hostname: hostnameRewrite }) }),
    }),
  }),
}

const parents: Partial<Record<ResourceKind, string>> = { route: 'virtualRouterName', gatewayRoute: 'virtualGatewayName' }

/** The field of a body that holds the resource's own name: `virtualNodeName`. */
export const nameField = (kind: ResourceKind): string => `${kind}Name`

/** The field of a body that names what the resource belongs to, within its mesh; only routes have one. */
export const parentField = (kind: ResourceKind): string | undefined => parents[kind]

const bodyOf = (kind: ResourceKind): ObjectShape => {
  const parent = parentField(kind)
  return object({
    meshName: 'name',
    ...(kind === 'mesh' ? {} : { meshOwner: 'text' }),
    ...(parent === undefined ? {} : { [parent]: 'name' }),
    [nameField(kind)]: 'name',
    spec: specs[kind],
    tags: pairs,
  })
}

/** All kinds of resource, each with the shape of its `Create*Input`. */
export const bodies: Readonly<Record<ResourceKind, ObjectShape>> = {
  mesh: bodyOf('mesh'), virtualService: bodyOf('virtualService'), virtualNode: bodyOf('virtualNode'), virtualRouter: bodyOf('virtualRouter'),
  route: bodyOf('route'), virtualGateway: bodyOf('virtualGateway'), gatewayRoute: bodyOf('gatewayRoute'),
}
