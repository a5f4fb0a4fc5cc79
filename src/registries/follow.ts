import { z } from 'zod'
import { duration } from '../config/duration.ts'
import { percent } from '../config/percent.ts'
import type { EndpointSpec } from '../core/endpoint.ts'
import { detached, type Cancel, type Clock } from '../runtime/clock.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { Doubt, losesTooMany, type Guard } from './doubt.ts'
import { ThrottledError, type Registry, type Wake, type Watch } from './registry.ts'

/** Rest after a first failure in a row, in milliseconds; doubled for each further one. */
const shortestBackOff = 250
const longestBackOff = 30_000
/** Bounds of a back-off never fall below this because a registry is used to looking more often, in milliseconds. */
const shortestPace = 1_000
/** How long a registry has to go on after a set until its next failure counts as the first, in milliseconds. */
const settledAfter = 10_000

/** When an answer is not believed at once. */
export const discoveryConfig = z.strictObject({
  grace: duration.default(30_000)
    .describe('How long an answer that would take away too many endpoints is held and asked again before it is believed, and four times as long one that would take away all; 0 believes both at once.'),
  maxLoss: percent.default(50)
    .describe('Percent of the endpoints that one answer may take away and be believed at once. What counts is how many are left, not which.'),
})

/** Parsed form of `discoveryConfig`. */
export type DiscoveryConfig = z.output<typeof discoveryConfig>

/** An answer that is held. */
export interface Held {
  /** Endpoints that the answer lists. */
  readonly listed: number
  /** Endpoints that the set in use lists. */
  readonly inUse: number
  /** Milliseconds for which it is held; the registry is asked again right now, and at the end of them. */
  readonly grace: number
}

/** What `follow` needs, and whom it tells. */
export interface FollowOptions {
  readonly runtime: Runtime
  /** Which answers are held; asked at each. Without it, each is believed at once. */
  guard?(): Guard
  /** Takes each set as the registry said it: whole, empty if none exist. Throwing refuses it, which counts as a failure. */
  onSet(specs: readonly EndpointSpec[]): void
  /** Hears each failure, and in how many milliseconds the registry is asked again. */
  onFailure(error: unknown, retryIn: number): void
  /** Hears of the first set after one or more failures, once `onSet` has taken it, and of recoveries that the registry tells itself. */
  onRecovered(): void
  /** Hears that an answer is held; once until one is taken again, and once more where some follow upon none. */
  onHeld?(held: Held): void
  /** Hears that the registry has said all that it had to say. */
  onEnd?(): void
}

/** How following goes, as plain data. */
export interface FollowStatus {
  /** Sets taken so far. */
  readonly sets: number
  /** Failures so far, those included that the registry survived by itself. */
  readonly failures: number
  /** Failures since the last set; above 0 means that what is in use may be out of date. */
  readonly failuresInARow: number
  /** Message of the latest failure, kept after recovery. */
  readonly lastError?: string
  /** Milliseconds since the last set that was taken; absent before the first. */
  readonly age?: number
  /** Endpoints that the latest answer lists while it is held and not believed yet; absent otherwise. */
  readonly held?: number
}

/** A registry being followed. */
export interface Following {
  /** Resolves at the first set. Stays pending if it is closed before. */
  readonly first: Promise<void>
  /** Asks for a look right now: ends the rest between two looks, or a back-off. One during a look asks for another after it. */
  wake(): void
  /** Milliseconds since the last set; `Infinity` before the first. */
  age(): number
  status(): FollowStatus
  /** Stops for good: nothing is reported afterwards, no timer is left. */
  close(): void
}

/**
 * Follows a registry for as long as anybody is interested: hands on each set, and when the registry fails,
 * keeps quiet about endpoints (so what is in use stays), rests, and starts it afresh.
 * The rest begins at 250 ms and doubles up to 30 s, or up to what the registry itself rests between two looks where that is less; each is drawn
 * evenly between half of that and all of it. After a `ThrottledError` it begins at what the registry itself rests, and doubles from there. It begins anew once the registry has gone on for 10 s after a set: one whose list works and whose
 * watch never does is asked ever more rarely, and what it lists is used all the same.
 * A registry that ends after a set has said all it has to say; one that ends without any has failed.
 *
 * With a guard, a set that lists nothing, or far fewer endpoints than the one in use, is held: the registry is asked again at once, and once more
 * when the grace is over, which is four times as long while it lists nothing. Only a set of that kind which comes after the grace is taken; a better one ends
 * the doubt at any time, and some endpoints after none begin one of their own.
 */
export const follow = (registry: Registry, options: FollowOptions): Following => new Follower(registry, options)

class Follower implements Following {
  readonly first: Promise<void>
  readonly #registry: Registry
  readonly #options: FollowOptions
  #resolveFirst: () => void = () => {}
  #rests: Rests
  #run: Run | undefined
  #closed = false
  #sets = 0
  #failures = 0
  #failuresInARow = 0
  /** Back-offs since the registry last went on for a while. */
  #backOffs = 0
  /** When the first set after the latest failure was taken or held; `undefined` since then. */
  #wellSince: number | undefined
  /** Milliseconds that the registry rests between two looks, as it told last. */
  #pace = Number.POSITIVE_INFINITY
  #lastError: string | undefined
  #lastSetAt = Number.NEGATIVE_INFINITY
  /** Endpoints of the set in use. */
  #inUse = 0
  #doubt: Doubt | undefined

  constructor(registry: Registry, options: FollowOptions) {
    this.#registry = registry
    this.#options = options
    this.#rests = new Rests(options.runtime.clock)
    this.first = new Promise((resolve) => { this.#resolveFirst = resolve })
    void detached(() => this.#follow())
  }

  async #follow(): Promise<void> {
    while (!this.#closed) {
      try {
        return await this.#watch()
      } catch (error) {
        if (!this.#closed) await this.#backOff(error)
      } finally {
        this.#run?.end()
      }
    }
  }

  async #watch(): Promise<void> {
    const run = new Run(this.#registry, this.#rests, {
      failed: (error, retryIn) => this.#note(error, retryIn),
      recovered: () => this.#options.onRecovered(),
      pace: (ms) => { if (ms >= 0) this.#pace = ms },
    })
    this.#run = run
    for (;;) {
      const said = await run.next()
      if (this.#closed) return
      if (said.done) break
      this.#wellSince ??= this.#options.runtime.clock.now()
      if (!this.#holds(said.value)) this.#take(said.value)
    }
    await this.#end()
  }

  /** After an end nothing more can be asked: what is held is taken when its time is over. */
  async #end(): Promise<void> {
    await this.#doubt?.passed
    if (this.#doubt) this.#take(this.#doubt.specs)
    if (this.#sets === 0) throw new Error('the registry ended without naming a set of endpoints')
    this.#options.onEnd?.()
  }

  #holds(specs: readonly EndpointSpec[]): boolean {
    const guard = this.#options.guard?.()
    if (!guard || guard.grace === 0 || !losesTooMany(specs, this.#inUse, guard.maxLoss)) return false
    if (this.#doubt?.goesOnWith(specs)) return !this.#doubt.over
    this.#doubtFor(guard, specs)
    return true
  }

  #doubtFor(guard: Guard, specs: readonly EndpointSpec[]): void {
    this.#doubt?.drop()
    this.#doubt = new Doubt(specs, guard, this.#options.runtime.clock, () => this.wake())
    this.#options.onHeld?.({ listed: specs.length, inUse: this.#inUse, grace: this.#doubt.patience })
    this.wake()
  }

  #take(specs: readonly EndpointSpec[]): void {
    this.#doubt?.drop()
    this.#doubt = undefined
    this.#options.onSet(specs)
    this.#inUse = specs.length
    this.#lastSetAt = this.#options.runtime.clock.now()
    this.#sets++
    if (this.#sets === 1) this.#resolveFirst()
    const recovered = this.#failuresInARow > 0
    this.#failuresInARow = 0
    if (recovered) this.#options.onRecovered()
  }

  #note(error: unknown, retryIn: number): void {
    this.#failures++
    this.#lastError = error instanceof Error ? error.message : String(error)
    this.#options.onFailure(error, retryIn)
  }

  async #backOff(error: unknown): Promise<void> {
    this.#run?.end()
    this.#failuresInARow++
    const { clock } = this.#options.runtime
    if (this.#wellSince !== undefined && clock.now() - this.#wellSince >= settledAfter) this.#backOffs = 0
    this.#wellSince = undefined
    const retryIn = this.#boundAfter(error) * (1 - this.#options.runtime.random() / 2)
    this.#backOffs++
    // A look asked for before this failure has been answered by it, and what the failed watch waits for is over.
    this.#rests.end(error)
    this.#rests = new Rests(clock)
    const rested = this.#rests.wait(retryIn)
    this.#note(error, retryIn)
    // Rejected only by close, and the loop sees that for itself.
    await rested.catch(() => {})
  }

  /** The longest rest after a failure: asking less often helps a source that is asked too often, and no other. */
  #boundAfter(error: unknown): number {
    const times = 2 ** this.#backOffs
    if (!(error instanceof ThrottledError)) return Math.min(longestBackOff, Math.max(shortestPace, this.#pace), shortestBackOff * times)
    const usual = Number.isFinite(this.#pace) ? Math.max(shortestPace, this.#pace) : shortestBackOff
    return Math.min(Math.max(longestBackOff, usual), usual * times)
  }

  wake(): void {
    this.#rests.wake()
  }

  age(): number {
    return this.#options.runtime.clock.now() - this.#lastSetAt
  }

  status(): FollowStatus {
    return {
      sets: this.#sets,
      failures: this.#failures,
      failuresInARow: this.#failuresInARow,
      ...(this.#lastError !== undefined && { lastError: this.#lastError }),
      ...(this.#sets > 0 && { age: this.age() }),
      ...(this.#doubt && { held: this.#doubt.specs.length }),
    }
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#doubt?.drop()
    this.#run?.end()
    this.#rests.end(new Error('the watch has ended'))
  }
}

/** One life of a registry's generator, with a signal of its own so that a failed one lets go of what it holds. */
class Run {
  readonly #abort = new AbortController()
  readonly #iterator: AsyncIterator<readonly EndpointSpec[]>

  constructor(registry: Registry, wake: Wake, heard: Required<Pick<Watch, 'failed' | 'recovered' | 'pace'>>) {
    const { signal } = this.#abort
    this.#iterator = registry({
      signal,
      wake,
      failed: (error, retryIn) => { if (!signal.aborted) heard.failed(error, retryIn) },
      recovered: () => { if (!signal.aborted) heard.recovered() },
      pace: heard.pace,
    })[Symbol.asyncIterator]()
  }

  next(): Promise<IteratorResult<readonly EndpointSpec[]>> {
    return this.#iterator.next()
  }

  end(): void {
    if (this.#abort.signal.aborted) return
    this.#abort.abort()
    void this.#return()
  }

  async #return(): Promise<void> {
    try {
      await this.#iterator.return?.()
    } catch {
      // Nobody is left to whom a failure on the way out would mean anything.
    }
  }
}

interface Rest { resolve(): void, reject(reason: unknown): void, readonly cancel: Cancel }

/** Waits that can be cut short, or ended for good. */
class Rests implements Wake {
  readonly #clock: Clock
  readonly #waiting = new Set<Rest>()
  #asked = false
  #ended: { readonly reason: unknown } | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  wait(ms: number): Promise<void> {
    const waited = new Promise<void>((resolve, reject) => {
      if (this.#ended) return reject(this.#ended.reason)
      if (this.#asked) {
        this.#asked = false
        return resolve()
      }
      const rest: Rest = {
        resolve,
        reject,
        cancel: ms === Number.POSITIVE_INFINITY ? () => {} : this.#clock.background(ms, () => {
          this.#waiting.delete(rest)
          resolve()
        }),
      }
      this.#waiting.add(rest)
    })
    // A registry may have raced it against something else and gone on.
    waited.catch(() => {})
    return waited
  }

  wake(): void {
    this.#asked = this.#waiting.size === 0
    this.#clear((rest) => rest.resolve())
  }

  end(reason: unknown): void {
    this.#ended = { reason }
    this.#clear((rest) => rest.reject(reason))
  }

  #clear(settle: (rest: Rest) => void): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const rest of waiting) {
      rest.cancel()
      settle(rest)
    }
  }
}
