import { AsyncResource } from 'node:async_hooks'
import type { Duplex } from 'node:stream'
import type { Dispatcher } from 'undici'
import type { Call } from '../../core/call.ts'
import type { BodySink, Reply, ReplyHeaders } from '../../core/reply.ts'

/** In the place of a handler that has heard all. */
const nobody: Dispatcher.DispatchHandler = {}

/**
 * Hands a call's outcome to an undici handler. It is the one controller that the handler ever sees,
 * whatever attempts come and go behind it.
 */
export class Relay implements Dispatcher.DispatchController, BodySink {
  #call: Call | undefined
  #handler: Dispatcher.DispatchHandler
  /** The caller's: bytes come in that of the socket, and what a handler sends next (an interceptor, a redirect) would go for another's request. */
  readonly #context = new AsyncResource('enmesh.relay')
  #reply: Reply | undefined
  #over = false
  /** What became of the call, once it is over. */
  #aborted = false
  #reason: unknown
  paused = false
  rawHeaders: Buffer[] | string[] | null = null
  rawTrailers: Buffer[] | string[] | null = null

  constructor(call: Call, handler: Dispatcher.DispatchHandler) {
    this.#call = call
    this.#handler = handler
    call.onInformation = this.inform.bind(this)
  }

  /** Hands on a 1xx answer. */
  inform(status: number, headers: ReplyHeaders, raw: readonly (string | Buffer)[]): void {
    this.rawHeaders = raw as Buffer[]
    this.#attempt(() => this.#handler.onResponseStart?.(this, status, headers, ''))
  }

  /** Shows the controller to the handler before anything is sent, so it can abort at any time. */
  start(): void {
    this.#handler.onRequestStart?.(this, {})
  }

  get aborted(): boolean {
    return this.#call?.aborted ?? this.#aborted
  }

  get reason(): Error | null {
    return ((this.#call ? this.#call.reason : this.#reason) as Error | undefined) ?? null
  }

  pause(): void {
    this.paused = true
    this.#reply?.pause()
  }

  resume(): void {
    if (!this.paused) return
    this.paused = false
    this.#reply?.resume()
  }

  abort(reason: Error): void {
    const call = this.#call
    call?.abort(reason)
    // The call may be over while its last bytes still wait for a paused handler.
    if (call && !call.aborted) this.error(reason)
  }

  /** The head is in: the handler gets it, then the body as fast as it takes it, or the socket for its own. */
  answer(reply: Reply): void {
    if (this.#over) return reply.discard()
    this.#reply = reply
    this.rawHeaders = reply.rawHeaders as Buffer[]
    if (reply.socket) return this.#handOver(reply, reply.socket)
    const started = this.#attempt(() => {
      this.#handler.onResponseStarted?.()
      this.#handler.onResponseStart?.(this, reply.status, reply.headers, reply.statusText)
    })
    if (!started) return reply.discard()
    if (this.paused) reply.pause()
    reply.pipe(this)
  }

  #handOver(reply: Reply, socket: Duplex): void {
    this.#call!.deadline = Number.POSITIVE_INFINITY
    // To the handler the request is over now; whatever becomes of the socket it hears there.
    if (this.#attempt(() => this.#handler.onRequestUpgrade!(this, reply.status, reply.headers, socket))) this.#letGo()
  }

  data(chunk: Uint8Array): void {
    if (!this.#over) this.#attempt(() => this.#handler.onResponseData?.(this, chunk as Buffer))
  }

  end(trailers: ReplyHeaders): void {
    if (this.#over) return
    // A handler that throws here hears of its own error, and then it is over.
    if (this.#attempt(() => this.#handler.onResponseEnd?.(this, trailers))) this.#letGo()
  }

  /**
   * It is over: holds nothing of the request any more. Handlers keep their controller in functions assigned to properties, undici's own do, and V8
   * puts such functions into old space at once: all that they lead to lives until a full collection (42 µs of CPU for an `undici.request` through the mesh, 28 without).
   */
  #letGo(): void {
    this.#over = true
    this.#aborted = this.#call!.aborted
    this.#reason = this.#call!.reason
    this.#call = this.#reply = undefined
    this.#handler = nobody
    this.rawHeaders = null
  }

  error(error: Error): void {
    if (this.#over) return
    this.#over = true
    const tell = (): void => this.#context.runInAsyncScope(() => this.#handler.onResponseError?.(this, error))
    // The platform's fetch misses an error that comes in the same turn as the head, and its body would never end.
    if (this.#reply) process.nextTick(tell)
    else tell()
  }

  /** Runs one of the handler's methods; what it throws ends the call. */
  #attempt(task: () => void): boolean {
    try {
      this.#context.runInAsyncScope(task)
      return true
    } catch (error) {
      this.#call?.abort(error)
      this.#reply?.abort(error)
      this.error(error as Error)
      return false
    }
  }
}
