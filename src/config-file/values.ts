import type { z } from 'zod'
import type { ConfigFault } from '../core/errors.ts'
import { placeOf } from '../mesh/faults.ts'
import { remember, type Place, type Replaced } from '../mesh/sources.ts'
import type { Entry, Piece } from './piece.ts'
import { otherReading, substitute, type Environment } from './substitute.ts'

type Path = readonly (string | number)[]

/** A text that a variable brought in, where a number or boolean may be meant. */
interface Doubtful {
  readonly path: Path
  readonly text: string
  readonly other: number | boolean
  readonly write: (reading: string | number | boolean) => void
}

/** What a file stands for. */
export interface Values {
  readonly value: unknown
  readonly doubtful: readonly Doubtful[]
  /** Variables that could not be replaced. */
  readonly faults: readonly ConfigFault[]
}

/**
 * Makes plain values of the pieces of a file: variables replaced, `$schema` at the top left out, and for every object
 * and list remembered where it comes from.
 */
export const valuesOf = (top: Piece, placeAt: (at: number) => Place, env: Environment): Values => {
  const doubtful: Doubtful[] = []
  const faults: ConfigFault[] = []

  const make = (piece: Piece, path: Path, place: Place): unknown => {
    if (piece.kind === 'plain') return piece.value
    const list = piece.kind === 'list'
    const parts = list ? piece.items.map((value, index) => [index, value.at, value] as const)
      : withoutSchema(piece.entries, path).map(({ name, at, value }) => [name, at, value] as const)
    const entries = new Map(parts.map(([key, at]) => [key, placeAt(at)]))
    const replaced = new Map<string | number, Replaced>()
    const values = parts.map(([key, , value]): readonly [string | number, unknown] => {
      const at = [...path, key]
      if (value.kind !== 'plain' || typeof value.value !== 'string') return [key, make(value, at, entries.get(key)!)]
      const { text, names, whole, faults: found } = substitute(value.value, env)
      faults.push(...found.map((message) => ({ path: placeOf(at), message, ...entries.get(key) })))
      if (names !== '') replaced.set(key, { text, names })
      const other = whole ? otherReading(text) : undefined
      if (other !== undefined) doubtful.push({ path: at, text, other, write: (reading) => Reflect.set(object, key, reading) })
      return [key, text]
    })
    const object: object = list ? values.map(([, value]) => value) : Object.fromEntries(values)
    remember(object, { place, entries, replaced })
    return object
  }

  return { value: make(top, [], placeAt(top.at)), doubtful, faults }
}

const withoutSchema = (entries: readonly Entry[], path: Path): readonly Entry[] =>
  path.length > 0 ? entries : entries.filter(({ name }) => name !== '$schema')

/** How much the faults have against each place, those included that lie in branches of a union. A wrong type weighs more than a wrong value. */
const objections = (issues: readonly z.core.$ZodIssue[], base: readonly PropertyKey[] = [], against = new Map<string, number>()): ReadonlyMap<string, number> => {
  for (const issue of issues) {
    const at = [...base, ...issue.path]
    const place = placeOf(at)
    against.set(place, (against.get(place) ?? 0) + (issue.code === 'invalid_type' ? 2 : 1))
    if (issue.code === 'invalid_union') for (const branch of issue.errors) objections(branch, at, against)
  }
  return against
}

/** Reading one variable may have the schema look at others, as the number that tells two shapes apart does; further than this it doesn't go. */
const mostRounds = 3

/**
 * Reads what variables brought in as the schema wants it: text stays text where text will do, and becomes a number
 * or a boolean where the schema has less to say against that. All are asked about together, so the number of variables costs nothing.
 */
export const settleReadings = ({ value, doubtful }: Values, schema: z.ZodType): void => {
  if (doubtful.length === 0) return
  const judged = (): ReadonlyMap<string, number> => objections(schema.safeParse(value).error?.issues ?? [])
  let left = doubtful.map((one) => ({ ...one, place: placeOf(one.path) }))
  let asText = judged()
  for (let round = 0; round < mostRounds; round++) {
    const doubted = left.filter(({ place }) => asText.has(place))
    if (doubted.length === 0) return
    for (const { other, write } of doubted) write(other)
    const otherwise = judged()
    for (const { text, write, place } of doubted) if ((otherwise.get(place) ?? 0) >= asText.get(place)!) write(text)
    left = left.filter(({ place }) => !asText.has(place))
    asText = otherwise
  }
}
