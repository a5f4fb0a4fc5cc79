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
}

/**
 * A source of endpoint sets. Each value is the whole set: `[]` says that none exist,
 * throwing says that it could not tell, and the mesh keeps what it has and asks again later.
 * A registry does no back-off, no caching and no error handling of its own: `follow` does all three.
 */
export type Registry = (watch: Watch) => AsyncIterable<readonly EndpointSpec[]>
