import { z } from 'zod'
import { duration } from '../config/duration.ts'
import type { Endpoint } from '../core/endpoint.ts'
import type { Reply } from '../core/reply.ts'
import type { Cancel } from '../runtime/clock.ts'
import type { Runtime } from '../runtime/runtime.ts'
import type { Ask } from './balancer.ts'

const aboveNothing = (ms: number): boolean => ms > 0

/** How endpoints are asked for their load. */
export const loadProbesConfig = z.strictObject({
  path: z.string().regex(/^\/[\x21\x22\x24-\x7e]*$/, "is not a path: it begins with '/', and has neither spaces nor '#'")
    .describe('What is asked for, by GET: something cheap whose answer carries the report of load. Servers should leave it out of their own figures (`reportLoad: { except }`).'),
  perCall: z.number().positive().max(100).default(3).describe('How many endpoints are asked for each pick, on average; those asked are drawn.'),
  quiet: duration.refine(aboveNothing, { error: 'must be longer than 0' }).default(100)
    .describe('An endpoint that was asked, or told its load in an answer, is not asked again for so long. So a small fleet with much traffic is hardly asked at all.'),
  timeout: duration.refine(aboveNothing, { error: 'must be longer than 0' }).default(1_000)
    .describe('How long an endpoint may take to answer. One that does not is known as little as before.'),
  atOnce: z.int().min(1).max(1_000).default(16).describe('How many may be asked at the same time; what there is no room for is left out.'),
})

/** Parsed form of `loadProbesConfig`; durations in milliseconds. */
export type LoadProbesConfig = z.output<typeof loadProbesConfig>

/** Who wants to know. */
export interface Listener {
  /** When the load of an endpoint was told last (clock's now); minus infinity for never. */
  heardAt(endpoint: Endpoint): number
  /** Takes an answer; returns whether there was a report in it that can be used. */
  hear(endpoint: Endpoint, answer: Pick<Reply, 'status' | 'headers'>): boolean
}

/**
 * Asks endpoints for their load beside the traffic (Prequal's asynchronous probing): picks decide how many and among whom, but none waits, and nothing
 * is sent within one. An endpoint that does not answer is known as little as before: nobody is judged by a probe.
 */
export class LoadProbes {
  readonly #config: LoadProbesConfig
  readonly #runtime: Runtime
  readonly #listener: Listener
  /** When each endpoint was asked last. */
  readonly #askedAt = new WeakMap<Endpoint, number>()
  /** Why the last answer of an endpoint was of no use. */
  readonly #complaints = new WeakMap<Endpoint, string>()
  #ask: Ask | undefined
  /** Those that the last pick was from. */
  #among: readonly Endpoint[] = []
  #owed = 0
  #underWay = 0
  #cancel: Cancel | undefined

  constructor(config: LoadProbesConfig, runtime: Runtime, listener: Listener) {
    this.#config = config
    this.#runtime = runtime
    this.#listener = listener
  }

  /** Asks through this from now on; ends with the function returned. */
  start(ask: Ask): Cancel {
    this.#ask = ask
    return () => {
      if (this.#ask !== ask) return
      this.#ask = undefined
      this.#among = []
      this.#cancel?.()
      this.#cancel = undefined
    }
  }

  /** A pick was made from these. */
  picked(endpoints: readonly Endpoint[]): void {
    if (this.#ask === undefined) return
    this.#among = endpoints
    this.#owed = Math.min(this.#owed + this.#config.perCall, this.#config.atOnce)
    if (this.#owed < 1 || this.#cancel !== undefined) return
    // Later, so that no request waits while questions are written, and in no request's async context.
    this.#cancel = this.#runtime.clock.background(0, () => {
      this.#cancel = undefined
      this.#askSome()
    })
  }

  /** In a few words why an endpoint's load is not known by asking; `undefined` where nothing speaks against it. */
  explain(endpoint: Endpoint): string | undefined {
    const complaint = this.#complaints.get(endpoint)
    // Without the query, which may hold a secret.
    return complaint && `asked for its load at ${this.#config.path.replace(/\?.*$/, '')}, ${complaint}`
  }

  #askSome(): void {
    for (; this.#owed >= 1; this.#owed--) {
      const endpoint = this.#among[Math.floor(this.#runtime.random() * this.#among.length)]
      if (endpoint && this.#underWay < this.#config.atOnce && this.#isQuiet(endpoint)) void this.#askOne(endpoint, this.#ask!)
    }
  }

  #isQuiet(endpoint: Endpoint): boolean {
    // One that is gone must not be dialled again.
    if (endpoint.state === 'retired') return false
    const since = this.#runtime.clock.now() - this.#config.quiet
    return this.#listener.heardAt(endpoint) <= since && (this.#askedAt.get(endpoint) ?? Number.NEGATIVE_INFINITY) <= since
  }

  async #askOne(endpoint: Endpoint, ask: Ask): Promise<void> {
    this.#askedAt.set(endpoint, this.#runtime.clock.now())
    this.#underWay++
    const complaint = await this.#answerOf(endpoint, ask)
    this.#underWay--
    // Whoever was called off in mid-air says nothing.
    if (ask !== this.#ask) return
    if (complaint === undefined) this.#complaints.delete(endpoint)
    else this.#complaints.set(endpoint, complaint)
  }

  async #answerOf(endpoint: Endpoint, ask: Ask): Promise<string | undefined> {
    const { path, timeout } = this.#config
    try {
      const answer = await ask(endpoint, { path, timeout })
      return ask !== this.#ask || this.#listener.hear(endpoint, answer) ? undefined : `it answered with status ${answer.status} and told none`
    } catch (error) {
      return `it gave no answer (${(error as { readonly code?: string }).code ?? String(error)})`
    }
  }
}
