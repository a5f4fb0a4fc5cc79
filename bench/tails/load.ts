import { seededRandom } from '../../src/testing/random.ts'
import { exponential, logNormal } from '../simulator/chance.ts'

/** One request of the load: the same for every arrangement. */
export interface Arrival {
  /** When it is to be sent, in milliseconds since the beginning. */
  readonly due: number
  /** Milliseconds of work that it gives a server. */
  readonly work: number
  /** Whether it counts: it is due after balancers had their time to learn. */
  readonly counted: boolean
}

/** Milliseconds of work in a request, on average. */
export const meanWork = 30
const work = logNormal(meanWork, 0.5)

/** What is asked of each arrangement in one go: so many requests per second, at random times, for so many seconds. */
export interface Load {
  readonly rate: number
  /** Seconds before anything is counted. */
  readonly settling: number
  /** Seconds that count. */
  readonly counting: number
}

/** The requests of a load, in order. The same seed gives the same. */
export const arrivalsOf = ({ rate, settling, counting }: Load, seed: number): readonly Arrival[] => {
  const random = seededRandom(seed)
  const pause = exponential(1_000 / rate)
  const arrivals: Arrival[] = []
  const end = (settling + counting) * 1_000
  for (let due = pause(random); due < end; due += pause(random)) {
    arrivals.push({ due, work: work(random), counted: due >= settling * 1_000 })
  }
  return arrivals
}

/** What the path of a request says, for the server that gets it. */
export const pathOf = ({ work, counted }: Arrival): string => `/${counted ? 'counted' : 'settling'}/${work.toFixed(3)}`
