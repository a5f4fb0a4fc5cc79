import type { Endpoint } from '../core/endpoint.ts'
import type { Random } from '../runtime/random.ts'

/** Whether all endpoints have the same share. */
export const equallyWeighted = (endpoints: readonly Endpoint[]): boolean =>
  endpoints.every((endpoint) => endpoint.weight === endpoints[0]!.weight)

/** Prepares drawing one of a set by weight, which must not be empty. */
export const draw = (endpoints: readonly Endpoint[], random: Random): () => Endpoint => {
  const place = drawPlace(endpoints, random)
  return () => endpoints[place()]!
}

/**
 * Prepares drawing a place of a set by weight. By Walker's aliases (Vose, 1991): every place has the same chance and
 * hands what its own weight leaves of it to one other, so a draw takes the same time in any size.
 */
export const drawPlace = (endpoints: readonly Endpoint[], random: Random): () => number => {
  const { length } = endpoints
  if (equallyWeighted(endpoints)) return () => Math.floor(random() * length)
  const { kept, alias } = aliases(endpoints)
  return () => {
    const point = random() * length
    const place = Math.floor(point)
    return point - place < kept[place]! ? place : alias[place]!
  }
}

interface Aliases {
  /** How much of its chance each place keeps, in parts of 1. */
  readonly kept: Float64Array
  /** Who gets the rest of it. */
  readonly alias: Uint32Array
}

const aliases = (endpoints: readonly Endpoint[]): Aliases => {
  const mean = endpoints.reduce((sum, { weight }) => sum + weight / endpoints.length, 0)
  const kept = Float64Array.from(endpoints, ({ weight }) => weight / mean)
  const alias = Uint32Array.from(endpoints.keys())
  const places = [...endpoints.keys()]
  const light = places.filter((place) => kept[place]! < 1)
  const heavy = places.filter((place) => kept[place]! >= 1)
  while (light.length > 0 && heavy.length > 0) {
    const poor = light.pop()!
    const rich = heavy.at(-1)!
    alias[poor] = rich
    kept[rich]! -= 1 - kept[poor]!
    if (kept[rich]! < 1) light.push(heavy.pop()!)
  }
  // Who is left on either side has exactly 1, but for errors of rounding.
  for (const place of [...light, ...heavy]) kept[place] = 1
  return { kept, alias }
}

/**
 * The power of two choices (Mitzenmacher): draws a few endpoints and takes the cheapest, the first drawn among equals.
 * As good as looking at all of them for the load it leads to, at a fixed price, and without everyone running to the same one.
 * Endpoints of equal weight are drawn without repetition. Otherwise each is drawn by weight, one perhaps twice,
 * so that among equals everybody gets their share.
 */
export const cheapestOf = (
  choices: number,
  endpoints: readonly Endpoint[],
  random: Random,
  cost: (endpoint: Endpoint) => number,
): () => Endpoint | undefined => {
  if (endpoints.length < 2) return () => endpoints[0]
  const next = equallyWeighted(endpoints) ? drawDistinct(endpoints, random) : draw(endpoints, random)
  const draws = Math.min(choices, endpoints.length)
  return () => {
    let cheapest = next(0)
    let lowest = cost(cheapest)
    for (let turn = 1; turn < draws; turn++) {
      const candidate = next(turn)
      const price = cost(candidate)
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
