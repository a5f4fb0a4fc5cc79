import { bounded, printable } from '../text.ts'

/** HAProxy makes room for longer lines, up to its buffers. */
const longestWord = 12_000

/** A word of HAProxy's configuration, whatever is in it: within strong quotes nothing has a meaning but the quote itself. */
export const quoted = (text: string, path: string): string => bounded(`'${printable(text, path).replaceAll("'", "'\\''")}'`, longestWord, path)

/** A time. HAProxy counts in milliseconds, up to 24 days, and takes none at all for a mistake. */
export const time = (ms: number): string => {
  const longest = 2_073_600_000
  return `${ms === 0 ? longest : Math.min(longest, Math.max(1, Math.round(ms)))}ms`
}

/** A count, as far as HAProxy counts. */
export const count = (number: number): number => Math.min(1_000_000_000, number)
