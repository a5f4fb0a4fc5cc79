import { detached, type Cancel } from '../runtime/clock.ts'
import type { Runtime } from '../runtime/runtime.ts'
import type { Registration } from './registrar.ts'

/** Rest after a first failure in a row, in milliseconds; doubled for each further one. */
const shortestBackOff = 250
const longestBackOff = 30_000

/** What failed. */
export type Doing = 'registering' | 'renewing' | 'deregistering'

/** What `keep` needs, and whom it tells. */
export interface KeepOptions {
  readonly runtime: Runtime
  /** Whether the instance is well at first. */
  readonly healthy: boolean
  /** Hears each time that the instance was written down. */
  onRegistered(): void
  /** Hears that the registry does not know the instance any more; it is written down again at once. */
  onLost(): void
  /** Hears each failure, and in how many milliseconds it is tried again; `undefined` where it is given up. */
  onFailure(error: unknown, doing: Doing, retryIn: number | undefined): void
}

/** How keeping goes, as plain data. */
export interface KeepStatus {
  /** Whether the registry has the instance, as far as is known. */
  readonly registered: boolean
  /** Times that it was written down. */
  readonly registrations: number
  readonly failures: number
  /** Failures since something last worked. */
  readonly failuresInARow: number
  /** Message of the latest failure, kept after recovery. */
  readonly lastError?: string
}

/** A registration being kept. */
export interface Keeping {
  /** Resolves once the instance is registered. Stays pending if it leaves before. */
  readonly registered: Promise<void>
  /** Says how the instance is; what is new goes to the registry at once. */
  mark(healthy: boolean): void
  /** Milliseconds after which the instance should be unknown to everybody, once it has left; `undefined` if nobody can know of it. */
  propagation(): number | undefined
  status(): KeepStatus
  /** Takes the instance away, for at most so many milliseconds. Resolves to whether that is certain; never rejects. */
  leave(limit: number): Promise<boolean>
}

/**
 * Keeps an instance in its registry: registers it, gives signs of life, and registers it afresh when the registry has lost it. When something fails it
 * rests and then registers afresh, since nobody knows what the registry still knows. The rest begins at 250 ms and doubles up to 30 s, or up to the time
 * between two signs of life if that is less; each is drawn evenly between half of that and all of it. `find` is asked until it has said where to register.
 * Background work until it leaves: it keeps no process alive.
 */
export const keep = (find: (signal: AbortSignal) => Promise<Registration>, options: KeepOptions): Keeping => new Keeper(find, options)

class Keeper implements Keeping {
  readonly registered: Promise<void>
  readonly #find: (signal: AbortSignal) => Promise<Registration>
  readonly #options: KeepOptions
  readonly #abort = new AbortController()
  readonly #ended: Promise<void>
  #resolveRegistered: () => void = () => {}
  #registration: Registration | undefined
  #healthy: boolean
  /** Whether the registry has the instance, as far as is known; and whether it may have it. */
  #known = false
  #tried = false
  #leaving = false
  #registrations = 0
  #failures = 0
  #failuresInARow = 0
  #lastError: string | undefined
  /** Whether there is something new to say that came while something else was said. */
  #asked = false
  #wake: (() => void) | undefined

  constructor(find: (signal: AbortSignal) => Promise<Registration>, options: KeepOptions) {
    this.#find = find
    this.#options = options
    this.#healthy = options.healthy
    this.registered = new Promise((resolve) => { this.#resolveRegistered = resolve })
    this.#ended = detached(() => this.#keep())
  }

  async #keep(): Promise<void> {
    while (!this.#leaving) {
      let doing: Doing = 'registering'
      try {
        this.#registration ??= await this.#find(this.#abort.signal)
        if (this.#known) {
          doing = 'renewing'
          await this.#renew(this.#registration)
          doing = 'registering'
        }
        if (!this.#known && !this.#leaving) await this.#register(this.#registration)
        this.#failuresInARow = 0
        await this.#rest(this.#registration.every * (1 - this.#options.runtime.random() / 5))
      } catch (error) {
        this.#known = false
        if (this.#leaving) this.#note(error, doing, undefined)
        else await this.#rest(this.#backOff(error, doing))
      }
    }
  }

  async #register(registration: Registration): Promise<void> {
    this.#tried = true
    await registration.register(this.#healthy, this.#abort.signal)
    this.#known = true
    this.#registrations++
    this.#resolveRegistered()
    this.#options.onRegistered()
  }

  async #renew(registration: Registration): Promise<void> {
    this.#known = await registration.renew(this.#healthy, this.#abort.signal)
    if (!this.#known) this.#options.onLost()
  }

  #note(error: unknown, doing: Doing, retryIn: number | undefined): void {
    this.#failures++
    this.#failuresInARow++
    this.#lastError = error instanceof Error ? error.message : String(error)
    this.#options.onFailure(error, doing, retryIn)
  }

  #backOff(error: unknown, doing: Doing): number {
    const longest = Math.min(longestBackOff, this.#registration?.every ?? longestBackOff)
    const bound = Math.min(longest, shortestBackOff * 2 ** this.#failuresInARow)
    const retryIn = bound * (1 - this.#options.runtime.random() / 2)
    this.#note(error, doing, retryIn)
    return retryIn
  }

  /** Waits, or not where there is something new to say. */
  async #rest(ms: number): Promise<void> {
    if (!this.#asked && !this.#leaving) {
      await new Promise<void>((resolve) => {
        const cancel: Cancel = this.#options.runtime.clock.background(ms, resolve)
        this.#wake = () => {
          cancel()
          resolve()
        }
      })
    }
    this.#asked = false
    this.#wake = undefined
  }

  #hurry(): void {
    this.#asked = true
    this.#wake?.()
  }

  mark(healthy: boolean): void {
    if (healthy === this.#healthy || this.#leaving) return
    this.#healthy = healthy
    this.#hurry()
  }

  propagation(): number | undefined {
    return this.#tried ? this.#registration?.propagation : undefined
  }

  status(): KeepStatus {
    return {
      registered: this.#known,
      registrations: this.#registrations,
      failures: this.#failures,
      failuresInARow: this.#failuresInARow,
      ...(this.#lastError !== undefined && { lastError: this.#lastError }),
    }
  }

  async leave(limit: number): Promise<boolean> {
    this.#leaving = true
    const { signal } = this.#abort
    const cancel = this.#options.runtime.clock.after(limit, () => this.#abort.abort(new Error(`it is given up after ${limit} ms`)))
    // Whoever does not listen to the signal is not waited for either.
    const over = new Promise<false>((resolve) => signal.addEventListener('abort', () => resolve(false), { once: true }))
    this.#hurry()
    try {
      return await Promise.race([this.#takeAway(), over])
    } finally {
      cancel()
    }
  }

  async #takeAway(): Promise<boolean> {
    // What is being said now must not arrive after what is said last.
    await this.#ended
    const registration = this.#registration
    if (!registration || !this.#tried) return true
    const { signal } = this.#abort
    // Twice for certain: whoever may not be taken away is at least not well.
    if (this.#known) await registration.renew(false, signal).catch((error: unknown) => { if (!signal.aborted) this.#note(error, 'deregistering', 0) })
    while (!signal.aborted) {
      try {
        await registration.deregister(signal)
        this.#known = false
        return true
      } catch (error) {
        if (!signal.aborted) await this.#restLeaving(this.#backOff(error, 'deregistering'))
        else this.#note(error, 'deregistering', undefined)
      }
    }
    return false
  }

  /** Like a rest, but the process waits for it. */
  #restLeaving(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#options.runtime.clock.after(ms, resolve)
      this.#abort.signal.addEventListener('abort', () => {
        cancel()
        resolve()
      }, { once: true })
    })
  }
}
