import { z } from 'zod'
import { kind } from '../core/family.ts'
import type { Endpoint } from '../core/endpoint.ts'
import { hashAgain, hashOf } from '../core/hash.ts'
import type { Balancer } from './balancer.ts'
import { hashing, hashingConfig, type Lookup } from './hashing.ts'

/** As many points as a ring has at most, to bound memory and time: for more endpoints each has fewer. */
const mostPoints = 1 << 20

/**
 * The same endpoint for the same key, by a ring of points (Karger et al.; ketama): a key belongs to the next point on the ring.
 * When an endpoint goes, its keys alone move, to all the others; when one comes, it takes its share from all.
 */
export const ringHash = kind('ring-hash', z.strictObject({
  ...hashingConfig.shape,
  points: z.int().min(1).max(4096).default(128)
    .describe('Points on the ring of an endpoint of mean weight: with n points, shares differ by about 100 / √n percent.'),
}), ({ points, ...config }, runtime): Balancer => hashing(config, runtime, (endpoints) => ring(endpoints, points)))

/** How many points each endpoint gets: by weight, one at least. */
const pointsOf = (endpoints: readonly Endpoint[], points: number): Uint32Array => {
  const total = endpoints.reduce((sum, { weight }) => sum + weight, 0)
  const wanted = Math.min(points * endpoints.length, mostPoints)
  return Uint32Array.from(endpoints, ({ weight }) => Math.max(1, Math.round(wanted * weight / total)))
}

/**
 * The points of a ring in order, found by the upper bits of a hash: about one point shares them, so finding takes the same time in any size.
 * Sorting by the same bits makes preparing linear.
 */
const ring = (endpoints: readonly Endpoint[], points: number): Lookup => {
  const counts = pointsOf(endpoints, points)
  const total = counts.reduce((sum, count) => sum + count, 0)
  const shift = 32 - Math.max(1, Math.ceil(Math.log2(total)))
  const starts = new Uint32Array(2 ** (32 - shift) + 1)
  eachPoint(endpoints, counts, (point) => { starts[(point >>> shift) + 1]!++ })
  for (let bucket = 1; bucket < starts.length; bucket++) starts[bucket]! += starts[bucket - 1]!

  const at = new Uint32Array(total)
  const owner = new Uint32Array(total)
  const filled = new Uint32Array(starts.length)
  const goesBefore = (point: number, place: number, other: number): boolean =>
    // Two endpoints on one point: which is first must not depend on the order in which a registry lists them.
    point < at[other]! || (point === at[other]! && endpoints[place]!.id < endpoints[owner[other]!]!.id)
  eachPoint(endpoints, counts, (point, place) => {
    const bucket = point >>> shift
    let spot = starts[bucket]! + filled[bucket]!++
    for (; spot > starts[bucket]! && goesBefore(point, place, spot - 1); spot--) {
      at[spot] = at[spot - 1]!
      owner[spot] = owner[spot - 1]!
    }
    at[spot] = point
    owner[spot] = place
  })
  return (point) => {
    const bucket = point >>> shift
    let spot = starts[bucket]!
    while (spot < starts[bucket + 1]! && at[spot]! < point) spot++
    return owner[spot === total ? 0 : spot]!
  }
}

/** All points, by double hashing: two ids that share one hash in 32 bits would share all their points if they were made of that alone. */
const eachPoint = (endpoints: readonly Endpoint[], counts: Uint32Array, each: (point: number, place: number) => void): void => {
  for (const [place, { id }] of endpoints.entries()) {
    const start = hashOf(id)
    const stride = hashOf(id, 1) | 1
    for (let turn = 0; turn < counts[place]!; turn++) each(hashAgain(start, Math.imul(turn, stride)), place)
  }
}
