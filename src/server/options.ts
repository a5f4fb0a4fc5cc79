import { duration } from '../config/duration.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { didYouMean } from '../mesh/faults.ts'

/** How inbound requests are let in. */
export interface PassportOptions {
  /**
   * - `'continue'` (default): goes on with the request id, the trace, the baggage and the deadline that a request brings. Right
   *   behind other services of your own.
   * - `'restart'`: takes none of them and begins anew. Right where strangers call: what they write would else be sampled, logged
   *   and carried to every service behind this one.
   */
  readonly inbound?: 'continue' | 'restart'
  /**
   * How long a request may take at most: milliseconds, or text such as `'500ms'`. All calls made for it together have that long, or what the
   * sender waits if that is less, and each service behind is told what is left. Right at the entrance, where nobody has said it yet. None by default.
   */
  readonly timeout?: number | string
  /**
   * Whether each response tells the load of this process: a header `endpoint-load-metrics` (ORCA's text form) with the requests in flight here, the latency to
   * expect with so many of them, how busy the event loop is, answers and failures per second. The balancers `prequal` and `orca-wrr` of callers
   * go by it. Off by default: it is nothing that strangers should read.
   * `{ except }` is true too, but for requests of these paths, written as they come in and without a query: their responses tell the load, and count for nothing in it. Right for health checks and for
   * the path that callers probe, whose quick answers would else pass for those of the service.
   */
  readonly reportLoad?: boolean | { readonly except: readonly string[] }
  /** Time and chance; what is left out is the machine's own. Share the clock with the mesh that makes the calls. */
  readonly runtime?: Partial<Runtime>
}

const optionNames: readonly string[] = ['inbound', 'timeout', 'reportLoad', 'runtime'] satisfies (keyof PassportOptions)[]
const ways: readonly unknown[] = ['continue', 'restart', undefined]
const switches: readonly unknown[] = [true, false, undefined]

/** Whether this says of which paths the requests count for nothing. */
const areExceptions = (value: unknown): boolean => {
  if (typeof value !== 'object' || value === null || Object.keys(value).join() !== 'except') return false
  const { except } = value as { readonly except: unknown }
  return Array.isArray(except) && except.every((path) => typeof path === 'string' && /^\/[^?#\s]*$/.test(path))
}

/** Refuses options that are none with a `TypeError`: one that is overlooked could mean that strangers are trusted. */
export const checkOptions = (options: PassportOptions): void => {
  const unknown = Object.keys(options).find((name) => !optionNames.includes(name))
  if (unknown !== undefined) throw new TypeError(`enmesh/server has no option '${unknown}': ${didYouMean(unknown, optionNames)}`)
  if (!ways.includes(options.inbound)) throw new TypeError(`'inbound' of enmesh/server must be 'continue' or 'restart', not ${JSON.stringify(options.inbound)}`)
  const { reportLoad } = options
  if (switches.includes(reportLoad) || areExceptions(reportLoad)) return
  throw new TypeError(`'reportLoad' of enmesh/server must be true, false, or { except } with paths such as '/health', not ${JSON.stringify(reportLoad)}`)
}

/** Milliseconds of the `timeout`; infinity for none. Throws a `TypeError` for what is no duration. */
export const timeoutOf = ({ timeout }: PassportOptions): number => {
  if (timeout === undefined) return Number.POSITIVE_INFINITY
  const read = duration.safeParse(timeout)
  if (read.success && read.data > 0) return read.data
  throw new TypeError(`'timeout' of enmesh/server must be milliseconds above 0, or text such as '500ms', not ${JSON.stringify(timeout)}`)
}
