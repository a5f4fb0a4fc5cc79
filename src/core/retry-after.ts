import type { Clock } from '../runtime/clock.ts'
import type { Reply } from './reply.ts'

// The three forms of a date that RFC 9110 has recipients accept; Date.parse alone takes nearly anything for one.
const httpDate = /^[A-Z][a-z]+,? (?:\d\d[ -][A-Z][a-z]{2}[ -]\d{2,4} [\d:]{8} GMT|[A-Z][a-z]{2} [ \d]\d [\d:]{8} \d{4})$/

/** Milliseconds that a reply asks to wait by `Retry-After`, 0 for a date gone by; `undefined` without a header that is seconds or a date. */
export const retryAfterOf = (reply: Reply, clock: Clock): number | undefined => {
  const header = reply.headers['retry-after']
  const value = (typeof header === 'string' ? header : header?.[0])?.trim()
  if (!value) return undefined
  if (/^\d+$/.test(value)) return Number(value) * 1_000
  if (!httpDate.test(value)) return undefined
  const date = Date.parse(value.endsWith('GMT') ? value : `${value} GMT`)
  return Number.isNaN(date) ? undefined : Math.max(0, date - clock.wall())
}
