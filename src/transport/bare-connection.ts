import type { Socket } from 'node:net'
import type { Attempt } from '../core/call.ts'
import type { Endpoint } from '../core/endpoint.ts'
import { MeshError } from '../core/errors.ts'
import type { BodySink, Ending, Reply, ReplyHeaders } from '../core/reply.ts'
import type { Cancel } from '../runtime/clock.ts'
import { classify } from './classify.ts'
import { servernameFor, type Connecting, type Line } from './connections.ts'
import { dial } from './dial.ts'

/** Bare connections that are open to an endpoint, or being made. */
const open = new WeakMap<Endpoint, number>()

const count = (endpoint: Endpoint, by: 1 | -1): void => { open.set(endpoint, (open.get(endpoint) ?? 0) + by) }

/** How often in an idle timeout it is looked whether anything went over a connection. */
const looks = 4

/**
 * Connects to the attempt's endpoint and sends nothing. The reply has no status, only the `socket`, which is its caller's;
 * the attempt ends when it closes. A connection counts against the `connections` of its endpoint, apart from those of requests.
 */
export const bareConnection = (ready: Connecting, attempt: Attempt): Promise<Reply> => {
  const { call, endpoint } = attempt
  const { connections } = ready.config
  if ((open.get(endpoint) ?? 0) >= connections) {
    // No word on the endpoint: it was not asked.
    attempt.end('cancelled')
    return Promise.reject(call.error('ENMESH_OVERLOADED', `${call} was refused: ${connections} connections are open to ${endpoint.address}, ` +
      "and the cluster's limit 'connections' is as many. Raise it if the endpoint can take more, close some, or add endpoints."))
  }
  return new BareConnection(ready, attempt).ready
}

/** A connection without a request on it. */
class BareConnection implements Reply {
  readonly attempt: Attempt
  readonly socket: Socket
  readonly status = 0
  readonly statusText = ''
  readonly headers: ReplyHeaders = {}
  readonly rawHeaders: readonly string[] = []
  /** Resolves with itself when the connection is made. */
  readonly ready: Promise<Reply>
  readonly #line: Line
  #settle!: { readonly resolve: (reply: Reply) => void, readonly reject: (reason: unknown) => void }
  #over = false
  #cancel: Cancel

  constructor(ready: Connecting, attempt: Attempt) {
    const { call, endpoint, load } = attempt
    const { connectTimeout } = ready.config
    this.attempt = attempt
    this.ready = new Promise((resolve, reject) => { this.#settle = { resolve, reject } })
    count(endpoint, 1)
    load.pending++
    attempt.wire = this
    this.#line = dial(ready, endpoint, servernameFor(ready.config, attempt))
    this.socket = this.#line.socket!
    this.#cancel = connectTimeout === 0 ? () => {} : call.clock.after(connectTimeout, () =>
      this.#failed(new Error(`no connection within the cluster's connectTimeout of ${connectTimeout} ms`)))
    this.socket.once(this.#line.handshake ? 'secureConnect' : 'connect', () => this.#connected())
    // It stays for good: a connection that breaks before its caller listens must not end the process.
    this.socket.on('error', (error) => this.#failed(error))
    this.socket.once('close', () => this.#closed())
    call.track(attempt)
  }

  #connected(): void {
    const { attempt } = this
    if (this.#over) return
    this.#cancel()
    attempt.load.pending--
    attempt.sentAt = attempt.headAt = attempt.call.clock.now()
    this.#cancel = this.#watchSilence(attempt.call.idleTimeout)
    this.#settle.resolve(this)
  }

  #watchSilence(idleTimeout: number): Cancel {
    if (idleTimeout <= 0) return () => {}
    const { socket, attempt: { call } } = this
    let moved = 0
    let silent = 0
    const look = (): void => {
      const now = socket.bytesRead + socket.bytesWritten
      silent = now === moved ? silent + 1 : 0
      moved = now
      if (silent < looks) this.#cancel = call.clock.background(idleTimeout / looks, look)
      else {
        socket.destroy(call.error('ENMESH_ATTEMPT_TIMEOUT', `${call} at ${this.attempt.endpoint.address}: nothing went over the connection for the ` +
          `\`idleTimeout\` of ${idleTimeout} ms, so it was closed. Raise it if silence of this length is meant (0 is none), at the route and at the cluster: the less of the two holds.`))
      }
    }
    return call.clock.background(idleTimeout / looks, look)
  }

  #failed(cause: Error): void {
    if (this.#over || this.attempt.headAt > 0) return
    const error = classify(this.attempt, cause, this.#line)
    this.#giveUp(error, error)
  }

  /** It was not made, for whatever reason. */
  #giveUp(reason: unknown, ending: Ending): void {
    this.attempt.load.pending--
    this.#end(ending)
    this.socket.destroy()
    this.#settle.reject(reason)
  }

  #closed(): void {
    if (this.#over) return
    // How two ends part that speak a protocol of their own says nothing of either.
    if (this.attempt.headAt > 0) return this.#end('complete')
    this.#failed(new Error('it was closed before it was there'))
  }

  #end(ending: Ending): void {
    const { attempt, socket } = this
    this.#over = true
    this.#cancel()
    count(attempt.endpoint, -1)
    attempt.received = socket.bytesRead
    attempt.call.untrack(attempt)
    attempt.end(ending)
  }

  pipe(sink: BodySink): void {
    sink.end({})
  }

  pause(): void {
    this.socket.pause()
  }

  resume(): void {
    this.socket.resume()
  }

  discard(): void {
    this.socket.destroy()
  }

  abort(reason: unknown): void {
    if (this.#over) return
    if (this.attempt.headAt === 0) return this.#giveUp(reason, reason instanceof MeshError ? reason : 'cancelled')
    this.#end('cancelled')
    this.socket.destroy(reason instanceof Error ? reason : new Error('the connection was given up', { cause: reason }))
  }
}
