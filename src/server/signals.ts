import type { Cancel, Clock } from '../runtime/clock.ts'

/** Those of this process that are leaving because of a signal: none may end it while another still answers. */
const leaving = new Set<object>()

/** What happens at a signal. */
export interface OnSignals {
  readonly signals: readonly NodeJS.Signals[]
  readonly clock: Clock
  /** Milliseconds that the process has to end by itself once everybody has left. */
  readonly linger: number
  /** Leaves; resolves when nothing is left to be done. */
  readonly leave: (signal: NodeJS.Signals) => Promise<unknown>
}

/**
 * Leaves at the first of the signals, and listens to none from then on, so that a second one has the effect that it had without us: it ends the process at once.
 * A process that has not ended by itself some time after everybody has left is sent the signal again, unless somebody else listens to it: it would have ended the
 * process if we had not been there. Returns how to stop listening.
 */
export const onSignals = ({ signals, clock, linger, leave }: OnSignals): Cancel => {
  const self = {}
  const stop = (): void => { for (const signal of signals) process.off(signal, take) }
  const take = (signal: NodeJS.Signals): void => {
    stop()
    leaving.add(self)
    void leave(signal).finally(() => {
      leaving.delete(self)
      if (leaving.size === 0) clock.background(linger, () => { if (leaving.size === 0 && process.listenerCount(signal) === 0) process.kill(process.pid, signal) })
    })
  }
  for (const signal of signals) process.on(signal, take)
  return stop
}
