import { z } from 'zod'
import { duration } from '../config/duration.ts'
import { percent } from '../config/percent.ts'
import type { Budget } from '../core/call.ts'
import type { Clock } from '../runtime/clock.ts'

/** How much load retries and hedges together may add to a cluster. */
export const budgetConfig = z.strictObject({
  percent: percent.default(20).describe('Retries and hedges allowed for every 100 calls.'),
  perSecond: z.number().min(0).default(10)
    .describe('Retries and hedges allowed each second whatever the number of calls, for clusters with few.'),
  window: duration
    .refine((ms) => ms >= 1_000 && ms <= 60_000, { error: "must be from '1s' to '60s'" })
    .default(10_000)
    .describe('Time after which an unused allowance is lost, from 1 s to 60 s.'),
})

/** Parsed options of the budget. */
export type BudgetConfig = z.output<typeof budgetConfig>

/** A budget that can say how much is left. */
export interface RetryBudget extends Budget {
  /** Retries that could be taken out now. */
  readonly balance: number
}

const buckets = 10
// A call deposits `percent` and a retry costs 100, so whole percents stay whole numbers.
const cost = 100

/**
 * Token bucket whose tokens expire (Finagle's RetryBudget): each call earns a fraction of a retry that is lost after
 * the window, a reserve of `perSecond` is there for clusters with few calls. Over a window, attempts per call
 * stay within 1 + percent/100 + perSecond / calls per second, however many fail. Kept per cluster for its whole life.
 */
export const retryBudget = (config: BudgetConfig, clock: Clock): RetryBudget => new ExpiringTokens(config, clock)

class ExpiringTokens implements RetryBudget {
  readonly #clock: Clock
  readonly #deposit: number
  readonly #reserve: number
  readonly #width: number
  /** Deposits less withdrawals, by the tenth of the window in which they were made. */
  readonly #net = new Float64Array(buckets)
  #turn: number

  constructor({ percent, perSecond, window }: BudgetConfig, clock: Clock) {
    this.#clock = clock
    this.#deposit = percent
    this.#reserve = perSecond * (window / 1_000) * cost
    this.#width = window / buckets
    this.#turn = Math.floor(clock.now() / this.#width)
  }

  deposit(now: number): void {
    this.#net[this.#bucket(now)]! += this.#deposit
  }

  withdraw(): boolean {
    const bucket = this.#bucket(this.#clock.now())
    if (this.#sum() < cost) return false
    this.#net[bucket]! -= cost
    return true
  }

  get balance(): number {
    this.#bucket(this.#clock.now())
    return Math.max(0, Math.floor(this.#sum() / cost))
  }

  #sum(): number {
    let sum = this.#reserve
    for (let i = 0; i < buckets; i++) sum += this.#net[i]!
    return sum
  }

  /** The bucket of the present, after those that have expired were emptied. */
  #bucket(now: number): number {
    // What began in a bucket that is behind the newest counts in the newest.
    const turn = Math.max(this.#turn, Math.floor(now / this.#width))
    if (turn - this.#turn >= buckets) this.#net.fill(0)
    else for (let passed = this.#turn + 1; passed <= turn; passed++) this.#net[passed % buckets] = 0
    this.#turn = turn
    return turn % buckets
  }
}
