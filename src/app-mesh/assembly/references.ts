import { didYouMean } from '../../mesh/faults.ts'
import { faultAt, type Defined, type Definitions } from './definitions.ts'
import type { BodyPath, Fault } from '../found.ts'
import { kindOf } from './never-matching.ts'

/**
 * Whether resources that name one another fit together. What is not there at all is a warning, as AWS let people define things
 * in any order and parts may be defined elsewhere; what is there and does not fit is an error.
 */
export const references = (definitions: Definitions): readonly Fault[] => [
  ...definitions.all('virtualService').flatMap((service) => ofService(service, definitions)),
  ...definitions.all('virtualRouter').flatMap(ofRouter),
  ...definitions.all('virtualNode').flatMap((node) => ofNode(node, definitions)),
  ...definitions.all('route').flatMap((route) => ofRoute(route, definitions)),
  ...definitions.all('gatewayRoute').flatMap((route) => ofGatewayRoute(route, definitions)),
]

type Named = 'virtualNode' | 'virtualRouter' | 'virtualService' | 'virtualGateway'

const inWords: Readonly<Record<Named, string>> = {
  virtualNode: 'virtual node', virtualRouter: 'virtual router', virtualService: 'virtual service', virtualGateway: 'virtual gateway',
}

const missing = (
  { found, body }: Defined, path: BodyPath, kind: Named, name: string, definitions: Definitions, effect: string,
): readonly Fault[] => {
  if (definitions.has(kind, body.meshName, name)) return []
  const hint = didYouMean(name, definitions.names(kind, body.meshName))
  return [faultAt('warning', found, path, `there is no ${inWords[kind]} '${name}' (${hint.replace(/\?$/, '')}): ${effect}`)]
}

const ofService = (service: Defined<'virtualService'>, definitions: Definitions): readonly Fault[] => {
  const { found, body: { spec: { provider } } } = service
  const at = ['spec', 'provider']
  const effect = 'calls to this service are refused'
  if (!provider) return [faultAt('warning', found, ['spec'], 'has no provider: calls to this service are refused')]
  if (provider.virtualNode) return missing(service, [...at, 'virtualNode', 'virtualNodeName'], 'virtualNode', provider.virtualNode.virtualNodeName, definitions, effect)
  return missing(service, [...at, 'virtualRouter', 'virtualRouterName'], 'virtualRouter', provider.virtualRouter!.virtualRouterName, definitions, effect)
}

interface Listening {
  readonly portMapping: { readonly port: number }
}

const portsOf = (listeners: readonly Listening[] = []): readonly number[] => listeners.map(({ portMapping }) => portMapping.port)

const twinPorts = ({ found }: Defined, listeners: readonly Listening[] | undefined): readonly Fault[] => {
  const ports = portsOf(listeners)
  return ports.flatMap((port, index) => ports.indexOf(port) === index ? []
    : [faultAt('error', found, ['spec', 'listeners', index, 'portMapping', 'port'], `is the port of another listener already (${port}): give each its own`)])
}

const ofRouter = (router: Defined<'virtualRouter'>): readonly Fault[] => twinPorts(router, router.body.spec.listeners)

const ofNode = (node: Defined<'virtualNode'>, definitions: Definitions): readonly Fault[] => {
  const { spec: { listeners, backends = [] } } = node.body
  const names = backends.map(({ virtualService }) => virtualService?.virtualServiceName ?? '')
  return [
    ...twinPorts(node, listeners),
    ...(listeners ?? []).flatMap(({ healthCheck }, index) => {
      if (healthCheck?.path === undefined || healthCheck.protocol === 'http' || healthCheck.protocol === 'http2') return []
      const path = ['spec', 'listeners', index, 'healthCheck', 'path']
      return [faultAt('warning', node.found, path, `has no meaning for ${healthCheck.protocol}: leave it out, or check by http or http2`)]
    }),
    ...names.flatMap((name, index) => {
      const path = ['spec', 'backends', index, 'virtualService', 'virtualServiceName']
      if (names.indexOf(name) < index) return [faultAt('warning', node.found, path, `'${name}' is a backend already: one of the two is enough`)]
      return missing(node, path, 'virtualService', name, definitions, 'it cannot be called')
    }),
  ]
}

const routeProtocols = { httpRoute: 'http', http2Route: 'http2', grpcRoute: 'grpc', tcpRoute: 'tcp' } as const

const ofRoute = (route: Defined<'route'>, definitions: Definitions): readonly Fault[] => {
  const { found, body } = route
  const { kind, route: written } = kindOf(body)
  return [
    ...missing(route, ['virtualRouterName'], 'virtualRouter', body.virtualRouterName, definitions, 'no request comes to this route'),
    ...ofListeners(route, definitions),
    ...written.action.weightedTargets.flatMap((target, index) => ofTarget(route, ['spec', kind, 'action', 'weightedTargets', index], target, definitions)),
    ...(body.spec.httpRoute?.match.scheme === undefined ? []
      : [faultAt('warning', found, ['spec', kind, 'match', 'scheme'], 'was for http2Route only: it is taken here too')]),
    ...tooShort(route),
  ]
}

/** A router with several listeners has to know from each route which one it is for. */
const ofListeners = ({ found, body }: Defined<'route'>, definitions: Definitions): readonly Fault[] => {
  const listeners = definitions.one('virtualRouter', body.meshName, body.virtualRouterName)?.spec.listeners ?? []
  const { kind, route } = kindOf(body)
  const asked = route.match?.port
  const ports = portsOf(listeners)
  const at = ['spec', kind, 'match']
  if (ports.length === 0) return []
  if (asked === undefined) {
    if (ports.length > 1) {
      return [faultAt('error', found, at, `needs \`port\`, since router '${body.virtualRouterName}' has several listeners: write one of ${ports.join(', ')}`)]
    }
  } else if (!ports.includes(asked)) {
    return [faultAt('warning', found, [...at, 'port'], `can never match: router '${body.virtualRouterName}' listens on ${ports.join(', ')}, not on ${asked}`)]
  }
  const fits = listeners.some(({ portMapping: { port, protocol } }) => (asked ?? port) === port && protocol === routeProtocols[kind])
  return fits ? [] : [faultAt('warning', found, ['spec', kind],
    `does not fit router '${body.virtualRouterName}', whose listener speaks ${listeners.map(({ portMapping }) => portMapping.protocol).join(', ')}: Envoy used no such route`)]
}

interface Target {
  readonly virtualNode: string
  readonly port?: number | undefined
}

const ofTarget = (
  route: Defined<'route'>, path: BodyPath, { virtualNode, port }: Target, definitions: Definitions,
): readonly Fault[] => {
  const node = definitions.one('virtualNode', route.body.meshName, virtualNode)
  if (!node) return missing(route, [...path, 'virtualNode'], 'virtualNode', virtualNode, definitions, 'its share of the requests is refused')
  const ports = portsOf(node.spec.listeners)
  if (port === undefined) {
    return ports.length < 2 ? [] : [faultAt('error', route.found, path,
      `needs \`port\`, since node '${virtualNode}' has several listeners: write one of ${ports.join(', ')}`)]
  }
  if (ports.includes(port)) return []
  return [faultAt('error', route.found, [...path, 'port'],
    `node '${virtualNode}' does not listen on ${port}: ${ports.length === 0 ? 'it has no listener' : `write ${ports.join(' or ')}`}`)]
}

/** The time for a request spans all its attempts. */
const tooShort = ({ found, body }: Defined<'route'>): readonly Fault[] => {
  const { kind, route } = kindOf(body)
  if (!('retryPolicy' in route) || !route.retryPolicy) return []
  const { perRetryTimeout } = route.retryPolicy
  const whole = route.timeout?.perRequest
  if (!whole?.value || !perRetryTimeout.value) return []
  const ms = ({ unit, value = 0 }: { readonly unit?: string | undefined, readonly value?: number | undefined }): number => unit === 's' ? value * 1_000 : value
  if (ms(whole) >= ms(perRetryTimeout)) return []
  return [faultAt('warning', found, ['spec', kind, 'timeout', 'perRequest'],
    `is shorter than perRetryTimeout: it spans all attempts, so not even the first can take as long as it may`)]
}

const ofGatewayRoute = (route: Defined<'gatewayRoute'>, definitions: Definitions): readonly Fault[] => {
  const { virtualGatewayName, spec } = route.body
  const kind = spec.httpRoute ? 'httpRoute' : spec.http2Route ? 'http2Route' : 'grpcRoute'
  const { target } = spec[kind]!.action
  const path = ['spec', kind, 'action', 'target', 'virtualService', 'virtualServiceName']
  return [
    ...missing(route, ['virtualGatewayName'], 'virtualGateway', virtualGatewayName, definitions, 'no request comes to this route'),
    ...missing(route, path, 'virtualService', target.virtualService.virtualServiceName, definitions, 'its requests are refused'),
    ...ofTargetPort(route, ['spec', kind, 'action', 'target'], target, definitions),
  ]
}

interface GatewayTarget {
  readonly virtualService: { readonly virtualServiceName: string }
  readonly port?: number | undefined
}

/** Where what provides a service has several listeners, the gateway has to say which it calls. */
const ofTargetPort = (
  { found, body: { meshName } }: Defined<'gatewayRoute'>, path: BodyPath, { virtualService, port }: GatewayTarget, definitions: Definitions,
): readonly Fault[] => {
  const name = virtualService.virtualServiceName
  const provider = definitions.one('virtualService', meshName, name)?.spec.provider
  const { virtualNodeName = '' } = provider?.virtualNode ?? {}
  const { virtualRouterName = '' } = provider?.virtualRouter ?? {}
  const { spec } = definitions.one('virtualNode', meshName, virtualNodeName) ?? definitions.one('virtualRouter', meshName, virtualRouterName) ?? {}
  const ports = portsOf(spec?.listeners)
  const among = `'${name}' listens on ${ports.join(', ')}`
  if (port === undefined && ports.length > 1) {
    return [faultAt('warning', found, path, `needs \`port\`, since ${among}: without it, 80 is called`)]
  }
  if (port === undefined || ports.length === 0 || ports.includes(port)) return []
  return [faultAt('warning', found, [...path, 'port'], `is ${port}, and ${among}: no route is for that`)]
}
