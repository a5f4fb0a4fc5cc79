import { verdict, type Attempt } from '../core/call.ts'
import type { Reply } from '../core/reply.ts'

/** Longest that a `Retry-After` counts, in milliseconds: an endpoint that asks for more is tried again then. */
const longestRetryAfter = 300_000

/**
 * Whether an attempt failed by its endpoint's fault, seen as a balancer does: 429 counts too, since more load would be refused as well.
 * `undefined` when it says nothing of the endpoint.
 */
export const failedBy = (attempt: Attempt, reply: Reply | undefined): boolean | undefined => {
  if (reply) return reply.status >= 500 || reply.status === 429
  const said = attempt.ending === undefined ? undefined : verdict(attempt, attempt.ending)
  return said === undefined ? undefined : said === 'failure'
}

/** Milliseconds for which a refusal asks not to come back, as seconds in `Retry-After`; 0 where it says nothing of the kind. */
export const pushback = ({ status, headers }: Reply): number => {
  if (status !== 429 && status !== 503) return 0
  const header = headers['retry-after']
  if (typeof header !== 'string' || !/^\s*\d{1,9}\s*$/.test(header)) return 0
  return Math.min(longestRetryAfter, Number(header) * 1_000)
}
