import type { Duplex } from 'node:stream'
import type { Dispatcher } from 'undici'
import { MeshError } from '../core/errors.ts'
import type { Attempt } from '../core/call.ts'
import { grpcStatusIn, speaksGrpc } from '../core/grpc.ts'
import type { BodySink, Ending, Reply, ReplyHeaders } from '../core/reply.ts'
import { causedByCaller, classify } from './classify.ts'
import type { Line } from './connections.ts'
import { Unprocessed } from './unprocessed.ts'

/** Bytes of a reply read before anybody asks for them, so that a small reply frees its socket unread. */
const readAhead = 64 * 1024

/** Milliseconds that an unwanted reply may take to run out. */
const drainTime = 1_000

/** How often a request may be sent again that an endpoint did nothing about: each time it promised so, but it may never do anything. */
const mostUnprocessed = 3

/** A request that may be written to a socket again: which connection to use then. One that is not `stale` died with a promise that nothing was done. */
export interface Resend {
  (exchange: Exchange, stale: boolean): void
}

/**
 * One attempt on the wire: undici's handler on one side, the mesh's reply on the other.
 * Keeps chunks until somebody takes the body, and ends the attempt when its last byte is in.
 */
export class Exchange implements Reply, Dispatcher.DispatchHandler {
  readonly attempt: Attempt
  readonly head: Promise<Reply>
  status = 0
  statusText = ''
  headers: ReplyHeaders = {}
  rawHeaders: readonly (string | Buffer)[] = []
  trailers: ReplyHeaders | undefined
  socket: Duplex | undefined

  /** Set by the client that sends it. */
  line: Line | undefined
  /** Bytes that the socket had brought before this request was written to it. */
  #readBefore = 0

  #resolve!: (reply: Reply) => void
  #reject!: (reason: unknown) => void
  readonly #resend: Resend
  #controller: Dispatcher.DispatchController | undefined
  #chunks: Uint8Array[] = []
  #buffered = 0
  #sink: BodySink | undefined
  #paused = false
  #queued = true
  #unprocessed = 0
  #over = false
  #reason: unknown
  /** Whether the head is kept until the first message, or until it is certain that there is none. */
  #held = false
  #failed = false
  #error: Error | undefined

  constructor(attempt: Attempt, resend: Resend) {
    this.attempt = attempt
    this.#resend = resend
    this.head = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    attempt.load.pending++
    attempt.wire = this
    attempt.call.track(attempt)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.#over) return controller.abort(this.#reason as Error)
    this.#controller = controller
    this.#readBefore = this.line?.socket?.bytesRead ?? 0
    this.attempt.sentAt = this.attempt.call.clock.now()
    this.#leaveQueue()
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: ReplyHeaders, statusText?: string): void {
    if (status >= 200) return this.#answered(controller, status, headers, statusText)
    this.attempt.call.onInformation?.(status, headers, rawHeadersOf(controller))
  }

  /** What is spoken from here on is not for the mesh to judge, and however the socket ends, the answer was complete. */
  onRequestUpgrade(controller: Dispatcher.DispatchController, status: number, headers: ReplyHeaders, socket: Duplex): void {
    this.socket = socket
    socket.once('close', () => { if (!this.#over) this.#finish('complete') })
    this.#answered(controller, status, headers)
  }

  #answered(controller: Dispatcher.DispatchController, status: number, headers: ReplyHeaders, statusText = ''): void {
    const { attempt } = this
    this.status = attempt.status = status
    this.statusText = statusText
    this.headers = headers
    this.rawHeaders = rawHeadersOf(controller)
    attempt.headAt = attempt.call.clock.now()
    attempt.onFields?.(attempt, headers)
    if (attempt.call.holdsGrpc && speaksGrpc(headers) && grpcStatusIn(headers) < 0) this.#held = true
    else this.#resolve(this)
  }

  #release(): void {
    this.#held = false
    this.#resolve(this)
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Uint8Array): void {
    if (this.#over) return
    this.attempt.received += chunk.byteLength
    if (this.#held) this.#release()
    if (this.#sink && !this.#paused) return this.#sink.data(chunk)
    this.#chunks.push(chunk)
    this.#buffered += chunk.byteLength
    if (this.#paused || this.#buffered >= readAhead) controller.pause()
  }

  onResponseEnd(_controller: Dispatcher.DispatchController, trailers: ReplyHeaders): void {
    if (this.#over) return
    const { attempt } = this
    this.trailers = trailers
    attempt.onFields?.(attempt, trailers)
    this.#finish('complete')
    if (this.#held) this.#release()
    this.#flush()
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, cause: Error): void {
    if (this.#over) return
    const { attempt } = this
    if (causedByCaller(attempt, cause)) return this.#fail(cause, false)
    if (attempt.headAt === 0) {
      const unprocessed = cause instanceof Unprocessed
      if (unprocessed || this.#diedIdle(cause)) {
        if (this.#mayResend(unprocessed)) return this.#resendIt(unprocessed)
        attempt.stale = true
      }
    }
    this.#fail(classify(attempt, cause, this.line), true)
  }

  #mayResend(unprocessed: boolean): boolean {
    const { call, resent } = this.attempt
    const may = unprocessed ? this.#unprocessed < mostUnprocessed : !resent && call.repeatable
    return may && (call.request.body?.replayable ?? true)
  }

  #resendIt(unprocessed: boolean): void {
    const { attempt } = this
    attempt.resent = true
    if (unprocessed) this.#unprocessed++
    // It is as if it had never been sent.
    if (unprocessed) attempt.sentAt = 0
    this.#controller = undefined
    this.#resend(this, !unprocessed)
  }

  /** Whether a socket that had answered before died before it brought a byte of this answer. */
  #diedIdle(cause: Error): boolean {
    const socket = this.line?.socket
    return this.#readBefore > 0 && socket?.bytesRead === this.#readBefore && !(cause as { code?: string }).code?.endsWith('_TIMEOUT')
  }

  pipe(sink: BodySink): void {
    this.#sink = sink
    this.#flush()
  }

  pause(): void {
    this.#paused = true
    if (!this.#over) this.#controller?.pause()
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#flush()
  }

  discard(): void {
    if (this.#over) return
    // What fits into the read-ahead may come and keeps the socket; more is not worth waiting for.
    this.#sink = new Drain(this, readAhead - this.#buffered)
    this.#chunks = []
    this.attempt.onEnd(this.attempt.call.clock.background(drainTime, () => this.abort(new TypeError('an unwanted reply was cut'))))
    this.#controller?.resume()
  }

  abort(reason: unknown): void {
    if (this.#over) return
    this.#reason = reason
    const controller = this.#controller
    this.#fail(reason as Error, reason instanceof MeshError && !this.#waitsForCaller)
    if (this.socket) this.socket.destroy(reason as Error)
    else controller?.abort(reason as Error)
  }

  /** Whether the body stands still because its reader does: then no delay is the endpoint's. */
  get #waitsForCaller(): boolean {
    return this.attempt.headAt > 0 && !this.#held && (this.#paused || !this.#sink)
  }

  #fail(error: Error, blamed: boolean): void {
    this.#failed = true
    this.#error = error
    this.#finish(blamed && error instanceof MeshError ? error : 'cancelled')
    if (this.attempt.headAt === 0 || this.#held) this.#reject(error)
    else this.#flush()
  }

  #finish(ending: Ending): void {
    this.#over = true
    this.#leaveQueue()
    this.attempt.call.untrack(this.attempt)
    this.attempt.end(ending)
  }

  #leaveQueue(): void {
    if (!this.#queued) return
    this.#queued = false
    this.attempt.load.pending--
  }

  /** Hands on what is buffered, then the end; stops when the sink pauses. An error does not wait for the reader. */
  #flush(): void {
    const sink = this.#sink
    if (!sink) return
    // A caller may abort without a reason, or for one that is falsy.
    if (this.#failed) {
      this.#chunks = []
      return sink.error(this.#error!)
    }
    while (this.#chunks.length > 0 && !this.#paused) {
      const chunk = this.#chunks.shift()!
      this.#buffered -= chunk.byteLength
      sink.data(chunk)
    }
    if (this.#paused || this.#chunks.length > 0) return
    if (this.#over) sink.end(this.trailers ?? {})
    else this.#controller?.resume()
  }
}

const rawHeadersOf = ({ rawHeaders }: Dispatcher.DispatchController): Reply['rawHeaders'] => (rawHeaders ?? []) as Reply['rawHeaders']

/** Lets an unwanted body run out, and cuts it when it is longer than it is worth. */
class Drain implements BodySink {
  readonly #exchange: Exchange
  #left: number

  constructor(exchange: Exchange, left: number) {
    this.#exchange = exchange
    this.#left = left
  }

  data(chunk: Uint8Array): void {
    this.#left -= chunk.byteLength
    if (this.#left < 0) this.#exchange.abort(new TypeError('an unwanted reply was cut'))
  }

  end(): void {}
  error(): void {}
}
