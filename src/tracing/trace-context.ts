import type { Random } from '../runtime/random.ts'
import { randomHex } from './request-id.ts'

/*
 * W3C Trace Context (Recommendation of 2021; of Level 2 the flag of random ids, and keys of a tracestate that begin with a digit):
 * https://www.w3.org/TR/trace-context/
 */

const parent = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/
/** `sampled` and Level 2's `random-trace-id`; bits that have no meaning yet are not passed on. */
const knownFlags = 0x03

const isBlank = (text: string, at: number): boolean => text[at] === ' ' || text[at] === '\t'

/** Without the white space that HTTP allows around a value, which is less than `trim` takes. (A pattern would take its time over a long run of it.) */
const trimmed = (text: string): string => {
  let from = 0
  let to = text.length
  while (from < to && isBlank(text, from)) from++
  while (from < to && isBlank(text, to - 1)) to--
  return text.slice(from, to)
}

/**
 * Reads a `traceparent`, and writes it as version 00 has it. `undefined` for what the specification has restarted: versions
 * that can't be, ids of zeros only, wrong lengths or letters, several fields (which arrive joined by commas).
 * A version of the future is read as far as 00 knows it.
 */
export const readTraceparent = (text: string): string | undefined => {
  const match = parent.exec(trimmed(text))
  if (!match) return undefined
  const [, version, traceId, parentId, flags, rest] = match
  if (version === 'ff' || /^0+$/.test(traceId!) || /^0+$/.test(parentId!)) return undefined
  if (version === '00' && rest !== undefined) return undefined
  const known = Number.parseInt(flags!, 16) & knownFlags
  return `00-${traceId!}-${parentId!}-0${known}`
}

/** Begins a trace: not sampled, since nobody records here; its id is by chance, and says so (Level 2). */
export const newTraceparent = (random: Random): string => `00-${nonZero(32, random)}-${nonZero(16, random)}-02`

const nonZero = (digits: number, random: Random): string => {
  const text = randomHex(digits, random)
  return /^0+$/.test(text) ? `${text.slice(1)}1` : text
}

const key = /^(?:[a-z0-9][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13})$/
const value = /^[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/
const mostMembers = 32

const isMember = (member: string): boolean => {
  const equals = member.indexOf('=')
  return equals > 0 && key.test(member.slice(0, equals)) && value.test(member.slice(equals + 1))
}

/**
 * Reads a `tracestate`; `undefined` for one that has to be dropped: a member that is none, or more than 32.
 * Empty members are left out, doubled keys kept as they came.
 */
export const readTracestate = (text: string): string | undefined => {
  const members = text.split(',').map(trimmed).filter((member) => member !== '')
  if (members.length === 0 || members.length > mostMembers || !members.every(isMember)) return undefined
  return members.join(',')
}
