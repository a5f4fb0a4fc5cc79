import type { TextCondition } from '../matchers/text.ts'
import { printable } from './text.ts'

/** A text as a pattern of all spellings that it may have in a query: each character as it is, or percent-encoded. It has no quotes and no spaces. */
const spellings = (text: string): string => [...text].map((character) => {
  const hex = character.charCodeAt(0).toString(16).padStart(2, '0')
  const code = `%${hex.replace(/[a-f]/g, (digit) => `[${digit}${digit.toUpperCase()}]`)}`
  if (character === ' ') return `(?:\\+|${code})`
  // What would end the value, or means something else, is meant only where it is encoded.
  if (/[&+%#]/.test(character)) return code
  return `(?:${/\w/.test(character) ? character : `\\x${hex}`}|${code})`
}).join('')

const valuePattern = ({ exact, prefix, suffix }: TextCondition, path: string): string | undefined => {
  if (exact !== undefined) return spellings(printable(exact, path))
  if (prefix !== undefined) return `${spellings(printable(prefix, path))}[^&]*`
  return suffix === undefined ? undefined : `[^&]*${spellings(printable(suffix, path))}`
}

/** Conditions on a query as regular expressions (PCRE) on the whole of it. They have no quotes and no spaces. */
export interface QueryPattern {
  /** That the first parameter of the name has such a value; `undefined` where no text is asked for. */
  readonly holds: string | undefined
  /** That there is one of the name. */
  readonly found: string
  /** What comes before the value of the first parameter of the name, which goes up to the next `&`. */
  readonly before: string
}

/**
 * A condition on a parameter as regular expressions on the query as it was sent: of several parameters of the name the first counts, and letters
 * may be percent-encoded. A regular expression of the user's is not part of it: it is for the value alone, where it can reach into no other parameter.
 */
export const queryPattern = (name: string, condition: TextCondition, path: string): QueryPattern => {
  const named = `${spellings(printable(name, path))}(?=[=&]|$)`
  const found = `^(?:(?!${named})[^&]*&)*${named}`
  const value = valuePattern(condition, path)
  return { holds: value === undefined ? undefined : `${found}=?${value}(?:&|$)`, found, before: `${found}=?` }
}
