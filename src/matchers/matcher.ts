import { z } from 'zod'
import type { RequestHead } from '../core/request.ts'

/** A condition on a request, compiled. Asked for every request, so it allocates little and never throws. */
export interface Matcher {
  /** Whether the request meets the condition. The same request gets the same answer. */
  matches(request: RequestHead): boolean
  /**
   * Says in words why a request that was refused doesn't meet the condition, for people who ask which route applies.
   * Names no values of headers or queries that the request brought: they may be secrets.
   */
  explain(request: RequestHead): string
  /** How many single conditions it stands for: of two routes that match, the one with more comes first. */
  readonly conditions: number
  /**
   * How specific it is, compared before the number of conditions: the higher comes first. 0 by default.
   * The path has one (exact over longest prefix over regular expression), other members leave it out.
   */
  readonly rank?: number
}

/** One member of the family: the field it adds to a route's `match`, the shape of its value, and how to compile it. */
export interface MatcherKind<Field extends string, Schema extends z.ZodType> {
  readonly field: Field
  /** What may be written under the field. Its output can be written in its place and means the same. */
  readonly schema: Schema
  /** Compiles the condition. */
  make(config: z.output<Schema>): Matcher
}

/** Writes down a matcher kind with its types inferred. */
export const matcherKind = <const Field extends string, Schema extends z.ZodType>(
  field: Field,
  schema: Schema,
  make: (config: z.output<Schema>) => Matcher,
): MatcherKind<Field, Schema> => ({ field, schema, make })

// `make` takes each kind's own config, so only `any` lets kinds of different configs share a table.
/** Any matcher kind. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- see above
export type AnyMatcherKind = MatcherKind<string, any>

/** What a user may write as a route's `match`. */
export type MatchInput<K extends AnyMatcherKind> = { [Each in K as Each['field']]?: z.input<Each['schema']> | undefined }

/** What is left of a `match` after parsing it. */
export type MatchOutput<K extends AnyMatcherKind> = { [Each in K as Each['field']]?: z.output<Each['schema']> | undefined }

/** The table of matchers. A plain value: nothing registers globally. */
export interface Matchers<K extends AnyMatcherKind> {
  readonly kinds: readonly K[]
  /** The shape of a route's `match`: every field of the table, each optional, and no other. */
  readonly schema: z.ZodType<MatchOutput<K>, MatchInput<K>>
  /** Compiles the fields of a `match`, in the order of the table; all of them must hold. */
  make(match: MatchOutput<K>): readonly Matcher[]
  /** The same table with one more kind; a kind for the same field takes the place of the old one. */
  with<const N extends AnyMatcherKind>(kind: N): Matchers<Exclude<K, { readonly field: N['field'] }> | N>
}

/** Makes a table from its kinds. */
export const matcherTable = <const Kinds extends readonly AnyMatcherKind[]>(...kinds: Kinds): Matchers<Kinds[number]> => {
  type K = Kinds[number]
  const byField = new Map(kinds.map((kind) => [kind.field, kind]))
  const shape = Object.fromEntries([...byField.values()].map(({ field, schema }) => [field, (schema as z.ZodType).optional()]))
  return {
    kinds: [...byField.values()],
    schema: z.strictObject(shape) as unknown as Matchers<K>['schema'],
    make: (match) => [...byField.values()].flatMap((kind) => {
      const config = (match as Record<string, unknown>)[kind.field]
      return config === undefined ? [] : [kind.make(config)]
    }),
    with: (added) => matcherTable(...kinds, added) as never,
  }
}
