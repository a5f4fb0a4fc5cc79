import type { EndpointSpec } from '../core/endpoint.ts'

/** Lets a polling registry rest between two looks. */
export interface Wake {
  /** Resolves after `ms`, or at once when somebody asks for a look right now. Rejects when the watch ends. */
  wait(ms: number): Promise<void>
}

/** What a registry is given to watch with. */
export interface Watch {
  /** Aborted when nobody is interested any more. */
  readonly signal: AbortSignal
  readonly wake: Wake
  /** Tells of a failure that the registry survives by itself, one source of several for instance, to be looked at again in `retryIn` milliseconds. */
  readonly failed?: (error: unknown, retryIn: number) => void
  /** Tells that it is well again where it had failed. */
  readonly recovered?: () => void
  /**
   * Tells how many milliseconds it rests between two looks while all is well: after a failure it is not left alone for longer than that, or 1 s, unless that is
   * a `ThrottledError`. Told before the first look, it holds for that one too.
   */
  readonly pace?: (ms: number) => void
}

/** What a registry throws where its source is asked too often, by this process or by others: it is then left alone for longer from time to time, and never for less than its pace. */
export class ThrottledError extends Error {
  override readonly name = 'ThrottledError'
}

/**
 * A source of endpoint sets. Each value is the whole set: `[]` says that none exist,
 * throwing says that it could not tell, and the mesh keeps what it has and asks again later.
 * A registry does no back-off, no caching and no error handling of its own: `follow` does all three.
 * A set far smaller than the one before may be a slip of the source, and is held for a while; `noSuchService` is believed at once.
 */
export type Registry = (watch: Watch) => AsyncIterable<readonly EndpointSpec[]>

const certain = new WeakSet<readonly EndpointSpec[]>()

/** The same set, marked: whoever says it has made sure already, so it is believed at once however small it is. */
export const certainly = (endpoints: readonly EndpointSpec[]): readonly EndpointSpec[] => {
  const marked = Object.freeze([...endpoints])
  certain.add(marked)
  return marked
}

/** Whether a set was marked as certain. */
export const isCertain = (endpoints: readonly EndpointSpec[]): boolean => certain.has(endpoints)

/** The empty set of a registry whose source says for certain that there is no such service, as DNS does with NXDOMAIN. */
export const noSuchService: readonly EndpointSpec[] = certainly([])
