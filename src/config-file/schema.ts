import { z } from 'zod'
import type { Balancer } from '../balancers/balancer.ts'
import type { AnyKind } from '../core/family.ts'
import type { AnyMatcherKind } from '../matchers/matcher.ts'
import { builtIn, meshConfig, type Families } from '../mesh/config.ts'
import type { Registry } from '../registries/registry.ts'

/** A JSON Schema of draft 2020-12: the part of the language that is used here. */
export interface JsonSchema {
  readonly $schema?: string
  readonly $ref?: string
  readonly $defs?: Readonly<Record<string, JsonSchema>>
  readonly title?: string
  readonly description?: string
  readonly type?: string | readonly string[]
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly default?: unknown
  readonly pattern?: string
  readonly minLength?: number
  readonly minimum?: number
  readonly maximum?: number
  readonly exclusiveMinimum?: number
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly propertyNames?: JsonSchema
  readonly additionalProperties?: boolean | JsonSchema
  readonly items?: JsonSchema
  readonly minItems?: number
  readonly anyOf?: readonly JsonSchema[]
  readonly oneOf?: readonly JsonSchema[]
}

/** The JSON Schema of what may be written where a schema parses it: with every description, and with every default, durations in milliseconds. */
export const writtenSchema = (schema: z.ZodType): JsonSchema => z.toJSONSchema(schema, {
  io: 'input',
  // What a kind of the user's own takes beside data, a client for instance, cannot be in a file.
  unrepresentable: 'any',
  override: ({ zodSchema, jsonSchema }) => {
    // Left out by zod where the value is changed in parsing; ours may be written as they come out.
    const { def } = zodSchema._zod
    if (def.type === 'default') jsonSchema.default ??= def.defaultValue as never
  },
}) as JsonSchema

/** The JSON Schema of what a configuration may be, as `createMesh` takes it. */
export const inputSchema = (families: Partial<Families<AnyKind<Registry>, AnyKind<Balancer>, AnyMatcherKind>> = {}): JsonSchema =>
  writtenSchema(meshConfig({ ...builtIn, ...families }))

const variable = { description: 'An environment variable.', type: 'string', pattern: '^\\$\\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\\}$' }
const text = { description: 'Text with environment variables.', type: 'string', pattern: '\\$\\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\\}' }

const isText = ({ type, const: only, enum: words }: JsonSchema): boolean =>
  type === 'string' || typeof only === 'string' || (words?.some((word) => typeof word === 'string') ?? false)

const isPlainText = (schema: JsonSchema): boolean =>
  isText(schema) && [schema.const, schema.enum, schema.pattern, schema.minLength].every((limit) => limit === undefined)

const isScalar = (schema: JsonSchema): boolean => isText(schema) || schema.const !== undefined || schema.enum !== undefined
  || ['number', 'integer', 'boolean'].includes(String(schema.type))

/** The branch that lets variables stand where something else is wanted; absent where any text will do, or no text. */
const standIn = (branches: readonly JsonSchema[]): JsonSchema | undefined => {
  if (branches.some(isPlainText) || !branches.some(isScalar)) return undefined
  return { $ref: branches.some(isText) ? '#/$defs/text' : '#/$defs/variable' }
}

const mapped = (schemas: Readonly<Record<string, JsonSchema>>, change: (schema: JsonSchema, name: string) => JsonSchema): Record<string, JsonSchema> =>
  Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, change(schema, name)]))

/** The same schema with variables where they may stand: in values, not in names, and not in the `type` that tells kinds apart. */
const withVariables = (schema: JsonSchema): JsonSchema => {
  const { description, default: preset, ...rest } = schema
  const { properties, additionalProperties, items, anyOf, oneOf } = rest
  const inner: JsonSchema = {
    ...rest,
    ...(properties && { properties: mapped(properties, (one, name) => name === 'type' && one.const !== undefined ? one : withVariables(one)) }),
    ...(typeof additionalProperties === 'object' && { additionalProperties: withVariables(additionalProperties) }),
    ...(items && { items: withVariables(items) }),
    ...(anyOf && { anyOf: anyOf.map((branch) => isScalar(branch) ? branch : withVariables(branch)) }),
    ...(oneOf && { oneOf: oneOf.map(withVariables) }),
  }
  const more = standIn(anyOf ?? [schema])
  const whole = more === undefined ? inner : { anyOf: [...inner.anyOf ?? [inner], more] }
  return {
    ...(description !== undefined && { description }),
    ...(preset !== undefined && { default: preset }),
    ...whole,
  }
}

/**
 * The JSON Schema of a configuration file, for editors and for checks before a deployment: what `loadConfig` accepts, the schema accepts,
 * variables included. For the built-in kinds it lies ready as `enmesh/schema.json`; with kinds of your own, make it of the
 * same families that `createMesh` gets. It says nothing of what spans several places, such as routes to clusters that are not there.
 */
export const configSchema = <R extends AnyKind<Registry>, B extends AnyKind<Balancer>, M extends AnyMatcherKind>(
  families: Partial<Families<R, B, M>> = {},
): JsonSchema => {
  const { $schema, $defs = {}, properties, ...rest } = withVariables(inputSchema(families as object))
  return {
    ...($schema !== undefined && { $schema }),
    title: 'Configuration of an enmesh service mesh',
    ...rest,
    properties: { $schema: { type: 'string', description: 'The schema that an editor goes by; the mesh overlooks it.' }, ...properties },
    // Members of families that hold others are there to be referred to.
    $defs: { ...mapped($defs, withVariables), variable, text },
  }
}
