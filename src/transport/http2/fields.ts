import type { OutgoingHttpHeaders } from 'node:http2'
import errors from 'undici/lib/core/errors.js'
import type { Attempt } from '../../core/call.ts'
import type { ReplyHeaders } from '../../core/reply.ts'

// Of the connection, which HTTP/2 manages itself: RFC 9113, section 8.2.2. `Host` is `:authority` there.
const ofConnection: ReadonlySet<string> = new Set([
  'host', 'connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade', 'http2-settings',
])

const fieldName = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/
// What would end a field, or begin another.
const notInValue = /[^\t\x20-\x7e\x80-\xff]/
const notInPath = /[^\x21-\xff]/

const invalid = (what: string): Error => new errors.InvalidArgumentError(what)

/** What an attempt sends, in the fields of HTTP/2. */
export interface RequestFields {
  readonly fields: OutgoingHttpHeaders
  /** What its `content-length` says, where it has one. */
  readonly declared: number | undefined
  /** Its size as endpoints count it: RFC 9113, section 6.5.2. */
  readonly size: number
}

/** Writes an attempt's head in the fields of HTTP/2. Throws, as undici does, for what no field can carry. */
export const requestFields = ({ call: { request }, headers }: Attempt, scheme: 'http' | 'https'): RequestFields => {
  const { method, path } = request
  const authority = request.hostHeader ?? request.authority
  if (notInPath.test(path)) throw invalid('invalid request path')
  const fields = { __proto__: null, ':method': method, ':scheme': scheme, ':authority': authority, ':path': path } as unknown as OutgoingHttpHeaders
  let size = method.length + scheme.length + authority.length + path.length + pseudoFields
  let declared: number | undefined
  const named = namedByConnection(headers)
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!.toLowerCase()
    const value = headers[i + 1]!
    if (!fieldName.test(name)) throw invalid(`invalid ${name} header`)
    if (notInValue.test(value)) throw invalid(`invalid ${name} header`)
    if (name === 'expect') throw new errors.NotSupportedError('expect header not supported')
    if (name === 'content-length') declared = lengthOf(value, declared)
    // Of transfer codings, HTTP/2 leaves the word that trailers are welcome.
    if (ofConnection.has(name) || named?.has(name) || (name === 'te' && value.toLowerCase() !== 'trailers')) continue
    const before = fields[name]
    fields[name] = before === undefined ? value : [before, value].flat() as string[]
    size += name.length + value.length + perField
  }
  return { fields, declared, size }
}

const perField = 32
const pseudoFields = ':method'.length + ':scheme'.length + ':authority'.length + ':path'.length + 4 * perField

const lengthOf = (value: string, before: number | undefined): number => {
  if (!/^\d+$/.test(value) || before !== undefined) throw invalid('invalid content-length header')
  return Number(value)
}

/** The fields that belong to the connection since its `Connection` says so. */
const namedByConnection = (headers: readonly string[]): ReadonlySet<string> | undefined => {
  let named: Set<string> | undefined
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i]!.length !== 10 || headers[i]!.toLowerCase() !== 'connection') continue
    named ??= new Set()
    for (const name of headers[i + 1]!.split(',')) named.add(name.trim().toLowerCase())
  }
  return named
}

/** Fields of an answer as they came, without those of HTTP/2 itself. */
export const rawFields = (raw: readonly string[]): string[] => {
  const fields: string[] = []
  for (let i = 0; i < raw.length; i += 2) if (!raw[i]!.startsWith(':')) fields.push(raw[i]!, raw[i + 1]!)
  return fields
}

/** The same by name, as undici has them. */
export const byName = (raw: readonly string[]): ReplyHeaders => {
  const headers: ReplyHeaders = {}
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!
    // A field may be called so, and is none that anybody looks for.
    if (name === '__proto__') continue
    const before = Object.hasOwn(headers, name) ? headers[name] : undefined
    headers[name] = before === undefined ? raw[i + 1]! : [before, raw[i + 1]!].flat()
  }
  return headers
}
