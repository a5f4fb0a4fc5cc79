import type { Random } from '../runtime/random.ts'

/** Plays numbers in a fixed order, and begins again when they are used up. */
export const scriptedRandom = (...numbers: readonly number[]): Random => {
  if (numbers.length === 0) throw new TypeError('scriptedRandom needs at least one number')
  let turn = 0
  return () => numbers[turn++ % numbers.length]!
}

/** Even chance from a seed (mulberry32), the same on every run. */
export const seededRandom = (seed: number): Random => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6D2B79F5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
