import { z } from 'zod'
import type { Runtime } from '../runtime/runtime.ts'

declare const member: unique symbol

/** Stands in a kind's options where another member of the same family is written; whatever kinds that family has. */
export interface Member {
  readonly [member]: true
}

/** One member of a pluggable family: its name in configuration, the shape of its options, and how to make it. */
export interface Kind<Type extends string, Config extends z.ZodObject, Made> {
  readonly type: Type
  /** The options beside `type`, as a `z.strictObject`. */
  readonly config: Config
  /** The same options with the shape of the family's members where such are held; absent in kinds that hold none. */
  readonly holding?: (member: z.ZodType<Member, Member>) => Config
  /** Makes the member from its parsed options; `make` makes what it holds. */
  make(config: z.output<Config>, runtime: Runtime, make?: (held: Member) => Made): Made
}

/** Writes down a kind with its types inferred. */
export const kind = <const Type extends string, Config extends z.ZodObject, Made>(
  type: Type,
  config: Config,
  make: (config: z.output<Config>, runtime: Runtime) => Made,
): Kind<Type, Config, Made> => ({ type, config, make })

const shapeless: z.ZodType<Member, Member> = z.custom<Member>(() => false, 'can be read within its family only')

const alone = (): never => {
  throw new TypeError('a kind that holds others is made by its family, which knows them')
}

/**
 * Writes down a kind that holds other members of its family. `config` gets the shape of such a member, kinds of the user's own
 * included, and puts it where they are written; `make` gets their parsed options there, and a function that makes them.
 */
export const combinator = <const Type extends string, Config extends z.ZodObject, Made>(
  type: Type,
  config: (member: z.ZodType<Member, Member>) => Config,
  make: (config: z.output<Config>, runtime: Runtime, make: (held: Member) => Made) => Made,
): Kind<Type, Config, Made> => ({
  type,
  config: config(shapeless),
  holding: config,
  make: (parsed, runtime, held = alone) => make(parsed, runtime, held),
})

// `make` takes each kind's own config, so only `any` lets kinds of different configs share a family.
/** Any kind that makes a `Made`. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- see above
export type AnyKind<Made> = Kind<string, any, Made>

// Those below that are exported though nobody imports them stand in the declarations of what is made of families.

// The type of a shape without options forbids every key, `type` included: what it says of all keys is left out.
/** The options of a kind, by name. */
export type Own<Config> = { [Key in keyof Config as string extends Key ? never : Key]: Config[Key] }

/** Before or after parsing. */
export type Side = 'input' | 'output'

type IsAny<T> = 0 extends 1 & T ? true : false

/** An option with what may be written, or is left after parsing, in the place of members of the family `All`. */
export type Filled<Option, All, S extends Side> = IsAny<Option> extends true ? Option
  : Option extends Member ? Tagged<All, All, S>
    : Option extends readonly Member[] ? Tagged<All, All, S>[] : Option

/** Options with members of the family `All` where such are held. */
export type Holding<Config, All, S extends Side> = { [Key in keyof Config]: Filled<Config[Key], All, S> }

/** A member of the family `All` as it is written, or as it is after parsing. */
export type Tagged<K, All, S extends Side> = K extends Kind<infer Type, infer Config, unknown>
  ? { type: Type } & Own<Holding<S extends 'input' ? z.input<Config> : z.output<Config>, All, S>> : never

/** What a user may write for a member of a family. */
export type FamilyInput<K> = Tagged<K, K, 'input'>

/** What is left after parsing it. */
export type FamilyOutput<K> = Tagged<K, K, 'output'>

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
  const member = z.lazy(() => schema) as unknown as z.ZodType<Member, Member>
  const shapes: z.ZodObject[] = [...byType.values()].map(({ type, config, holding }) =>
    ((holding?.(member) ?? config) as z.ZodObject).extend({ type: z.literal(type) }))
  const schema: Family<Made, K>['schema'] = z.discriminatedUnion('type', shapes as [z.ZodObject, ...z.ZodObject[]]) as never
  const make: Family<Made, K>['make'] = ({ type, ...config }, runtime) => {
    const found = byType.get(type)
    if (!found) throw new TypeError(`unknown type '${type}'`)
    return found.make(config, runtime, (held) => make(held as never, runtime))
  }
  return {
    kinds: [...byType.values()],
    schema,
    make,
    with: (added) => family<Made>()(...kinds, added),
  }
}
