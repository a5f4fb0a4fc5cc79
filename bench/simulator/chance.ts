import type { Random } from '../../src/runtime/random.ts'

/** Draws milliseconds of work. */
export type Draw = (random: Random) => number

/** Spread evenly about nothing: the same each time. */
export const fixed = (ms: number): Draw => () => ms

/** An exponential distribution with this mean. */
export const exponential = (mean: number): Draw => (random) => -Math.log(1 - random()) * mean

const normal = (random: Random): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())

/** A log-normal distribution with this mean: most are quick and a few take long, the more so the greater sigma. */
export const logNormal = (mean: number, sigma: number): Draw => (random) => Math.exp(Math.log(mean) - sigma * sigma / 2 + sigma * normal(random))

/** A normal distribution whose deviation is its mean, cut off at 0, as in the testbed of the Prequal paper; `mean` is that of the result. */
export const cutNormal = (mean: number): Draw => {
  // The mean of max(0, N(m, m)) is 1.0833 m.
  const before = mean / 1.083_315
  return (random) => Math.max(0, before + before * normal(random))
}
