import { z } from 'zod'
import { duration } from '../../config/duration.ts'
import type { AnyMatcherKind, Matchers } from '../../matchers/matcher.ts'
import { serviceAddress, type Readable } from '../../mesh/config.ts'
import { matchedPrefix, rewriteConfig } from '../../route/rewrite.ts'

const token = z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, { error: "is not a protocol: write one such as 'websocket'" })
  .transform((name) => name.toLowerCase())

/** What a prefix in `rewrite` takes the place of: a route without a condition on the path matches by the prefix '/'. */
export const prefixOf = (match: unknown): string | undefined =>
  (match as { readonly path?: unknown } | undefined)?.path === undefined ? '/' : matchedPrefix(match)

const routeConfig = <M extends AnyMatcherKind>(matchers: Matchers<M>) => z.strictObject({
  name: z.string().min(1).optional().describe("The route's name, in problems where `disclose` is set."),
  match: matchers.schema.optional()
    .describe('Conditions on the inbound request, all of which must hold; without any, every request matches. `port` is the one that the gateway listens on.'),
  priority: z.int().min(0).max(1000).optional()
    .describe('Place among the routes, 0 first; routes without one come after all that have one, the most specific first.'),
  service: z.string().refine((name) => serviceAddress(name) !== undefined, "is not a service name: write the name that the mesh's `services` has it under")
    .describe('The service of the mesh that the request goes on to.'),
  port: z.int().min(1).max(65_535).optional().describe('The port that the service is called by, where it goes by ports; that of its name, or 80, by default.'),
  rewrite: rewriteConfig.optional().describe('What is changed of the request; without it the inbound Host and path go on.'),
}).superRefine(({ match, rewrite }, context) => {
  if (rewrite?.prefix === undefined || prefixOf(match) !== undefined) return
  context.addIssue({
    code: 'custom', path: ['rewrite', 'prefix'],
    message: 'has nothing to replace: the path is matched exactly or by a regular expression; write rewrite.path',
  })
})

const limit = (preset: number) => z.int().min(0).default(preset)

/** The options of a gateway that are data, for the matchers at hand. */
export const gatewayConfig = <M extends AnyMatcherKind>(matchers: Matchers<M>) => z.strictObject({
  routes: z.array(routeConfig(matchers)).min(1, 'needs at least one route').describe('The routes; the best match wins.'),
  inbound: z.enum(['restart', 'continue']).default('restart')
    .describe('Whether request id, trace, baggage and deadline that a request brings go on, or begin anew since strangers wrote them.'),
  timeout: duration.optional().describe("Deadline of each request, for all that is done for it; the routes' own by default."),
  trustedHops: z.int().min(0).max(20).default(0)
    .describe('Proxies in front of the gateway whose `x-forwarded-*` and `forwarded` are believed; with 0 they are replaced.'),
  escapedSlashes: z.enum(['refuse', 'keep']).default('refuse')
    .describe("What becomes of a path with `%2F` or `%5C`, which the service might take for a slash that no route has seen."),
  upgrades: z.array(token).default(['websocket'])
    .describe('Protocols that a connection may change over to; a request for another is answered as if it had not asked.'),
  disclose: z.boolean().default(false)
    .describe("Whether problem answers tell the mesh's whole message and the attempts, internal addresses among them."),
  maxHeaderSize: z.int().min(256).default(16 * 1024).describe('Bytes of a request\'s head, above which it is refused.'),
  maxHeaders: z.int().min(1).max(2000).default(100).describe('Header fields of a request, above which it is refused.'),
  maxTarget: z.int().min(1).default(8 * 1024).describe("Characters of a request's target, above which it is refused."),
  maxBody: limit(100 * 1024 * 1024).describe('Bytes of a request\'s body, above which it is refused or cut. 0 is no limit.'),
  headersTimeout: duration.default(10_000).refine((ms) => ms > 0, 'must be above 0').describe("How long a request's head may take to come."),
  requestTimeout: duration.default(300_000).refine((ms) => ms > 0, 'must be above 0').describe('How long a whole request may take to come, its body included.'),
  stallTimeout: duration.default(60_000).refine((ms) => ms > 0, 'must be above 0').describe('How long a client may leave what was sent to it unread.'),
  keepAlive: duration.default(75_000).describe('How long a connection is kept open without a request. 0 ends each with its first answer.'),
  drain: duration.default(10_000).describe('How long close() lets requests under way end before their connections are cut.'),
})

type Schema<M extends AnyMatcherKind> = ReturnType<typeof gatewayConfig<M>>

/** The options of a gateway that are data, as the user may write them. */
export type GatewayInput<M extends AnyMatcherKind> = Readable<z.input<Schema<M>>>

/** The same, parsed: every default written out, durations in milliseconds. */
export type GatewayConfig<M extends AnyMatcherKind = AnyMatcherKind> = z.output<Schema<M>>

/** One route of a gateway, parsed. */
export type GatewayRouteConfig = GatewayConfig['routes'][number]
