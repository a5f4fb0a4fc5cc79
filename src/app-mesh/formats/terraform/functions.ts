/** Thrown where Terraform's language asks for something that only Terraform can tell, or that is wrong. */
export class Unevaluated extends Error {}

/** A set of Terraform's: a list whose items are their own keys. */
export class TerraformSet extends Array<unknown> {}

type Fn = (...args: readonly unknown[]) => unknown

/** A value as text, where Terraform takes it for one. */
export const asText = (value: unknown, what: string): string => {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  throw new Unevaluated(`needs a text for ${what}, and gets ${kindOf(value)}`)
}

/** A value as number, where Terraform takes it for one. */
export const asNumber = (value: unknown, what: string): number => {
  if (Number.isFinite(value)) return value as number
  if (typeof value === 'string' && value.trim() !== '' && Number.isFinite(Number(value))) return Number(value)
  throw new Unevaluated(`needs a number for ${what}, and gets ${kindOf(value)}`)
}

/** A value as boolean, where Terraform takes it for one. */
export const asFlag = (value: unknown, what: string): boolean => {
  if (typeof value === 'boolean') return value
  if (value === 'true' || value === 'false') return value === 'true'
  throw new Unevaluated(`needs true or false for ${what}, and gets ${kindOf(value)}`)
}

const asList = (value: unknown, what: string): readonly unknown[] => {
  if (Array.isArray(value)) return value as unknown[]
  throw new Unevaluated(`needs a list for ${what}, and gets ${kindOf(value)}`)
}

const asMap = (value: unknown, what: string): Readonly<Record<string, unknown>> => {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw new Unevaluated(`needs a map for ${what}, and gets ${kindOf(value)}`)
}

/** What kind of value it is, for messages; never the value itself. */
export const kindOf = (value: unknown): string => {
  if (value === null || value === undefined) return 'null'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'number' && !Number.isFinite(value)) return 'what is no number'
  return { string: 'a text', number: 'a number', boolean: 'true or false' }[typeof value as string] ?? 'an object'
}

const distinct = (values: readonly unknown[]): readonly unknown[] => {
  const seen = new Map(values.map((value) => [JSON.stringify(value), value]))
  return [...seen.values()]
}

const flat = (values: readonly unknown[]): readonly unknown[] => values.flatMap((value) => Array.isArray(value) ? flat(value as unknown[]) : [value])

/** Longer than what anything in a mesh can be. */
const longestText = 100_000

/** Puts texts together. Texts that are made of themselves twice over grow without end: throws `Unevaluated` before they do. */
export const joined = (texts: readonly string[], by = ''): string => {
  const length = texts.reduce((sum, text) => sum + text.length, by.length * Math.max(0, texts.length - 1))
  return length > longestText ? tooLong() : texts.join(by)
}

const tooLong = (): never => { throw new Unevaluated(`comes to a text of more than ${longestText} characters`) }

const affix = (text: string, ends: boolean, cut: () => string): string => ends ? cut() : text

const format: Fn = (pattern, ...args) => {
  let next = 0
  // Splitting at a group keeps it: what stands between the verbs, and they by turns.
  return joined(asText(pattern, 'format').split(/(%(?:[%sdvq]|0?\d*d))/).map((piece, at) => {
    if (at % 2 === 0) return piece
    if (piece === '%%') return '%'
    if (next >= args.length) throw new Unevaluated(`has too few values for format: ${piece} is left over`)
    return formatted(args[next++], piece.slice(1))
  }))
}

const formatted = (value: unknown, verb: string): string => {
  if (verb === 'q') return JSON.stringify(asText(value, 'format'))
  return verb.endsWith('d') ? padded(String(asNumber(value, 'format')), verb) : asText(value, 'format')
}

const padded = (digits: string, verb: string): string => {
  const width = Number(verb.slice(0, -1))
  return width > longestText ? tooLong() : digits.padStart(width, verb.startsWith('0') ? '0' : ' ')
}

const entries = (map: unknown, what: string): readonly [string, unknown][] =>
  Object.entries(asMap(map, what)).sort(([one], [other]) => one < other ? -1 : 1)

/** The functions of Terraform's language that names, hosts and ports are made with. */
export const functions: Readonly<Record<string, Fn>> = {
  upper: (text) => asText(text, 'upper').toUpperCase(),
  lower: (text) => asText(text, 'lower').toLowerCase(),
  title: (text) => asText(text, 'title').replace(/(^|\s)\S/g, (start) => start.toUpperCase()),
  trimspace: (text) => asText(text, 'trimspace').trim(),
  trimprefix: (text, start) => {
    const [whole, prefix] = [asText(text, 'trimprefix'), asText(start, 'trimprefix')]
    return affix(whole, whole.startsWith(prefix), () => whole.slice(prefix.length))
  },
  trimsuffix: (text, end) => {
    const [whole, suffix] = [asText(text, 'trimsuffix'), asText(end, 'trimsuffix')]
    return affix(whole, suffix !== '' && whole.endsWith(suffix), () => whole.slice(0, -suffix.length))
  },
  replace: (text, from, to) => {
    const search = asText(from, 'replace')
    // Terraform reads /…/ as an RE2 pattern, with replacements of its own kind.
    if (/^\/.*\/$/.test(search)) throw new Unevaluated('calls replace() with a regular expression, which only Terraform can do')
    return joined(asText(text, 'replace').split(search), asText(to, 'replace'))
  },
  split: (by, text) => asText(text, 'split').split(asText(by, 'split')),
  join: (by, ...lists) => joined(lists.flatMap((list) => asList(list, 'join')).map((text) => asText(text, 'join')), asText(by, 'join')),
  format,
  substr: (text, from, length) => {
    const points = [...asText(text, 'substr')]
    const start = asNumber(from, 'substr')
    const count = asNumber(length, 'substr')
    const first = start < 0 ? points.length + start : start
    return points.slice(first, count < 0 ? undefined : first + count).join('')
  },
  concat: (...lists) => lists.flatMap((list) => asList(list, 'concat')),
  flatten: (list) => flat(asList(list, 'flatten')),
  distinct: (list) => distinct(asList(list, 'distinct')),
  compact: (list) => asList(list, 'compact').filter((text) => text !== '' && text !== null),
  sort: (list) => [...asList(list, 'sort').map((text) => asText(text, 'sort'))].sort(),
  reverse: (list) => [...asList(list, 'reverse')].reverse(),
  contains: (list, value) => asList(list, 'contains').some((one) => JSON.stringify(one) === JSON.stringify(value)),
  element: (list, index) => {
    const all = asList(list, 'element')
    if (all.length === 0) throw new Unevaluated('takes an element of an empty list')
    const at = asNumber(index, 'element')
    if (!Number.isInteger(at)) throw new Unevaluated('takes an element at a place that is no whole number')
    return all.at(at % all.length)
  },
  index: (list, value) => {
    const at = asList(list, 'index').findIndex((one) => JSON.stringify(one) === JSON.stringify(value))
    if (at < 0) throw new Unevaluated('asks for the index of what is not in the list')
    return at
  },
  length: (value) => typeof value === 'string' ? [...value].length : Array.isArray(value) ? value.length : Object.keys(asMap(value, 'length')).length,
  range: (...bounds) => {
    const [from, to, by] = bounds.map((bound) => asNumber(bound, 'range'))
    const [start, end] = to === undefined ? [0, from!] : [from!, to]
    const step = by ?? (start <= end ? 1 : -1)
    const count = Math.max(0, Math.ceil((end - start) / step))
    if (!Number.isFinite(count) || count > 1024) throw new Unevaluated('asks for a range of more than 1024 numbers')
    return Array.from({ length: count }, (_, at) => start + at * step)
  },
  merge: (...maps) => Object.fromEntries(maps.filter((map) => map !== null).flatMap((map) => Object.entries(asMap(map, 'merge')))),
  keys: (map) => entries(map, 'keys').map(([key]) => key),
  values: (map) => entries(map, 'values').map(([, value]) => value),
  lookup: (map, key, other) => {
    const all = asMap(map, 'lookup')
    const name = asText(key, 'lookup')
    if (Object.hasOwn(all, name)) return all[name]
    if (other === undefined) throw new Unevaluated(`looks up "${name}", which the map does not have`)
    return other
  },
  zipmap: (keys, values) => {
    const all = asList(values, 'zipmap')
    return Object.fromEntries(asList(keys, 'zipmap').map((key, at) => [asText(key, 'zipmap'), all[at]]))
  },
  coalesce: (...values) => {
    const first = values.find((value) => value !== null && value !== '')
    if (first === undefined) throw new Unevaluated('finds no value to coalesce')
    return first
  },
  tostring: (value) => value === null ? null : asText(value, 'tostring'),
  tonumber: (value) => value === null ? null : asNumber(value, 'tonumber'),
  tobool: (value) => value === null ? null : asFlag(value, 'tobool'),
  tolist: (value) => asList(value, 'tolist'),
  toset: (value) => TerraformSet.from(distinct(asList(value, 'toset'))),
  tomap: (value) => asMap(value, 'tomap'),
  min: (...values) => Math.min(...values.map((value) => asNumber(value, 'min'))),
  max: (...values) => Math.max(...values.map((value) => asNumber(value, 'max'))),
  abs: (value) => Math.abs(asNumber(value, 'abs')),
  ceil: (value) => Math.ceil(asNumber(value, 'ceil')),
  floor: (value) => Math.floor(asNumber(value, 'floor')),
}
