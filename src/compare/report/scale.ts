/** From a value to its place on an axis. */
export type Scale = (value: number) => number

/** An axis of powers of ten; values outside are drawn at its ends. */
export const logarithmic = (from: number, to: number, length: number): Scale => {
  const low = Math.log10(from)
  const high = Math.log10(to)
  return (value) => (Math.log10(Math.min(to, Math.max(from, value))) - low) / (high - low || 1) * length
}

/** An axis from 0. */
export const linear = (to: number, length: number): Scale => (value) => value / (to || 1) * length

const steps = [1, 2, 5]

/** Where an axis of powers of ten is labelled: 1, 2, 5, 10, … between its ends. */
export const logarithmicTicks = (from: number, to: number): readonly number[] => {
  const ticks: number[] = []
  for (let power = Math.floor(Math.log10(from)); power <= Math.ceil(Math.log10(to)); power++) {
    for (const step of steps) {
      const tick = Number((step * 10 ** power).toPrecision(3))
      if (tick >= from && tick <= to) ticks.push(tick)
    }
  }
  return ticks
}

/** Where an axis from 0 is labelled: round numbers, about five. */
export const linearTicks = (to: number): readonly number[] => {
  if (!(to > 0)) return [0]
  const power = 10 ** Math.floor(Math.log10(to / 4))
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => to / candidate <= 6) ?? 10 * power
  return Array.from({ length: Math.floor(to / step) + 1 }, (_, index) => Number((index * step).toPrecision(6)))
}
