import { z } from 'zod'
import type { Call } from '../core/call.ts'
import type { Endpoint } from '../core/endpoint.ts'
import { combinator } from '../core/family.ts'
import { hashOf } from '../core/hash.ts'
import type { Random } from '../runtime/random.ts'
import { learningFrom, type Balancer, type Picker } from './balancer.ts'
import { capacity, drawPart } from './parts.ts'

/** The place of a client among all that call the same endpoints. */
export interface Peer {
  /** 0 for the first. */
  readonly index: number
  readonly count: number
}

/**
 * The slice of a ring of length 1 that a client has (Finagle's deterministic aperture): it begins at the client's place, and is so many times
 * as long as one client's part of the ring that at least `size` of so many endpoints lie in it. Every point of the ring then lies in the slices of
 * equally many clients, so every endpoint has the same load.
 */
export const sliceOf = ({ index, count }: Peer, size: number, endpoints: number): { readonly begin: number, readonly width: number } => ({
  begin: index / count,
  width: Math.min(1, Math.ceil(size * count / endpoints) / count),
})

/** How much of [from, to) lies within a slice of a ring of length 1. */
const overlap = (from: number, to: number, begin: number, width: number): number => {
  const within = (start: number): number => Math.max(0, Math.min(to, start + width) - Math.max(from, start))
  return within(begin) + within(begin - 1)
}

// Less is an error of rounding.
const leastShare = 1e-9

/** Which endpoints lie in a client's slice, and with which part of themselves. All clients put the endpoints on the ring in the same order, by weight. */
const sliced = (endpoints: readonly Endpoint[], size: number, peer: Peer): ReadonlyMap<Endpoint, number> => {
  const { begin, width } = sliceOf(peer, size, endpoints.length)
  const whole = capacity(endpoints)
  const shares = new Map<Endpoint, number>()
  let from = 0
  for (const endpoint of smallest(endpoints, 0)) {
    const length = endpoint.weight / whole
    const share = overlap(from, from + length, begin, width) / length
    if (share > leastShare) shares.set(endpoint, Math.min(1, share))
    from += length
  }
  return shares
}

/** The order that a seed gives a set: for one endpoint always the same place relative to another. */
const smallest = (endpoints: readonly Endpoint[], seed: number): readonly Endpoint[] =>
  endpoints.map((endpoint) => ({ endpoint, hash: hashOf(endpoint.id, seed) }))
    .sort((one, other) => one.hash - other.hash || (one.endpoint.id < other.endpoint.id ? -1 : 1))
    .map(({ endpoint }) => endpoint)

/**
 * Keeps to a part of a large set, so that a thousand clients of a thousand endpoints don't hold a million connections. Within the part another
 * balancer chooses; the rest is there for calls that have tried all of it.
 *
 * A client that knows its place among the clients (`peer`) has its slice of the ring (Finagle's deterministic aperture): all endpoints get
 * the same load. One that doesn't has the endpoints that a draw of its own puts first (rendezvous hashing, gRPC's A68): an endpoint that comes
 * or goes changes one of them at most, and the clients of each endpoint are as many as chance gives it.
 */
export const aperture = combinator('aperture', (member) => z.strictObject({
  of: member.prefault({ type: 'prequal' } as never).describe('The balancer that chooses within the part.'),
  size: z.int().min(1).default(12).describe('How many endpoints the part has at least; a set of no more is used whole.'),
  peer: z.strictObject({
    index: z.int().min(0).describe('The place of this process among them, 0 for the first.'),
    count: z.int().min(1).describe('How many processes call the cluster.'),
  }).refine(({ index, count }) => index < count, { path: ['index'], error: 'must be below the count: the first is 0' }).optional()
    .describe('The place of this process among all that call the cluster, each with a place of its own; without it, the part is drawn.'),
}), ({ of, size, peer }, { random }, make): Balancer => {
  const inner = make(of)
  const seed = Math.floor(random() * 2 ** 32)
  // Of all that are listed, since what one client has ejected must not move its slice against those of the others. A part of its own
  // is drawn from what is left, so that it stays as large.
  const within = (endpoints: readonly Endpoint[], all: readonly Endpoint[]): ReadonlyMap<Endpoint, number> =>
    peer ? sliced(all, size, peer) : new Map(smallest(endpoints, seed).slice(0, size).map((endpoint) => [endpoint, 1]))
  return learningFrom(inner, (endpoints, all = endpoints) => {
    if (endpoints.length <= size) return inner(endpoints, all)
    const shares = within(endpoints, all)
    const isInside = (endpoint: Endpoint): boolean => shares.has(endpoint)
    const thinned: Balancer = (part, whole) => thin(inner(part, whole), shares, random)
    const parts = [true, false].map((inside) => {
      const members = (of: readonly Endpoint[]): Endpoint[] => of.filter((endpoint) => isInside(endpoint) === inside)
      return { key: inside, share: inside ? 1 : 0, endpoints: members(endpoints), all: members(all), means: `${inside ? 'inside' : 'outside'} the aperture of ${shares.size}` }
    })
    return drawPart(parts, isInside, thinned, random)
  })
})

// As for slow start: enough that what lies in a slice by a tenth gets less than 0.2 % too much beside one that lies in it whole.
const tries = 8

/** Refuses picks of endpoints that lie in the slice by a part only, so that they get that part of their share. */
const thin = (pick: Picker, shares: ReadonlyMap<Endpoint, number>, random: Random): Picker => {
  if ([...shares.values()].every((share) => share === 1)) return pick
  return Object.assign((call: Call): Endpoint | undefined => {
    let endpoint = pick(call)
    for (let tried = 1; tried < tries && endpoint !== undefined; tried++) {
      const share = shares.get(endpoint) ?? 1
      if (share === 1 || random() < share) break
      endpoint = pick(call)
    }
    return endpoint
  }, { explain: pick.explain })
}
