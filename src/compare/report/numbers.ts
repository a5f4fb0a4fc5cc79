import type { Spread } from '../spread.ts'

/** A number as a person reads it: three digits that count, thousands apart. */
export const shown = (value: number): string => {
  if (!Number.isFinite(value)) return '–'
  if (value === 0) return '0'
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))))
  return value.toLocaleString('en-GB', { minimumFractionDigits: Math.min(digits, 3), maximumFractionDigits: Math.min(digits, 3) })
}

/** A number that was counted or chosen, whole: a label of an axis, a count. */
export const whole = (value: number): string => value.toLocaleString('en-GB', { maximumFractionDigits: 6 })

/** The range of a figure over the rounds. */
export const range = ({ min, max }: Spread): string => min === max ? '' : `${shown(min)}–${shown(max)}`

/** A share as a percentage. */
export const percent = (part: number, whole: number): string => {
  if (whole === 0) return '–'
  const share = part * 100 / whole
  return share > 0 && share < 0.005 ? '< 0.01 %' : `${share === 0 ? '0' : share.toFixed(share < 10 ? 2 : 1)} %`
}

/** A time, in the unit that suits it. */
export const time = (milliseconds: number): string => milliseconds >= 1_000 ? `${shown(milliseconds / 1_000)} s` : `${shown(milliseconds)} ms`
