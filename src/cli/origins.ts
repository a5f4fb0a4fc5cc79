import type { AppMeshReading, BodyPath, Found, ResourceKind } from '../app-mesh/index.ts'
import type { ToldFault } from './faults.ts'

/** Where something is defined. */
export interface Origin {
  readonly file: string
  /** What the file calls it. */
  readonly resource: string
}

type Names = Readonly<Record<string, unknown>>

const nameFields = {
  mesh: 'meshName', virtualService: 'virtualServiceName', virtualNode: 'virtualNodeName', virtualRouter: 'virtualRouterName',
  route: 'routeName', virtualGateway: 'virtualGatewayName', gatewayRoute: 'gatewayRouteName',
} as const satisfies Record<ResourceKind, string>

const isKind = (word: string): word is ResourceKind => Object.hasOwn(nameFields, word)

/** Steps of a place as it is written: `spec.listeners[0].tls`. */
const stepsOf = (path: string): BodyPath =>
  [...path.matchAll(/\[(\d+)\]|[^.[\]]+/g)].map(([step, index]) => index === undefined ? step : Number(index))

/** Knows where each resource of a mesh is defined. */
export class Origins {
  readonly #found: readonly Found[]
  readonly #document: AppMeshReading['document']

  constructor({ found, document }: AppMeshReading) {
    this.#found = found.filter(({ body }) => (body as Names)['meshName'] === document.mesh.meshName)
    this.#document = document
  }

  /** Where a resource is defined; a route is told by its router too. */
  of(kind: ResourceKind, name: string, router?: string): Origin | undefined {
    const found = this.#one(kind, name, router)
    return found && { file: found.file, resource: found.resource }
  }

  /** Where the route of a service is defined, or the node that the service leads to. */
  ofRoute(service: string, route: string): Origin | undefined {
    const { provider } = this.#document.virtualServices.find(({ virtualServiceName }) => virtualServiceName === service)?.spec ?? {}
    if (provider?.virtualNode) return this.of('virtualNode', provider.virtualNode.virtualNodeName)
    return this.of('route', route, provider?.virtualRouter?.virtualRouterName)
  }

  /** Where the node is defined that a cluster stands for: clusters are called `NODE`, `NODE:port` or either with ` for SERVICE`. */
  ofCluster(cluster: string): Origin | undefined {
    const [node = ''] = cluster.split(' for ')
    return this.of('virtualNode', node) ?? this.of('virtualNode', node.replace(/:\d+$/, ''))
  }

  /** A fault of the taking over with its file, and in the file's words. */
  placed(fault: ToldFault): ToldFault {
    const [, kind = '', name = '', router] = /^(\w+) (\S+)(?: of (\S+))?$/.exec(fault.resource ?? '') ?? []
    const found = isKind(kind) ? this.#one(kind, name, router) : undefined
    if (!found) return fault
    const path = found.at(fault.path === undefined ? [] : stepsOf(fault.path))
    const place = fault.path !== undefined && path !== '' ? { path } : {}
    return { ...fault, file: found.file, ...found.position?.(path), resource: found.resource, ...place }
  }

  #one(kind: ResourceKind, name: string, router?: string): Found | undefined {
    return this.#found.find(({ kind: of, body }) => of === kind && (body as Names)[nameFields[kind]] === name
      && (router === undefined || (body as Names)['virtualRouterName'] === router))
  }
}
