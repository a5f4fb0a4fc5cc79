import { ProxyConfigError } from './proxy.ts'

/** Longer texts would not fit into the lines that HAProxy reads. */
const longest = 1_000

/**
 * Sees that a text may stand, quoted, in a configuration: printable ASCII, and not too long. Line breaks end a directive in some files whatever
 * is around them, and letters beyond ASCII are bytes there and characters here, so neither is let through.
 */
export const printable = (text: string, path: string): string => {
  if (!/^[\x20-\x7e]*$/.test(text)) throw new ProxyConfigError(path, 'holds characters beyond printable ASCII, which cannot be written into the configuration of a proxy: write them percent-encoded, or leave them out')
  if (text.length > longest) throw new ProxyConfigError(path, `has ${text.length} characters, and at most ${longest} fit into the configuration of a proxy`)
  return text
}

/** A text that needs no quotes anywhere, since it is made of letters, digits and the few characters given (as in a character class). */
export const plain = (text: string, more: string, path: string, what: string): string => {
  if (new RegExp(`^[A-Za-z0-9${more}]+$`).test(text)) return printable(text, path)
  throw new ProxyConfigError(path, `'${text.slice(0, 100)}' is ${what} that cannot be written into the configuration of a proxy: it may have letters, digits and ${more.replaceAll('\\', '')}`)
}

/** A name as a configuration's own names are: anything else is taken out, so it tells people something and nothing depends on it. */
export const label = (text: string): string => text.replace(/[^A-Za-z0-9]+/g, '_').slice(0, 40)

/** A remark on one line: whatever might end the line, or go on to the next, is taken out. */
export const remark = (text: string): string => `# ${text.replace(/[^\x20-\x5b\x5d-\x7e]+/g, '?').slice(0, 200)}`

/** A text as a regular expression that matches it. */
export const literal = (text: string): string => text.replace(/[^A-Za-z0-9]/g, (character) => `\\${character}`)

/**
 * A regular expression for the whole value, for PCRE. RE2's syntax is PCRE's but for few things, which are refused: `\Q`, that may stay open to the end
 * and would then quote what is put behind it, and `\C` and `\p`, which mean something else among bytes.
 */
export const wholePattern = (source: string, path: string): string => {
  const refused = /\\[QCpP]/.exec(source.replaceAll('\\\\', ''))
  if (refused) throw new ProxyConfigError(path, `has ${refused[0]} in its regular expression, which proxies read otherwise: write it without`)
  // Not `$`, which a line break at the end gets past.
  return `^(?:${printable(source, path)})\\z`
}
