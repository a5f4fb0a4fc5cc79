import type { Duplex } from 'node:stream'
import type { Attempt } from './call.ts'
import type { MeshError } from './errors.ts'

/** Header fields as undici parses them: lower-case names, an array where a field came several times. */
export type ReplyHeaders = Record<string, string | string[] | undefined>

/**
 * How an attempt ended: its body came whole, the caller gave it up, or it failed.
 * What the caller caused is `'cancelled'` and speaks for nobody's health.
 */
export type Ending = 'complete' | 'cancelled' | MeshError

/** Takes a reply's body. Each method must not throw. */
export interface BodySink {
  /** Takes the next bytes. */
  data(chunk: Uint8Array): void
  /** The body is complete. */
  end(trailers: ReplyHeaders): void
  /** The body broke off. */
  error(error: Error): void
}

/**
 * The answer of an endpoint: its head now, its body when somebody takes it.
 * Exactly one of `pipe` and `discard` is called on each reply, but for one with a `socket`, which is used or else discarded.
 */
export interface Reply {
  readonly status: number
  readonly statusText: string
  readonly headers: ReplyHeaders
  /** The header fields as they came: name, value, name, value. */
  readonly rawHeaders: readonly (string | Buffer)[]
  /**
   * The connection itself, where the endpoint granted an upgrade or a `CONNECT`: there is no body then, and the attempt ends
   * when it closes. It is its caller's; only `discard` and `abort` close it from here.
   */
  readonly socket?: Duplex | undefined
  /** The trailers, once the body has ended; those of an answer that was kept until then are here with its head. */
  readonly trailers?: ReplyHeaders | undefined
  /** The attempt that brought this reply. */
  readonly attempt: Attempt
  /** Lets the body flow into a sink, what was read ahead first. */
  pipe(sink: BodySink): void
  /** Stops the flow: what still comes is kept, and soon nothing more is read. */
  pause(): void
  /** Lets it flow again. */
  resume(): void
  /** Lets go of a reply that nobody will read: a short body is drained so its socket is kept, a long one is cut. */
  discard(): void
  /** Gives up the body; the sink hears the reason. */
  abort(reason: unknown): void
}
