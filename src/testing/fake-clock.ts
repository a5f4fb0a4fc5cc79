import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Cancel, Clock } from '../runtime/clock.ts'

interface Timer { readonly at: number, readonly order: number, readonly task: () => void, readonly background: boolean }

/** A clock that stands still until a test moves it. Starts at 1 000 ms; wall time starts at 2026-01-01. */
export class FakeClock implements Clock {
  #now = 1_000
  #order = 0
  readonly #timers = new Set<Timer>()

  now(): number {
    return this.#now
  }

  wall(): number {
    return Date.UTC(2026, 0, 1) + this.#now - 1_000
  }

  after(ms: number, task: () => void): Cancel {
    return this.#add(ms, task, false)
  }

  background(ms: number, task: () => void): Cancel {
    return this.#add(ms, task, true)
  }

  #add(ms: number, task: () => void, background: boolean): Cancel {
    const timer = { at: this.#now + Math.max(0, ms), order: this.#order++, task, background }
    this.#timers.add(timer)
    return () => { this.#timers.delete(timer) }
  }

  /** Timers not yet due: what a test asserts to be 0 after `close`. */
  get pending(): number {
    return this.#timers.size
  }

  /** Of those, the ones that a caller waits for. */
  get awaited(): number {
    return [...this.#timers].filter((timer) => !timer.background).length
  }

  /**
   * Moves time on, running what falls due in order and letting promises settle between.
   * May be called while it moves already: both times pass, and time never goes back.
   */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms
    await settle()
    for (let next = this.#next(end); next; next = this.#next(end)) {
      this.#timers.delete(next)
      this.#now = Math.max(this.#now, next.at)
      next.task()
      await settle()
    }
    this.#now = Math.max(this.#now, end)
  }

  #next(end: number): Timer | undefined {
    let next: Timer | undefined
    for (const timer of this.#timers) {
      if (timer.at <= end && (!next || timer.at < next.at || (timer.at === next.at && timer.order < next.order))) next = timer
    }
    return next
  }
}

/** Lets everything that is ready run: promises, and what they schedule for the same turn. */
export const settle = async (): Promise<void> => {
  await nextTurn()
  await nextTurn()
}
