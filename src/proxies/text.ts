import { ProxyConfigError } from './proxy.ts'

/**
 * Sees that a text may stand, quoted, in a configuration: printable ASCII. Line breaks end a directive in some files whatever
 * is around them, and letters beyond ASCII are bytes there and characters here, so neither is let through.
 */
export const printable = (text: string, path: string): string => {
  if (!/^[\x20-\x7e]*$/.test(text)) throw new ProxyConfigError(path, 'holds characters beyond printable ASCII, which cannot be written into the configuration of a proxy: write them percent-encoded, or leave them out')
  return text
}

/** Sees that what became of a text is not longer than a proxy can read. */
export const bounded = (written: string, most: number, path: string): string => {
  if (written.length <= most) return written
  throw new ProxyConfigError(path, `takes ${written.length} characters, and at most ${most} fit into the configuration of a proxy: write something shorter`)
}

/** A text that needs no quotes anywhere, since it is made of letters, digits and the few characters given (as in a character class). */
export const plain = (text: string, more: string, path: string, what: string): string => {
  if (new RegExp(`^[A-Za-z0-9${more}]+$`).test(text)) return bounded(text, 1_000, path)
  throw new ProxyConfigError(path, `'${text.slice(0, 100)}' is ${what} that cannot be written into the configuration of a proxy: it may have letters, digits and ${more.replaceAll('\\', '')}`)
}

/** A name as a configuration's own names are: anything else is taken out, so it tells people something and nothing depends on it. */
export const label = (text: string): string => text.replace(/[^A-Za-z0-9]+/g, '_').slice(0, 40)

/** A remark on one line: whatever might end the line, or go on to the next, is taken out. */
export const remark = (text: string): string => `# ${text.replace(/[^\x20-\x5b\x5d-\x7e]+/g, '?').slice(0, 200)}`

/** A text as a regular expression that matches it. */
export const literal = (text: string): string => text.replace(/[^A-Za-z0-9]/g, (character) => `\\${character}`)
