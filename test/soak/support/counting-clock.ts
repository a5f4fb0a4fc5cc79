import { systemClock, type Cancel, type Clock } from '../../../src/runtime/clock.ts'

/** The machine's clock, counting the timers that have neither run nor been cancelled; `process` shows none that are unref'd. */
export class CountingClock implements Clock {
  readonly #pending = new Set<object>()

  get pending(): number {
    return this.#pending.size
  }

  now(): number {
    return systemClock.now()
  }

  wall(): number {
    return systemClock.wall()
  }

  after(ms: number, task: () => void): Cancel {
    return this.#count(task, (counted) => systemClock.after(ms, counted))
  }

  background(ms: number, task: () => void): Cancel {
    return this.#count(task, (counted) => systemClock.background(ms, counted))
  }

  #count(task: () => void, schedule: (counted: () => void) => Cancel): Cancel {
    const timer = {}
    this.#pending.add(timer)
    const cancel = schedule(() => {
      this.#pending.delete(timer)
      task()
    })
    return () => {
      this.#pending.delete(timer)
      cancel()
    }
  }
}
