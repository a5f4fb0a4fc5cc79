import type { ConfigFault } from '../core/errors.ts'
import { isPlain, placeIn } from './faults.ts'

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

/** Has a copy come from where the original does, so that faults in it say so too. */
export const rememberCopy = <Copy extends object>(copy: Copy, original: object): Copy => {
  const source = sources.get(original)
  if (source) sources.set(copy, source)
  return copy
}

/** What is known of one place inside a configuration. */
interface Known {
  readonly place: Place
  /** What variables brought in right here. */
  readonly replaced: Replaced | undefined
}

/** What is known inside a configuration, by place. */
interface Knowledge {
  readonly at: ReadonlyMap<string, Known>
  /** What variables brought in at a place or anywhere within it. */
  readonly within: ReadonlyMap<string, readonly Replaced[]>
}

const noted = (within: Map<string, Replaced[]>, place: string): Replaced[] => {
  const list = within.get(place) ?? []
  within.set(place, list)
  return list
}

const knownIn = (input: unknown): Knowledge => {
  const at = new Map<string, Known>()
  const within = new Map<string, Replaced[]>()
  const seen = new Set<object>()
  const walk = (value: unknown, path: string, outer: readonly string[], here?: Known): void => {
    const source = typeof value === 'object' && value !== null ? sources.get(value) : undefined
    const known = here ?? (source && { place: source.place, replaced: undefined })
    if (known) at.set(path, known)
    const around = [...outer, path]
    if (known?.replaced) for (const place of around) noted(within, place).push(known.replaced)
    if (!isPlain(value) || seen.has(value)) return
    seen.add(value)
    for (const [name, inner] of Object.entries(value)) {
      const key = Array.isArray(value) ? Number(name) : name
      const entry = source?.entries?.get(key)
      walk(inner, placeIn(path, key), around, entry && { place: entry, replaced: source?.replaced?.get(key) })
    }
  }
  walk(input, '', [])
  return { at, within }
}

/** The innermost place around a path that is known, the path itself included. */
const placeAround = (path: string, { at }: Knowledge): string | undefined => {
  for (let end = path.length; end > 0; end--) {
    const ends = end === path.length || path[end] === '.' || path[end] === '['
    if (ends && at.has(path.slice(0, end))) return path.slice(0, end)
  }
  return at.has('') ? '' : undefined
}

const quotedOrLiteral = /(?<!\w)(['"`])(.*?)\1(?!\w)|(?<![\w.])(?:-?\d+(?:\.\d+)?|true|false)(?![\w.]*\w)/gs
const shortestTelling = 4

/** Whether something quoted comes from a text: a part of it, it with more around, or its words put differently, as a path in its normal form is. */
const comesFrom = (text: string, quoted: string): boolean => {
  if (text.includes(quoted) || quoted.includes(text)) return true
  const words = quoted.match(/[\p{L}\p{N}]+/gu) ?? []
  return words.length > 0 && words.every((word) => text.includes(word))
}

/** A message without what variables stand for: neither the whole text nor a part that is quoted. */
const withheld = (message: string, { text, names }: Replaced): string => {
  if (text === '') return message
  const whole = text.length < shortestTelling ? message : message.replaceAll(text, () => names)
  return whole.replace(quotedOrLiteral, (found: string, quote: string | undefined, quoted: string | undefined) => {
    if (!quote || !quoted) return found === text ? names : found
    return comesFrom(text, quoted) ? `${quote}${names}${quote}` : found
  })
}

/**
 * Faults with file, line and column, for what of the configuration was read from a file. A name that is missing is missed
 * where the object is written that should have it. Variables are shown by their names, never by what they stand for.
 */
export const located = (faults: readonly ConfigFault[], input: unknown): readonly ConfigFault[] => {
  const known = knownIn(input)
  if (known.at.size === 0) return faults
  return faults.map(({ path, message }): ConfigFault => {
    const around = placeAround(path, known)
    const { place, replaced } = around === undefined ? {} : known.at.get(around)!
    const told = new Set([...known.within.get(path) ?? [], ...replaced ? [replaced] : []])
    const safe = [...told].reduce(withheld, message)
    const from = replaced && around === path && !safe.includes(replaced.names) ? ` (from ${replaced.names})` : ''
    return { path, message: `${safe}${from}`, ...place }
  }).sort((a, b) => a.file === b.file ? (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0) : 0)
}
