import type { Abortable, Attempt, Call } from '../core/call.ts'
import type { Reply } from '../core/reply.ts'
import { stack, type Layer, type Send } from '../core/send.ts'

/*
 * Layers of the user's may wait for whatever they like, a token for instance, and nobody there hears of an abort. So the promise that
 * others wait for is not theirs: it is rejected at once, and what a layer still brings afterwards is let go.
 */

/** Layers of the user's around a call, as one; `undefined` where there are none. However they wait, an abort and the deadline are heard at once. */
export const ownCallLayers = (layers: readonly Layer<Call>[] | undefined): Layer<Call> | undefined => layers && layers.length > 0 ? (next) => {
  // No endpoint is picked, and none is to blame, for a call that was given up while they had it.
  const send = stack(layers, (call) => call.aborted ? Promise.reject(call.reason as Error) : next(call))
  return (call) => {
    const held = new Held()
    call.track(held)
    const done = (): void => call.untrack(held)
    return held.run(send, call, done, done)
  }
} : undefined

/** The same around an attempt, whose own timeout is heard too. One that they refuse, before or after it was sent, is over. */
export const ownAttemptLayers = (layers: readonly Layer<Attempt>[] | undefined): Layer<Attempt> | undefined => layers && layers.length > 0 ? (next) => {
  const send = stack(layers, (attempt) => isHeaderList(attempt.headers) ? next(attempt) : Promise.reject(new TypeError(noHeaderList)))
  return (attempt) => {
    const held = new Held()
    attempt.held = held
    attempt.call.track(attempt)
    const done = (): void => {
      attempt.held = undefined
      attempt.call.untrack(attempt)
    }
    return held.run(send, attempt, done, (error) => {
      done()
      if (attempt.wire === undefined) attempt.end('cancelled')
      else attempt.abort(error)
    })
  }
} : undefined

const noHeaderList = 'a layer of your own left in `attempt.headers` what is no list of texts: a name and a value in turns'

const isHeaderList = (headers: unknown): boolean =>
  Array.isArray(headers) && headers.length % 2 === 0 && headers.every((text) => typeof text === 'string')

class Held implements Abortable {
  #over = false
  #reason: unknown
  #reject: ((reason: unknown) => void) | undefined

  abort(reason: unknown): void {
    if (this.#over) return
    this.#over = true
    this.#reason = reason
    this.#reject?.(reason)
  }

  run<T>(send: Send<T>, subject: T, done: () => void, failed: (error: unknown) => void): Promise<Reply> {
    return new Promise<Reply>((resolve, reject) => {
      if (this.#over) return reject(this.#reason)
      this.#reject = reject
      void this.#settle(send, subject).then(resolve, reject)
    }).then((reply) => {
      done()
      return reply
    }, (error) => {
      failed(error)
      throw error
    })
  }

  async #settle<T>(send: Send<T>, subject: T): Promise<Reply> {
    const reply: unknown = await send(subject)
    if (!isReply(reply)) throw new TypeError('a layer of your own gave no reply: return what `next` gives')
    if (this.#over) reply.discard()
    this.#over = true
    return reply
  }
}

const isReply = (reply: unknown): reply is Reply =>
  typeof reply === 'object' && reply !== null && typeof (reply as Reply).discard === 'function' && (reply as Reply).attempt !== undefined
