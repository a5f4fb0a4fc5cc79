import { z } from 'zod'
import { kind } from '../core/family.ts'
import type { Balancer } from './balancer.ts'
import { draw } from './draw.ts'
import { preferUntried } from './untried.ts'

/** Any endpoint, by weight. Needs no memory, so fleets of clients that see few requests each still spread evenly. */
export const random = kind('random', z.strictObject({}), (_config, runtime): Balancer => preferUntried((endpoints) =>
  endpoints.length === 0 ? () => undefined : draw(endpoints, runtime.random)))
