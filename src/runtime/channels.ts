import { channel, type Channel } from 'node:diagnostics_channel'

/** Tells one listener what the mesh did. */
export type Listener = (detail: object) => void

// A new set of endpoints is thousands of events: too many to look each channel up by name. One that is held stays what subscribers find.
const channels = new Map<string, Channel>()

const channelOf = (event: string): Channel => {
  let found = channels.get(event)
  if (!found) channels.set(event, found = channel(`enmesh:${event}`))
  return found
}

/**
 * Where the mesh tells what it did. Each event also goes to the diagnostics channel `enmesh:<event>`.
 * Listeners that throw don't disturb the mesh: their error surfaces as an uncaught exception.
 */
export class Channels {
  readonly #listeners = new Map<string, Set<Listener>>()

  /** Whether anybody listens; ask before building a costly detail. */
  heard(event: string): boolean {
    return this.#listeners.has(event) || channelOf(event).hasSubscribers
  }

  /** Tells everybody who listens. */
  publish(event: string, detail: object): void {
    for (const listener of this.#listeners.get(event) ?? []) {
      try {
        listener(detail)
      } catch (error) {
        queueMicrotask(() => { throw error })
      }
    }
    const diagnostics = channelOf(event)
    if (diagnostics.hasSubscribers) diagnostics.publish(detail)
  }

  /** Adds a listener; the returned function removes it. */
  on(event: string, listener: Listener): () => void {
    const listeners = this.#listeners.get(event) ?? new Set()
    this.#listeners.set(event, listeners.add(listener))
    return () => {
      listeners.delete(listener)
      if (listeners.size === 0) this.#listeners.delete(event)
    }
  }

  /** Removes all listeners. */
  clear(): void {
    this.#listeners.clear()
  }
}
