import type { MeshInput } from '../mesh/config.ts'
import { serviceAddress } from '../mesh/config.ts'
import type { AppMeshDocument, VirtualService } from './document.ts'
import { AppMeshError, faultInWords } from './error.ts'
import type { NodeListener } from './document/listener.ts'
import type { Fault } from './found.ts'
import { accessLogOf } from './translation/access-log.ts'
import { callerOf, type Caller } from './translation/caller.ts'
import type { Certificates } from './translation/client-tls.ts'
import { Clusters, listenersOf, type Endpoints } from './translation/clusters.ts'
import { Remarks } from './translation/remarks.ts'
import { defaultGrpcPolicy, defaultPolicy, routesOf, tcpPolicy, type RouteInput } from './translation/routes.ts'

/** How a document is taken over. */
export interface FromAppMeshOptions {
  /**
   * The virtual node, or the virtual gateway, that this process is: its backends decide what may be called, and its client
   * policies how. Without it the process is nobody in particular and may call every virtual service.
   */
  readonly as?: string
  /**
   * Addresses in place of a node's discovery: `{ 'pricing-node': ['127.0.0.1:9001'] }`, or by `node:port` for one of its
   * listeners. They are dialled as they are written: TLS of the definition is spoken to `https://…` alone.
   */
  readonly endpoints?: Endpoints
  /**
   * PEM files by what the definition names: the ARN of an authority, the name of a secret, or the path of a file on the
   * machines of the proxies.
   */
  readonly certificates?: Certificates
  /**
   * Hears what has no effect in a process, or another one than in a proxy. By default the process warns once
   * (`process.emitWarning`).
   */
  readonly onWarning?: (warning: Fault) => void
}

/**
 * Makes a configuration of an App Mesh document: plain data for `createMesh`. Services are the virtual services that may be
 * called, and a cluster is a virtual node, one of its listeners, and the client policy under which it is called.
 *
 * Every field has its effect, or `onWarning` hears that it has none. Throws an `AppMeshError` where the mesh could not do what
 * was defined: for a node that is not there, or for certificates that only proxies could read. The file of such faults is
 * empty.
 */
export const fromAppMesh = (document: AppMeshDocument, options: FromAppMeshOptions = {}): MeshInput => {
  const remarks = new Remarks()
  const mesh = ofOneMesh(document)
  const caller = callerOf(mesh, options.as, remarks)
  const clusters = new Clusters(mesh, options.endpoints ?? {}, options.certificates ?? {}, remarks)
  const services: Record<string, ServiceInput> = {}
  const dialled = new Map<string, string>()
  for (const service of caller.services) {
    const { virtualServiceName } = service
    const address = serviceAddress(virtualServiceName)
    const say = (severity: 'warn' | 'refuse', message: string): void =>
      remarks[severity](`virtualService ${virtualServiceName}`, ['virtualServiceName'], message)
    if (!address) {
      say('warn', 'is no host that could be dialled: the service is left out')
      continue
    }
    const { host, port = '' } = address
    const twin = dialled.get(`${host}:${port}`)
    if (twin !== undefined) say('refuse', `is dialled as '${twin}' is: case and a trailing dot make no difference`)
    dialled.set(`${host}:${port}`, virtualServiceName)
    services[virtualServiceName] = serviceOf(service, mesh, caller, clusters, remarks)
  }
  remarkOnNode(mesh, options.as, remarks)
  remarkOnGateway(mesh, options.as, remarks)
  const accessLog = accessLogOf(caller.logging, caller.resource, remarks)
  const errors = remarks.faults.filter(({ severity }) => severity === 'error')
  if (errors.length > 0) throw new AppMeshError(remarks.faults)
  tell(remarks.faults, options.onWarning)
  return {
    services,
    clusters: clusters.all,
    egress: caller.open ? 'allow' : { allow: ['*.amazonaws.com'] },
    ...(accessLog && { telemetry: { accessLog } }),
  }
}

type ServiceInput = NonNullable<MeshInput['services']>[string]

/** The document without what belongs to another mesh. */
const ofOneMesh = (document: AppMeshDocument): AppMeshDocument => {
  const { meshName } = document.mesh
  const own = <Body extends { readonly meshName: string }>(bodies: Body[]): Body[] => bodies.filter((body) => body.meshName === meshName)
  return {
    mesh: document.mesh,
    virtualGateways: own(document.virtualGateways),
    gatewayRoutes: own(document.gatewayRoutes),
    virtualServices: own(document.virtualServices),
    virtualRouters: own(document.virtualRouters),
    routes: own(document.routes),
    virtualNodes: own(document.virtualNodes),
  }
}

const serviceOf = (
  { virtualServiceName: name, spec: { provider } }: VirtualService, document: AppMeshDocument, caller: Caller, clusters: Clusters, remarks: Remarks,
): ServiceInput => {
  const clusterFor = (node: string, port: number | undefined): string => clusters.for(node, port, name, caller.policyFor(name))
  if (provider?.virtualNode) return nodeService(provider.virtualNode.virtualNodeName, clusters, clusterFor)
  const routerName = provider?.virtualRouter?.virtualRouterName
  const routes = routesOf(document.routes.filter(({ virtualRouterName }) => virtualRouterName === routerName), clusterFor, remarks)
  if (routes.length > 0) return { routes }
  remarks.warn(`virtualService ${name}`, ['spec', 'provider'], 'leads nowhere, so calls to this service are refused: give it a provider with routes')
  return { cluster: clusters.refusing(`${name} without routes`) }
}

/** A node with several listeners is a route for each port. */
const nodeService = (
  name: string, clusters: Clusters, clusterFor: (node: string, port: number | undefined) => string,
): ServiceInput => {
  const node = clusters.node(name)
  const ports = (node ? listenersOf(node) : []).map(({ portMapping }) => portMapping)
  if (ports.length < 2) return { cluster: clusterFor(name, undefined), ...policyOf(ports[0]?.protocol) }
  return {
    routes: ports.map(({ port, protocol }, index): RouteInput => ({
      name: `port ${port}`, match: { port }, to: clusterFor(name, port), priority: index, ...policyOf(protocol),
    })),
  }
}

const policyOf = (protocol: NodeListener['portMapping']['protocol'] | undefined): typeof defaultPolicy =>
  protocol === 'tcp' ? tcpPolicy : protocol === 'grpc' ? defaultGrpcPolicy : defaultPolicy

/** What a proxy did for the process that it stood before. */
const remarkOnNode = ({ virtualNodes }: AppMeshDocument, as: string | undefined, remarks: Remarks): void => {
  const node = virtualNodes.find(({ virtualNodeName }) => virtualNodeName === as)
  if (!node) return
  const resource = `virtualNode ${node.virtualNodeName}`
  listenersOf(node).forEach(({ tls }, index) => {
    if (tls && tls.mode !== 'DISABLED') {
      remarks.warn(resource, ['spec', 'listeners', index, 'tls'], 'is no business of a caller: have the server of this process speak TLS itself, by `meshTls` of enmesh/server for instance')
    }
  })
}

/** What a proxy did at the door of the mesh; its routes are taken by whoever makes the gateway. */
const remarkOnGateway = ({ virtualNodes, virtualGateways }: AppMeshDocument, as: string | undefined, remarks: Remarks): void => {
  if (virtualNodes.some(({ virtualNodeName }) => virtualNodeName === as)) return
  const gateway = virtualGateways.find(({ virtualGatewayName }) => virtualGatewayName === as)
  gateway?.spec.listeners.forEach(({ tls, connectionPool, healthCheck }, index) => {
    const warn = (field: string, message: string): void =>
      remarks.warn(`virtualGateway ${gateway.virtualGatewayName}`, ['spec', 'listeners', index, field], message)
    if (tls && tls.mode !== 'DISABLED') warn('tls', 'is no business of a caller: have the server of this gateway speak TLS itself')
    if (connectionPool) warn('connectionPool', 'limits what comes in, which is no business of a caller: limit it at the server of this gateway')
    if (healthCheck) warn('healthCheck', 'has no effect: whoever stands before this gateway asks it')
  })
}

const tell = (warnings: readonly Fault[], onWarning: ((warning: Fault) => void) | undefined): void => {
  if (onWarning) warnings.forEach((warning) => onWarning(warning))
  else if (warnings.length > 0) {
    process.emitWarning(`Of the App Mesh definitions, ${warnings.length === 1 ? 'one thing is' : `${warnings.length} things are`} not as in a proxy `
      + `(hear of each by \`onWarning\`):${warnings.map((warning) => `\n  ${faultInWords(warning)}`).join('')}`, 'EnmeshWarning')
  }
}
