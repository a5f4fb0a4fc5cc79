import { readArn } from '../../body/arn.ts'
import { faultOf, toFound, type Dialect, type Tell } from '../../body/body.ts'
import type { Found, ResourceKind } from '../../found.ts'
import type { Cluster } from './cluster.ts'
import { referenceIn, type Manifest } from './manifests.ts'
import { nameField, parentField, type ObjectShape } from '../../body/shape.ts'
import { below, fieldOf, naming, objectOf, plain, textOf, type Traced, type TracedObject } from '../../body/traced.ts'

/** Kinds of the controller's version `v1beta2` that are resources of App Mesh; routes stand in their VirtualRouter. */
const kinds: Readonly<Record<string, ResourceKind>> = {
  Mesh: 'mesh', VirtualService: 'virtualService', VirtualNode: 'virtualNode', VirtualRouter: 'virtualRouter',
  VirtualGateway: 'virtualGateway', GatewayRoute: 'gatewayRoute',
}

/** What the controller alone makes use of. */
const ofController = new Set([
  'awsName', 'namespaceSelector', 'podSelector', 'gatewayRouteSelector', 'meshRef', 'virtualGatewayRef', 'backendGroups', 'routes', 'meshOwner',
])

/** References to other manifests, with the fields of the API that hold the names. */
const references: Readonly<Record<string, { readonly kind: string, readonly fields: readonly string[] }>> = {
  virtualNode: { kind: 'VirtualNode', fields: ['virtualNode', 'virtualNodeName'] },
  virtualService: { kind: 'VirtualService', fields: ['virtualServiceName'] },
  virtualRouter: { kind: 'VirtualRouter', fields: ['virtualRouterName'] },
}

const reference = /^(virtualNode|virtualService|virtualRouter)(Ref|ARN)$/

const spellings: Readonly<Record<string, string>> = {
  certificateARN: 'certificateArn', certificateAuthorityARNs: 'certificateAuthorityArns',
}

/** The API's names but for references, which are to manifests or ARNs. */
class V1beta2Dialect implements Dialect {
  readonly #cluster: Cluster
  readonly #manifest: Manifest
  readonly #tell: Tell

  constructor(cluster: Cluster, manifest: Manifest, tell: Tell) {
    this.#cluster = cluster
    this.#manifest = manifest
    this.#tell = tell
  }

  field(name: string, value: Traced, shape: ObjectShape): { name: string, value: Traced } | undefined {
    if (value.kind === 'plain' && value.value === null) return undefined
    const field = Object.hasOwn(spellings, name) ? spellings[name]! : name
    if (Object.hasOwn(shape.fields, field)) return { name: field, value }
    const [, to, how] = reference.exec(name) ?? []
    const target = to === undefined ? undefined : references[to]!
    const holder = target?.fields.find((known) => Object.hasOwn(shape.fields, known))
    if (target && holder !== undefined) return { name: holder, value: how === 'Ref' ? this.#referred(target.kind, value) : this.#byArn(value) }
    this.#say('warning', value.where, `is no field of a ${this.#manifest.kind} here: the Kubernetes API leaves it out, and so it is now; delete it`)
    return undefined
  }

  value(traced: Traced): Traced {
    return traced
  }

  #referred(kind: string, value: Traced): Traced {
    const read = referenceIn(value, (where, message) => { this.#say('error', where, message) })
    if (!read) return { kind: 'unread', where: value.where }
    return plain(this.#cluster.named(kind, read.name, read.namespace ?? this.#manifest.namespace), value.where)
  }

  #byArn(value: Traced): Traced {
    const text = textOf(value)
    if (text === undefined) return value
    const arn = readArn(text)
    if (!arn) this.#say('warning', value.where, `is no ARN of App Mesh (arn:aws:appmesh:…:mesh/…): it is read as the name "${text}"`)
    return plain(arn?.name ?? text, value.where)
  }

  #say(severity: 'error' | 'warning', path: string, message: string): void {
    this.#tell(faultOf(this.#manifest, severity, path, message))
  }
}

/** Reads one manifest of `appmesh.k8s.aws/v1beta2`: what the controller would have made of it in App Mesh. */
export const readV1beta2 = (manifest: Manifest, cluster: Cluster, tell: Tell): readonly Found[] => {
  const kind = Object.hasOwn(kinds, manifest.kind) ? kinds[manifest.kind]! : undefined
  // Groups of backends are read with the nodes that name them.
  if (manifest.kind === 'BackendGroup') return []
  if (kind === undefined) {
    tell(faultOf(manifest, 'error', below(manifest.top.where, 'kind'),
      `is "${manifest.kind}", and App Mesh has ${Object.keys(kinds).join(', ')} and BackendGroup`))
    return []
  }
  return new Reading(manifest, kind, cluster, tell).read()
}

class Reading {
  readonly #manifest: Manifest
  readonly #kind: ResourceKind
  readonly #cluster: Cluster
  readonly #tell: Tell
  readonly #dialect: Dialect

  constructor(manifest: Manifest, kind: ResourceKind, cluster: Cluster, tell: Tell) {
    this.#manifest = manifest
    this.#kind = kind
    this.#cluster = cluster
    this.#tell = tell
    this.#dialect = new V1beta2Dialect(cluster, manifest, tell)
  }

  read(): readonly Found[] {
    const spec = this.#spec()
    const own = this.#cluster.ownName(this.#manifest)
    if (this.#kind === 'mesh') {
      return [this.#found('mesh', { meshName: own, ...(spec.entries.size > 0 ? { spec } : {}) })]
    }
    const mesh = this.#cluster.meshOf(this.#manifest)
    const within: Readonly<Record<string, Traced>> = mesh ? { meshName: mesh } : {}
    const parent = parentField(this.#kind)
    const above = parent === undefined ? {} : { [parent]: this.#gateway() }
    const whole = this.#found(this.#kind, { ...within, ...above, [nameField(this.#kind)]: own, spec })
    return this.#kind === 'virtualRouter' ? [whole, ...this.#routes(within, own)] : [whole]
  }

  #found(kind: ResourceKind, fields: Readonly<Record<string, Traced>>): Found {
    return toFound(kind, objectOf(fields, this.#manifest.top.where), this.#dialect, this.#manifest, this.#tell)
  }

  /** The spec without what is the controller's, and with the backends of its groups. */
  #spec(): TracedObject {
    const where = below(this.#manifest.top.where, 'spec')
    const spec = fieldOf(this.#manifest.top, 'spec')
    if (spec !== undefined && spec.kind !== 'object' && !(spec.kind === 'plain' && spec.value === null)) {
      this.#say('error', where, `is ${naming(spec)}: write the spec as an object`)
    }
    if (spec?.kind !== 'object') return objectOf({}, where)
    const entries = new Map([...spec.entries].filter(([name]) => !ofController.has(name)))
    const groups = spec.entries.get('backendGroups')
    if (groups && this.#kind === 'virtualNode') entries.set('backends', this.#withGroups(entries.get('backends'), groups))
    return { ...spec, entries }
  }

  #withGroups(backends: Traced | undefined, groups: Traced): Traced {
    if (groups.kind !== 'list') return backends ?? groups
    const own = backends?.kind === 'list' ? backends.items : []
    const grouped = groups.items.flatMap((group) => this.#members(group))
    // Written before its groups: what it says of a backend itself counts.
    return { kind: 'list', where: (backends ?? groups).where, items: [...own, ...grouped] }
  }

  #members(group: Traced): readonly Traced[] {
    const named = referenceIn(group, (where, message) => { this.#say('error', where, message) })
    if (!named) return []
    const namespace = named.namespace ?? this.#manifest.namespace
    const manifest = this.#cluster.find('BackendGroup', named.name, namespace)
    const services = fieldOf(fieldOf(manifest?.top, 'spec'), 'virtualservices')
    if (named.name === '*') {
      return this.#cluster.all('VirtualService', namespace).map((service) => backend(this.#cluster.ownName(service), group.where))
    }
    if (!manifest) this.#say('error', group.where, `names the BackendGroup ${namespace}/${named.name}, which is not among the files: add it`)
    if (services?.kind !== 'list') return []
    return services.items.flatMap((service) => {
      const read = referenceIn(service, (_, message) => { this.#say('error', group.where, `names a BackendGroup in which a virtual service ${message}`) })
      return read ? [backend(plain(this.#cluster.named('VirtualService', read.name, read.namespace ?? namespace), group.where), group.where)] : []
    })
  }

  #gateway(): Traced {
    const where = below(this.#manifest.top.where, 'metadata')
    const gateway = this.#cluster.gatewayOf(this.#manifest)
    if (!gateway) this.#say('error', where, 'belongs to no virtual gateway: add the VirtualGateway whose namespaceSelector selects it')
    return gateway ?? { kind: 'unread', where }
  }

  #routes(within: Readonly<Record<string, Traced>>, router: Traced): readonly Found[] {
    const routes = fieldOf(fieldOf(this.#manifest.top, 'spec'), 'routes')
    if (routes === undefined || (routes.kind === 'plain' && routes.value === null)) return []
    if (routes.kind !== 'list') {
      this.#say('error', routes.where, `is ${naming(routes)}: write a list of routes`)
      return []
    }
    return routes.items.map((route) => {
      if (route.kind !== 'object') this.#say('error', route.where, `is ${naming(route)}: write { name: …, httpRoute: … }`)
      const { name, ...spec } = route.kind === 'object' ? Object.fromEntries(route.entries) : {}
      const fields = { ...within, virtualRouterName: router, ...(name ? { routeName: name } : {}), spec: objectOf(spec, route.where) }
      return toFound('route', objectOf(fields, route.where), this.#dialect, this.#manifest, this.#tell)
    })
  }

  #say(severity: 'error' | 'warning', path: string, message: string): void {
    this.#tell(faultOf(this.#manifest, severity, path, message))
  }
}

const backend = (name: Traced, where: string): Traced =>
  objectOf({ virtualService: objectOf({ virtualServiceName: { ...name, where } }, where) }, where)
