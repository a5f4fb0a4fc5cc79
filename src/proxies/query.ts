import type { TextCondition } from '../matchers/text.ts'
import { literal, printable, wholePattern } from './text.ts'

/** A text as a pattern of all spellings that it may have in a query: each character as it is, or percent-encoded. */
const spellings = (text: string): string => [...text].map((character) => {
  const code = `%${character.charCodeAt(0).toString(16).padStart(2, '0').replace(/[a-f]/g, (digit) => `[${digit}${digit.toUpperCase()}]`)}`
  if (character === ' ') return `(?:\\+|${code})`
  // What would end the value, or means something else, is meant only where it is encoded.
  return /[&+%#]/.test(character) ? code : `(?:${literal(character)}|${code})`
}).join('')

const valuePattern = ({ exact, prefix, suffix, regex }: TextCondition, path: string): string | undefined => {
  if (exact !== undefined) return spellings(printable(exact, path))
  if (prefix !== undefined) return `${spellings(printable(prefix, path))}[^&]*`
  if (suffix !== undefined) return `[^&]*${spellings(printable(suffix, path))}`
  // Within what the lookahead leaves, so that the expression cannot reach into the next parameter.
  return regex === undefined ? undefined : `(?=${wholePattern(regex, path).slice(1, -2)}(?:&|$))[^&]*`
}

/** Conditions on a query as regular expressions (PCRE) on the whole of it. */
export interface QueryPattern {
  /** That the first parameter of the name has such a value; `undefined` where only presence is asked for. */
  readonly holds: string | undefined
  /** That there is one of the name. */
  readonly found: string
}

/**
 * A condition on a parameter as regular expressions on the query as it was sent: of several parameters of the name the first counts, and letters
 * may be percent-encoded. A regular expression of the user's sees the value as it was sent.
 */
export const queryPattern = (name: string, condition: TextCondition, path: string): QueryPattern => {
  const named = `${spellings(printable(name, path))}(?=[=&]|$)`
  const first = `^(?:(?!${named})[^&]*&)*${named}`
  const value = valuePattern(condition, path)
  return { holds: value === undefined ? undefined : `${first}=?${value}(?:&|$)`, found: first }
}
