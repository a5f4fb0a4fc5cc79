import type { Call } from '../core/call.ts'
import type { Layer } from '../core/send.ts'

/**
 * Bounds everything a call may take, from its start to the end of its body: waiting, all attempts and the wait between.
 * `defaultMs` is the route's timeout in milliseconds, which a call may replace by its own; 0 is no deadline.
 * A call made for an inbound request never outlives that one's deadline, whatever its own timeout.
 * When it passes, the call is aborted with ENMESH_DEADLINE_EXCEEDED. Whoever hands over an upgraded connection lifts it
 * (`call.deadline = Infinity`): that one lives as long as its two ends like.
 *
 * There is no race here: whatever waits on behalf of a call registers with `call.track` (or waits by `call.pause`) and
 * settles when the call is aborted. That invariant is what makes the caller's promise reject in time.
 */
export const deadline = (defaultMs: number): Layer<Call> => (next) => (call) => {
  const timeout = call.policy?.timeout ?? defaultMs
  const own = timeout > 0 ? call.startedAt + timeout : Number.POSITIVE_INFINITY
  const inherited = call.passport?.deadline ?? Number.POSITIVE_INFINITY
  call.deadline = Math.min(own, inherited)
  if (call.deadline === Number.POSITIVE_INFINITY) return next(call)
  const exceeded = inherited < own ? inheritedExceeded : ownExceeded
  // Whoever asked has given up already: nothing is sent.
  if (call.remaining <= 0) return Promise.reject(exceeded(call, 'nothing was sent'))
  call.onEnd(call.clock.after(call.remaining, () => {
    if (call.deadline !== Number.POSITIVE_INFINITY) call.abort(exceeded(call, progress(call)))
  }))
  return next(call)
}

const ownExceeded = (call: Call, came: string): Error => call.error(
  'ENMESH_DEADLINE_EXCEEDED',
  `${call} took longer than its timeout of ${milliseconds(call.deadline - call.startedAt)} ms: ${came}. ` +
  "Look at what was slow, or raise 'timeout' on the route or 'mesh.timeout' for this call (0 is none).",
)

const inheritedExceeded = (call: Call, came: string): Error => call.error(
  'ENMESH_DEADLINE_EXCEEDED',
  `${call} had ${milliseconds(Math.max(0, call.deadline - call.startedAt))} ms left of the deadline of the inbound request that it was made for: ` +
  `${came}. Look at what took the time before it and since, or have the caller wait longer.`,
)

const milliseconds = (ms: number): number => Math.round(ms * 1000) / 1000

const progress = (call: Call): string => {
  const count = call.attempts.length
  const last = call.attempts.at(-1)
  if (!last) return `no attempt was made, it still waited for an endpoint${call.cluster ? ` of '${call.cluster.name}'` : ''}`
  const made = `${count === 1 ? '1 attempt' : `${count} attempts`} made`
  if (last.ending !== undefined) return `${made}, it waited for the next try`
  const awaited = last.headAt > 0 ? 'the end of the body' : last.sentAt > 0 ? 'an answer' : 'a socket'
  return `${made}, the last at ${last.endpoint.address} waited for ${awaited}`
}
