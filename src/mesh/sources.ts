import type { ConfigFault } from '../core/errors.ts'
import { isPlain, placeOf } from './faults.ts'

/** Where something is written; line and column are absent where only the file is known. */
export interface Place {
  readonly file: string
  /** 1 for the first. */
  readonly line?: number
  /** 1 for the first. */
  readonly column?: number
}

/** A text in which variables were replaced. It may be a secret, so faults show `names` in its place. */
export interface Replaced {
  readonly text: string
  /** `${NAME}`, or several. */
  readonly names: string
}

/** What is known of an object that was read from a file. */
export interface Source {
  /** Where its own name is written. */
  readonly place: Place
  /** Where each name or item in it is written. */
  readonly entries?: ReadonlyMap<string | number, Place>
  readonly replaced?: ReadonlyMap<string | number, Replaced>
}

// By object and not by configuration: parts of files keep their places when a program puts them together to a new whole.
const sources = new WeakMap<object, Source>()

/** Notes where an object comes from, so that faults found in it later say so. */
export const remember = (object: object, source: Source): void => { sources.set(object, source) }

interface Known extends Place { readonly replaced: Replaced | undefined }

/** What is known of every place inside a configuration, by place. */
const knownIn = (input: unknown): ReadonlyMap<string, Known> => {
  const known = new Map<string, Known>()
  const seen = new Set<object>()
  const walk = (value: unknown, path: readonly PropertyKey[], here?: Known): void => {
    const source = typeof value === 'object' && value !== null ? sources.get(value) : undefined
    const place = here ?? (source && { ...source.place, replaced: undefined })
    if (place) known.set(placeOf(path), place)
    if (!isPlain(value) || seen.has(value)) return
    seen.add(value)
    for (const [name, inner] of Object.entries(value)) {
      const key = Array.isArray(value) ? Number(name) : name
      const entry = source?.entries?.get(key)
      walk(inner, [...path, key], entry && { ...entry, replaced: source?.replaced?.get(key) })
    }
  }
  walk(input, [])
  return known
}

const isWithin = (path: string, outer: string): boolean =>
  path.startsWith(outer) && (outer === '' || ['', '.', '['].includes(path.charAt(outer.length)))

const quotedOrLiteral = /(?<!\w)(['"`])(.*?)\1(?!\w)|(?<![\w.])(?:-?\d+(?:\.\d+)?|true|false)(?![\w.]*\w)/gs
const shortestTelling = 4

/** A message without what variables stand for: neither the whole text nor a part that is quoted. */
const withheld = (message: string, { text, names }: Replaced): string => {
  if (text === '') return message
  const whole = text.length < shortestTelling ? message : message.replaceAll(text, () => names)
  return whole.replace(quotedOrLiteral, (found: string, quote: string | undefined, quoted: string | undefined) => {
    if (!quote || !quoted) return found === text ? names : found
    return text.includes(quoted) || quoted.includes(text) ? `${quote}${names}${quote}` : found
  })
}

/**
 * Faults with file, line and column, for what of the configuration was read from a file. A name that is missing is missed
 * where the object is written that should have it. Variables are shown by their names, never by what they stand for.
 */
export const located = (faults: readonly ConfigFault[], input: unknown): readonly ConfigFault[] => {
  const known = knownIn(input)
  if (known.size === 0) return faults
  return faults.map(({ path, message }): ConfigFault => {
    const around = [...known.keys()].filter((place) => isWithin(path, place)).sort((a, b) => b.length - a.length)[0]
    const { replaced, ...place } = around === undefined ? { replaced: undefined } : known.get(around)!
    const told = [...known].flatMap(([at, { replaced }]) => replaced && (at === around || isWithin(at, path)) ? [replaced] : [])
    const safe = told.reduce(withheld, message)
    const from = replaced && around === path && !safe.includes(replaced.names) ? ` (from ${replaced.names})` : ''
    return { path, message: `${safe}${from}`, ...place }
  }).sort((a, b) => a.file === b.file ? (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0) : 0)
}
