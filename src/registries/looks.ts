import type { Clock } from '../runtime/clock.ts'
import type { Watch } from './registry.ts'

/** Least time between two beginnings of waiting for news, in milliseconds: a server that never lets one wait is not asked without a rest. */
const shortestWait = 1_000

/** For a registry that waits on a server for news: ends the wait at once when somebody asks for a look right now, or the watch ends. */
export class Looks {
  readonly #watch: Watch
  readonly #clock: Clock
  #listening = false
  #asked = false
  #interrupt: () => void = () => {}

  constructor(watch: Watch, clock: Clock) {
    this.#watch = watch
    this.#clock = clock
  }

  /** Whether a look was asked for. To be followed by one: from here on it counts as answered. */
  take(): boolean {
    const asked = this.#asked
    this.#asked = false
    return asked
  }

  /**
   * What a stream of news says, until it ends or a look is asked for; then its signal is aborted. Throws what it throws.
   * One that ends or fails within a second is followed by a rest for what is left of it. The news themselves are never held back.
   */
  async* until<T>(open: (signal: AbortSignal) => AsyncIterable<T>): AsyncGenerator<T> {
    const { signal } = this.#watch
    signal.throwIfAborted()
    const abort = new AbortController()
    const stop = (): void => abort.abort(signal.reason)
    const began = this.#clock.now()
    signal.addEventListener('abort', stop, { once: true })
    this.#listen(stop)
    try {
      if (!this.#asked) yield* open(abort.signal)
      await this.#rest(began)
    } catch (error) {
      if (this.#asked && !signal.aborted) return
      await this.#rest(began)
      throw error
    } finally {
      signal.removeEventListener('abort', stop)
      this.#interrupt = () => {}
    }
  }

  async #rest(began: number): Promise<void> {
    const left = shortestWait - (this.#clock.now() - began)
    if (left > 0 && !this.#asked) await this.#watch.wake.wait(left)
  }

  /** One wait for the request of a look, whatever else is waited for: each would stay behind until somebody asks. */
  #listen(interrupt: () => void): void {
    this.#interrupt = interrupt
    if (this.#listening) return
    this.#listening = true
    this.#watch.wake.wait(Number.POSITIVE_INFINITY).then(() => {
      this.#listening = false
      this.#asked = true
      this.#interrupt()
    }, () => {})
  }
}
