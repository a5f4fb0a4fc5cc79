import type { EndpointSpec } from '../core/endpoint.ts'
import type { Cancel, Clock } from '../runtime/clock.ts'
import { isCertain } from './registry.ts'

/** How many times as long an answer is held that lists nothing: if it is right there is nobody left to be called, so waiting costs nothing. */
const patienceWithNone = 4

/** When an answer is held, and for how long. */
export interface Guard {
  /** Milliseconds for which an answer is held that would take away too many; 0 holds none. */
  readonly grace: number
  /** Milliseconds for one that lists nothing; four times the grace by default. */
  readonly emptyGrace?: number
  /** Percent of the endpoints that one answer may take away and be believed at once. */
  readonly maxLoss: number
}

/** Whether a set may be a slip of its source: it lists nothing, or takes away more than `maxLoss` percent of those in use; unless the source is certain. */
export const losesTooMany = (specs: readonly EndpointSpec[], inUse: number, maxLoss: number): boolean =>
  inUse > 0 && !isCertain(specs) && (specs.length === 0 || specs.length * 100 < inUse * (100 - maxLoss))

/** A set that is not believed yet. */
export class Doubt {
  /** What the registry said last. */
  specs: readonly EndpointSpec[]
  /** Whether it has been held for as long as it has to be. */
  over = false
  /** Resolves when it has; never once the doubt was dropped. */
  readonly passed: Promise<void>
  readonly #guard: Guard
  readonly #clock: Clock
  readonly #began: number
  readonly #onPassed: () => void
  #resolve: () => void = () => {}
  #cancel: Cancel = () => {}

  constructor(specs: readonly EndpointSpec[], guard: Guard, clock: Clock, onPassed: () => void) {
    this.specs = specs
    this.#guard = guard
    this.#clock = clock
    this.#began = clock.now()
    this.#onPassed = onPassed
    this.passed = new Promise((resolve) => { this.#resolve = resolve })
    this.#schedule()
  }

  /** Milliseconds from its beginning for which it is held, by what the registry says now. */
  get patience(): number {
    const { grace, emptyGrace = grace * patienceWithNone } = this.#guard
    return this.specs.length === 0 ? emptyGrace : grace
  }

  /** Takes what the registry says now as the same doubt; not so where it lists some after none, which may be the beginning of all. */
  goesOnWith(specs: readonly EndpointSpec[]): boolean {
    const none = this.specs.length === 0
    if (none && specs.length > 0) return false
    this.specs = specs
    if (none !== (specs.length === 0)) this.#schedule()
    return true
  }

  #schedule(): void {
    this.#cancel()
    const left = this.#began + this.patience - this.#clock.now()
    this.over = left <= 0
    if (!this.over) this.#cancel = this.#clock.background(left, () => this.#pass())
  }

  #pass(): void {
    this.over = true
    this.#resolve()
    this.#onPassed()
  }

  drop(): void {
    this.#cancel()
  }
}
