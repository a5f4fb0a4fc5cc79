import { z } from 'zod'
import { duration } from '../config/duration.ts'
import type { Random } from '../runtime/random.ts'

/** How long to wait between attempts. */
export const backoffConfig = z.strictObject({
  base: duration.default(25).describe('Unit of the wait: retry N waits at most (2^N - 1) times as long.'),
  max: duration.default(250).describe('Longest wait before a retry, whatever its number.'),
})

/** Parsed options of the back-off, in milliseconds. */
export type BackoffConfig = z.output<typeof backoffConfig>

/**
 * Waits before retries with full jitter, as Envoy does: retry N (1 for the first) waits an even chance of
 * [0, min(max, (2^N - 1) * base)) milliseconds, so callers that failed together don't come back together.
 */
export const backoff = ({ base, max }: BackoffConfig, random: Random) => (retry: number): number =>
  random() * Math.min(max, (2 ** retry - 1) * base)
