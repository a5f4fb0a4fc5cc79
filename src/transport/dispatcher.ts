import type { Dispatcher as UndiciDispatcher } from 'undici'
import api from 'undici/lib/api/index.js'
import Agent from 'undici/lib/dispatcher/agent.js'
import Dispatcher from 'undici/lib/dispatcher/dispatcher.js'
import Dispatcher1Wrapper from 'undici/lib/dispatcher/dispatcher1-wrapper.js'
import type { Call } from '../core/call.ts'
import type { RequestHead } from '../core/request.ts'
import type { Send } from '../core/send.ts'
import { Relay } from './relay.ts'
import { readRequest } from './read-request.ts'

/** undici's own type, for those above who may not import undici. */
export type { Dispatcher } from 'undici'

type Handler = UndiciDispatcher.DispatchHandler
type Options = UndiciDispatcher.DispatchOptions

/** Where a request goes: through the mesh as a call, or past it untouched. Throws what the mesh decides against it. */
export type Locate = (origin: URL, method: string) => 'mesh' | 'past'

/** What the dispatcher needs of the mesh. */
export interface Door {
  readonly locate: Locate
  readonly call: (request: RequestHead) => Call
  readonly send: Send<Call>
  readonly replayLimit: () => number
  readonly close: () => Promise<void>
}

// Marks a request that has come through this dispatcher already, so that a global dispatcher built on it makes no circle.
const passed = Symbol('enmesh.passed')

const globalDispatcher = (handler: Handler): UndiciDispatcher | undefined => {
  const version = typeof handler.onRequestStart === 'function' ? 2 : 1
  return (globalThis as Record<symbol, unknown>)[Symbol.for(`undici.globalDispatcher.${version}`)] as UndiciDispatcher | undefined
}

/** Speaks to handlers of undici 8 and of the older ones inside Node 22 and 24 alike. */
const modern = (handler: Handler): Handler =>
  typeof handler.onRequestStart === 'function' ? handler : Dispatcher1Wrapper.wrapHandler(handler)

/** The mesh as an undici dispatcher. */
export class MeshDispatcher extends (Dispatcher as unknown as new () => UndiciDispatcher) {
  readonly #door: Door
  #own: UndiciDispatcher | undefined

  constructor(door: Door) {
    super()
    this.#door = door
  }

  override dispatch(options: Options & { dispatcher?: unknown }, handler: Handler): boolean {
    return this.dispatchAs(options, handler, this.#door.call)
  }

  /** The same with calls made in a way of the caller's own. */
  dispatchAs(options: Options & { dispatcher?: unknown }, handler: Handler, toCall: Door['call']): boolean {
    const listener = modern(handler)
    let relay: Relay | undefined
    try {
      const origin = originOf(options)
      if (this.#door.locate(origin, String(options.method).toUpperCase()) === 'past') return this.#pass(options, handler)
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
  #pass(options: Options & { dispatcher?: unknown, [passed]?: unknown }, handler: Handler): boolean {
    const { dispatcher: _, ...rest } = options
    const before = options[passed] === this ? undefined : globalDispatcher(handler)
    if (before && before !== this) return before.dispatch({ ...rest, [passed]: this } as Options, handler)
    this.#own ??= new Agent({ allowH2: false })
    return this.#own.dispatch(rest, modern(handler))
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
  }
}

// `request`, `stream` and the others, which undici adds to its own dispatchers only when it is imported as a whole.
Object.assign(MeshDispatcher.prototype, api)

const originOf = ({ origin, path }: Options): URL => {
  if (origin === undefined) return new URL(path)
  return typeof origin === 'string' ? new URL(origin) : origin
}
