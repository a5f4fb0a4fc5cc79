/** The rounds of one figure. */
export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

/** What rounds have in common, and how far they lie apart. `NaN` of none. */
export const spreadOf = (rounds: readonly number[]): Spread => {
  const ascending = rounds.toSorted((a, b) => a - b)
  const upper = ascending.length >> 1
  const median = ascending.length % 2 === 1 ? ascending[upper]! : (ascending[upper - 1]! + ascending[upper]!) / 2
  return { median, min: ascending[0] ?? Number.NaN, max: ascending.at(-1) ?? Number.NaN }
}

/** How one arrangement's figure stands to another's: below it, above it, or not to be told apart. */
export type Standing = 'less' | 'more' | 'tie'

/** The smallest difference that is one, as a share of the smaller figure: what the clock of CPU time and a machine's other work can make up. */
export const leastDifference = 0.03

/**
 * Compares one figure of two arrangements, round by round. It is a tie where the ranges of their rounds overlap or lie within 3 % of one another;
 * so of a single round only differences above that are told. No test of significance: a few rounds carry none.
 */
export const standing = (ours: readonly number[], theirs: readonly number[]): Standing => {
  const a = spreadOf(ours)
  const b = spreadOf(theirs)
  if (a.max * (1 + leastDifference) < b.min) return 'less'
  if (b.max * (1 + leastDifference) < a.min) return 'more'
  return 'tie'
}
