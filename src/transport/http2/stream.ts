import type { ClientHttp2Stream } from 'node:http2'
import type { Dispatcher } from 'undici'
import errors from 'undici/lib/core/errors.js'
import { MeshError } from '../../core/errors.ts'
import type { Cancel } from '../../runtime/clock.ts'
import type { Exchange } from '../exchange.ts'
import { Unprocessed } from '../unprocessed.ts'
import type { Content } from './content.ts'
import { inWords, mostInterim } from './faults.ts'
import { byName, rawFields } from './fields.ts'

// RFC 9113, section 7, and the type of a frame that opens a stream.
const cancelled = 8
const headersFrame = 1

/** What a stream needs of the connection that it is on. */
export interface Carrier {
  /** Whether the endpoint has said that it does nothing about a stream of this number. */
  disowns(id: number | undefined): boolean
  /** What ended the connection, if something did. */
  readonly failure: Error | undefined
  /** Hears that a stream was given up, and how many bytes the connection had brought when it began. */
  gaveUp(readBefore: number): void
  /** Hears that the endpoint does what the connection is to be ended for, with all that is on it. */
  misbehaves(error: Error): void
}

/** One exchange on a stream of its own: what Node tells of the stream, in the words of undici's handlers. */
export class Stream implements Dispatcher.DispatchController {
  paused = false
  rawHeaders: string[] | null = null
  rawTrailers: string[] | null = null
  readonly #carrier: Carrier
  readonly #exchange: Exchange
  readonly #stream: ClientHttp2Stream
  readonly #readBefore: number
  /** Whether the answer's last byte was announced as such; Node ends a stream that is cut in the same way. */
  #whole = false
  #interim = 0
  /** Whether the answer's head is in, and not just an interim one. */
  #headed = false
  #trailers: string[] = []
  #over = false
  #reason: Error | null = null
  #movedAt = 0
  #cancelIdle: Cancel = () => {}

  constructor(carrier: Carrier, exchange: Exchange, stream: ClientHttp2Stream, readBefore: number) {
    this.#carrier = carrier
    this.#exchange = exchange
    this.#stream = stream
    this.#readBefore = readBefore
    this.#listen()
  }

  /** Shows itself to the exchange, and sends the body. */
  start(content: Content | undefined, declared: number | undefined): void {
    this.#exchange.onRequestStart(this)
    if (this.#over) return
    this.#watchSilence()
    if (!content) return
    if (content.source instanceof Uint8Array) this.#stream.end(content.source)
    else void this.#upload(content.source, declared)
  }

  get aborted(): boolean {
    return this.#reason !== null
  }

  get reason(): Error | null {
    return this.#reason
  }

  pause(): void {
    this.paused = true
    this.#stream.pause()
  }

  resume(): void {
    if (!this.paused) return
    this.paused = false
    this.#moved()
    this.#stream.resume()
  }

  abort(reason: Error): void {
    if (this.#over) return
    this.#reason = reason
    this.#giveUp(reason)
  }

  #listen(): void {
    const stream = this.#stream
    // Node pushes nothing where the endpoint has ended its side, and the same where the stream was cut; only by then is it closed.
    const push = stream.push.bind(stream)
    stream.push = (chunk, encoding) => {
      if (chunk === null && !stream.closed) this.#whole = true
      return push(chunk, encoding)
    }
    stream.on('headers', (_, __, raw: unknown) => this.#informed(raw as string[]))
    stream.once('response', (_, __, raw: unknown) => this.#answered(raw as string[]))
    stream.once('trailers', (_, __, raw: unknown) => { this.#trailers = raw as string[] })
    stream.on('data', (chunk: Buffer) => this.#data(chunk))
    stream.once('end', () => this.#ended())
    // It stays: Node may tell a stream of its connection's failure after all else.
    stream.on('error', (error: Error) => this.#failed(error))
    stream.on('frameError', (type: number, code: number) => this.#unsendable(type, code))
    stream.once('close', () => this.#closed())
  }

  #informed(raw: string[]): void {
    if (this.#over) return
    if (++this.#interim > mostInterim) {
      return this.#carrier.misbehaves(new Error(`the endpoint sent more than ${mostInterim} interim answers (1xx) to one request`))
    }
    this.#moved()
    const status = statusOf(raw)
    // Nobody who calls through the mesh waits for leave to send a body.
    if (status === 100) return
    this.rawHeaders = rawFields(raw)
    this.#exchange.onResponseStart(this, status, byName(this.rawHeaders), '')
  }

  #answered(raw: string[]): void {
    if (this.#over) return
    this.#moved()
    const status = statusOf(raw)
    if (status < 200) return this.#giveUp(new Error(`it answered ${status}, which HTTP/2 has not`))
    this.#headed = true
    this.rawHeaders = rawFields(raw)
    this.#exchange.onResponseStart(this, status, byName(this.rawHeaders), '')
  }

  #data(chunk: Buffer): void {
    if (this.#over) return
    this.#moved()
    this.#exchange.onResponseData(this, chunk)
  }

  #ended(): void {
    if (this.#over || !this.#whole || !this.#headed) return
    this.#finish()
    this.rawTrailers = rawFields(this.#trailers)
    // What it has answered already it needs no more of.
    if (!this.#stream.writableEnded) this.#stream.close(cancelled)
    this.#exchange.onResponseEnd(this, byName(this.rawTrailers))
  }

  #failed(error: Error): void {
    if (this.#over) return
    this.#finish()
    this.#exchange.onResponseError(this, this.#unprocessed(error) ?? this.#carrier.failure ?? inWords(error))
  }

  #closed(): void {
    if (this.#over) return
    // For every other code Node has an error.
    const how = this.#stream.rstCode === cancelled ? 'cancelled' : 'ended'
    this.#failed(new Error(`the stream was ${how} before the answer was complete`))
  }

  /** Where it can be told that the endpoint did nothing about it. */
  #unprocessed(cause: Error): Unprocessed | undefined {
    if (this.#headed || !this.#carrier.disowns(this.#stream.id)) return undefined
    return new Unprocessed(this.#carrier.failure?.message ?? 'the endpoint said that it processes nothing more on this connection', cause)
  }

  /** A frame that could not be sent: one that opens a stream on a connection of which the endpoint takes its leave. */
  #unsendable(type: number, code: number): void {
    if (this.#over || type !== headersFrame) return
    this.#finish()
    this.#exchange.onResponseError(this, new Unprocessed(`it could not be sent (${code})`))
  }

  /** Ends it from this side, with an error for the exchange. */
  #giveUp(error: Error): void {
    if (this.#over) return
    this.#finish()
    if (!this.#headed && isImpatience(error)) this.#carrier.gaveUp(this.#readBefore)
    this.#stream.close(cancelled)
    // What came may still lie there, and keep it open.
    this.#stream.resume()
    this.#exchange.onResponseError(this, error)
  }

  #finish(): void {
    this.#over = true
    this.#cancelIdle()
  }

  #moved(): void {
    this.#movedAt = this.#exchange.attempt.call.clock.now()
  }

  /** Ends it when nothing came and nothing went for as long as the call allows. */
  #watchSilence(): void {
    const { clock, idleTimeout } = this.#exchange.attempt.call
    if (idleTimeout <= 0) return
    this.#moved()
    const look = (): void => {
      // Its reader stands still, so the endpoint may.
      if (this.paused) this.#moved()
      const left = this.#movedAt + idleTimeout - clock.now()
      if (left > 0) this.#cancelIdle = clock.background(left, look)
      else if (!this.#headed) this.#giveUp(new errors.HeadersTimeoutError(`no head within ${idleTimeout} ms`))
      else this.#giveUp(new errors.BodyTimeoutError(`no part of the body within ${idleTimeout} ms`))
    }
    this.#cancelIdle = clock.background(idleTimeout, look)
  }

  async #upload(source: Exclude<Content['source'], Uint8Array>, declared: number | undefined): Promise<void> {
    const stream = this.#stream
    let sent = 0
    try {
      for await (const chunk of source) {
        if (this.#over || stream.closed) return
        const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
        sent += bytes.byteLength
        if (declared !== undefined && sent > declared) throw new errors.RequestContentLengthMismatchError()
        this.#moved()
        if (!stream.write(bytes)) await drained(stream)
      }
      if (this.#over || stream.closed) return
      if (declared !== undefined && sent !== declared) throw new errors.RequestContentLengthMismatchError()
      stream.end()
    } catch (error) {
      this.#giveUp(error as Error)
    }
  }
}

/** Whether it was the endpoint's silence that something was given up for. */
const isImpatience = (error: unknown): boolean => error instanceof MeshError || error instanceof errors.HeadersTimeoutError

const statusOf = (raw: readonly string[]): number => Number(raw[raw.indexOf(':status') + 1])

/** Resolves when more can be written, or never will be. */
const drained = (stream: ClientHttp2Stream): Promise<void> => new Promise((resolve) => {
  const settle = (): void => {
    stream.off('drain', settle)
    stream.off('close', settle)
    resolve()
  }
  stream.on('drain', settle)
  stream.on('close', settle)
})
