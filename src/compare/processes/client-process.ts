/** A caller, in a process that knows one way: it opens it, drives loads over it, and says what it found. Its argument is the way's module. */
import { systemClock } from '../../runtime/clock.ts'
import { closedLoop, openLoop, pause, steady, type Bound, type Driven } from '../load.ts'
import { distributionOf, latencyOf } from '../quantiles.ts'
import type { Latency } from '../results.ts'
import type { Answer, OpenWay, Setting, Way } from '../ways/way.ts'
import { answerParent } from './worker.ts'

/** A load without faults: in a closed loop by `inFlight`, in an open one by `rate`. */
export interface Load {
  readonly path: string
  /** Length of the body of each answer; another one counts as failed. Left out where it is not known. */
  readonly bytes?: number
  readonly inFlight?: number
  /** Requests per second. */
  readonly rate?: number
  readonly bound: Bound
}

/** What a load found. Times in milliseconds. */
export interface Found {
  readonly requests: number
  readonly failed: number
  readonly failure?: string
  readonly seconds: number
  readonly latency: Latency
  readonly distribution: readonly number[]
}

/** A load that is watched request by request, for whatever happens meanwhile. */
export interface Watch {
  readonly path: string
  readonly rate: number
  /** Milliseconds after which the caller gives a request up. */
  readonly patience: number
}

/** One request of a watched load. */
export interface Seen {
  /** Milliseconds since the load began, to when it was due. */
  readonly at: number
  readonly took: number
  /** What was answered; absent where nothing was. */
  readonly answer?: Answer
  /** The code of what was thrown. */
  readonly error?: string
}

/** What a watched load found. */
export interface Watched {
  /** When it began, in milliseconds since the Unix epoch: other processes have no other clock in common. */
  readonly began: number
  readonly seen: readonly Seen[]
}

const clock = systemClock
let way: Way | undefined
let driven: Driven | undefined
let watching = false

const sender = ({ path, bytes }: Load): (() => Promise<void>) => {
  const current = way!
  return async () => {
    const length = await current.send(path)
    if (bytes !== undefined && length !== bytes) throw new Error(`The body of ${path} had ${length} bytes where ${bytes} were expected`)
  }
}

const atRate = async (send: () => Promise<void>, rate: number, milliseconds: number): Promise<Driven> => {
  const took: number[] = []
  let failed = 0
  let failure: unknown
  const began = clock.now()
  await openLoop(steady(rate, milliseconds), async (_, due) => {
    try {
      await send()
      took.push(clock.now() - due)
    } catch (error) {
      if (failed++ === 0) failure = error
    }
  })
  return { took, failed, ...(failed > 0 && { failure }), seconds: (clock.now() - began) / 1_000 }
}

/** The most telling code of an error: `fetch` hides the cause's behind a TypeError. */
const codeOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  const { code, cause, name } = error as Error & { code?: unknown }
  if (typeof code === 'string') return code
  if (name === 'TimeoutError' || name === 'AbortError') return 'given up by the caller'
  return cause instanceof Error ? codeOf(cause) : error.name
}

const patience = 10_000

/** Waits no longer than that: a service that never answers would hold everything up, and who knows for how long. */
const noLonger = <T>(waited: Promise<T>, milliseconds: number, late: string): Promise<T> => new Promise((resolve, reject) => {
  const cancel = clock.after(milliseconds, () => reject(new Error(late)))
  void waited.then(resolve, reject).finally(cancel)
})

const handlers = {
  /** Opens the way and waits for a first answer, for 10 s at most. Resolves with the milliseconds that it took. */
  async open({ setting, path }: { readonly setting: Setting, readonly path: string }): Promise<number> {
    const began = clock.now()
    await way?.close()
    const { open } = await import(process.argv[2]!) as { readonly open: OpenWay }
    way = await open(setting)
    for (;;) {
      try {
        await noLonger(way.send(path), began + patience - clock.now(), `No first answer came within ${patience / 1_000} s`)
        return clock.now() - began
      } catch (error) {
        if (clock.now() - began >= patience) throw error
        await pause(10)
      }
    }
  },

  /** Rejects where requests are still under way long after the load is over. */
  async drive(load: Load): Promise<void> {
    const { inFlight, rate, bound } = load
    const driving = rate === undefined ? closedLoop(sender(load), inFlight ?? 1, bound) : atRate(sender(load), rate, bound.milliseconds ?? 1_000)
    driven = await noLonger(driving, (bound.milliseconds ?? 60_000) + patience, `Requests had no answer ${patience / 1_000} s after the load was over`)
  },

  /** What the last load found; asked for afterwards, so that sorting is in nobody's measured time. */
  found(): Found {
    const { took, failed, failure, seconds } = driven!
    const ascending = Float64Array.from(took).sort()
    return {
      requests: took.length + failed, failed, seconds,
      ...(failure !== undefined && { failure: failure instanceof Error ? failure.message : codeOf(failure) }),
      latency: latencyOf(ascending), distribution: distributionOf(ascending),
    }
  },

  /** Drives a watched load until `enough` is asked for; resolves when all requests have ended. */
  async watch({ path, rate, patience }: Watch): Promise<Watched> {
    const seen: Seen[] = []
    watching = true
    const began = { wall: clock.wall(), at: clock.now() }
    const dues = function* (): Iterable<number> {
      for (let index = 0; watching; index++) yield index * 1_000 / rate
    }
    await openLoop(dues(), async (_, due) => {
      const ended = (end: Pick<Seen, 'answer' | 'error'>): void => {
        seen.push({ at: due - began.at, took: clock.now() - due, ...end })
      }
      const giveUp = new AbortController()
      const cancel = clock.after(patience, () => giveUp.abort(new DOMException('The caller gave up', 'TimeoutError')))
      try {
        ended({ answer: await way!.look(path, giveUp.signal) })
      } catch (error) {
        ended({ error: giveUp.signal.aborted ? 'given up by the caller' : codeOf(error) })
      } finally {
        cancel()
      }
    })
    return { began: began.wall, seen }
  },

  enough(): void { watching = false },

  /** Gives back what nobody needs any more. */
  collect(): void {
    globalThis.gc?.()
    globalThis.gc?.()
  },

  /** Pushes something new to the way. Resolves with what it says against it. */
  async apply(setting: Setting): Promise<string | undefined> {
    try {
      await way!.apply(setting)
      return undefined
    } catch (error) {
      return error instanceof Error ? error.message : String(error)
    }
  },
} as const

/** What a caller is asked for. */
export type ClientHandlers = typeof handlers

answerParent(handlers)
