import type { Cancel, Clock } from '../../src/runtime/clock.ts'

interface Timer {
  readonly at: number
  /** Of two that are due together the one that was set first runs first. */
  readonly order: number
  readonly task: () => void
  /** Place in the heap; -1 once it has run or is cancelled. */
  place: number
}

const before = (a: Timer, b: Timer): boolean => a.at < b.at || (a.at === b.at && a.order < b.order)

/** Timers by the time at which they are due: a binary heap from which any of them can be taken out. */
class Timers {
  readonly #heap: Timer[] = []

  get size(): number {
    return this.#heap.length
  }

  get first(): Timer | undefined {
    return this.#heap[0]
  }

  add(timer: Timer): void {
    this.#heap.push(timer)
    this.#rise(timer, this.#heap.length - 1)
  }

  remove(timer: Timer): void {
    if (timer.place < 0) return
    const last = this.#heap.pop()!
    if (last !== timer) {
      this.#rise(last, timer.place)
      this.#sink(last, last.place)
    }
    timer.place = -1
  }

  #rise(timer: Timer, from: number): void {
    let place = from
    while (place > 0) {
      const parent = (place - 1) >> 1
      if (!before(timer, this.#heap[parent]!)) break
      this.#put(this.#heap[parent]!, place)
      place = parent
    }
    this.#put(timer, place)
  }

  #sink(timer: Timer, from: number): void {
    let place = from
    for (;;) {
      let child = 2 * place + 1
      if (child >= this.#heap.length) break
      if (child + 1 < this.#heap.length && before(this.#heap[child + 1]!, this.#heap[child]!)) child++
      if (!before(this.#heap[child]!, timer)) break
      this.#put(this.#heap[child]!, place)
      place = child
    }
    this.#put(timer, place)
  }

  #put(timer: Timer, place: number): void {
    this.#heap[place] = timer
    timer.place = place
  }
}

// Node runs what microtasks are due between two immediates of a batch, and looks for sockets only between two batches.
const batch = 256

/** Virtual time that jumps from one event to the next. Starts at 1 000 ms. */
export class VirtualClock implements Clock {
  /** Events run so far. */
  events = 0
  #now = 1_000
  #order = 0
  readonly #timers = new Timers()

  now(): number {
    return this.#now
  }

  wall(): number {
    return Date.UTC(2026, 0, 1) + this.#now
  }

  after(ms: number, task: () => void): Cancel {
    const timer: Timer = { at: this.#now + Math.max(0, ms), order: this.#order++, task, place: -1 }
    this.#timers.add(timer)
    return () => this.#timers.remove(timer)
  }

  background(ms: number, task: () => void): Cancel {
    return this.after(ms, task)
  }

  /** Timers not yet due. */
  get pending(): number {
    return this.#timers.size
  }

  /** Runs what falls due until a time, each event with all the promises that it settles before the next. */
  run(until: number): Promise<void> {
    return new Promise((resolve) => {
      let over = false
      const turn = (): void => {
        if (over) return
        const timer = this.#timers.first
        if (timer === undefined || timer.at > until) {
          over = true
          this.#now = Math.max(this.#now, until)
          return resolve()
        }
        this.#timers.remove(timer)
        this.#now = timer.at
        this.events++
        timer.task()
      }
      const begin = (): void => {
        for (let number = 1; number < batch; number++) setImmediate(turn)
        setImmediate(() => {
          turn()
          if (!over) begin()
        })
      }
      begin()
    })
  }
}
