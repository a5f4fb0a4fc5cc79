import { family } from '../core/family.ts'
import type { Balancer } from './balancer.ts'
import { leastRequest } from './least-request.ts'
import { orcaWrr } from './orca-wrr.ts'
import { peakEwma } from './peak-ewma.ts'
import { prequal } from './prequal.ts'
import { random } from './random.ts'
import { roundRobin } from './round-robin.ts'

/** The balancers that come with the mesh; `balancers.with(kind)` adds one. */
export const balancers = family<Balancer>()(roundRobin, random, leastRequest, peakEwma, prequal, orcaWrr)
