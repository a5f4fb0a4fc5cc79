import { judged, verdict, type Attempt } from '../core/call.ts'
import { grpcStatusIn, httpStatusOf } from '../core/grpc.ts'
import type { Reply } from '../core/reply.ts'
import { retryAfterOf } from '../core/retry-after.ts'
import type { Clock } from '../runtime/clock.ts'

/** Longest that a `Retry-After` counts, in milliseconds: an endpoint that asks for more is tried again then. */
const longestRetryAfter = 300_000

/** gRPC's RESOURCE_EXHAUSTED, its 429. */
const exhausted = 8

/** Whether gRPC says with 200 what HTTP has 5xx or 429 for: taken for an answer, an UNAVAILABLE that comes at once would draw the load by its speed. */
const isGrpcFailure = (status: number): boolean => status > 0 && (status === exhausted || httpStatusOf(status) >= 500)

/**
 * Whether an attempt failed by its endpoint's fault, seen as a balancer does: 429 counts too, since more load would be refused as well,
 * and a status of gRPC that means either, where the head of an answer has it.
 * `undefined` when it says nothing of the endpoint.
 */
export const failedBy = (attempt: Attempt, reply: Reply | undefined): boolean | undefined => {
  if (reply) return judged(attempt) >= 500 || reply.status === 429 || isGrpcFailure(grpcStatusIn(reply.headers))
  const said = attempt.ending === undefined ? undefined : verdict(attempt, attempt.ending)
  return said === undefined ? undefined : said === 'failure'
}

/** Milliseconds for which a refusal asks by `Retry-After` not to come back; 0 where it says nothing of the kind. */
export const pushback = (reply: Reply, clock: Clock): number =>
  reply.status === 429 || reply.status === 503 ? Math.min(longestRetryAfter, retryAfterOf(reply, clock) ?? 0) : 0
