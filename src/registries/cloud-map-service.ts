import type { Clock } from '../runtime/clock.ts'
import { until, type CloudMapClient, type Listing, type NamedService } from './cloud-map-client.ts'

/** What is known of a service at present. */
export interface Known extends Listing {
  /** When its revision was asked for last, or all of it was (clock's now). */
  readonly checkedAt: number
}

interface Knowledge extends Known {
  /** When all of it was asked for last. */
  readonly listedAt: number
  /** Which look that was. */
  readonly look: number
  /** Whether its revision is another one by now. */
  readonly moved: boolean
}

/** How old what is known may be, in milliseconds. */
export interface Freshness {
  /** Time between two looks at the revision. What another cluster has asked for within half of it counts. */
  readonly interval: number
  /** Time after which all is asked for again, whether or not the revision has moved. */
  readonly refresh: number
}

/** Counts who uses a client, and lets it rest when nobody does. */
export class SharedClient {
  readonly client: CloudMapClient
  #users = 0

  constructor(client: CloudMapClient) {
    this.client = client
  }

  join(): void {
    this.#users++
  }

  leave(): void {
    if (--this.#users === 0) this.client.rest()
  }
}

/**
 * One service of Cloud Map for all who watch it, so that it is asked for once however many clusters of however many meshes there are. Each of them
 * asks at its own pace; an answer counts for all, and so does a failure for those who wait for it. It keeps what is known through failures.
 */
export class SharedService {
  readonly #shared: SharedClient
  readonly #name: NamedService
  readonly #clock: Clock
  #watchers = 0
  #abort = new AbortController()
  #known: Knowledge | undefined
  #underWay: Promise<void> | undefined
  /** Looks begun so far. */
  #looks = 0
  /** Looks at the whole before this one are doubted. */
  #leastLook = 0

  constructor(shared: SharedClient, name: NamedService, clock: Clock) {
    this.#shared = shared
    this.#name = name
    this.#clock = clock
  }

  /** To be called before the first look of a watch. */
  join(): void {
    this.#watchers++
    this.#shared.join()
  }

  /** To be called at the end of a watch. */
  leave(): void {
    this.#shared.leave()
    if (--this.#watchers > 0) return
    this.#abort.abort(new Error('nobody watches the service any more'))
    this.#abort = new AbortController()
    this.#underWay = undefined
  }

  /** Lets nothing count that was asked for before. */
  doubt(): void {
    this.#leastLook = this.#looks + 1
  }

  /** What is known, asked for as far as it is not fresh. */
  async look(freshness: Freshness, signal: AbortSignal): Promise<Known> {
    for (;;) {
      const ask = this.#missing(freshness)
      if (!ask) return this.#known!
      await until(signal, this.#underWay ??= this.#begin(ask))
    }
  }

  #missing({ interval, refresh }: Freshness): ((signal: AbortSignal) => Promise<Knowledge>) | undefined {
    const known = this.#known
    const now = this.#clock.now()
    if (!known || known.moved || known.look < this.#leastLook || now - known.listedAt >= refresh) return (signal) => this.#list(signal)
    return now - known.checkedAt >= interval / 2 ? (signal) => this.#check(known, signal) : undefined
  }

  /** One question at a time: whoever comes while it is under way waits for it. */
  #begin(ask: (signal: AbortSignal) => Promise<Knowledge>): Promise<void> {
    const { signal } = this.#abort
    const underWay = ask(signal).then((known) => { this.#known = known }).finally(() => {
      if (this.#underWay === underWay) this.#underWay = undefined
    })
    return underWay
  }

  async #list(signal: AbortSignal): Promise<Knowledge> {
    const look = ++this.#looks
    const listing = await this.#shared.client.list(this.#name, signal)
    const now = this.#clock.now()
    return { ...listing, checkedAt: now, listedAt: now, look, moved: false }
  }

  async #check(known: Knowledge, signal: AbortSignal): Promise<Knowledge> {
    const revision = await this.#shared.client.revision(this.#name, signal)
    return { ...known, checkedAt: this.#clock.now(), moved: revision !== known.revision }
  }
}

/** Values by their names, each for as long as somebody holds it. */
export class Held<T extends object> {
  readonly #values = new Map<string, WeakRef<T>>()

  get(name: string, make: () => T): T {
    const found = this.#values.get(name)?.deref()
    if (found) return found
    for (const [other, value] of this.#values) if (!value.deref()) this.#values.delete(other)
    const made = make()
    this.#values.set(name, new WeakRef(made))
    return made
  }
}
