import { z } from 'zod'
import { kind } from '../core/family.ts'
import type { Endpoint } from '../core/endpoint.ts'
import type { Balancer } from './balancer.ts'
import { cheapestOf } from './draw.ts'
import { preferUntried } from './untried.ts'

const attemptsPerWeight = ({ active, weight }: Endpoint): number => active / weight

/** Of a few endpoints drawn, the one with the fewest attempts under way for its weight. */
export const leastRequest = kind('least-request', z.strictObject({
  choices: z.int().min(2).max(10).default(2).describe('How many endpoints are drawn and compared.'),
}), ({ choices }, { random }): Balancer => preferUntried((endpoints) =>
  cheapestOf(choices, endpoints, random, attemptsPerWeight)))
