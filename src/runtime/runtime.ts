import { Channels } from './channels.ts'
import { systemClock, type Clock } from './clock.ts'
import { systemRandom, type Random } from './random.ts'

/**
 * Time, chance and the place to report to: all that the mesh takes from its surroundings.
 * Give `createMesh` a fake one, and the whole mesh runs on virtual time from a seed.
 */
export interface Runtime {
  readonly clock: Clock
  readonly random: Random
  /** Chance that only names things (requests, traces), apart from the one that decides: so a script of decisions is not used up by names. */
  readonly ids: Random
  readonly channels: Channels
}

/** The machine's clock and chance, with channels of its own. */
export const systemRuntime = (): Runtime => ({ clock: systemClock, random: systemRandom, ids: systemRandom, channels: new Channels() })
