import type { Dispatcher as UndiciDispatcher } from 'undici'
import api from 'undici/lib/api/index.js'
import Agent from 'undici/lib/dispatcher/agent.js'
import Dispatcher from 'undici/lib/dispatcher/dispatcher.js'
import Dispatcher1Wrapper from 'undici/lib/dispatcher/dispatcher1-wrapper.js'
import type { Call } from '../../core/call.ts'
import type { Reply } from '../../core/reply.ts'
import type { RequestHead } from '../../core/request.ts'
import type { Send } from '../../core/send.ts'
import { globalDispatcher } from './process-dispatcher.ts'
import { Relay } from './relay.ts'
import { originOf, readOrigin, type Origin } from './origin.ts'
import { placeBeyond, readRequest, withLengthOnce } from './read-request.ts'

/** undici's own type, for those above who may not import undici. */
export type { Dispatcher } from 'undici'

type Handler = UndiciDispatcher.DispatchHandler
type Interceptor = UndiciDispatcher.DispatcherComposeInterceptor

/** Where a request goes: through the mesh as a call, or past it untouched. Throws what the mesh decides against it. */
export type Locate = (origin: Origin, method: string) => 'mesh' | 'past'

/** What undici's dispatchers say of sizes; its types leave it out. */
type Limits = Agent & { readonly webSocketOptions?: unknown, readonly eventSourceOptions?: unknown }

/** What the dispatcher needs of the mesh. */
export interface Door {
  readonly locate: Locate
  readonly call: (request: RequestHead) => Call
  readonly send: Send<Call>
  readonly replayLimit: () => number
  readonly closed: () => boolean
  readonly close: () => Promise<void>
}

// Lists the dispatchers that let a request past them already, so that a global dispatcher built on one makes no circle.
const passed = Symbol('enmesh.passed')

/** What `dispatch` takes, and what some callers leave in it. */
type Options = UndiciDispatcher.DispatchOptions & { readonly dispatcher?: unknown, readonly [passed]?: readonly unknown[] }

const isModern = (handler: Handler): boolean => typeof handler.onRequestStart === 'function'

/** Speaks to handlers of undici 8 and of the older ones inside Node 22 and 24 alike. */
const modern = (handler: Handler): Handler =>
  isModern(handler) ? handler : Dispatcher1Wrapper.wrapHandler(handler)

/**
 * Makes an old handler one that can be spoken to in both ways. Interceptors know the way of their own undici,
 * and which one a handler will meet first depends on what else is composed.
 */
const bilingual: Interceptor = (dispatch) => (options, handler) => {
  if (isModern(handler)) return dispatch(options, handler)
  const old = handler as unknown as Record<string, ((...args: unknown[]) => unknown) | undefined>
  const both = Object.assign(modern(handler), Object.fromEntries(oldMethods.map((name) => [name, old[name]?.bind(handler)])))
  return dispatch(options, both)
}

const oldMethods: readonly string[] = ['onConnect', 'onHeaders', 'onData', 'onComplete', 'onError', 'onUpgrade']

/** The mesh as an undici dispatcher. */
export class MeshDispatcher extends (Dispatcher as unknown as new () => UndiciDispatcher) {
  readonly #door: Door
  /** The process's dispatchers when this one was made. */
  readonly #before = { 1: globalDispatcher(1), 2: globalDispatcher(2) }
  #own: Agent | undefined

  constructor(door: Door) {
    super()
    this.#door = door
    // What is composed of it calls them on a proxy, which has no private fields.
    this.close = this.close.bind(this)
    this.destroy = this.destroy.bind(this)
  }

  /** With interceptors around, the last of them outermost, of whatever undici; whoever asks may speak the old way or the new. */
  override compose(...interceptors: Interceptor[]): UndiciDispatcher.ComposedDispatcher
  override compose(interceptors: Interceptor[]): UndiciDispatcher.ComposedDispatcher
  override compose(...interceptors: Interceptor[] | [Interceptor[]]): UndiciDispatcher.ComposedDispatcher {
    return super.compose([...interceptors.flat(), bilingual])
  }

  override dispatch(options: Options, handler: Handler): boolean {
    return this.dispatchAs(options, handler, this.#door.call)
  }

  /** The same with calls made in a way of the caller's own. */
  dispatchAs(options: Options, handler: Handler, toCall: Door['call']): boolean {
    const listener = modern(handler)
    let relay: Relay | undefined
    try {
      // Once closed it is in nobody's way: another mesh may have found it in place of the process's dispatcher.
      if (this.#door.closed() && options[passed]?.some((one) => one !== this)) return this.#pass(options, handler)
      const beyond = placeBeyond(options)
      // Without an origin the path is the whole URL.
      const whole = options.origin === undefined && options.method !== 'CONNECT' ? beyond : undefined
      const origin = whole ? originOf(whole) : readOrigin(options.origin)
      const place = this.#door.locate(origin, options.method)
      if (beyond) this.#door.locate(originOf(beyond), options.method)
      if (place === 'past') return this.#pass(options, handler)
      const call = toCall(readRequest(options, origin, this.#door.replayLimit()))
      relay = new Relay(call, listener)
      relay.start()
      void this.#run(call, relay)
    } catch (error) {
      if (relay) relay.error(error as Error)
      else listener.onResponseError?.(undefined as never, error as Error)
    }
    return true
  }

  /** Gives a handler the answer that a call has already. */
  answer(call: Call, reply: Reply, handler: Handler): boolean {
    const relay = new Relay(call, modern(handler))
    relay.start()
    relay.answer(reply)
    return true
  }

  async #run(call: Call, relay: Relay): Promise<void> {
    let reply
    try {
      reply = await this.#door.send(call)
    } catch (error) {
      return relay.error(error as Error)
    }
    relay.answer(reply)
  }

  /** Hosts that are no services go where they went before: to the process's own dispatcher, proxies and mocks included. */
  #pass(options: Options, handler: Handler): boolean {
    const { dispatcher: _, [passed]: seen = [], ...asked } = options
    const rest = { ...asked, headers: withLengthOnce(asked.headers) } as Options
    const version = isModern(handler) ? 2 : 1
    const present = globalDispatcher(version)
    // The mesh stands in the place of the process's dispatcher: then it is the one from before that the request is meant for.
    const target = present === this || seen.includes(this) ? this.#before[version] : present
    if (target) return target.dispatch({ ...rest, [passed]: [...seen, this] } as Options, handler)
    return this.#agent.dispatch(rest, modern(handler))
  }

  /** For where the process has no dispatcher. */
  get #agent(): Agent {
    return this.#own ??= new Agent({ allowH2: false })
  }

  /** undici's own limits on what a `WebSocket` takes in: the one of Node 22 has none where its dispatcher names none. */
  get webSocketOptions(): unknown {
    return (this.#agent as Limits).webSocketOptions
  }

  /** The same for an `EventSource`. */
  get eventSourceOptions(): unknown {
    return (this.#agent as Limits).eventSourceOptions
  }

  override close(): Promise<void>
  override close(callback: () => void): void
  override close(callback?: () => void): Promise<void> | void {
    const closed = this.#door.close()
    return callback ? void closed.then(callback) : closed
  }

  override destroy(...args: unknown[]): Promise<void> & void {
    const callback = args.find((arg) => typeof arg === 'function') as (() => void) | undefined
    const closed = this.#door.close()
    return (callback ? void closed.then(callback) : closed) as never
  }

  /** Ends the connections to hosts that are no services. */
  async closeOwn(): Promise<void> {
    await this.#own?.destroy()
    this.#own = undefined
  }
}

// `request`, `stream` and the others, which undici adds to its own dispatchers only when it is imported as a whole.
Object.assign(MeshDispatcher.prototype, api)
