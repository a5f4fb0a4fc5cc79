import type { Attempt } from '../core/call.ts'
import type { Reply } from '../core/reply.ts'
import type { Layer, Send } from '../core/send.ts'

/**
 * Bounds one attempt from its start, the wait for a socket included, until the head of the answer is in; the body is
 * the deadline's business, so that streams live on. (Envoy's per-try timeout includes the body.)
 * It is the call's `attemptTimeout`, which its route or its own policy sets.
 * When it passes, the attempt is aborted with ENMESH_ATTEMPT_TIMEOUT, and a retry may follow.
 *
 * Relies on the transport to settle an attempt that is aborted.
 */
export const attemptTimeout: Layer<Attempt> = (next) => (attempt) => {
  const timeout = attempt.call.attemptTimeout
  return timeout > 0 ? headWithin(timeout, attempt, next) : next(attempt)
}

const headWithin = async (timeout: number, attempt: Attempt, next: Send<Attempt>): Promise<Reply> => {
  const cancel = attempt.call.clock.after(timeout, () => attempt.abort(timedOut(attempt, timeout)))
  try {
    return await next(attempt)
  } finally {
    cancel()
  }
}

const timedOut = (attempt: Attempt, timeout: number): Error => attempt.call.error(
  'ENMESH_ATTEMPT_TIMEOUT',
  `Attempt ${attempt.number} of ${attempt.call} at ${attempt.endpoint.address} had no answer within ${timeout} ms` +
  `${attempt.sentAt > 0 ? '' : ', and was still waiting for a socket'}. ` +
  "Raise 'attemptTimeout' on the route or 'mesh.attemptTimeout' for the call if the service may take longer.",
)
