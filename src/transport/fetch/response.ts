import { markAsUncloneable } from 'node:worker_threads'
import type { Call } from '../../core/call.ts'
import type { Reply } from '../../core/reply.ts'
import { bodyStream, Collector, readThrough, taken } from './reply-body.ts'
import { replyHeaders } from './reply-headers.ts'
import { kindOf } from '../shown.ts'
import { reasonOf, type AnySignal } from './signal.ts'

// Statuses whose answers have no body (Fetch standard, "null body status").
const bodiless: ReadonlySet<number> = new Set([101, 204, 205, 304])

// What the transport reads ahead: a reply of this length ends by itself, read or not.
const endsUnread = 64 * 1024

// `bytes` is older than its type.
type Readers = Pick<Response, 'arrayBuffer' | 'json' | 'text' | 'blob' | 'formData'> & { bytes(): Promise<Uint8Array> }

/** What a response is made of. */
interface ResponseParts {
  readonly reply: Reply
  /** Without fragment. */
  readonly url: string
  readonly signal: AnySignal | undefined
  /** Whose response it is. */
  readonly owner: object
}

/**
 * A `Response` that costs little as long as only its status and the whole of its body are asked for: headers, streams and the
 * platform's own `Response` come into being when they are needed. To JavaScript it is a `Response`, by `instanceof` and in every
 * property and method; what looks for the private state of the platform's class needs `toResponse`.
 */
class MeshResponse implements Response {
  readonly #parts: ResponseParts
  readonly #hasBody: boolean
  #used = false
  #headers: Headers | undefined
  /** The platform's own; it has the body from the moment it is made. */
  #real: Response | undefined

  constructor(parts: ResponseParts, real?: Response) {
    markAsUncloneable(this)
    const { reply } = parts
    this.#parts = parts
    this.#real = real
    this.#hasBody = reply.attempt.call.request.method !== 'HEAD' && !bodiless.has(reply.status)
    if (real) return
    if (!this.#hasBody) reply.discard()
    else if (!(Number(reply.headers['content-length']) <= endsUnread)) readThrough(this, reply)
  }

  get status(): number {
    return this.#parts.reply.status
  }

  get statusText(): string {
    return this.#parts.reply.statusText
  }

  get ok(): boolean {
    const { status } = this.#parts.reply
    return status >= 200 && status <= 299
  }

  get url(): string {
    return this.#parts.url
  }

  // Where redirects were followed the platform followed them, and its own response is what the caller has.
  get redirected(): boolean {
    return false
  }

  get type(): Response['type'] {
    return 'basic'
  }

  get headers(): Headers {
    return this.#headers ??= replyHeaders(this.#parts.reply.rawHeaders)
  }

  get body(): Response['body'] {
    return this.#hasBody ? MeshResponse.real(this).body : null
  }

  get bodyUsed(): boolean {
    return this.#real ? this.#real.bodyUsed : this.#used
  }

  arrayBuffer(): Promise<ArrayBuffer> {
    return MeshResponse.#read(this, 'arrayBuffer', toArrayBuffer)
  }

  bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return MeshResponse.#read(this, 'bytes', toBytes)
  }

  json(): Promise<unknown> {
    return MeshResponse.#read(this, 'json', toJson)
  }

  text(): Promise<string> {
    return MeshResponse.#read(this, 'text', toText)
  }

  blob(): ReturnType<Response['blob']> {
    return MeshResponse.#read(this, 'blob', (bytes) => new Response(bytes, { headers: this.headers }).blob())
  }

  formData(): ReturnType<Response['formData']> {
    return MeshResponse.#read(this, 'formData', (bytes) => new Response(bytes, { headers: this.headers }).formData())
  }

  clone(): Response {
    return new MeshResponse(this.#parts, MeshResponse.real(this).clone())
  }

  /** Reads the body to its end. A method that is called on something else rejects, as the platform's do. */
  static #read<T>(response: MeshResponse, method: keyof Readers, convert: (bytes: Buffer) => T | Promise<T>): Promise<T> {
    if (!(#parts in response)) return Promise.reject(new TypeError('Illegal invocation'))
    if (response.#real) return (response.#real as unknown as Readers)[method]() as Promise<T>
    if (response.#used) return Promise.reject(new TypeError('Body is unusable: Body has already been read'))
    if (!response.#hasBody) return new Promise((resolve) => { resolve(convert(Buffer.alloc(0))) })
    response.#used = true
    const { reply, signal } = response.#parts
    taken(reply)
    if (signal?.aborted) {
      reply.discard()
      return Promise.reject(reasonOf(signal))
    }
    return new Promise((resolve, reject) => reply.pipe(new Collector(convert, resolve, reject, signal)))
  }

  /** The platform's own response, which has this one's body from now on. */
  static real(response: MeshResponse): Response {
    return response.#real ??= response.#realise()
  }

  #realise(): Response {
    const { reply, signal } = this.#parts
    const { status, statusText } = reply
    // The platform makes no response with another status; it is asked for its body only then.
    const init = { status: status >= 200 && status <= 599 ? status : 200, statusText, headers: this.headers }
    if (!this.#hasBody) return new Response(null, init)
    if (this.#used) return spent(init)
    taken(reply)
    return new Response(bodyStream(reply, signal), init)
  }

  /** The call that led to a response of this owner; `undefined` for any other object. */
  static call(outcome: object, owner: object): Call | undefined {
    return #parts in outcome && outcome.#parts.owner === owner ? outcome.#parts.reply.attempt.call : undefined
  }

  static is(response: Response): response is MeshResponse {
    return #parts in response
  }
}

/** A response whose body has been read, elsewhere. */
const spent = (init: ResponseInit): Response => {
  const response = new Response('', init)
  void response.text()
  return response
}

const toText = (bytes: Buffer): string =>
  bytes[0] === 0xEF && bytes[1] === 0xBB && bytes[2] === 0xBF ? bytes.toString('utf8', 3) : bytes.toString('utf8')

const toJson = (bytes: Buffer): unknown => JSON.parse(toText(bytes))

const toBytes = (bytes: Buffer): Uint8Array<ArrayBuffer> => new Uint8Array(bytes)

const toArrayBuffer = (bytes: Buffer): ArrayBuffer => toBytes(bytes).buffer

let isResponse = false

/**
 * Makes instances of ours instances of the platform's class. Done at the first response and not when this loads:
 * to read the class loads Node's own undici, which sets the global dispatcher.
 */
const becomeResponse = (): void => {
  const { prototype } = MeshResponse
  const { prototype: platform }: { prototype: object } = Response
  Object.setPrototypeOf(prototype, platform)
  Object.defineProperty(prototype, 'constructor', { value: Response, configurable: true, writable: true })
  for (const [name, theirs] of Object.entries(Object.getOwnPropertyDescriptors(platform))) {
    const ours = Object.getOwnPropertyDescriptor(prototype, name)
    if (ours) Object.defineProperty(prototype, name, { ...ours, enumerable: theirs.enumerable ?? false })
    else Object.defineProperty(prototype, name, forwarding(name, theirs))
  }
  isResponse = true
}

/** What a later platform's `Response` can do beyond this one, done by the platform's own. */
const forwarding = (name: string, theirs: PropertyDescriptor): PropertyDescriptor => {
  const of = (response: MeshResponse): unknown => Reflect.get(MeshResponse.real(response), name)
  if (theirs.get) return { ...theirs, get(this: MeshResponse) { return of(this) } }
  return { ...theirs, value(this: MeshResponse, ...args: unknown[]) { return (of(this) as Method).apply(MeshResponse.real(this), args) } }
}

type Method = (...args: unknown[]) => unknown

/** Makes the response that a reply is to its caller. */
export const responseOf = (parts: ResponseParts): Response => {
  if (!isResponse) becomeResponse()
  return new MeshResponse(parts)
}

/** What the platform's own responses were made of, which leave no trace of it. */
const origins = new WeakMap<object, Response>()

/** The call that led to a response made for this owner, or to the platform's own that `toResponse` made of it; `undefined` for any other object. */
export const callOf = (outcome: object, owner: object): Call | undefined => MeshResponse.call(origins.get(outcome) ?? outcome, owner)

/**
 * The platform's own `Response` for one that `mesh.fetch` returned: for code that needs the very class and not its behaviour, such as
 * `Response.prototype.clone.call(response)` or a cache inside the platform. Both share the body: read it through either, once.
 * Any other response is returned as it is. Throws a `RangeError` for a status that the platform makes no `Response` of (600 to 999), and a
 * `TypeError` for what is no object.
 */
export const toResponse = (response: Response): Response => {
  if (typeof response !== 'object' || (response as unknown) === null) throw new TypeError(`toResponse takes a Response, not ${kindOf(response)}`)
  if (!MeshResponse.is(response)) return response
  const { status, url, type } = response
  if (status > 599) throw new RangeError(`the platform makes no Response with status ${status}`)
  const real = MeshResponse.real(response)
  origins.set(real, response)
  if (real.url !== url) Object.defineProperties(real, { url: { value: url, configurable: true }, type: { value: type, configurable: true } })
  return real
}
