import { AsyncLocalStorage } from 'node:async_hooks'
import { detached } from '../runtime/clock.ts'
import type { HeaderList } from './request.ts'

/** What came in with a request, and travels on with every call that is made for it. */
export interface Passport {
  /** Names the inbound request in the logs of every service that takes part in it. */
  readonly requestId: string
  /** Header fields to be passed on as they came, names in lower case: trace context of whatever format, baggage. */
  readonly headers: HeaderList
  /**
   * When whoever sent the request stops waiting for its answer (clock's now); infinity where that is unknown.
   * Whoever let the request in lifts it once its response is over: what still runs then, such as a timer that the request happened to
   * start, has the passport for good, and would else be refused every call for ever.
   */
  deadline: number
}

// One for the process: whoever lets a request in and whoever sends calls for it need not know each other.
const carried = new AsyncLocalStorage<Passport>()

/** The passport of the inbound request that the present code runs for; `undefined` outside of any. */
export const currentPassport = (): Passport | undefined => carried.getStore()

/** Runs a task, and all that it starts, for an inbound request with this passport. */
export const carry = <T>(passport: Passport, task: () => T): T => carried.run(passport, task)

/**
 * Runs a task, and all that it starts, outside of any inbound request: its calls have no passport and the task no active span. For work
 * that a request happens to start but that isn't done for it, such as the first refresh of a cache. Returns what the task returns.
 */
export const withoutPassport = <T>(task: () => T): T => detached(task)
