import type { Dispatcher as UndiciDispatcher } from 'undici'
import api from 'undici/lib/api/index.js'
import Agent from 'undici/lib/dispatcher/agent.js'
import Dispatcher from 'undici/lib/dispatcher/dispatcher.js'
import Dispatcher1Wrapper from 'undici/lib/dispatcher/dispatcher1-wrapper.js'
import type { Call } from '../core/call.ts'
import type { RequestHead } from '../core/request.ts'
import type { Send } from '../core/send.ts'
import { globalDispatcher } from './process-dispatcher.ts'
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

// Lists the dispatchers that let a request past them already, so that a global dispatcher built on one makes no circle.
const passed = Symbol('enmesh.passed')

const isModern = (handler: Handler): boolean => typeof handler.onRequestStart === 'function'

/** Speaks to handlers of undici 8 and of the older ones inside Node 22 and 24 alike. */
const modern = (handler: Handler): Handler =>
  isModern(handler) ? handler : Dispatcher1Wrapper.wrapHandler(handler)

/** The mesh as an undici dispatcher. */
export class MeshDispatcher extends (Dispatcher as unknown as new () => UndiciDispatcher) {
  readonly #door: Door
  /** The process's dispatchers when this one was made. */
  readonly #before = { 1: globalDispatcher(1), 2: globalDispatcher(2) }
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
      const place = this.#door.locate(origin, options.method)
      // A path that is a whole URL has a proxy go on to there: that place is judged too.
      const beyond = options.path.startsWith('/') ? undefined : URL.parse(options.path)
      if (beyond && beyond.host !== origin.host) this.#door.locate(beyond, options.method)
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
  #pass(options: Options & { dispatcher?: unknown, [passed]?: readonly unknown[] }, handler: Handler): boolean {
    const { dispatcher: _, [passed]: seen = [], ...rest } = options
    const version = isModern(handler) ? 2 : 1
    const present = globalDispatcher(version)
    // The mesh stands in the place of the process's dispatcher: then it is the one from before that the request is meant for.
    const target = present === this || seen.includes(this) ? this.#before[version] : present
    if (target) return target.dispatch({ ...rest, [passed]: [...seen, this] } as Options, handler)
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
