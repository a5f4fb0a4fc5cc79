import type { Endpoint } from '../core/endpoint.ts'
import type { Random } from '../runtime/random.ts'
import { drawPlace, equallyWeighted } from './draw.ts'

/**
 * The power of two choices by place: draws two places of a set and takes the better one, the first drawn among equals.
 * Endpoints of equal weight are drawn without repetition; otherwise each by its weight, one perhaps twice, so that among equals everybody gets
 * their share. `better` tells whether the second place is better than the first. Neither drawing nor taking depends on the size of the set.
 */
export const betterOfTwo = (
  endpoints: readonly Endpoint[], random: Random, better: (second: number, first: number) => boolean,
): () => Endpoint | undefined => {
  const { length } = endpoints
  if (length < 2) return () => endpoints[0]
  if (!equallyWeighted(endpoints)) {
    const draw = drawPlace(endpoints, random)
    return () => {
      const first = draw()
      const second = draw()
      return endpoints[better(second, first) ? second : first]
    }
  }
  return () => {
    const first = Math.floor(random() * length)
    let second = Math.floor(random() * (length - 1))
    if (second >= first) second++
    return endpoints[better(second, first) ? second : first]
  }
}
