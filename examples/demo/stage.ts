import { setTimeout as sleep } from 'node:timers/promises'
import { percentile, reasons, served, share, succeeded } from './figures.ts'
import type { Load, Sample } from './load.ts'
import { narrate } from './narrate.ts'
import type { Observation } from './observe.ts'
import type { Shop, ShopEvent } from './shop.ts'
import { bar, bold, dim, green, print, red, status, yellow } from './terminal.ts'

/** One act of the story. */
export interface Act {
  readonly title: string
  /** What is done and what is to be seen, in a sentence or two. */
  readonly about: string
  play(stage: Stage): Promise<void>
}

/** What an act plays on: the shop under load, a voice, and the book of what was claimed. */
export class Stage {
  readonly shop: Shop
  readonly load: Load
  /** Claims of this act that did not hold. */
  readonly failed: string[] = []
  readonly #begun = performance.now()
  readonly #firstSample: number
  #lastSample: number | undefined
  #nextEvent: number

  constructor(shop: Shop, load: Load) {
    this.shop = shop
    this.load = load
    this.#firstSample = load.samples.length
    this.#nextEvent = shop.events.length
  }

  /** Requests sent in this act: so far, or up to its report. */
  get samples(): readonly Sample[] {
    return this.load.samples.slice(this.#firstSample, this.#lastSample)
  }

  /** Lets the load run on, telling what the meshes do meanwhile. */
  async watch(ms: number): Promise<void> {
    const end = performance.now() + ms
    while (performance.now() < end) {
      this.#tellEvents()
      this.#showStatus()
      await sleep(Math.max(1, Math.min(100, end - performance.now())))
    }
    this.#tellEvents()
  }

  /** Watches until something is so; gives up after the limit, which the act's claims will show. */
  async watchUntil(isSo: () => boolean, limit: number): Promise<void> {
    const end = performance.now() + limit
    while (!isSo() && performance.now() < end) await this.watch(20)
  }

  /** What was observed since a moment, of one kind. */
  seen<E extends Observation['event']>(event: E, since = this.#begun): readonly (ShopEvent & { event: E })[] {
    return this.shop.events.filter((entry): entry is ShopEvent & { event: E } => entry.event === event && entry.at >= since)
  }

  /** Says what the story does. */
  tell(text: string): void {
    this.#tellEvents()
    this.#line(performance.now(), bold(text))
  }

  /** Books a claim, and prints it with what was found. */
  claim(claim: string, holds: boolean, found: string): void {
    if (!holds) this.failed.push(`${claim} (found: ${found})`)
    print(`  ${holds ? green('✓') : red('✗')} ${claim}  ${dim(found)}`)
  }

  /** Claims that every request in this act got all it asked for: a read its order with its price, an order its confirmation. */
  claimNothingLost(): void {
    const lost = this.samples.filter((sample) => !succeeded(sample))
    this.claim('no request was lost, be it a read or an order', lost.length === 0,
      `${lost.length} of ${this.samples.length}${lost.length > 0 ? `: ${reasons(lost)}` : ''}`)
  }

  /** Ends the act: waits until all its requests are answered, and prints its figures. What is claimed comes after. */
  async report(): Promise<void> {
    this.#lastSample = this.load.samples.length
    await this.load.settled()
    this.#tellEvents()
    const { samples } = this
    const good = samples.filter(succeeded)
    const bad = samples.filter((sample) => !succeeded(sample))
    const times = good.map(({ took }) => took)
    const quantiles = `p50 ${ms(percentile(times, 50))}   p99 ${ms(percentile(times, 99))}`
    const retries = samples.reduce((sum, sample) => sum + sample.retries, 0)
    print(dim('  ─'))
    print(`  requests ${samples.length}   succeeded ${good.length}   ${quantiles}   retries ${retries}`)
    print(`  pricing  1.0.0 ${bar(share(samples, '1.0.0'))} 2.0.0   ${served(samples, '1.0.0')} : ${served(samples, '2.0.0')}`)
    if (bad.length > 0) print(`  not all they asked for: ${reasons(bad)}`)
  }

  #tellEvents(): void {
    for (; this.#nextEvent < this.shop.events.length; this.#nextEvent++) {
      const event = this.shop.events[this.#nextEvent]!
      this.#line(event.at, yellow(narrate(event, this.shop)))
    }
  }

  #line(at: number, text: string): void {
    print(`  ${dim(`${((at - this.#begun) / 1000).toFixed(1).padStart(5)} s`)}  ${text}`)
  }

  #showStatus(): void {
    const { samples } = this
    const latest = samples.slice(-200)
    status(`  ${samples.length} requests   last 200: 1.0.0 ${bar(share(latest, '1.0.0'))} 2.0.0`)
  }
}

/** Milliseconds, for people. */
export const ms = (value: number): string => `${value.toFixed(value < 10 ? 2 : 0)} ms`
