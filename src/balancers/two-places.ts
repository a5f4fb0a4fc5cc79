import type { Endpoint } from '../core/endpoint.ts'
import type { Random } from '../runtime/random.ts'
import { equallyWeighted } from './draw.ts'

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
    const draw = byWeight(endpoints, random)
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

/**
 * Draws places by weight with one number and two looks, whatever the size (Walker's alias method, in Vose's form):
 * each place keeps a part of its share of the draws and leaves the rest to one other.
 */
export const byWeight = (endpoints: readonly Endpoint[], random: Random): () => number => {
  const { length } = endpoints
  const keeps = new Float64Array(length)
  const others = new Int32Array(length)
  let total = 0
  for (const { weight } of endpoints) total += weight
  const scant: number[] = []
  const ample: number[] = []
  for (const [place, { weight }] of endpoints.entries()) {
    keeps[place] = weight * length / total
    others[place] = place
    ;(keeps[place] < 1 ? scant : ample).push(place)
  }
  while (scant.length > 0 && ample.length > 0) {
    const low = scant.pop()!
    const high = ample.at(-1)!
    others[low] = high
    keeps[high]! -= 1 - keeps[low]!
    if (keeps[high]! < 1) scant.push(ample.pop()!)
  }
  // What is left over differs from 1 by rounding alone.
  for (const place of [...scant, ...ample]) keeps[place] = 1
  return () => {
    const at = random() * length
    const place = Math.floor(at)
    return at - place < keeps[place]! ? place : others[place]!
  }
}
