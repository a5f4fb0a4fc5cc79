import type { Dispatcher } from 'undici'
import type { Call, CallPolicy } from '../../core/call.ts'
import type { Reply } from '../../core/reply.ts'
import type { RequestHead } from '../../core/request.ts'
import type { MeshDispatcher } from '../dispatcher/dispatcher.ts'
import type { PlainRequest } from './plain-request.ts'
import { onAbort, usable, type AnySignal } from './signal.ts'

// The one of the platform, taken before anybody can put the mesh's own in its place.
const platformFetch = globalThis.fetch

/** What the platform's `fetch` needs to go through the mesh. */
export interface PlatformDoor {
  readonly dispatcher: MeshDispatcher
  readonly call: (request: RequestHead, policy: CallPolicy | undefined) => Call
}

type Dispatch = (options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler) => boolean

// The end of a body that goes past the mesh can't be heard of; when it is collected nobody waits for it any more.
const forgotten = new FinalizationRegistry<() => void>((stop) => stop())

const memberNames = [
  'method', 'headers', 'body', 'referrer', 'referrerPolicy', 'mode', 'credentials', 'cache', 'redirect', 'integrity', 'keepalive', 'signal',
  'window', 'duplex', 'priority',
] as const

/** The members of an `init` that `fetch` reads. They may be inherited, or getters of a `Request`. */
const members = (init: RequestInit): RequestInit => {
  const read: Record<string, unknown> = {}
  for (const name of memberNames) {
    const value = (init as Record<string, unknown>)[name]
    if (value !== undefined) read[name] = value
  }
  return read
}

/** One `fetch` of the platform's over the mesh as its dispatcher: each hop is a call, or goes past the mesh. */
export class PlatformFetch {
  /** The calls made, in order. */
  readonly calls: Call[] = []
  readonly #door: PlatformDoor
  readonly #policy: CallPolicy | undefined
  /** The call of the latest hop, unless that went past the mesh. */
  #latest: Call | undefined

  constructor(door: PlatformDoor, policy: CallPolicy | undefined) {
    this.#door = door
    this.#policy = policy
  }

  /** Sends what a caller gave to `fetch`. */
  send(input: string | URL | Request, init: RequestInit | null | undefined): Promise<Response> {
    // What is no dictionary is a fault, and the platform says so. (A function is one.)
    if (init !== undefined && init !== null && typeof init !== 'object' && typeof init !== 'function') return platformFetch(input, init)
    return this.#fetch(input, init ?? {}, (options, handler) => this.#dispatch(options, handler))
  }

  /** Goes on from an answer that is there already and that only the platform knows what to do with, such as a redirect. */
  goOn({ target, method, headers, body, signal }: PlainRequest, call: Call, reply: Reply): Promise<Response> {
    let given = false
    const dispatch: Dispatch = (options, handler) => {
      if (given) return this.#dispatch(options, handler)
      given = true
      this.#note(call)
      return this.#door.dispatcher.answer(call, reply, handler)
    }
    const fields: [string, string][] = []
    for (let i = 0; i < headers.length; i += 2) fields.push([headers[i]!, headers[i + 1]!])
    return this.#fetch(target.url, { method, headers: fields, body: body as string, signal: signal as AbortSignal }, dispatch)
  }

  #dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    this.#latest = undefined
    return this.#door.dispatcher.dispatchAs(options, handler, (request) => this.#note(this.#door.call(request, this.#policy)))
  }

  #note(call: Call): Call {
    this.#latest = call
    this.calls.push(call)
    return call
  }

  /**
   * Gives the platform a signal of its own realm that lives no longer than this `fetch`, so that it leaves no listener on the caller's,
   * which may outlive many.
   */
  async #fetch(input: string | URL | Request, init: RequestInit, dispatch: Dispatch): Promise<Response> {
    const options = { ...members(init), dispatcher: { dispatch } } as unknown as RequestInit
    const signal = options.signal as AnySignal | null | undefined
    if (!signal || !usable(signal)) return platformFetch(input, options)
    const controller = new AbortController()
    const stop = onAbort(signal, (reason) => controller.abort(reason))
    try {
      const response = await platformFetch(input, { ...options, signal: controller.signal })
      this.#whenOver(response, stop)
      return response
    } catch (error) {
      stop()
      throw error
    }
  }

  #whenOver(response: Response, stop: () => void): void {
    if (this.#latest === undefined && response.body) forgotten.register(response.body, stop)
    else if (this.#latest === undefined || this.#latest.endedAt > 0) stop()
    else this.#latest.onEnd(stop)
  }
}
