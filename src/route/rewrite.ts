import { z } from 'zod'
import type { Call } from '../core/call.ts'
import { RequestHead } from '../core/request.ts'
import type { Layer } from '../core/send.ts'
import { normalPath } from '../matchers/path.ts'

const path = z.string().regex(/^\/[\u0021-\u00ff]*$/, { error: "must begin with '/' and hold no spaces" })
  .regex(/^[^?#]*$/, { error: "must hold neither '?' nor '#': the query is kept as it is" })

/** The shape of a route's `rewrite`. */
export const rewriteConfig = z.strictObject({
  host: z.string()
    .regex(/^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?$/, { error: "is not a host: write 'name' or 'name:port'" })
    .optional().describe("What is sent as Host in place of the service's name."),
  path: path.optional().describe('Takes the place of the whole path; the query stays.'),
  prefix: path.optional()
    .describe("Takes the place of the prefix that the route's path condition matched; the rest and the query stay."),
}).superRefine((rewrite, context) => {
  const written = Object.values(rewrite).some((value) => value !== undefined)
  if (!written) context.addIssue({ code: 'custom', message: 'rewrites nothing: write host, path or prefix' })
  if (rewrite.path !== undefined && rewrite.prefix !== undefined) {
    context.addIssue({ code: 'custom', path: ['prefix'], message: 'has no effect beside path, which replaces the whole path' })
  }
})

/** What a route changes of a request before it is sent, parsed. */
export type RewriteConfig = z.output<typeof rewriteConfig>

/** The prefix that a route's `match` compares paths with; `undefined` where it compares otherwise or not at all. */
export const matchedPrefix = (match: unknown): string | undefined => {
  const { path } = (match ?? {}) as { readonly path?: { readonly prefix?: string, readonly plainPrefix?: string } }
  return path?.prefix ?? path?.plainPrefix
}

// One slash where the two parts meet: '/a' to '/' makes '/b' of '/a/b', and '/a/' to '/x' makes '/x/b' of it.
const withPrefix = (path: string, from: string, to: string): string => {
  const rest = path.slice(from.length)
  if (to.endsWith('/') && rest.startsWith('/')) return to + rest.slice(1)
  return from.endsWith('/') && !to.endsWith('/') && rest !== '' ? `${to}/${rest}` : to + rest
}

/** Path and query as they are sent. `from` is the prefix that matched. */
export const rewrittenPath = ({ path, prefix }: RewriteConfig, from: string | undefined, request: RequestHead): string => {
  if (path === undefined && (prefix === undefined || from === undefined)) return request.path
  const { pathname } = request
  const query = request.path.slice(pathname.length)
  if (path !== undefined) return path + query
  // The prefix was found in the normal form, so it is cut from that; a written form may not even begin with it.
  return withPrefix(normalPath(pathname), from!, prefix!) + query
}

/** The head that is sent in place of the caller's. `from` is the prefix that matched. */
export const rewritten = (config: RewriteConfig, from: string | undefined, request: RequestHead): RequestHead => {
  const { method, scheme, host, port, headers, body, upgrade } = request
  return new RequestHead({
    method, scheme, host, port, headers, body, upgrade,
    path: rewrittenPath(config, from, request),
    hostHeader: config.host ?? request.hostHeader,
  })
}

/**
 * Sends a changed head in place of the caller's: another `Host`, another path, or another prefix in place of
 * the one that matched (`from`). The query and everything else stay.
 */
export const rewrite = (config: RewriteConfig, from: string | undefined): Layer<Call> => (next) => (call) => {
  call.request = rewritten(config, from, call.request)
  return next(call)
}
