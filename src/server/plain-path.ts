/*
 * What frameworks make of a request's target differs: one decodes before it routes, one cuts at ';', one takes `/Admin` for `/admin`, one resolves `..`.
 * Whoever decides by the path has to see every path that any of them may see.
 */

const authority = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i
// Parsers differ in where an authority ends that has anything else in it, a backslash for instance, which is a slash to some.
const plainAuthority = /^https?:\/\/[a-z0-9._~:[\]-]+$/i
const encodedDelimiters = /%(?:2f|5c|00)/i
const stillEncoded = /%[0-9a-f]{2}/i
const neverInPaths = /[\0-\x20\\\x7f]/

/** The path of a target as it is written: without authority, which may hold credentials, and without query. */
export const writtenPath = (target: string): string => target.replace(authority, '').replace(/[?#].*$/s, '') || '/'

/**
 * The path of a request's target, decoded, in lower case, without a slash at its end; `undefined` where two who read it might not agree:
 * empty, `.` or `..` segments, encoded slashes, what is encoded twice or cannot be decoded, and targets that are no path.
 */
export const plainPath = (target: string): string | undefined => {
  const written = writtenPath(target)
  const before = authority.exec(target)?.[0]
  if (before !== undefined && !plainAuthority.test(before)) return undefined
  if (!written.startsWith('/') || encodedDelimiters.test(written)) return undefined
  const path = decoded(written)
  if (path === undefined || neverInPaths.test(path) || stillEncoded.test(path)) return undefined
  const segments = path.split('/').slice(1)
  if (segments.at(-1) === '') segments.pop()
  // A parameter of a segment is no part of its name: `..;x` is `..` to some.
  if (segments.some((segment) => ['', '.', '..'].includes(segment.replace(/;.*$/, '')))) return undefined
  return `/${segments.join('/')}`.toLowerCase()
}

const decoded = (path: string): string | undefined => {
  try {
    return decodeURIComponent(path)
  } catch {
    return undefined
  }
}

/** Whether a path is below another one, or is it: `/orders` has `/orders/7` and `/orders;v=2` below it, and not `/ordersx`. Both as `plainPath` has them. */
export const isBelow = (path: string, prefix: string): boolean =>
  prefix === '/' || (path.startsWith(prefix) && (path.length === prefix.length || path[prefix.length] === '/' || path[prefix.length] === ';'))
