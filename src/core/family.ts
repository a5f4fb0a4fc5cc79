import { z } from 'zod'
import type { Runtime } from '../runtime/runtime.ts'

/** One member of a pluggable family: its name in configuration, the shape of its options, and how to make it. */
export interface Kind<Type extends string, Config extends z.ZodObject, Made> {
  readonly type: Type
  /** The options beside `type`, as a `z.strictObject`. */
  readonly config: Config
  /** Makes the member from its parsed options. */
  make(config: z.output<Config>, runtime: Runtime): Made
}

/** Writes down a kind with its types inferred. */
export const kind = <const Type extends string, Config extends z.ZodObject, Made>(
  type: Type,
  config: Config,
  make: (config: z.output<Config>, runtime: Runtime) => Made,
): Kind<Type, Config, Made> => ({ type, config, make })

// `make` takes each kind's own config, so only `any` lets kinds of different configs share a family.
/** Any kind that makes a `Made`. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- see above
export type AnyKind<Made> = Kind<string, any, Made>

// The type of a shape without options forbids every key, `type` included: what it says of all keys is left out.
type Own<Config> = { [Key in keyof Config as string extends Key ? never : Key]: Config[Key] }

type Tagged<K, Config> = K extends Kind<infer Type, z.ZodObject, unknown> ? { type: Type } & Own<Config> : never

/** What a user may write for a member of a family. */
export type FamilyInput<K> = K extends Kind<string, infer Config, unknown> ? Tagged<K, z.input<Config>> : never

/** What is left after parsing it. */
export type FamilyOutput<K> = K extends Kind<string, infer Config, unknown> ? Tagged<K, z.output<Config>> : never

/** The table of a pluggable family. A plain value: nothing registers globally. */
export interface Family<Made, K extends AnyKind<Made>> {
  readonly kinds: readonly K[]
  /** The union of all members' shapes, told apart by `type`. */
  readonly schema: z.ZodType<FamilyOutput<K>, FamilyInput<K>>
  /** Makes the member that a parsed configuration names. */
  make(config: FamilyOutput<K>, runtime: Runtime): Made
  /** The same table with one more kind; a kind of the same type takes the place of the old one. */
  with<const N extends AnyKind<Made>>(kind: N): Family<Made, K | N>
}

/** Makes a table from its kinds. */
export const family = <Made>() => <const Kinds extends readonly AnyKind<Made>[]>(...kinds: Kinds): Family<Made, Kinds[number]> => {
  type K = Kinds[number]
  const byType = new Map<string, K>(kinds.map((kind) => [kind.type, kind]))
  const shapes: z.ZodObject[] = [...byType.values()].map(({ type, config }) => (config as z.ZodObject).extend({ type: z.literal(type) }))
  return {
    kinds: [...byType.values()],
    schema: z.discriminatedUnion('type', shapes as [z.ZodObject, ...z.ZodObject[]]) as unknown as Family<Made, K>['schema'],
    make: ({ type, ...config }, runtime) => {
      const found = byType.get(type)
      if (!found) throw new TypeError(`unknown type '${type}'`)
      return found.make(config, runtime)
    },
    with: (added) => family<Made>()(...kinds, added),
  }
}
