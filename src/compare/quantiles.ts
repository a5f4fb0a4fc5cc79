import type { Latency } from './results.ts'

const hundredths = Array.from({ length: 100 }, (_, index) => index / 100)

/** The quantiles at which distributions are kept: every hundredth, and finer towards the end, where the tail is. */
export const quantiles: readonly number[] = [...hundredths, 0.995, 0.999, 0.9999, 1]

const rounded = (milliseconds: number): number => Math.round(milliseconds * 1_000) / 1_000

/** The value at a quantile (0 to 1) of ascending numbers: the smallest that at least that share of them does not exceed. 0 of none. */
export const quantile = (ascending: ArrayLike<number>, share: number): number => {
  const { length } = ascending
  return length === 0 ? 0 : ascending[Math.min(length - 1, Math.max(0, Math.ceil(share * length) - 1))]!
}

/** What ascending times come to, in whole microseconds. */
export const latencyOf = (ascending: ArrayLike<number>): Latency => {
  const at = (share: number): number => rounded(quantile(ascending, share))
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: at(1) }
}

/** Ascending times at every one of `quantiles`. */
export const distributionOf = (ascending: ArrayLike<number>): readonly number[] => quantiles.map((share) => rounded(quantile(ascending, share)))
