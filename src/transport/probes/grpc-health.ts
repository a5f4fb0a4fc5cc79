import type { Answer, Question } from './probe-exchange.ts'
import type { HealthFinding } from './probe.ts'
import { nameOf } from '../tls/certificates.ts'

/*
 * The health service of gRPC, https://github.com/grpc/grpc/blob/master/doc/health-checking.md: two messages of one field each,
 * which is why no library of protocol buffers is needed.
 */

const serving = 1
const statusNames = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN']

// Codes of gRPC whose names help: https://github.com/grpc/grpc/blob/master/doc/statuscodes.md
const codeNames: Readonly<Record<string, string>> = {
  5: 'NOT_FOUND: it does not know the service', 7: 'PERMISSION_DENIED', 12: 'UNIMPLEMENTED: it has no health service', 14: 'UNAVAILABLE', 16: 'UNAUTHENTICATED',
}

/** Asks for the health of a service, by its full name; empty for the server as a whole. */
export const healthQuestion = (service: string): Pick<Question, 'path' | 'body' | 'headers'> => ({
  path: '/grpc.health.v1.Health/Check',
  headers: { 'content-type': 'application/grpc', te: 'trailers' },
  body: framed(request(service)),
})

/** `HealthCheckRequest`: field 1, a string, which is left out where it is empty. */
const request = (service: string): Uint8Array => {
  const text = Buffer.from(service)
  if (text.length === 0) return text
  return Buffer.concat([Buffer.from([0x0a, ...varint(text.length)]), text])
}

const varint = (number: number): number[] => number < 0x80 ? [number] : [number % 0x80 | 0x80, ...varint(Math.floor(number / 0x80))]

/** A message as gRPC sends it: a byte that says it is not compressed, its length, and itself. */
const framed = (message: Uint8Array): Uint8Array => {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(message.length, 1)
  return Buffer.concat([head, message])
}

/** What an answer of the health service says. */
export const judgeHealth = ({ status, headers, body, trailers }: Answer): HealthFinding => {
  const refused = (found: string): HealthFinding => ({ result: 'failed', found })
  if (status !== 200) return refused(`status ${status}, where gRPC always has 200: check that the port speaks gRPC`)
  const type = text(headers['content-type'] ?? 'none')
  if (!type.startsWith('application/grpc')) {
    return refused(`an answer of type '${nameOf(type)}', which is not gRPC: check the port`)
  }
  // An answer without a message has it in its head.
  const code = text(trailers['grpc-status'] ?? headers['grpc-status'] ?? 'none')
  if (code !== '0') return refused(`gRPC status ${nameOf(code)}${codeNames[code] === undefined ? '' : ` (${codeNames[code]})`}`)
  const health = servingStatus(body)
  if (health === undefined) return refused('an answer that is no HealthCheckResponse')
  return health === serving ? { result: 'passed', found: 'SERVING' } : refused(statusNames[health] ?? `the unknown serving status ${health}`)
}

const text = (field: string | string[]): string => typeof field === 'string' ? field : field.join(', ')

/** The status in a framed `HealthCheckResponse`; `undefined` where it isn't one. */
const servingStatus = (framedMessage: Uint8Array): number | undefined => {
  const bytes = Buffer.from(framedMessage)
  if (bytes.length < 5 || bytes[0] !== 0 || bytes.readUInt32BE(1) !== bytes.length - 5) return undefined
  return enumField(bytes.subarray(5))
}

/** Field 1 of a message, as an enum: the last one counts, 0 where there is none. Other fields are passed over, as the encoding asks. */
const enumField = (message: Uint8Array): number | undefined => {
  let found = 0
  for (let at = 0; at < message.length;) {
    const tag = readVarint(message, at)
    if (!tag) return undefined
    const field = readField(message, tag.end, tag.value % 8)
    if (!field) return undefined
    if (tag.value === 0x08) found = field.value
    at = field.end
  }
  return found
}

interface Read { readonly value: number, readonly end: number }

const readField = (message: Uint8Array, at: number, wireType: number): Read | undefined => {
  if (wireType === 0) return readVarint(message, at)
  const length = wireType === 2 ? readVarint(message, at) : undefined
  const end = wireType === 1 ? at + 8 : wireType === 5 ? at + 4 : length ? length.end + length.value : Number.NaN
  return end <= message.length ? { value: 0, end } : undefined
}

const longestVarint = 10

const readVarint = (message: Uint8Array, from: number): Read | undefined => {
  let value = 0
  for (let at = from; at < message.length && at < from + longestVarint; at++) {
    value += (message[at]! % 0x80) * 2 ** (7 * (at - from))
    if (message[at]! < 0x80) return { value, end: at + 1 }
  }
  return undefined
}
