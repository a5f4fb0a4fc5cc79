import { ProxyConfigError } from './proxy.ts'
import { printable } from './text.ts'

/** What an expression consists of: escapes, classes, the beginnings of named groups, and single characters. */
const parts = /\\x\{[0-9A-Fa-f]*\}|\\[^]|\[\^?\]?(?:\[:\^?[a-z]+:\]|\\[^]|[^\]\\])*\]|\(\?P?<\w+>|[^]/g

/** Escapes that PCRE reads otherwise than RE2: `\Q` may stay open to the end, and would then quote what is put behind it; the others mean something else among bytes. */
const otherEscape = /\\[QpPv]|\\x\{0*[1-9A-Fa-f][0-9A-Fa-f]{2,}\}/

/** Classes that PCRE refuses: of its own syntax, and ranges that begin with a class. */
const otherClass = /^\[([:.=]).*\1\]$|.\[[.=]|\\[dswDSW]-[^\]]|:\]-[^\]]/

const forPcre = (part: string, path: string): string => {
  const plain = part.replaceAll('\\\\', '')
  const refused = otherEscape.exec(plain)?.[0] ?? (part.startsWith('[') && otherClass.test(plain) ? part : undefined)
  if (refused !== undefined) throw new ProxyConfigError(path, `has ${refused} in its regular expression, which proxies read otherwise: write it without`)
  // nginx would set a variable of that name, which may be one that something else depends on.
  return part.startsWith('(?') && part.endsWith('>') ? '(' : part
}

/** A regular expression for the whole value, for PCRE. RE2's syntax is PCRE's but for few things, which are refused; names of groups are left out. */
export const wholePattern = (source: string, path: string): string => {
  const pattern = printable(source, path).match(parts)!.map((part) => forPcre(part, path)).join('')
  // Not `$`, which a line break at the end gets past.
  return `^(?:${pattern})\\z`
}
