import { systemClock, type Clock } from '../runtime/clock.ts'

/** What a load found. */
export interface Driven {
  /** Milliseconds of each request that succeeded, in the order of their ends. */
  readonly took: readonly number[]
  readonly failed: number
  /** What the first failure threw. */
  readonly failure?: unknown
  /** From the first request's beginning to the last one's end. */
  readonly seconds: number
}

/** When a closed loop begins no more requests: after so many, or after so many milliseconds, whichever is first. */
export interface Bound {
  readonly requests?: number
  readonly milliseconds?: number
}

/** Waits on a clock. */
export const pause = (milliseconds: number, clock: Clock = systemClock): Promise<void> => new Promise((resolve) => { clock.after(milliseconds, resolve) })

/** Keeps so many requests under way until the bound is reached. What `send` throws counts as failed and ends nothing. */
export const closedLoop = async (send: () => Promise<unknown>, inFlight: number, bound: Bound, clock: Clock = systemClock): Promise<Driven> => {
  const { requests = Infinity, milliseconds = Infinity } = bound
  const took: number[] = []
  let failed = 0
  let failure: unknown
  let begun = 0
  const began = clock.now()
  const worker = async (): Promise<void> => {
    for (;;) {
      const start = clock.now()
      if (begun >= requests || start - began >= milliseconds) return
      begun++
      try {
        await send()
        took.push(clock.now() - start)
      } catch (error) {
        if (failed++ === 0) failure = error
      }
    }
  }
  await Promise.all(Array.from({ length: inFlight }, worker))
  return { took, failed, ...(failed > 0 && { failure }), seconds: (clock.now() - began) / 1_000 }
}

/**
 * Sends each request when it is due, in milliseconds from now and ascending, whatever became of those before; resolves when all have ended.
 * `send` is told which one it is, and on the clock's time when it was due: what counts from then on shows a stall in all that were due meanwhile.
 * None is sent before it is due; timers have a grain of a millisecond, so that most are sent a part of one later. Spinning until then would cost the
 * client more CPU than its calls do, and take a core from those that answer.
 */
export const openLoop = async (dues: Iterable<number>, send: (index: number, due: number) => Promise<void>, clock: Clock = systemClock): Promise<void> => {
  // The first one gets the time that it takes to come here.
  const began = clock.now() + 20
  const underWay: Promise<void>[] = []
  let index = 0
  for (const at of dues) {
    const due = began + at
    // A timer may fire a fraction early; what is due by now goes out without one.
    for (let wait = due - clock.now(); wait > 0; wait = due - clock.now()) await pause(Math.ceil(wait), clock)
    underWay.push(send(index++, due))
  }
  await Promise.all(underWay)
}

/** The times of a steady load: so many requests per second, evenly, for so many milliseconds. */
export const steady = (rate: number, milliseconds: number): readonly number[] =>
  Array.from({ length: Math.max(1, Math.floor(rate * milliseconds / 1_000)) }, (_, index) => index * 1_000 / rate)
