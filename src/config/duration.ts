import { z } from 'zod'

const unit = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const
const pattern = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h)$/

const milliseconds = (input: number | string): number => {
  if (typeof input === 'number') return input
  const match = pattern.exec(input)
  return match ? Number(match[1]) * unit[match[2] as keyof typeof unit] : Number.NaN
}

const error = "is not a duration: write milliseconds as a number (250) or text such as '250ms', '2s', '1m'"

/**
 * A length of time: a number of milliseconds, or text such as `'250ms'`, `'2s'`, `'1.5m'`, `'1h'`.
 * Parsed to milliseconds.
 */
export const duration = z
  .union([z.number().min(0, { error, abort: true }), z.string().regex(pattern, { error, abort: true })], { error })
  .refine((input) => Number.isFinite(milliseconds(input)), { error, abort: true })
  .transform(milliseconds)
