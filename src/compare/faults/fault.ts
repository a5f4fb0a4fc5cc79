import type { Running } from '../arrangement.ts'
import type { Situation } from '../situation.ts'
import type { Behaviour } from './behaviour.ts'
import type { Instances } from './fleet.ts'

/** How long the parts of a fault's run take, in milliseconds. */
export interface Pace {
  readonly before: number
  readonly during: number
  readonly after: number
  /** By how much a registry is behind. */
  readonly stale: number
}

/** What a fault has at hand. */
export interface Scene {
  readonly instances: Instances
  readonly running: Running
  readonly pace: Pace
  /** Requests per second of the caller. */
  readonly rate: number
  /** What instances there are now, all to be called. */
  readonly situation: () => Situation
  /** The same with only these versions to be called. */
  readonly only: (...versions: readonly string[]) => Situation
  /** Says what happens now. */
  readonly mark: (what: string) => void
  readonly wait: (milliseconds: number) => Promise<void>
  /** Keeps what an arrangement said against what was pushed to it. */
  readonly refused: (why: string | undefined) => void
}

/** One thing that breaks. */
export interface Fault {
  readonly id: string
  readonly title: string
  /** What is done to the services, in a sentence. */
  readonly what: string
  /** Instances at the beginning, by version; three of v1 where nothing is said, weights where calls are divided. */
  readonly fleet?: { readonly counts: Readonly<Record<string, number>>, readonly weights: Readonly<Record<string, number>> }
  /** How many instances of v1 it starts. */
  readonly starts?: number
  /** The version that is wanted from the beginning of the fault on; answers of any other are wrong then. */
  readonly wanted?: string
  /** Breaks something and mends it again; resolves when it is mended. */
  play(scene: Scene): Promise<void>
}

/** A fault at one instance, for a time. */
export const atOne = (id: string, title: string, what: string, behaviour: Behaviour, mended: Behaviour): Fault => ({
  id, title, what,
  async play({ instances, pace, mark, wait }) {
    mark(title)
    await instances.behave(0, behaviour)
    await wait(pace.during)
    mark('It is well again')
    await instances.behave(0, mended)
  },
})
