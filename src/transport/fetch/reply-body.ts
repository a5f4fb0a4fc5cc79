import type { ReadableByteStreamController, UnderlyingByteSource } from 'node:stream/web'
import type { BodySink, Reply } from '../../core/reply.ts'
import { abortError, reasonOf, type AnySignal } from './signal.ts'

/** What a reader of a body hears when it breaks off: the reason of the caller's own abort, or else what the platform's `fetch` says. */
export const bodyError = (error: unknown, signal: AnySignal | undefined): unknown => {
  if (signal?.aborted) return reasonOf(signal)
  return new TypeError('terminated', { cause: error })
}

/** Collects a body and hands it over whole. */
export class Collector<T> implements BodySink {
  readonly #convert: (bytes: Buffer) => T
  readonly #resolve: (value: T) => void
  readonly #reject: (reason: unknown) => void
  readonly #signal: AnySignal | undefined
  #first: Uint8Array | undefined
  #more: Uint8Array[] | undefined

  constructor(
    convert: (bytes: Buffer) => T, resolve: (value: T) => void, reject: (reason: unknown) => void, signal: AnySignal | undefined,
  ) {
    this.#convert = convert
    this.#resolve = resolve
    this.#reject = reject
    this.#signal = signal
  }

  data(chunk: Uint8Array): void {
    if (this.#first === undefined) this.#first = chunk
    else (this.#more ??= [this.#first]).push(chunk)
  }

  end(): void {
    try {
      this.#resolve(this.#convert(this.#bytes()))
    } catch (error) {
      this.#reject(error)
    }
  }

  error(error: Error): void {
    this.#reject(bodyError(error, this.#signal))
  }

  #bytes(): Buffer {
    if (this.#more) return Buffer.concat(this.#more)
    const first = this.#first
    if (first === undefined) return Buffer.alloc(0)
    return Buffer.isBuffer(first) ? first : Buffer.from(first.buffer, first.byteOffset, first.byteLength)
  }
}

// A reply whose reader is gone: the rest of it is for nobody, and must not hold its socket until the deadline.
const unread = new FinalizationRegistry<Reply>((reply) => reply.discard())

/** Lets go of a reply when the object through which it would be read is collected. */
export const readThrough = (reader: object, reply: Reply): void => unread.register(reader, reply, reply)

/** The same no longer: somebody takes the body, or will through another object. */
export const taken = (reply: Reply): void => void unread.unregister(reply)

/**
 * A body as a stream of bytes. Nothing flows before somebody reads: until then a short reply still ends by itself and frees its socket.
 * To cancel it gives the call up.
 */
export const bodyStream = (reply: Reply, signal: AnySignal | undefined): ReadableStream => {
  let sink: StreamSink | undefined
  let cancelled = false
  const open = (controller: ReadableByteStreamController): void => {
    taken(reply)
    reply.pipe(sink = new StreamSink(reply, controller, signal))
  }
  const source: UnderlyingByteSource = {
    type: 'bytes',
    start: (controller) => {
      // Who waits for the stream's end without reading hears of a failure all the same. Weak, or no unread stream could be collected.
      const weak = new WeakRef(controller)
      reply.attempt.onEnd((_, ending) => {
        const held = weak.deref()
        if (held && ending !== 'complete' && !sink && !cancelled) open(held)
      })
    },
    pull: (controller) => {
      if (signal?.aborted) return controller.error(reasonOf(signal))
      if (sink) reply.resume()
      else open(controller)
    },
    cancel: (reason: unknown) => {
      cancelled = true
      reply.attempt.call.abort(reason === undefined ? abortError() : reason)
    },
  }
  const stream = new ReadableStream(source)
  readThrough(stream, reply)
  return stream
}

/** Fills a stream as fast as it is read. */
class StreamSink implements BodySink {
  readonly #reply: Reply
  readonly #controller: ReadableByteStreamController
  readonly #signal: AnySignal | undefined
  #over = false

  constructor(reply: Reply, controller: ReadableByteStreamController, signal: AnySignal | undefined) {
    this.#reply = reply
    this.#controller = controller
    this.#signal = signal
  }

  data(chunk: Uint8Array): void {
    if (this.#over || chunk.byteLength === 0) return
    // A copy, since the stream takes the memory over and a chunk is part of a buffer of the socket's.
    this.#controller.enqueue(new Uint8Array(chunk))
    if (this.#controller.desiredSize! <= 0) this.#reply.pause()
  }

  end(): void {
    if (this.#over) return
    this.#over = true
    this.#controller.close()
    // Who waits with memory of his own hears of the end only so.
    this.#controller.byobRequest?.respond(0)
  }

  error(error: Error): void {
    if (this.#over) return
    this.#over = true
    this.#controller.error(bodyError(error, this.#signal))
  }
}
