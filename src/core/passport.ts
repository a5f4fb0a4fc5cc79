import { AsyncLocalStorage } from 'node:async_hooks'
import type { HeaderList } from './request.ts'

/** What came in with a request, and travels on with every call that is made for it. */
export interface Passport {
  /** Names the inbound request in the logs of every service that takes part in it. */
  readonly requestId: string
  /** Header fields to be passed on as they came, names in lower case: trace context of whatever format, baggage. */
  readonly headers: HeaderList
  /** When whoever sent the request stops waiting for its answer (clock's now); infinity where that is unknown. */
  readonly deadline: number
}

// One for the process: whoever lets a request in and whoever sends calls for it need not know each other.
const carried = new AsyncLocalStorage<Passport>()

/** The passport of the inbound request that the present code runs for; `undefined` outside of any. */
export const currentPassport = (): Passport | undefined => carried.getStore()

/** Runs a task, and all that it starts, for an inbound request with this passport. */
export const carry = <T>(passport: Passport, task: () => T): T => carried.run(passport, task)
