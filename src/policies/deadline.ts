import type { Call } from '../core/call.ts'
import type { Layer } from '../core/send.ts'

/**
 * Bounds everything a call may take, from its start to the end of its body: waiting, all attempts and the wait between.
 * `defaultMs` is the route's timeout in milliseconds, which a call may replace by its own; 0 is no deadline.
 * When it passes, the call is aborted with ENMESH_DEADLINE_EXCEEDED.
 *
 * There is no race here: whatever waits on behalf of a call registers with `call.track` (or waits by `call.pause`) and
 * settles when the call is aborted. That invariant is what makes the caller's promise reject in time.
 */
export const deadline = (defaultMs: number): Layer<Call> => (next) => (call) => {
  const timeout = call.policy?.timeout ?? defaultMs
  if (timeout > 0) arm(call, timeout)
  return next(call)
}

const arm = (call: Call, timeout: number): void => {
  call.deadline = call.startedAt + timeout
  call.onEnd(call.clock.after(Math.max(0, call.remaining), () => call.abort(exceeded(call, timeout))))
}

const exceeded = (call: Call, timeout: number): Error => call.error(
  'ENMESH_DEADLINE_EXCEEDED',
  `${call} took longer than its timeout of ${timeout} ms: ${progress(call)}. ` +
  "Look at what was slow, or raise 'timeout' on the route or 'mesh.timeout' for this call (0 is none).",
)

const progress = (call: Call): string => {
  const count = call.attempts.length
  const last = call.attempts.at(-1)
  if (!last) return `no attempt was made, it still waited for an endpoint${call.cluster ? ` of '${call.cluster.name}'` : ''}`
  const made = `${count === 1 ? '1 attempt' : `${count} attempts`} made`
  if (last.ending !== undefined) return `${made}, it waited for the next try`
  const awaited = last.headAt > 0 ? 'the end of the body' : last.sentAt > 0 ? 'an answer' : 'a socket'
  return `${made}, the last at ${last.endpoint.address} waited for ${awaited}`
}
