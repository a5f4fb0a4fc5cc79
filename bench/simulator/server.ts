import { LoadMeter } from '../../src/server/load-meter.ts'
import type { Cancel } from '../../src/runtime/clock.ts'
import type { Random } from '../../src/runtime/random.ts'
import type { Draw } from './chance.ts'
import type { VirtualClock } from './clock.ts'

/** What a server does in place of its work: answers with a status at once, never answers, resets, or is not there. */
export type Fault = { readonly status: number, readonly retryAfter?: number } | 'hang' | 'reset' | 'refuse'

/** What a server is made with. */
export interface ServerOptions {
  /** Cores at full speed: so many requests are worked on without slowing one another. */
  readonly cores: number
  /** Work of one request, in milliseconds of a core. */
  readonly work: Draw
  /** Requests under way above which it answers 503 at once; no limit by default. */
  readonly limit?: number
}

/** What becomes of a request: an answer, or none. */
export type Outcome = { readonly status: number, readonly retryAfter?: number } | 'reset' | 'refuse'

/** One request under way. */
interface Job {
  /** Work that each request since the start must have got when this one is done. */
  readonly doneAt: number
  readonly begun: number
  /** How many were under way when it came. */
  readonly company: number
  readonly over: (outcome: Outcome) => void
}

const answered: Outcome = { status: 200 }
const overloaded: Outcome = { status: 503 }
/** Milliseconds that it takes to refuse, to reset or to answer with a fault. */
const instant = 0.2

/**
 * A modelled server: its cores are shared evenly by what is under way (processor sharing), each request on one core at most.
 * What slows it (a neighbour, a pause for garbage, a cold cache) is a change of its cores, speed or work over time.
 */
export class ModelServer {
  readonly address: string
  readonly meter: LoadMeter
  fault: Fault | undefined
  /** Requests that reached it. */
  arrived = 0
  /** Questions for its load that reached it. */
  probed = 0
  /** Milliseconds of core that it has worked. */
  worked = 0
  readonly #clock: VirtualClock
  readonly #random: Random
  readonly #limit: number
  #work: Draw
  #cores: number
  readonly #allotted: number
  #speed = 1
  /** Multiplies the work: above 1 while caches are cold. */
  coldness: () => number = () => 1
  /** Sorted by when they will be done, the first first. */
  readonly #jobs: Job[] = []
  /** What waits for it to go on. */
  readonly #standing: (() => void)[] = []
  #got = 0
  #at: number
  #cancel: Cancel = () => {}

  constructor(address: string, { cores, work, limit = Number.POSITIVE_INFINITY }: ServerOptions, clock: VirtualClock, random: Random) {
    this.address = address
    this.#cores = cores
    this.#allotted = cores
    this.#work = work
    this.#limit = limit
    this.#clock = clock
    this.#random = random
    this.#at = clock.now()
    // Busy as a share of what it is allotted: above 1 where it uses what others leave.
    this.meter = new LoadMeter(clock, () => {
      this.#catchUp()
      return this.worked / this.#allotted
    })
  }

  /** Requests under way. */
  get active(): number {
    return this.#jobs.length
  }

  /** What it was given, and a balancer may rely on. */
  get allotted(): number {
    return this.#allotted
  }

  /** Changes how many cores it can use; what it is allotted stays. */
  set cores(cores: number) {
    this.#catchUp()
    this.#cores = cores
    this.#next()
  }

  /** Changes how fast each core is: 1 is full, 0 stands still. */
  set speed(speed: number) {
    this.#catchUp()
    this.#speed = speed
    this.#next()
    if (speed > 0) for (const answer of this.#standing.splice(0)) answer()
  }

  /** Changes the work of the requests that will come. */
  set work(work: Draw) {
    this.#work = work
  }

  /** Takes a request, and says later what became of it; the function returned gives it up. */
  take(over: (outcome: Outcome) => void): Cancel {
    this.arrived++
    const { fault } = this
    if (fault === 'hang') return () => {}
    if (fault !== undefined) return this.#clock.after(instant, () => over(fault))
    if (this.#jobs.length >= this.#limit) return this.#clock.after(instant, () => over(overloaded))
    return this.#begin(over)
  }

  /** Takes a question for its load, which is no work: answered at once, as far as it answers anything and does not stand still. */
  probe(over: (outcome: Outcome) => void): Cancel {
    this.probed++
    const { fault } = this
    if (fault === 'hang') return () => {}
    if (fault !== undefined) return this.#clock.after(instant, () => over(fault))
    let cancel: Cancel = () => {}
    const answer = (): void => { cancel = this.#clock.after(instant / this.#speed, () => over(answered)) }
    if (this.#speed > 0) answer()
    else this.#standing.push(answer)
    return () => cancel()
  }

  #begin(over: Job['over']): Cancel {
    const company = this.meter.begin()
    const work = this.#work(this.#random) * this.coldness()
    this.#catchUp()
    const job: Job = { doneAt: this.#got + work, begun: this.#clock.now(), company, over }
    this.#jobs.splice(placeOf(this.#jobs, job.doneAt), 0, job)
    this.#next()
    return () => {
      const place = this.#jobs.indexOf(job)
      if (place < 0) return
      this.#catchUp()
      this.#jobs.splice(place, 1)
      this.meter.end()
      this.#next()
    }
  }

  #catchUp(): void {
    const now = this.#clock.now()
    const got = (now - this.#at) * this.#rate()
    this.#got += got
    this.worked += got * this.#jobs.length
    this.#at = now
  }

  /** How much of a core each request under way has. */
  #rate(): number {
    return this.#jobs.length === 0 ? 0 : this.#speed * Math.min(1, this.#cores / this.#jobs.length)
  }

  /** Waits for the request that will be done first. */
  #next(): void {
    this.#cancel()
    const [first] = this.#jobs
    const rate = this.#rate()
    this.#cancel = first === undefined || rate === 0 ? () => {}
      : this.#clock.after((first.doneAt - this.#got) / rate, () => this.#finish())
  }

  #finish(): void {
    this.#catchUp()
    const { company, begun, over } = this.#jobs.shift()!
    this.meter.answer(company, this.#clock.now() - begun, 200)
    this.#next()
    over(answered)
    this.meter.end()
  }

  /** Breaks off everything under way, and refuses what comes from now on. */
  stop(): void {
    this.fault = 'refuse'
    this.#catchUp()
    const broken = this.#jobs.splice(0)
    this.#next()
    for (const { over } of broken) {
      this.meter.end()
      over('reset')
    }
  }
}

const placeOf = (jobs: readonly Job[], doneAt: number): number => {
  let low = 0
  let high = jobs.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (jobs[middle]!.doneAt <= doneAt) low = middle + 1
    else high = middle
  }
  return low
}
