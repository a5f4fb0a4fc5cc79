/** A median with its range over the rounds. */
export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

/** Median and range of at least one figure. */
export const spreadOf = (figures: readonly number[]): Spread => {
  const sorted = figures.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
  return { median, min: sorted[0]!, max: sorted.at(-1)! }
}

/** A median with its range, as tables show it. */
export const written = ({ median, min, max }: Spread, digits: number): string => {
  const [low, high] = [min.toFixed(digits), max.toFixed(digits)]
  return low === high ? median.toFixed(digits) : `${median.toFixed(digits)} (${low}–${high})`
}

/** Whether two figures cannot be told apart: their ranges meet, so another run could have them the other way round. */
export const tie = (a: Spread, b: Spread): boolean => a.min <= b.max && b.min <= a.max

/** Which of the figures no other beats outside of the spread, for the lower the better. Of one round nobody knows the spread, so the caller has to ask. */
export const lowest = (spreads: readonly Spread[]): readonly boolean[] => {
  const beaten = Math.min(...spreads.map(({ max }) => max))
  return spreads.map(({ min }) => min <= beaten)
}
