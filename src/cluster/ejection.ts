import { z } from 'zod'
import { duration } from '../config/duration.ts'
import { percent } from '../config/percent.ts'

const aboveZero = (ms: number): boolean => ms > 0
const notNothing = 'must be longer than 0'

/** How long endpoints that were taken out stay out, how they come back, and how many may be out. */
export const ejectionConfig = z.strictObject({
  ejection: duration.refine(aboveZero, notNothing).default(10_000)
    .describe('How long the first ejection lasts; the second in a row lasts twice as long, the third three times, and so on.'),
  maxEjection: duration.refine(aboveZero, notNothing).default(300_000)
    .describe('The longest that an ejection may last, unless `ejection` itself is longer.'),
  jitter: duration.default(0)
    .describe('Up to how much longer, by chance, each ejection lasts, so that endpoints taken out together do not return together.'),
  return: z.enum(['probation', 'sweep']).default('probation')
    .describe('How an endpoint comes back when its time is over: `probation` lets one real request decide; `sweep` gives it its traffic back when the next '
      + '`interval` ends, as Envoy and App Mesh do.'),
  maxEjected: percent.default(50)
    .describe('Share of the endpoints, in percent, that may be out at the same time. Those that cannot be connected to may be out whatever their share; the last '
      + 'available one never is.'),
  minEjected: z.int().min(0).default(0)
    .describe('How many endpoints may be out whatever their share, as Envoy always lets one be; the last available one never is.'),
})

/** Parsed form of `ejectionConfig`; durations in milliseconds. */
export type EjectionConfig = z.output<typeof ejectionConfig>

/**
 * How many of a cluster's endpoints may be out at once, when they could be connected to: the share rounded down, and never all of them.
 * With 50 %: none of 1, 1 of 2, 1 of 3, 2 of 4. Rounded down, so that two of three endpoints failing by a common cause
 * (a dependency of theirs, a bad request) can't leave the third to carry everything; a low share of a small cluster ejects none,
 * unless `minEjected` lets some be out whatever the share.
 */
export const ejectable = (total: number, maxEjected: number, minEjected = 0): number =>
  Math.max(0, Math.min(Math.max(Math.floor(total * maxEjected / 100), minEjected), total - 1))

/** How many milliseconds an ejection lasts that is the `times`-th in a row, without its jitter. */
export const ejectionTime = ({ ejection, maxEjection }: Pick<EjectionConfig, 'ejection' | 'maxEjection'>, times: number): number =>
  Math.min(ejection * times, Math.max(ejection, maxEjection))

/**
 * What is left of an endpoint's ejections in a row after it was in use and did well for so many milliseconds:
 * one less for each interval (Envoy's decay, computed when asked in place of a timer).
 */
export const decayed = (ejections: number, wellFor: number, interval: number): number =>
  Math.max(0, ejections - Math.max(0, Math.floor(wellFor / interval)))
