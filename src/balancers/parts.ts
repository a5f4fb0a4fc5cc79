import type { Call } from '../core/call.ts'
import type { Endpoint } from '../core/endpoint.ts'
import type { Random } from '../runtime/random.ts'
import type { Balancer, Picker } from './balancer.ts'

/** A part of a set, chosen from by itself. */
export interface Part<Key> {
  /** What its endpoints have in common. */
  readonly key: Key
  /** How often it is drawn, relative to the other parts; 0 is never, unless a call has tried all that the others have. */
  readonly share: number
  readonly endpoints: readonly Endpoint[]
  /** All of the part that the registry lists. */
  readonly all: readonly Endpoint[]
  /** What it means for an endpoint to be of this part, in a few words. */
  readonly means: string
}

/** Prepares for a set when it is first asked: parts that get no traffic cost nothing. */
export const lazily = (balancer: Balancer, endpoints: readonly Endpoint[], all: readonly Endpoint[]): Picker => {
  let picker: Picker | undefined
  const prepared = (): Picker => picker ??= balancer(endpoints, all)
  return withExplanation((call) => prepared()(call), (...asked) => prepared().explain?.(...asked))
}

/** A picker that has something to say of endpoints. */
export const withExplanation = (pick: (call: Call) => Endpoint | undefined, explain: NonNullable<Picker['explain']>): Picker =>
  Object.assign(pick, { explain })

/** Says one thing, and then another if there is one. */
export const andThen = (first: string, second: string | undefined): string => second === undefined ? first : `${first}; ${second}`

/**
 * Draws a part by share, and lets a balancer choose within it. Where the part has nothing untried for a call, the others are asked in their order.
 */
export const drawPart = <Key>(
  parts: readonly Part<Key>[], keyOf: (endpoint: Endpoint) => Key, balancer: Balancer, random: Random,
): Picker => {
  // What gets traffic is prepared now, and not when a request waits for it.
  const pickers = parts.map(({ share, endpoints, all }) => share > 0 ? balancer(endpoints, all) : lazily(balancer, endpoints, all))
  const places = new Map(parts.map(({ key }, place) => [key, place]))
  const draw = drawPlace(parts, random)
  const pick = (call: Call): Endpoint | undefined => {
    const drawn = pickers[draw()]?.(call)
    return drawn !== undefined && (call.attempts.length === 0 || !call.hasTried(drawn)) ? drawn : untried(pickers, call) ?? drawn
  }
  return withExplanation(pick, (endpoint, request) => {
    const place = places.get(keyOf(endpoint))
    return place === undefined ? undefined : andThen(parts[place]!.means, pickers[place]!.explain?.(endpoint, request))
  })
}

const drawPlace = (parts: readonly { readonly share: number }[], random: Random): () => number => {
  const total = parts.reduce((sum, { share }) => sum + share, 0)
  const only = Math.max(0, parts.findIndex(({ share }) => share > 0))
  if (parts.length === 0 || parts[only]!.share === total) return () => only
  return () => {
    let left = random() * total
    for (let place = 0; place < parts.length; place++) {
      const { share } = parts[place]!
      if (share > 0 && (left -= share) < 0) return place
    }
    return only
  }
}

const untried = (pickers: readonly Picker[], call: Call): Endpoint | undefined => {
  let tried: Endpoint | undefined
  for (const pick of pickers) {
    const picked = pick(call)
    if (picked === undefined) continue
    if (!call.hasTried(picked)) return picked
    tried ??= picked
  }
  return tried
}

/** The sum of weights: what a set can bear. */
export const capacity = (endpoints: readonly Endpoint[]): number => endpoints.reduce((sum, { weight }) => sum + weight, 0)

/** Takes a set apart by what each endpoint is said to belong to. */
export const partBy = <Key>(endpoints: readonly Endpoint[], keyOf: (endpoint: Endpoint) => Key): Map<Key, Endpoint[]> => {
  const parts = new Map<Key, Endpoint[]>()
  for (const endpoint of endpoints) {
    const key = keyOf(endpoint)
    const part = parts.get(key)
    if (part) part.push(endpoint)
    else parts.set(key, [endpoint])
  }
  return parts
}
