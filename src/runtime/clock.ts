import { AsyncResource } from 'node:async_hooks'
import { performance } from 'node:perf_hooks'

/** Stops what `after` or `background` has scheduled; harmless once it has run. */
export type Cancel = () => void

/**
 * The only source of time. Durations are milliseconds.
 * Everything in the mesh that waits, waits on a clock, so a fake one can drive it.
 */
export interface Clock {
  /** Monotonic milliseconds, for durations; the zero point means nothing. */
  now(): number
  /** Milliseconds since the Unix epoch, for dates that others write (`Retry-After`). */
  wall(): number
  /** Runs a task that a caller is waiting for: keeps the process alive until then. */
  after(ms: number, task: () => void): Cancel
  /** Runs a task that nobody waits for: never keeps the process alive, and inherits no caller's async context. */
  background(ms: number, task: () => void): Cancel
}

// Made when the module loads, so background work belongs to no request and carries no request's trace.
const root = new AsyncResource('enmesh.background')

/** Starts work that belongs to no request: what it awaits later keeps clear of the caller's async context too. */
export const detached = <T>(task: () => T): T => root.runInAsyncScope(task)

// Node fires a longer timer at once.
const longestTimer = 2 ** 31 - 1

/** The clock of the machine. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after: (ms, task) => {
    const timer = setTimeout(task, Math.min(ms, longestTimer))
    return () => clearTimeout(timer)
  },
  background: (ms, task) => root.runInAsyncScope(() => {
    const timer = setTimeout(task, Math.min(ms, longestTimer))
    timer.unref()
    return () => clearTimeout(timer)
  }),
}
