import type { Doing } from '../registrars/keep.ts'

/** What an announcement tells that it did; each also on the diagnostics channel `enmesh:<event>`. */
export interface AnnouncementEvents {
  /** The instance was written down, at first or afresh after a loss or a failure. */
  'instance-registered': { readonly service: string, readonly instance: string, readonly address: string }
  /** The registry did not know the instance any more; it is written down again at once. */
  'instance-lost': { readonly service: string, readonly instance: string }
  /** Something could not be done; it is tried again in `retryIn` milliseconds, or given up where that is absent. */
  'registration-failed': {
    readonly service: string, readonly instance: string, readonly doing: Doing, readonly error: unknown, readonly retryIn?: number
  }
  /** It is well, or not any more: `reason` says why not. */
  'instance-health': { readonly service: string, readonly instance: string, readonly healthy: boolean, readonly reason?: string }
  /** It begins to leave; `signal` is what made it. */
  'instance-leaving': { readonly service: string, readonly instance: string, readonly signal?: string }
  /** It has left: whether the registry is certain to have heard, and how many connections were cut at the end. */
  'instance-left': { readonly service: string, readonly instance: string, readonly deregistered: boolean, readonly cut: number }
}

/**
 * - `waiting`: the server does not listen yet
 * - `registering`: the registry does not have the instance, or it is not known whether it has
 * - `registered`: it has
 * - `leaving`: it is being taken away, or was, and requests are answered until everybody has heard
 * - `draining`: the last requests are answered, new ones refused
 * - `left`: over
 */
export type AnnouncementState = 'waiting' | 'registering' | 'registered' | 'leaving' | 'draining' | 'left'

/** How an announcement goes, as plain data without secrets. */
export interface AnnouncementStatus {
  readonly service: string
  readonly instance: string
  readonly state: AnnouncementState
  readonly healthy: boolean
  /** In words why it is not well; absent while it is. */
  readonly unwell?: string
  /** Where it says that it can be dialled; absent until that is known. */
  readonly address?: string
  readonly zone?: string
  /** Requests that are not answered whole yet. */
  readonly underWay: number
  /** Times that it was written down. */
  readonly registrations: number
  readonly failures: number
  /** Failures since something last worked; above 0 means that the registry may not have the instance. */
  readonly failuresInARow: number
  /** Message of the latest failure, kept after recovery. */
  readonly lastError?: string
}

/** A service's announcement of one of its instances. */
export interface Announcement {
  /** The instance's own name among those of the service. */
  readonly id: string
  /**
   * Resolves once the instance is registered for the first time. Stays pending if it leaves before.
   * One that is not well counts as registered too, although a registry that cannot say how it is does not list it until it is well.
   */
  readonly registered: Promise<void>
  /** Resolves once it has left: the moment to close what requests needed. Never rejects. */
  readonly left: Promise<void>
  /** Says how the instance is, in place of a `health` function or beside it: it is well if both say so. */
  healthy(healthy: boolean): void
  /** How it goes. */
  status(): AnnouncementStatus
  /** Adds a listener; the returned function removes it. */
  on<Event extends keyof AnnouncementEvents>(event: Event, listener: (detail: AnnouncementEvents[Event]) => void): () => void
  /**
   * Leaves: takes the instance away, answers until everybody has heard, each answer ending its connection, then stops listening and ends what is left.
   * Resolves when the server is closed, and never rejects. Several calls are one.
   */
  leave(): Promise<void>
  /** Leaves. */
  [Symbol.asyncDispose](): Promise<void>
}
