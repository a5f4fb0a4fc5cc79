/** A plain value of a file. */
export type Plain = string | number | boolean | null

/**
 * A value as it came out of a file, each part with its place in the file's own words.
 * `unread` stands where a value could not be told; a fault has said why.
 */
export type Traced =
  | TracedPlain
  | { readonly kind: 'list', readonly where: string, readonly items: readonly Traced[] }
  | TracedObject
  | { readonly kind: 'unread', readonly where: string }

export interface TracedPlain {
  readonly kind: 'plain'
  readonly where: string
  readonly value: Plain
  /** How the file wrote it, where that is more than the value: `1.10`, `012345678901`. */
  readonly written?: string
}

export interface TracedObject {
  readonly kind: 'object'
  readonly where: string
  readonly entries: ReadonlyMap<string, Traced>
}

/** A plain value at a place. */
export const plain = (value: Plain, where: string): TracedPlain => ({ kind: 'plain', where, value })

/** The place of a field below a place; the top of a file has none. */
export const below = (where: string, name: string): string => where === '' ? name : `${where}.${name}`

/** An object at a place. */
export const objectOf = (fields: Readonly<Record<string, Traced>>, where: string): TracedObject =>
  ({ kind: 'object', where, entries: new Map(Object.entries(fields)) })

/** Gives every part of a value out of JSON its place. Throws a `RangeError` where it is nested too deep for the stack. */
export const trace = (value: unknown, where: string): Traced => {
  if (Array.isArray(value)) return { kind: 'list', where, items: Array.from(value, (item, at) => trace(item, `${where}[${at}]`)) }
  if (typeof value !== 'object' || value === null) return plain(value as Plain, where)
  return { kind: 'object', where, entries: new Map(Object.entries(value).map(([name, field]) => [name, trace(field, below(where, name))])) }
}

/** What was traced, without its places; what is unread is left out. */
export const untrace = (traced: Traced): unknown => {
  switch (traced.kind) {
    case 'plain': return traced.value
    case 'list': return traced.items.filter(({ kind }) => kind !== 'unread').map(untrace)
    case 'unread': return undefined
    case 'object': {
      const fields = [...traced.entries].filter(([, { kind }]) => kind !== 'unread')
      return Object.fromEntries(fields.map(([name, field]) => [name, untrace(field)]))
    }
  }
}

/** A field of an object, if it is one and has it. */
export const fieldOf = (traced: Traced | undefined, name: string): Traced | undefined =>
  traced?.kind === 'object' ? traced.entries.get(name) : undefined

/** The text that stands there, if it is one and not empty. */
export const textOf = (traced: Traced | undefined): string | undefined =>
  traced?.kind === 'plain' && typeof traced.value === 'string' && traced.value !== '' ? traced.value : undefined

/** What kind of value it is, for messages; never the value itself. */
export const naming = (traced: Traced | undefined): string => {
  if (traced === undefined) return 'nothing'
  if (traced.kind === 'object') return 'an object'
  if (traced.kind === 'list') return 'a list'
  if (traced.kind === 'unread') return 'a value that could not be read'
  return traced.value === null ? 'nothing' : { string: 'a text', number: 'a number', boolean: 'a boolean' }[typeof traced.value as string] ?? 'a value'
}

/** The same value at another place, where it was only mentioned. */
export const moved = (traced: Traced, where: string): Traced => {
  if (traced.kind === 'list') return { kind: 'list', where, items: traced.items.map((item, at) => moved(item, `${where}[${at}]`)) }
  if (traced.kind !== 'object') return { ...traced, where }
  return { kind: 'object', where, entries: new Map([...traced.entries].map(([name, field]) => [name, moved(field, below(where, name))])) }
}

/** A plain value as text, as it was written where that is known. */
export const written = ({ value, written }: TracedPlain): string => written ?? String(value)

/** A map as the API has it: a list of keys and values. */
export const pairs = (map: TracedObject): Traced => ({
  kind: 'list',
  where: map.where,
  items: [...map.entries].map(([key, value]) => objectOf({ key: plain(key, value.where), value }, value.where)),
})
