import { z } from 'zod'
import { kind } from '../core/family.ts'
import type { Endpoint } from '../core/endpoint.ts'
import type { Balancer } from './balancer.ts'
import { Schedule } from './schedule.ts'
import { preferUntried } from './untried.ts'

/**
 * What is left of an endpoint's weight beside the attempts under way there: weight / (active + 1)^bias.
 * Envoy's formula for least request among endpoints of unequal weight.
 */
export const weightUnderLoad = ({ weight, active }: Endpoint, bias: number): number =>
  bias === 0 ? weight : weight / (active + 1) ** bias

/**
 * Each endpoint as often as its weight says, spread as evenly over time as can be: weighted round robin by earliest deadline
 * first. After its turn an endpoint's deadline moves on by the inverse of its weight. Deadlines begin anywhere in the first round
 * (as in Envoy and gRPC), so that many clients don't turn to the heaviest endpoint at the same moment.
 * The deadlines are counted in rounds of the heaviest endpoint, which keeps them exact for longer than a process runs.
 */
export const weighted = kind('weighted', z.strictObject({
  bias: z.number().min(0).max(10).default(0)
    .describe('How much attempts under way take from a share: the weight is divided by (active + 1) to this power; 0 leaves load aside, 1 is what Envoy does.'),
}), ({ bias }, { random }): Balancer => preferUntried((endpoints) => {
  if (endpoints.length === 0) return () => undefined
  const heaviest = endpoints.reduce((most, { weight }) => Math.max(most, weight), 0)
  const schedule = new Schedule(Float64Array.from(endpoints, ({ weight }) => random() * heaviest / weight))
  return () => {
    const endpoint = endpoints[schedule.first]!
    schedule.postpone(heaviest / weightUnderLoad(endpoint, bias))
    return endpoint
  }
}))
