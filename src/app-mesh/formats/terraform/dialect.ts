import type { Dialect } from '../../body/body.ts'
import { coerced } from '../../body/coerced.ts'
import type { ResourceKind } from '../../found.ts'
import { nameField, type ObjectShape, type Shape } from '../../body/shape.ts'
import { objectOf, pairs, type Traced } from '../../body/traced.ts'

/** The kinds of App Mesh resources, by the types of Terraform's provider. */
export const types: Readonly<Record<string, ResourceKind>> = {
  aws_appmesh_mesh: 'mesh', aws_appmesh_virtual_service: 'virtualService', aws_appmesh_virtual_node: 'virtualNode',
  aws_appmesh_virtual_router: 'virtualRouter', aws_appmesh_route: 'route', aws_appmesh_virtual_gateway: 'virtualGateway',
  aws_appmesh_gateway_route: 'gatewayRoute',
}

/** What is Terraform's own, or told by AWS: nothing that App Mesh is asked to do. */
const ofTerraform = new Set([
  'id', 'arn', 'created_date', 'last_updated_date', 'resource_owner', 'tags_all', 'region', 'count', 'for_each', 'depends_on', 'lifecycle',
  'provider', 'provisioner', 'connection', 'timeouts',
])

/** Blocks that are written one by one, with the API's name for all of them. */
const plurals: Readonly<Record<string, string>> = {
  listener: 'listeners', backend: 'backends', weighted_target: 'weightedTargets', header: 'headers', query_parameter: 'queryParameters',
}

const camel = (name: string): string => name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())

/** Numbers for which the provider takes 0 as a number, and not as none. */
const zeroes = new Set(['weight', 'value', 'maxRetries', 'maxEjectionPercent', 'start', 'end'])

/** What the provider of Terraform has for one kind of resource. */
export class TerraformDialect implements Dialect {
  readonly #kind: ResourceKind
  readonly #dropped: (where: string, value: string) => void
  readonly #several: (where: string, count: number) => void

  /** `dropped` hears of values that the provider takes for none, `several` of blocks that are there more than once. */
  constructor(kind: ResourceKind, dropped: (where: string, value: string) => void, several: (where: string, count: number) => void) {
    this.#kind = kind
    this.#dropped = dropped
    this.#several = several
  }

  field(name: string, value: Traced, shape: ObjectShape): { name: string, value: Traced } | undefined {
    if (value.kind === 'plain' && value.value === null) return undefined
    const top = Object.hasOwn(shape.fields, 'meshName')
    if (top && ofTerraform.has(name)) return undefined
    if (top && name === 'name') return { name: nameField(this.#kind), value }
    if ((name === 'attributes' || (top && name === 'tags')) && value.kind === 'object') {
      return value.entries.size === 0 ? undefined : { name, value: pairs(value) }
    }
    const field = Object.hasOwn(plurals, name) ? plurals[name]! : camel(name)
    return this.#none(field, value, Object.hasOwn(shape.fields, field) ? shape.fields[field]! : undefined) ? undefined : { name: field, value }
  }

  /** Whether the provider takes it for nothing, as the JSON of a state has it for all that is not set. */
  #none(field: string, value: Traced, shape: Shape | undefined): boolean {
    if (value.kind === 'list') return value.items.length === 0
    if (value.kind !== 'plain') return false
    const none = value.value === '' || (value.value === 0 && shape === 'number' && !zeroes.has(field))
    if (none) this.#dropped(value.where, JSON.stringify(value.value))
    return none
  }

  value(traced: Traced, shape: Shape): Traced {
    if (traced.kind === 'plain') return coerced(traced, shape)
    if (traced.kind !== 'list' || typeof shape !== 'object' || !('fields' in shape)) return traced
    if (traced.items.length > 1) this.#several(traced.where, traced.items.length)
    const [only] = traced.items
    // A block with nothing in it.
    return only === undefined || (only.kind === 'plain' && only.value === null) ? objectOf({}, traced.where) : only
  }
}
