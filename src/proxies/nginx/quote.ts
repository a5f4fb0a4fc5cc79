import { bounded, printable } from '../text.ts'

/** nginx reads words into a buffer of 4096 characters. */
const longestWord = 4_000

/** A word of nginx's configuration, whatever is in it, where nginx looks for no variables: keys of maps that are regular expressions. */
export const quoted = (text: string, path: string): string => bounded(`"${printable(text, path).replace(/[\\"]/g, '\\$&')}"`, longestWord, path)

/** A time. */
export const time = (ms: number): string => ms === 0 ? '24d' : `${Math.max(1, Math.round(ms))}ms`

/** A time where nginx counts in seconds. */
export const seconds = (ms: number): string => `${Math.max(1, Math.ceil(ms / 1_000))}s`

/** The name by which nginx knows a header, cookie or parameter in a variable's name. */
export const variable = (name: string): string => name.toLowerCase().replaceAll('-', '_')
