import { Channels } from '../runtime/channels.ts'
import type { Random } from '../runtime/random.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { FakeClock } from './fake-clock.ts'
import { seededRandom } from './random.ts'

/** A runtime on virtual time with chance from a seed. */
export const fakeRuntime = (random: Random = seededRandom(1)): Runtime & { readonly clock: FakeClock } =>
  ({ clock: new FakeClock(), random, ids: seededRandom(2), channels: new Channels() })
