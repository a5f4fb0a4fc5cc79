import { z } from 'zod'
import { duration } from '../config/duration.ts'
import { requestPart } from '../core/request-part.ts'
import { matchedPrefix, rewriteConfig } from './rewrite.ts'

const cluster = z.string().min(1, { error: 'is empty: name a cluster' })

const weights = z
  .record(cluster, z.number().min(0, { error: 'is negative: a weight is 0 or more' }))
  .superRefine((shares, context) => {
    const all = Object.values(shares)
    if (all.length === 0) context.addIssue({ code: 'custom', message: 'is empty: name a cluster' })
    else if (all.every((weight) => weight === 0)) {
      context.addIssue({ code: 'custom', message: 'gives every cluster weight 0: nothing could be sent' })
    } else if (!Number.isFinite(all.reduce((sum, weight) => sum + weight, 0))) {
      context.addIssue({ code: 'custom', message: 'adds up to more than a number can hold' })
    }
  })

/** The parts of a route's shape that are made elsewhere. */
export interface RouteParts<Match extends z.ZodType, Retry extends z.ZodType> {
  /** The shape of `match`: `matchers.schema`. */
  readonly match: Match
  /** The shape of `retry`, `false` included if it may be switched off. */
  readonly retry: Retry
}

/** Refuses to rewrite a prefix where the path is not matched by one. */
export const prefixToReplace = (route: object, context: z.RefinementCtx): void => {
  const { rewrite, match } = route as { readonly rewrite?: z.output<typeof rewriteConfig>, readonly match?: unknown }
  if (rewrite?.prefix === undefined || matchedPrefix(match) !== undefined) return
  context.addIssue({
    code: 'custom',
    path: ['rewrite', 'prefix'],
    message: 'has nothing to replace: it needs a route with match.path.prefix or match.path.plainPrefix',
  })
}

/** Makes the shape of one route from the shapes of its matchers and of its retry policy. */
export const routeConfig = <Match extends z.ZodType, Retry extends z.ZodType>({ match, retry }: RouteParts<Match, Retry>) =>
  z.strictObject({
    name: z.string().min(1).optional().describe("The route's name in trails, spans and status."),
    match: match.optional()
      .describe('Conditions on the request, all of which must hold; without any, every request matches.'),
    to: z.union([cluster, weights], { error: 'must be the name of a cluster, or clusters with their weights: { a: 90, b: 10 }' })
      .describe('The cluster that gets the calls, or clusters with their weights relative to one another.'),
    priority: z.int().min(0).max(1000).optional()
      .describe('Place among the routes, 0 first; routes without one come after all that have one, the most specific first.'),
    timeout: duration.default(15_000)
      .describe('Deadline of a call: waiting, all attempts and the body together. 0 is off.'),
    attemptTimeout: duration.default(0).describe('Longest time one attempt may take to bring the head of its answer. 0 is off.'),
    idleTimeout: duration.default(300_000).describe('Longest silence on the wire while an answer is awaited or its body comes. 0 is off.'),
    retry: retry.optional().describe('When and how often a failed attempt is made again on another endpoint.'),
    sticky: requestPart.optional().describe('Keeps requests of one user with one cluster of a weighted route: those with the same value of this part.'),
    rewrite: rewriteConfig.optional().describe('What is changed of a request before it is sent.'),
  }).superRefine(prefixToReplace)
