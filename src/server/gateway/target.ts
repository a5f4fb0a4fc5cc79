import { normalPath } from '../../matchers/path.ts'
import { Refusal } from './problem.ts'

const foreign = /[^\x21-\x7e]/
const absolute = /^(https?):\/\/([^/?#]*)(\/?.*)$/i
const malformedEscape = /%(?![0-9a-f]{2})/i
const control = /%(?:[01][0-9a-f]|7f)/i
const escapedSlash = /%(?:2f|5c)/i
/** An escape of a character that means the same when it is not escaped (RFC 3986, 2.3). */
const needlessEscape = /%(?:2d|2e|5f|7e|3[0-9]|4[1-9a-f]|5[0-9a]|6[1-9a-f]|7[0-9a])/gi
/** A segment that some servers take for dots: they cut what follows a semicolon, and then resolve what is left. */
const dotsWithParameters = /(?:^|\/)\.{1,2}(?:;|%3b)/i
/** An ASCII character written with more bytes than UTF-8 allows: some decoders read it all the same, and so a dot or a slash that no route has seen. */
const overlong = /%(?:c[01]|e0%[89][0-9a-f]|f0%8[0-9a-f]%[89ab][0-9a-f])%[89ab][0-9a-f]/i

const semicolon = /;|%3b/i

const bad = (detail: string): Refusal => new Refusal('ENMESH_BAD_REQUEST', detail)

/** What a request is for. */
export interface InboundTarget {
  /** Path and query. The path is in the one form in which routes see it and the service gets it. */
  readonly path: string
  /** What an absolute target names beside the path; it has to be what `Host` says. */
  readonly authority: string | undefined
}

/**
 * The one form of a path: needless escapes are taken out (RFC 3986, 6.2.2), dots resolved, slashes merged. What routes compare is what is sent,
 * so that no spelling reaches a service by a route that was not meant for it. Throws a `Refusal` for what servers read in different ways.
 */
export const settledPath = (path: string, escapedSlashes: 'refuse' | 'keep'): string => {
  const plain = path.includes('%') ? withoutNeedlessEscapes(path, escapedSlashes) : path
  if (semicolon.test(plain) && dotsWithParameters.test(plain.replaceAll('\\', '/'))) throw bad('The path has dots with parameters, which servers read in different ways.')
  return normalPath(plain)
}

const withoutNeedlessEscapes = (path: string, escapedSlashes: 'refuse' | 'keep'): string => {
  if (malformedEscape.test(path)) throw bad("The path has a '%' that begins no escape.")
  if (control.test(path)) throw bad('The path has an escaped control character.')
  if (escapedSlashes === 'refuse' && escapedSlash.test(path)) throw bad('The path has an escaped slash, which servers read in different ways.')
  if (overlong.test(path)) throw bad('The path has a character that is written with more bytes than it takes.')
  return path.replace(needlessEscape, (escape) => String.fromCharCode(Number.parseInt(escape.slice(1), 16)))
}

/** Reads the target of a request. Throws a `Refusal` for one that is no origin or absolute form (RFC 9112, 3.2). */
export const readTarget = (url: string, escapedSlashes: 'refuse' | 'keep'): InboundTarget => {
  if (foreign.test(url)) throw bad('The target has characters that have to be escaped.')
  if (url.includes('#')) throw bad('The target has a fragment.')
  if (url.startsWith('/')) return { path: settled(url, escapedSlashes), authority: undefined }
  const [, , authority, rest] = absolute.exec(url) ?? []
  if (authority === undefined) throw bad('The target is neither a path nor the URL of one.')
  return { path: settled(rest!.startsWith('/') ? rest! : `/${rest!}`, escapedSlashes), authority }
}

const settled = (target: string, escapedSlashes: 'refuse' | 'keep'): string => {
  const query = target.indexOf('?')
  return query < 0 ? settledPath(target, escapedSlashes) : settledPath(target.slice(0, query), escapedSlashes) + target.slice(query)
}
