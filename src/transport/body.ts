import { AsyncResource } from 'node:async_hooks'
import { Readable } from 'node:stream'
import { FormData as UndiciFormData } from 'undici/lib/web/fetch/formdata.js'
import type { RequestBody } from '../core/request.ts'

type Chunk = Uint8Array | string
type Source = AsyncIterable<Chunk> | Iterable<Chunk>

/** What a caller may hand over as a body; a stream counts as an iterable. */
export type BodyInput = string | Uint8Array | ArrayBuffer | Blob | FormData | Source

const isIterable = (body: object): body is Source =>
  typeof (body as AsyncIterable<Chunk>)[Symbol.asyncIterator] === 'function' || typeof (body as Iterable<Chunk>)[Symbol.iterator] === 'function'

/** Wraps what the caller gave: what lies in memory can be sent any number of times, a stream as long as it is short. */
export const requestBody = (body: BodyInput | null | undefined, replayLimit: number): RequestBody | undefined => {
  if (body === null || body === undefined) return undefined
  if (typeof body === 'string' || body instanceof Uint8Array) return new HeldBody(body)
  if (typeof body !== 'object') throw new TypeError(`a body is text, bytes, a Blob, a form, a stream or an iterable, not a ${typeof body}`)
  // Memory that was given away to another thread is empty, and nothing can be made of it.
  if (body instanceof ArrayBuffer) return new HeldBody(body.byteLength === 0 ? new Uint8Array() : new Uint8Array(body))
  if (ArrayBuffer.isView(body)) {
    const view = body as ArrayBufferView
    return new HeldBody(new Uint8Array(view.buffer, view.byteOffset, view.byteLength))
  }
  // A stream of the old kind can be read once, by its events only.
  if ('pipe' in body && !isIterable(body)) return requestBody(new Readable().wrap(body as unknown as NodeJS.ReadableStream), replayLimit)
  if (isForm(body)) return new HeldBody(asUndiciForm(body))
  if (body instanceof Blob || !isIterable(body)) return new HeldBody(body)
  return new StreamedBody(body, replayLimit)
}

const isForm = (body: object): body is FormData => (body as { [Symbol.toStringTag]?: string })[Symbol.toStringTag] === 'FormData'

/** undici takes forms of its own making only, and there are as many kinds as there are copies of it, the platform's among them. */
const asUndiciForm = (form: FormData): FormData => {
  if (form.constructor === UndiciFormData) return form
  const own = new UndiciFormData()
  for (const [name, value] of form) {
    if (typeof value === 'string') own.append(name, value)
    else own.append(name, value, value.name)
  }
  return own
}

/** A body that lies in memory. */
class HeldBody implements RequestBody {
  readonly replayable = true
  readonly #body: string | Uint8Array | Blob | FormData

  constructor(body: string | Uint8Array | Blob | FormData) {
    this.#body = body
  }

  open(): string | Uint8Array | Blob | FormData {
    return this.#body
  }

  release(): void {}
  hold(): void {}
}

// The attempt that hears it is over already, or keeps a reply that has come; it breaks the connection.
const takenOver = new Error('another attempt sends the body')

const sizeOf = (chunk: Chunk): number => typeof chunk === 'string' ? Buffer.byteLength(chunk) : chunk.byteLength

/**
 * A body that can be read only once. Its first bytes are kept, so that attempts can begin it again
 * until more has been read than the limit allows to keep. Attempts take turns: a new one silences the one before.
 */
class StreamedBody implements RequestBody {
  /** The caller's: undici reads a body where the request before it on the socket ended, and the source would run for that one. */
  readonly #context = new AsyncResource('enmesh.body')
  readonly #source: AsyncIterator<Chunk> | Iterator<Chunk>
  readonly #limit: number
  #kept: Chunk[] | undefined = []
  #size = 0
  #done = false
  error: unknown = undefined
  #turn = 0
  /** The read under way, shared when an attempt takes over in the middle of it. */
  #reading: Promise<IteratorResult<Chunk>> | undefined

  constructor(source: Source, limit: number) {
    this.#source = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]()
    this.#limit = limit
    // Until an attempt reads it nobody else would hear of a stream's failure, and Node ends the process then.
    const { on } = source as { on?: (event: string, listener: () => void) => void }
    if (typeof on === 'function') on.call(source, 'error', () => {})
  }

  get replayable(): boolean {
    return this.#kept !== undefined
  }

  open(): AsyncIterable<Chunk> {
    // The turn is taken now and not at the first read, so the attempt before reads nothing more while this one connects.
    const whole = this.#kept !== undefined
    return this.#read(++this.#turn, whole)
  }

  hold(): void {
    this.#turn++
  }

  async *#read(turn: number, whole: boolean): AsyncIterable<Chunk> {
    // To go on from the middle would send the rest as if it were all.
    if (!whole) throw this.#fail(new TypeError('the body was begun and cannot be had again'))
    for (let i = 0; this.#kept !== undefined && i < this.#kept.length; i++) yield this.#kept[i]!
    for (;;) {
      // To end quietly would make a whole request of half a body.
      if (turn !== this.#turn) throw takenOver
      if (this.error !== undefined) throw this.error as Error
      if (this.#done) return
      this.#reading ??= this.#next()
      const result = await this.#reading
      if (turn !== this.#turn) throw takenOver
      this.#reading = undefined
      if (result.done) {
        this.#done = true
        return
      }
      this.#keep(result.value)
      yield result.value
    }
  }

  async #next(): Promise<IteratorResult<Chunk>> {
    try {
      const result = await this.#context.runInAsyncScope(() => this.#source.next())
      if (!result.done && typeof result.value !== 'string' && !ArrayBuffer.isView(result.value)) {
        throw new TypeError('a request body must yield strings or bytes')
      }
      return result
    } catch (error) {
      this.#done = true
      throw this.#fail(error)
    }
  }

  /** Remembers whose fault it is. undici takes no `undefined` for a failure. */
  #fail(error: unknown): unknown {
    return this.error = error ?? new TypeError('the source of the body failed without a reason')
  }

  #keep(chunk: Chunk): void {
    this.#size += sizeOf(chunk)
    if (this.#size > this.#limit) this.#kept = undefined
    else this.#kept?.push(chunk)
  }

  release(): void {
    this.#kept = undefined
    this.#turn++
    if (this.#done) return
    this.#done = true
    // A source that fails while it is let go has nobody left to tell.
    void this.#context.runInAsyncScope(async () => this.#source.return?.()).catch(() => {})
  }
}
