import type { z } from 'zod'
import { available } from '../../src/cluster/availability.ts'
import { observeOutliers, outlierConfig, OutlierDetection } from '../../src/cluster/outlier.ts'
import { Call } from '../../src/core/call.ts'
import { Endpoint } from '../../src/core/endpoint.ts'
import { MeshError } from '../../src/core/errors.ts'
import type { MeshEvents } from '../../src/core/events.ts'
import type { Reply } from '../../src/core/reply.ts'
import { RequestHead } from '../../src/core/request.ts'
import { fakeRuntime, seededRandom } from '../../src/testing/index.ts'
import type { Random } from '../../src/runtime/random.ts'

/** What an endpoint does with a request; status 0 is a reset. */
export interface Answer { readonly status: number, readonly ms: number }

/** What it does so many seconds after the start. */
export type Behaviour = (second: number, random: Random) => Answer

/** A number of the normal distribution, from two of the even one. */
const normal = (random: Random): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())

/** Answers as those of a real service are: most around 10 ms, some much later, one in a hundred fails. */
export const healthy: Behaviour = (_, random) => ({
  status: random() < 0.99 ? 200 : [500, 503, 0][Math.floor(random() * 3)]!,
  ms: 10 * Math.exp(0.5 * normal(random)) * (random() < 0.01 ? 10 : 1),
})

/** What each request asks. */
export const head = new RequestHead({ method: 'GET', scheme: 'http', host: 'order.test', port: 80, path: '/', headers: [], body: undefined })

/** Endpoints under detection on virtual time, each request to one of those in use by an even chance. */
export class Fleet {
  readonly endpoints: readonly Endpoint[]
  readonly runtime = fakeRuntime(seededRandom(9))
  readonly detection: OutlierDetection
  /** What was told, and how many seconds after the start. */
  readonly told: { readonly event: string, readonly second: number, readonly detail: MeshEvents['endpoint-ejected'] }[] = []
  /** By endpoint: attempts, and those of them that failed. */
  readonly counts = new Map<Endpoint, { attempts: number, failed: number }>()
  /** Most endpoints that were out at the same time. */
  mostOut = 0
  second = 0
  readonly #behaviours: readonly Behaviour[]
  readonly #random: Random
  #used: readonly Endpoint[]

  constructor(behaviours: readonly Behaviour[], config: z.input<typeof outlierConfig>, seed = 1) {
    this.#behaviours = behaviours
    this.#random = seededRandom(seed)
    this.endpoints = behaviours.map((_, index) => new Endpoint({ address: `10.0.0.${index + 1}:80` }))
    this.#used = this.endpoints
    for (const endpoint of this.endpoints) this.counts.set(endpoint, { attempts: 0, failed: 0 })
    const { endpoints } = this
    this.detection = new OutlierDetection(
      { name: 'order', endpoints, slowStart: false, changed: () => { this.#used = available(endpoints, 50).endpoints } }, outlierConfig.parse(config), this.runtime)
    for (const event of ['endpoint-ejected', 'endpoint-probation', 'endpoint-returned'] as const) {
      this.runtime.channels.on(event, (detail) => this.told.push({ event, second: this.second, detail: detail as MeshEvents['endpoint-ejected'] }))
    }
  }

  /** Lets time pass, with so many requests a second. */
  async run(seconds: number, perSecond: number): Promise<void> {
    const layer = observeOutliers(this.detection)
    for (const end = this.second + seconds; this.second < end; this.second++) {
      await this.runtime.clock.advance(1_000)
      for (let i = 0; i < perSecond; i++) this.#request(layer)
      this.mostOut = Math.max(this.mostOut, this.endpoints.filter(({ state }) => state !== 'available').length)
    }
  }

  #request(layer: ReturnType<typeof observeOutliers>): void {
    const { clock } = this.runtime
    const call = new Call(head, clock)
    const endpoint = this.detection.probation.take(call) ?? this.#used[Math.floor(this.#random() * this.#used.length)]!
    const { status, ms } = this.#behaviours[this.endpoints.indexOf(endpoint)]!(this.second, this.#random)
    const count = this.counts.get(endpoint)!
    count.attempts++
    if (status === 0 || status >= 500) count.failed++
    void layer((attempt) => {
      attempt.status = status
      // An answer within a moment of virtual time: only the difference is looked at.
      if (status > 0) attempt.headAt = attempt.startedAt + ms
      const reply = { attempt, status } as Reply
      return { then: (heard: (reply: Reply) => Reply) => { if (status > 0) heard(reply) } } as unknown as Promise<Reply>
    })(call.begin(endpoint, { active: 0, pending: 0 }))
    call.attempts[0]!.end(status > 0 ? 'complete' : new MeshError('ENMESH_CONNECTION_RESET', 'reset'))
  }
}
