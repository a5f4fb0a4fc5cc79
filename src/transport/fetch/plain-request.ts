import { RequestHead } from '../../core/request.ts'
import { requestBody } from '../body.ts'
import { usable, type AnySignal } from './signal.ts'
import type { Target } from './target.ts'

/** A request as nearly all are: what `fetch` does with it is known without asking the platform. */
export interface PlainRequest {
  readonly target: Target
  readonly method: string
  /** What the caller set, and the type of the body: name, value, name, value. */
  readonly headers: readonly string[]
  readonly body: string | Uint8Array | undefined
  readonly signal: AnySignal | undefined
  /** What is sent: the caller's fields and those that `fetch` adds. */
  readonly head: RequestHead
}

// As the standard normalises them, which leaves `patch` alone.
const methods: ReadonlyMap<unknown, string> = new Map([
  ...['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS'].flatMap((method) => [[method, method], [method.toLowerCase(), method]] as const),
  ['PATCH', 'PATCH'],
])

/** The URL in what a caller gave to `fetch`; `undefined` where the platform has to say whether there is one. */
export const plainUrl = (input: string | URL | Request): string | undefined => {
  if (typeof input === 'string') return input
  // As the platform does, whatever class of one's own it is.
  if (input instanceof URL) return String(input)
  return isPlainRequest(input) ? input.url : undefined
}

/**
 * Reads what a caller gave to `fetch`, except for its URL. `undefined` for whatever is out of the ordinary, faults included: then the
 * platform's own `fetch` has to look at it, and what it makes of a fault is its own too.
 */
export const readPlain = (target: Target, input: string | URL | Request, init: RequestInit | null | undefined): PlainRequest | undefined => {
  const isRequest = typeof input !== 'string' && !(input instanceof URL)
  if (init === undefined || init === null) return isRequest ? read(target, input) : assemble(target, 'GET', { list: [], own: 0 }, noBody, undefined)
  return !isRequest && typeof init === 'object' && isPlainInit(init) ? read(target, init) : undefined
}

const isPlainRequest = (input: unknown): input is Request => {
  if (!(input instanceof Request) || !isAsMade(input)) return false
  return input.body === null && input.mode === 'cors' && input.credentials === 'same-origin' && input.cache === 'default'
    && input.integrity === '' && input.referrer === 'about:client' && input.referrerPolicy === ''
}

// The platform reads the private state of a request. One with getters of its own, as frameworks make them, may say something else.
const isAsMade = (request: Request): boolean =>
  Object.getPrototypeOf(request) === Request.prototype && Object.getOwnPropertyNames(request).length === 0

// Options of `fetch` that Node's types leave out.
type FullInit = RequestInit & { readonly cache?: unknown, readonly window?: unknown, readonly priority?: unknown }

/** Whether nothing is said whose meaning is the platform's business. */
const isPlainInit = (init: FullInit): boolean =>
  init.mode === undefined && init.credentials === undefined && init.cache === undefined && init.integrity === undefined
  && init.referrer === undefined && init.referrerPolicy === undefined && init.window === undefined && init.priority === undefined
  && init.dispatcher === undefined && (init.duplex === undefined || init.duplex === 'half')

const read = (target: Target, init: RequestInit | Request): PlainRequest | undefined => {
  if (init.redirect !== undefined && init.redirect !== 'follow') return undefined
  // Each is read once: they may be getters.
  const { method: asked, headers: fields, signal: given, body: content } = init
  const method = asked === undefined ? 'GET' : methods.get(asked)
  const headers = readHeaders(fields)
  const signal = given ?? undefined
  if (method === undefined || headers === undefined || (signal !== undefined && !usable(signal))) return undefined
  const body = content === undefined || content === null ? noBody : readBody(content)
  if (body === undefined || (body !== noBody && (method === 'GET' || method === 'HEAD'))) return undefined
  return assemble(target, method, headers, body, signal)
}

const assemble = (
  target: Target, method: string, { list: headers, own }: PlainHeaders, { bytes: body, type }: PlainBody, signal: AnySignal | undefined,
): PlainRequest => {
  if (type !== undefined && (own & ownContentType) === 0) headers.push('content-type', type)
  const { scheme, host, port, path } = target
  const all = withDefaults(headers, own, scheme)
  const head = new RequestHead({ method, scheme, host, port, path, headers: all, body: requestBody(body, 0) })
  return { target, method, headers, body, signal, head }
}

interface PlainBody {
  readonly bytes: string | Uint8Array | undefined
  readonly type: string | undefined
}

const noBody: PlainBody = { bytes: undefined, type: undefined }

/** A body that lies in memory, copied where the caller could change it afterwards; `undefined` for any other. */
const readBody = (body: unknown): PlainBody | undefined => {
  if (typeof body === 'string') return { bytes: body, type: 'text/plain;charset=UTF-8' }
  if (body instanceof URLSearchParams) return { bytes: body.toString(), type: 'application/x-www-form-urlencoded;charset=UTF-8' }
  if (body instanceof ArrayBuffer) return { bytes: copied(body, 0, body.byteLength), type: undefined }
  if (!ArrayBuffer.isView(body) || !(body.buffer instanceof ArrayBuffer)) return undefined
  return { bytes: copied(body.buffer, body.byteOffset, body.byteLength), type: undefined }
}

// Memory that was given away to another thread is empty, and cannot be sliced.
const copied = (buffer: ArrayBuffer, start: number, length: number): Uint8Array =>
  length === 0 ? new Uint8Array() : new Uint8Array(buffer.slice(start, start + length))

/** Fields that the caller may set in place of those that `fetch` adds. */
const ownAccept = 1
const ownAcceptLanguage = 2
const ownUserAgent = 4
const ownAcceptEncoding = 8
const ownContentType = 16
/** Fields that make `fetch` send others, that belong to the connection, or that it does not let be set. */
const notPlain = 32

const kinds: ReadonlyMap<string, number> = new Map([
  ['accept', ownAccept], ['accept-language', ownAcceptLanguage], ['user-agent', ownUserAgent], ['accept-encoding', ownAcceptEncoding],
  ['content-type', ownContentType],
  ...[
    'host', 'connection', 'keep-alive', 'transfer-encoding', 'upgrade', 'proxy-connection', 'expect', 'content-length', 'sec-fetch-mode',
    'set-cookie', 'range', 'if-modified-since', 'if-none-match', 'if-unmodified-since', 'if-match', 'if-range',
  ].map((name): [string, number] => [name, notPlain]),
])

const fieldName = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const fieldValue = /^(?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?$/
const mostFields = 100

interface PlainHeaders {
  readonly list: string[]
  /** Which of the fields that `fetch` adds are the caller's own. */
  readonly own: number
}

const readHeaders = (headers: unknown): PlainHeaders | undefined => {
  if (headers === undefined) return { list: [], own: 0 }
  if (typeof headers !== 'object' || headers === null) return undefined
  const list: string[] = []
  let own = 0
  const add = (name: unknown, value: unknown): boolean => {
    if (typeof name !== 'string' || typeof value !== 'string' || list.length >= 2 * mostFields) return false
    if (!fieldName.test(name) || !fieldValue.test(value)) return false
    const lower = name.toLowerCase()
    const kind = kinds.get(lower) ?? 0
    // One that comes twice is combined, whatever its case.
    if (kind === notPlain || (kind & own) !== 0 || has(list, lower)) return false
    own |= kind
    list.push(name, value)
    return true
  }
  if (headers instanceof Headers) {
    for (const [name, value] of headers) if (!add(name, value)) return undefined
  } else if (Array.isArray(headers)) {
    for (const pair of headers as unknown[]) if (!Array.isArray(pair) || pair.length !== 2 || !add(pair[0], pair[1])) return undefined
  } else if (isPlainObject(headers)) {
    // With hidden ones, which the platform sends. Symbols it refuses. (`Reflect.ownKeys` would take 0.1 µs more than both.)
    if (Object.getOwnPropertySymbols(headers).length > 0) return undefined
    for (const name of Object.getOwnPropertyNames(headers)) if (!add(name, headers[name])) return undefined
  } else {
    return undefined
  }
  return { list, own }
}

const isPlainObject = (value: object): value is Readonly<Record<string, unknown>> => {
  const prototype: unknown = Object.getPrototypeOf(value)
  return (prototype === Object.prototype || prototype === null) && !(Symbol.iterator in value)
}

const has = (list: readonly string[], lower: string): boolean => {
  for (let i = 0; i < list.length; i += 2) {
    const name = list[i]!
    if (name.length === lower.length && name.toLowerCase() === lower) return true
  }
  return false
}

// Since undici 8 the platform takes zstd too.
const zstd = Number(process.versions['undici']?.split('.')[0]) >= 8
const acceptEncoding = { http: 'gzip, deflate', https: zstd ? 'br, gzip, deflate, zstd' : 'br, gzip, deflate' } as const

/** The caller's fields and those that `fetch` adds. */
const withDefaults = (headers: readonly string[], own: number, scheme: 'http' | 'https'): string[] => {
  const all = [...headers]
  if ((own & ownAccept) === 0) all.push('accept', '*/*')
  if ((own & ownAcceptLanguage) === 0) all.push('accept-language', '*')
  all.push('sec-fetch-mode', 'cors')
  if ((own & ownUserAgent) === 0) all.push('user-agent', 'node')
  if ((own & ownAcceptEncoding) === 0) all.push('accept-encoding', acceptEncoding[scheme])
  return all
}
