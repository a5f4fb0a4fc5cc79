import { literal, plain } from './text.ts'

/** A path to send: its letters mean nothing in any of the configurations. */
export const plainPath = (text: string, path: string): string => plain(text, '\\/._~!*+,;=:@-', path, 'a path')

/**
 * How a prefix is replaced, with one slash where the two parts meet: what of the beginning of a path (which may have its query) is to be taken
 * away, as a regular expression, and what is to be put there.
 */
export const prefixPattern = (from: string, to: string): { readonly pattern: string, readonly replacement: string } => {
  if (to.endsWith('/')) return { pattern: `${literal(from)}/?`, replacement: to }
  if (!from.endsWith('/')) return { pattern: literal(from), replacement: to }
  // '/a/' to '/x': '/a/b' becomes '/x/b', and '/a/' becomes '/x'.
  return { pattern: `${literal(from.slice(0, -1))}(?=/[^?])|${literal(from)}(?=\\?|$)`, replacement: to }
}
