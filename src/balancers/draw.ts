import type { Endpoint } from '../core/endpoint.ts'
import type { Random } from '../runtime/random.ts'

/** Whether all endpoints have the same share. */
export const equallyWeighted = (endpoints: readonly Endpoint[]): boolean =>
  endpoints.every((endpoint) => endpoint.weight === endpoints[0]!.weight)

/** Prepares drawing one of a set by weight, which must not be empty. */
export const draw = (endpoints: readonly Endpoint[], random: Random): () => Endpoint => {
  if (equallyWeighted(endpoints)) return () => endpoints[Math.floor(random() * endpoints.length)]!
  const upTo = new Float64Array(endpoints.length)
  let total = 0
  for (const [index, { weight }] of endpoints.entries()) upTo[index] = total += weight
  return () => endpoints[firstAbove(upTo, random() * total)]!
}

/** The first place whose value is above another, in values that rise; the last place if none is. */
const firstAbove = (rising: Float64Array, value: number): number => {
  let low = 0
  let high = rising.length - 1
  while (low < high) {
    const middle = (low + high) >>> 1
    if (rising[middle]! > value) high = middle
    else low = middle + 1
  }
  return low
}

/**
 * The power of two choices (Mitzenmacher): draws a few endpoints and takes the cheapest, the first drawn among equals.
 * As good as looking at all of them for the load it leads to, at a fixed price, and without everyone running to the same one.
 * Endpoints of equal weight are drawn without repetition. Otherwise each is drawn by weight, one perhaps twice,
 * so that among equals everybody gets their share.
 * `cost` gets the `now` that `begin` returned for this choice.
 */
export const cheapestOf = (
  choices: number,
  endpoints: readonly Endpoint[],
  random: Random,
  cost: (endpoint: Endpoint, now: number) => number,
  begin: () => number,
): () => Endpoint | undefined => {
  if (endpoints.length < 2) return () => endpoints[0]
  const next = equallyWeighted(endpoints) ? drawDistinct(endpoints, random) : draw(endpoints, random)
  const draws = Math.min(choices, endpoints.length)
  return () => {
    const now = begin()
    let cheapest = next(0)
    let lowest = cost(cheapest, now)
    for (let turn = 1; turn < draws; turn++) {
      const candidate = next(turn)
      const price = cost(candidate, now)
      if (price < lowest) {
        cheapest = candidate
        lowest = price
      }
    }
    return cheapest
  }
}

/** Draws without repetition within one choice: the first steps of a Fisher-Yates shuffle, which may start from any order. */
const drawDistinct = (endpoints: readonly Endpoint[], random: Random): (turn: number) => Endpoint => {
  const order = [...endpoints]
  return (turn) => {
    const place = turn + Math.floor(random() * (order.length - turn))
    const drawn = order[place]!
    order[place] = order[turn]!
    order[turn] = drawn
    return drawn
  }
}
