import type { FaultLengths } from '../../src/compare/faults/run.ts'
import type { Lengths } from '../../src/compare/happy.ts'

/** How long each part of the comparison takes. */
export interface AllLengths {
  readonly cases: Lengths
  readonly shop: Lengths
  readonly faults: FaultLengths
}

// Who goes through faults waits most of the time: all can at once.
const lanes = 8
const rate = 120

/** The whole comparison, or a quick look. 40 000 requests before anything counts: what is compiled by then is compiled in a service (decision 0026). */
export const lengthsOf = (quick: boolean, rounds = quick ? 1 : 3): AllLengths => quick ? {
  cases: { rounds, warmUp: { requests: 4_000, milliseconds: 500 }, anew: { requests: 1_000, milliseconds: 100 }, settling: { milliseconds: 50 }, counted: { milliseconds: 200 } },
  shop: { rounds, warmUp: { requests: 1_000, milliseconds: 500 }, settling: { milliseconds: 50 }, counted: { milliseconds: 250 } },
  faults: { rounds: 1, pace: { before: 600, during: 1_250, after: 1_000, stale: 2_000 }, rate, lanes },
} : {
  cases: { rounds, warmUp: { requests: 40_000, milliseconds: 5_000 }, anew: { requests: 8_000, milliseconds: 1_500 }, settling: { milliseconds: 150 }, counted: { milliseconds: 1_200 } },
  shop: { rounds, warmUp: { requests: 40_000, milliseconds: 6_000 }, settling: { milliseconds: 100 }, counted: { milliseconds: 1_200 } },
  faults: { rounds: Math.min(2, rounds), pace: { before: 1_500, during: 3_000, after: 2_500, stale: 20_000 }, rate, lanes },
}
