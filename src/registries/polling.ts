import type { EndpointSpec } from '../core/endpoint.ts'
import type { Registry } from './registry.ts'

/** What one look found. */
export interface Look {
  /** The whole set. */
  readonly endpoints: readonly EndpointSpec[]
  /** Milliseconds after which the next look is due. */
  readonly again: number
}

/**
 * A registry that looks, rests, and looks again. `look` throws when it could not tell, and gives up when its signal is aborted. `usual` is how many milliseconds
 * it rests as far as is known before the first look.
 */
export const polling = (look: (signal: AbortSignal) => Promise<Look>, usual?: number): Registry => {
  let rest = usual
  return async function* ({ signal, wake, pace }) {
    if (rest !== undefined) pace?.(rest)
    while (!signal.aborted) {
      const { endpoints, again } = await look(signal)
      rest = again
      pace?.(again)
      yield endpoints
      await wake.wait(again)
    }
  }
}
