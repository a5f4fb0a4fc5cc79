import { z } from 'zod'
import { duration } from '../config/duration.ts'
import type { Call } from '../core/call.ts'
import type { Layer } from '../core/send.ts'

/** What a cluster says of the time that calls to it may take, beside their route. */
export const clusterTimeoutConfig = z.strictObject({
  timeout: duration.default(0)
    .describe("Deadline of calls that go to this cluster; the shorter one of it and the call's own holds. 0 is off."),
  idleTimeout: duration.default(0)
    .describe("Longest silence on the wire of this cluster; the shorter one of it and the call's own holds. 0 is off."),
})

/** Parsed form of `clusterTimeoutConfig`. */
export type ClusterTimeoutConfig = z.output<typeof clusterTimeoutConfig>

/**
 * Bounds calls once their cluster is drawn, so that the targets of one route may have times of their own. Like the deadline of the
 * route it counts from the call's start; it only ever shortens. `undefined` where nothing is bounded.
 */
export const clusterTimeout = ({ timeout, idleTimeout }: ClusterTimeoutConfig): Layer<Call> | undefined => {
  if (timeout === 0 && idleTimeout === 0) return undefined
  return (next) => (call) => {
    if (idleTimeout > 0 && (call.idleTimeout === 0 || idleTimeout < call.idleTimeout)) call.idleTimeout = idleTimeout
    if (timeout === 0 || call.startedAt + timeout >= call.deadline) return next(call)
    call.deadline = call.startedAt + timeout
    const cluster = call.cluster!.name
    if (call.remaining <= 0) return Promise.reject(exceeded(call, cluster, timeout))
    call.onEnd(call.clock.after(call.remaining, () => {
      // Lifted for an upgraded connection, as the route's deadline is.
      if (call.deadline !== Number.POSITIVE_INFINITY) call.abort(exceeded(call, cluster, timeout))
    }))
    return next(call)
  }
}

const exceeded = (call: Call, cluster: string, timeout: number): Error => call.error(
  'ENMESH_DEADLINE_EXCEEDED',
  `${call} took longer than cluster '${cluster}' is given, which is ${timeout} ms (${call.attempts.length} attempts made). ` +
  "Look at what was slow, or raise 'timeout' of the cluster (0 is none).",
)
