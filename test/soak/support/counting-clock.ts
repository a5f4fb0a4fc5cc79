import { systemClock, type Cancel, type Clock } from '../../../src/runtime/clock.ts'

/** The machine's clock, counting the timers that have neither run nor been cancelled; `process` shows none that are unref'd. */
export class CountingClock implements Clock {
  readonly now = systemClock.now
  readonly wall = systemClock.wall
  readonly #pending = new Set<object>()

  get pending(): number {
    return this.#pending.size
  }

  after(ms: number, task: () => void): Cancel {
    return this.#count(systemClock.after, ms, task)
  }

  background(ms: number, task: () => void): Cancel {
    return this.#count(systemClock.background, ms, task)
  }

  #count(schedule: Clock['after'], ms: number, task: () => void): Cancel {
    const timer = {}
    this.#pending.add(timer)
    const cancel = schedule(ms, () => {
      this.#pending.delete(timer)
      task()
    })
    return () => {
      this.#pending.delete(timer)
      cancel()
    }
  }
}
