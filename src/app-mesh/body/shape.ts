import { z } from 'zod'
import { resources } from '../document.ts'
import { names } from '../document/scalars.ts'
import type { ResourceKind } from '../found.ts'

/**
 * What the API has at one place: a plain value, a list, or an object of named fields. `name` is a text that names another
 * resource. Readers need it to translate (a template's `"80"` is a number where the API has one); it says nothing of what is
 * right or required.
 */
export type Shape = 'text' | 'name' | 'number' | 'flag' | ListShape | ObjectShape

/** A list whose items are all alike. */
export interface ListShape { readonly items: Shape }

/** An object; what is not among its fields is no field of the API. */
export interface ObjectShape { readonly fields: Readonly<Record<string, Shape>> }

/** The shape that a schema of the document describes. */
const shapeOf = (schema: z.core.$ZodType): Shape => {
  if (names.get(schema as z.ZodType)) return 'name'
  const { def } = (schema as z.core.$ZodTypes)._zod
  switch (def.type) {
    case 'object': return { fields: Object.fromEntries(Object.entries(def.shape).map(([name, field]) => [name, shapeOf(field)])) }
    case 'array': return { items: shapeOf(def.element) }
    case 'optional': return shapeOf(def.innerType)
    case 'pipe': return shapeOf(def.in)
    case 'number': return 'number'
    case 'boolean': return 'flag'
    case 'string': case 'enum': return 'text'
    default: throw new TypeError(`the document has no ${def.type}`)
  }
}

const parents: Partial<Record<ResourceKind, string>> = { route: 'virtualRouterName', gatewayRoute: 'virtualGatewayName' }

/** The field of a body that holds the resource's own name: `virtualNodeName`. */
export const nameField = (kind: ResourceKind): string => `${kind}Name`

/** The field of a body that names what the resource belongs to, within its mesh; only routes have one. */
export const parentField = (kind: ResourceKind): string | undefined => parents[kind]

/**
 * The owner of a mesh is told of it, where others are made in the mesh of an owner: as a computed attribute it is no part of
 * what was written.
 */
const { meshOwner: _told, ...mesh } = resources.mesh.shape

/** All kinds of resource, each with the shape of its `Create*Input`. */
export const bodies = Object.fromEntries(
  Object.entries({ ...resources, mesh: z.strictObject(mesh) }).map(([kind, schema]) => [kind, shapeOf(schema)]),
) as Readonly<Record<ResourceKind, ObjectShape>>
