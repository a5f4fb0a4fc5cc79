import type { Attempt } from '../core/call.ts'
import type { MeshErrorCode } from '../core/errors.ts'
import type { BodySink, Reply, ReplyHeaders } from '../core/reply.ts'
import type { Send } from '../core/send.ts'

/** What an endpoint does with one attempt. */
export interface ScriptedAnswer {
  readonly status?: number
  readonly headers?: Record<string, string>
  readonly body?: string
  /** Milliseconds on the mesh's clock until the head comes; `Infinity` never answers. */
  readonly delay?: number
  /** Fails with this code in place of an answer; with `status` too, the body breaks off after the head. */
  readonly error?: MeshErrorCode
  /** Milliseconds between head and the end of the body; `Infinity` leaves it open. */
  readonly bodyDelay?: number
  /** Whether the request reached a socket before it failed; false for `ENMESH_CONNECT_FAILED` by default. */
  readonly sent?: boolean
}

/** Answers each attempt: one answer for all, a list played in order (the last repeats), or a function. */
export type Script = ScriptedAnswer | readonly ScriptedAnswer[] | ((attempt: Attempt) => ScriptedAnswer)

/** A network that follows a script: stands in for the transport in tests of everything above it. */
export interface ScriptedUpstream {
  readonly send: Send<Attempt>
  /** The attempts that arrived, in order. */
  readonly attempts: Attempt[]
  /** Replies that were thrown away unread. */
  readonly discarded: Reply[]
}

/** Makes a scripted network, on the clock of the calls it gets. */
export const scriptedUpstream = (script: Script): ScriptedUpstream => {
  const attempts: Attempt[] = []
  const discarded: Reply[] = []
  const answerTo = (attempt: Attempt, index: number): ScriptedAnswer => {
    if (typeof script === 'function') return script(attempt)
    const answers = (Array.isArray(script) ? script : [script]) as readonly ScriptedAnswer[]
    return answers[Math.min(index, answers.length - 1)]!
  }
  const send: Send<Attempt> = (attempt) => {
    attempts.push(attempt)
    return new ScriptedReply(attempt, answerTo(attempt, attempts.length - 1), discarded).head
  }
  return { send, attempts, discarded }
}

class ScriptedReply implements Reply {
  readonly attempt: Attempt
  readonly status: number
  readonly statusText = ''
  readonly headers: ReplyHeaders
  readonly rawHeaders: readonly string[]
  readonly head: Promise<Reply>
  readonly #body: string
  readonly #discarded: Reply[]
  #sink: BodySink | undefined
  #over: { error?: Error } | undefined
  #cancel = (): void => {}
  #reject: (error: unknown) => void = () => {}
  #headed = false

  constructor(attempt: Attempt, answer: ScriptedAnswer, discarded: Reply[]) {
    this.attempt = attempt
    this.status = answer.status ?? 200
    this.headers = answer.headers ?? {}
    this.rawHeaders = Object.entries(answer.headers ?? {}).flat()
    this.#body = answer.body ?? ''
    this.#discarded = discarded
    const { clock } = attempt.call
    const { delay = 0, bodyDelay = 0, error } = answer
    attempt.wire = this
    attempt.load.pending++
    let waiting = true
    const leaveQueue = (): void => { if (waiting) { waiting = false; attempt.load.pending-- } }
    attempt.onEnd(leaveQueue)
    if (answer.sent ?? error !== 'ENMESH_CONNECT_FAILED') {
      attempt.sentAt = clock.now()
      leaveQueue()
    }
    const later = (ms: number, task: () => void): void => {
      if (ms === 0) queueMicrotask(() => { if (attempt.ending === undefined) task() })
      else if (ms !== Number.POSITIVE_INFINITY) this.#cancel = clock.after(ms, task)
    }
    this.head = new Promise((resolve, reject) => {
      this.#reject = reject
      later(delay, () => {
        if (error && answer.status === undefined) return this.#fail(attempt.call.error(error, `scripted ${error}`))
        this.#headed = true
        attempt.headAt = clock.now()
        attempt.status = this.status
        attempt.onFields?.(attempt, this.headers)
        resolve(this)
        later(bodyDelay, () => error ? this.#fail(attempt.call.error(error, `scripted ${error}`)) : this.#finish())
      })
    })
    attempt.call.track(attempt)
    attempt.onEnd(() => attempt.call.untrack(attempt))
  }

  #finish(): void {
    this.#over = {}
    this.attempt.end('complete')
    this.#flush()
  }

  #fail(error: Error): void {
    this.#over = { error }
    this.attempt.end(error as never)
    if (this.#headed) this.#flush()
    else this.#reject(error)
  }

  #flush(): void {
    if (!this.#sink || !this.#over) return
    if (this.#over.error) return this.#sink.error(this.#over.error)
    if (this.#body) this.#sink.data(Buffer.from(this.#body))
    this.#sink.end({})
  }

  pipe(sink: BodySink): void {
    this.#sink = sink
    this.#flush()
  }

  pause(): void {}
  resume(): void {}

  discard(): void {
    this.#discarded.push(this)
    this.#cancel()
    if (!this.#over) this.attempt.end('cancelled')
  }

  abort(reason: unknown): void {
    if (this.#over) return
    this.#cancel()
    this.#over = { error: reason as Error }
    this.attempt.end(reason instanceof Error && 'code' in reason && String(reason.code).startsWith('ENMESH_') ? reason as never : 'cancelled')
    if (this.#headed) this.#flush()
    else this.#reject(reason)
  }
}
