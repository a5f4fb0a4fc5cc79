import { z } from 'zod'
import type { Call } from '../core/call.ts'
import type { Load } from '../core/endpoint.ts'
import type { Layer } from '../core/send.ts'

/** How much may be under way in a cluster at once. */
export const concurrencyLimitConfig = z.strictObject({
  requests: z.number().int().min(1).optional()
    .describe('Requests under way at once in the cluster, bodies included; no limit by default.'),
  pending: z.number().int().min(1).default(1_024).describe('Requests that may wait for a socket at once in the cluster.'),
})

/** Parsed limits of a cluster. */
export type ConcurrencyLimitConfig = z.output<typeof concurrencyLimitConfig>

/**
 * Keeps a slow cluster from filling the process (a bulkhead): what is over a limit is refused at once with
 * ENMESH_OVERLOADED, before it takes an endpoint's turn, and without a word on the cluster's health.
 */
export const concurrencyLimit = ({ requests, pending }: ConcurrencyLimitConfig, load: Load): Layer<Call> => (next) => (call) => {
  if (requests !== undefined && load.active >= requests) return refuse(call, 'requests', requests, `under way are ${load.active}`)
  if (load.pending >= pending) return refuse(call, 'pending', pending, `waiting for a socket are ${load.pending}`)
  return next(call)
}

const refuse = (call: Call, option: string, limit: number, found: string): Promise<never> => Promise.reject(call.error(
  'ENMESH_OVERLOADED',
  `${call} was refused: in cluster '${call.cluster!.name}' requests ${found}, and its limit '${option}' is ${limit}. ` +
  `Raise '${option}' if its endpoints can take more, add endpoints, or send less.`,
))
