import type {
  AppMesh, AppMeshDocument, GatewayRoute, Route, VirtualGateway, VirtualNode, VirtualRouter, VirtualService,
} from '../document.ts'
import type { BodyPath, Fault, Found, ResourceKind } from '../found.ts'

/** The resources by their kinds. */
export interface Bodies {
  readonly mesh: AppMesh
  readonly virtualGateway: VirtualGateway
  readonly gatewayRoute: GatewayRoute
  readonly virtualService: VirtualService
  readonly virtualRouter: VirtualRouter
  readonly route: Route
  readonly virtualNode: VirtualNode
}

/** A resource whose shape is right, and where it stood. */
export interface Defined<Kind extends ResourceKind = ResourceKind> {
  readonly found: Found
  readonly body: Bodies[Kind]
}

const nameFields = {
  mesh: ['meshName'],
  virtualGateway: ['meshName', 'virtualGatewayName'],
  gatewayRoute: ['meshName', 'virtualGatewayName', 'gatewayRouteName'],
  virtualService: ['meshName', 'virtualServiceName'],
  virtualRouter: ['meshName', 'virtualRouterName'],
  route: ['meshName', 'virtualRouterName', 'routeName'],
  virtualNode: ['meshName', 'virtualNodeName'],
} as const satisfies Record<ResourceKind, readonly string[]>

/** What tells a resource from all others: its kind and its names, the mesh's first. */
export const identityOf = (kind: ResourceKind, body: unknown): string | undefined => {
  const names = nameFields[kind].map((field) => (body as Readonly<Record<string, unknown>> | null)?.[field])
  return names.every((name) => typeof name === 'string') ? [kind, ...names].join('\0') : undefined
}

/** What is said of a place inside a resource. */
export const faultAt = (severity: Fault['severity'], found: Found, path: BodyPath, message: string): Fault => {
  const place = found.at(path)
  return { severity, file: found.file, ...found.position?.(place), resource: found.resource, ...(place !== '' && { path: place }), message }
}

/** All resources that were found. */
export class Definitions {
  readonly #kinds = new Map<ResourceKind, Defined[]>()
  readonly #bodies = new Map<string, Bodies[ResourceKind]>()
  readonly #known: ReadonlySet<string>

  /** `known`: the identities of all that were found, those included whose shape is wrong. */
  constructor(defined: readonly Defined[], known: ReadonlySet<string>) {
    this.#known = known
    for (const one of defined) {
      const { kind } = one.found
      this.#bodies.set(identityOf(kind, one.body)!, one.body)
      const others = this.#kinds.get(kind)
      if (others) others.push(one)
      else this.#kinds.set(kind, [one])
    }
  }

  /** Those of one kind, in the order found. */
  all<Kind extends ResourceKind>(kind: Kind): readonly Defined<Kind>[] {
    return (this.#kinds.get(kind) ?? []) as unknown as readonly Defined<Kind>[]
  }

  /** One by its names, the mesh's first; `undefined` also where its shape is wrong. */
  one<Kind extends ResourceKind>(kind: Kind, ...names: readonly string[]): Bodies[Kind] | undefined {
    return this.#bodies.get([kind, ...names].join('\0')) as Bodies[Kind] | undefined
  }

  /** Whether there is one, be its shape right or wrong. */
  has(kind: ResourceKind, ...names: readonly string[]): boolean {
    return this.#known.has([kind, ...names].join('\0'))
  }

  /** The names that those of one kind have in a mesh. */
  names(kind: ResourceKind, meshName: string): readonly string[] {
    return [...this.#known].map((identity) => identity.split('\0')).filter(([of, mesh]) => of === kind && mesh === meshName).map((parts) => parts.at(-1)!)
  }

  /** The document that they make. */
  document(mesh: AppMesh): AppMeshDocument {
    const bodies = <Kind extends ResourceKind>(kind: Kind): Bodies[Kind][] => this.all(kind).map(({ body }) => body)
    return {
      mesh,
      virtualGateways: bodies('virtualGateway'),
      gatewayRoutes: bodies('gatewayRoute'),
      virtualServices: bodies('virtualService'),
      virtualRouters: bodies('virtualRouter'),
      routes: bodies('route'),
      virtualNodes: bodies('virtualNode'),
    }
  }
}
