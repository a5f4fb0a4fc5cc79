import { family } from '../core/family.ts'
import { aperture } from './aperture.ts'
import type { Balancer } from './balancer.ts'
import { leastRequest } from './least-request.ts'
import { maglev } from './maglev.ts'
import { orcaWrr } from './orca-wrr.ts'
import { peakEwma } from './peak-ewma.ts'
import { prequal } from './prequal.ts'
import { priority } from './priority.ts'
import { random } from './random.ts'
import { ringHash } from './ring-hash.ts'
import { roundRobin } from './round-robin.ts'
import { subset } from './subset.ts'
import { weighted } from './weighted.ts'
import { zoneAware } from './zone-aware.ts'

/** The balancers that come with the mesh; `balancers.with(kind)` adds one. */
export const balancers = family<Balancer>()(
  roundRobin, weighted, random, leastRequest, peakEwma, prequal, orcaWrr, ringHash, maglev, aperture, zoneAware, priority, subset,
)
