import { faultOf, toFound, type Dialect, type Tell } from '../../body/body.ts'
import type { Found, ResourceKind } from '../../found.ts'
import type { Manifest } from './manifests.ts'
import type { ObjectShape } from '../../body/shape.ts'
import { below, fieldOf, naming, objectOf, pairs, plain, textOf, type Traced } from '../../body/traced.ts'

/** Names of `v1beta1` that the API spells in another way. */
const spellings: Readonly<Record<string, string>> = {
  cloudMap: 'awsCloudMap', hostName: 'hostname', http: 'httpRoute', http2: 'http2Route', grpc: 'grpcRoute', tcp: 'tcpRoute',
}

/**
 * How the controller of `v1beta1` kept namespaces apart: `pricing` in `shop` is `pricing-shop`, and `pricing.shop` says so
 * itself.
 */
const namespaced = (name: string, namespace: string): string => name.includes('.') ? name.replaceAll('.', '-') : `${name}-${namespace}`

class V1beta1Dialect implements Dialect {
  readonly #manifest: Manifest
  readonly #tell: Tell

  constructor(manifest: Manifest, tell: Tell) {
    this.#manifest = manifest
    this.#tell = tell
  }

  field(name: string, value: Traced, shape: ObjectShape): { name: string, value: Traced } | undefined {
    if (value.kind === 'plain' && value.value === null) return undefined
    const has = (field: string): boolean => Object.hasOwn(shape.fields, field)
    if (name === 'attributes' && value.kind === 'object') return { name, value: pairs(value) }
    if (has(name)) return { name, value }
    if (Object.hasOwn(spellings, name) && has(spellings[name]!)) return { name: spellings[name]!, value }
    if (name === 'virtualNodeName' && has('virtualNode')) {
      const node = textOf(value)
      return { name: 'virtualNode', value: node === undefined ? value : plain(namespaced(node, this.#manifest.namespace), value.where) }
    }
    if (name === 'perRetryTimeoutMillis' && has('perRetryTimeout')) {
      return { name: 'perRetryTimeout', value: objectOf({ unit: plain('ms', value.where), value }, value.where) }
    }
    this.#tell(faultOf(this.#manifest, 'warning', value.where,
      `is no field of a ${this.#manifest.kind} here: the controller takes no notice of it, and nor does this; delete it`))
    return undefined
  }

  value(traced: Traced): Traced {
    return traced
  }
}

/** Reads one manifest of `appmesh.k8s.aws/v1beta1`, where a virtual service has its router and its routes in itself. */
export const readV1beta1 = (manifest: Manifest, tell: Tell): readonly Found[] => {
  const { top, kind } = manifest
  const say = (path: string, message: string): void => { tell(faultOf(manifest, 'error', path, message)) }
  const spec = fieldOf(top, 'spec')
  const where = below(top.where, 'spec')
  if (spec !== undefined && spec.kind !== 'object' && !(spec.kind === 'plain' && spec.value === null)) say(where, `is ${naming(spec)}: write the spec as an object`)
  const { meshName, serviceDiscoveryType, virtualRouter, routes, ...rest } = spec?.kind === 'object' ? Object.fromEntries(spec.entries) : {}
  void serviceDiscoveryType
  const dialect = new V1beta1Dialect(manifest, tell)
  const name = fieldOf(fieldOf(top, 'metadata'), 'name')!
  const named = (text: string, at: string): Traced => plain(namespaced(text, manifest.namespace), at)
  const found = (what: ResourceKind, fields: Readonly<Record<string, Traced>>, at: string): Found =>
    toFound(what, objectOf(fields, at), dialect, manifest, tell)
  const within = { ...(meshName ? { meshName } : {}) }
  switch (kind) {
    case 'Mesh':
      return [found('mesh', { meshName: name, ...(Object.keys(rest).length > 0 ? { spec: objectOf(rest, where) } : {}) }, top.where)]
    case 'VirtualNode':
      return [found('virtualNode', { ...within, virtualNodeName: named(manifest.name, name.where), spec: objectOf(rest, where) }, top.where)]
    case 'VirtualService': {
      const routerName = textOf(fieldOf(virtualRouter, 'name'))
      const virtualRouterName = named(routerName ?? manifest.name, routerName === undefined ? name.where : below(virtualRouter!.where, 'name'))
      const listeners = fieldOf(virtualRouter, 'listeners')
      const provider = objectOf({ virtualRouter: objectOf({ virtualRouterName }, virtualRouterName.where) }, where)
      if (virtualRouter && virtualRouter.kind !== 'object') {
        say(virtualRouter.where, `is ${naming(virtualRouter)}: write { name: …, listeners: [ … ] }`)
      }
      if (routes && routes.kind !== 'list') say(routes.where, `is ${naming(routes)}: write a list of routes`)
      return [
        found('virtualService', { ...within, virtualServiceName: name, spec: objectOf({ ...rest, provider }, where) }, top.where),
        found('virtualRouter', { ...within, virtualRouterName, spec: objectOf(listeners ? { listeners } : {}, virtualRouter?.where ?? where) }, top.where),
        ...(routes?.kind === 'list' ? routes.items : []).map((route) => {
          if (route.kind !== 'object') say(route.where, `is ${naming(route)}: write { name: …, http: … }`)
          const { name: routeName, ...routeSpec } = route.kind === 'object' ? Object.fromEntries(route.entries) : {}
          return found('route', { ...within, virtualRouterName, ...(routeName ? { routeName } : {}), spec: objectOf(routeSpec, route.where) }, route.where)
        }),
      ]
    }
    default:
      say(below(top.where, 'kind'), `is "${kind}", and v1beta1 has Mesh, VirtualNode and VirtualService`)
      return []
  }
}
