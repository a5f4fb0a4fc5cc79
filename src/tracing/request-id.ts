import type { Call } from '../core/call.ts'
import type { Layer } from '../core/send.ts'
import type { Random } from '../runtime/random.ts'

const hex = (value: number, digits: number): string => Math.floor(value * 16 ** digits).toString(16).padStart(digits, '0')

/** So many hexadecimal digits by chance, at most 8 to a draw. */
export const randomHex = (digits: number, random: Random): string => {
  let text = ''
  for (let left = digits; left > 0; left -= 8) text += hex(random(), Math.min(8, left))
  return text
}

/** A request id: a UUID of version 4 (RFC 9562). Tells requests apart; it is no secret, and not made to be one. */
export const newRequestId = (random: Random): string => {
  const digits = randomHex(31, random)
  const variant = '89ab'[Number.parseInt(digits[30]!, 16) & 3]!
  return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-4${digits.slice(12, 15)}-${variant}${digits.slice(15, 18)}-${digits.slice(18, 30)}`
}

/** Names each call: as the caller did, else as the inbound request is named, else anew. */
export const requestId = (random: Random): Layer<Call> => (next) => (call) => {
  call.requestId = call.request.header('x-request-id') ?? call.passport?.requestId ?? newRequestId(random)
  return next(call)
}
