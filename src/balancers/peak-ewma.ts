import { z } from 'zod'
import { duration } from '../config/duration.ts'
import { kind } from '../core/family.ts'
import type { Endpoint } from '../core/endpoint.ts'
import type { Balancer } from './balancer.ts'
import { cheapestOf } from './draw.ts'
import { preferUntried } from './untried.ts'

/** Above any real latency: an endpoint that has yet to answer for the first time gets one attempt, and no more while others are there. */
const unknown = 1e12

const expectedWait = ({ active, latency }: Endpoint, now: number): number => {
  const known = latency.at(now)
  if (known > 0) return known * (active + 1)
  return active === 0 ? 0 : unknown + active
}

/**
 * Of two endpoints drawn, the one expected to answer sooner: latency × (attempts under way + 1).
 * Peak-sensitive (Finagle's Peak EWMA): a slow answer counts at once, a fast one only as old evidence fades.
 * An endpoint never heard of costs nothing while idle, so it is tried, by one attempt at a time until it answers.
 * Weight decides how often an endpoint is drawn; its latency then tells whether it can bear that.
 */
export const peakEwma = kind('peak-ewma', z.strictObject({
  decay: duration.refine((ms) => ms > 0, { error: 'must be longer than 0' }).default(10_000)
    .describe('How long a slow answer is remembered: after this time it weighs about a third.'),
}), ({ decay }, { clock, random }): Balancer => {
  const now = (): number => clock.now()
  return preferUntried((endpoints) => {
    for (const { latency } of endpoints) latency.decay = decay
    return cheapestOf(2, endpoints, random, expectedWait, now)
  })
})
