import { z } from 'zod'
import { kind } from '../core/family.ts'
import type { Endpoint } from '../core/endpoint.ts'
import { hashAgain, hashOf } from '../core/hash.ts'
import type { Balancer } from './balancer.ts'
import { byId, hashing, hashingConfig, type Lookup } from './hashing.ts'

/** As many points as a ring has at most: what can be prepared without holding up the process for long. */
const mostPoints = 1 << 18

/**
 * The same endpoint for the same key, by a ring of points (Karger et al.; ketama): a key belongs to the next point on the ring.
 * When an endpoint goes, its keys alone move, to all the others; when one comes, it takes its share from all.
 */
export const ringHash = kind('ring-hash', z.strictObject({
  ...hashingConfig.shape,
  points: z.int().min(1).max(4096).default(128)
    .describe('Points on the ring of an endpoint of mean weight: with n points, shares differ by about 100 / √n percent. '
      + 'A ring has 262144 at most, so with more than 2048 endpoints each has fewer.'),
}), ({ points, ...config }, runtime): Balancer => hashing(config, runtime, (endpoints) => ring(endpoints, points)))

/** How many points each endpoint gets: by weight, one at least. */
const countsOf = (endpoints: readonly Endpoint[], points: number): Uint32Array => {
  const total = endpoints.reduce((sum, { weight }) => sum + weight, 0)
  const wanted = Math.min(points * endpoints.length, mostPoints)
  return Uint32Array.from(endpoints, ({ weight }) => Math.max(1, Math.round(wanted * weight / total)))
}

/** Points with the places of the endpoints that they belong to. */
interface Points {
  readonly at: Uint32Array
  readonly owner: Uint32Array
}

/**
 * The ring: its points in order, and where those begin that share their upper bits. About one point does, so finding the next takes
 * the same time in any size.
 */
const ring = (endpoints: readonly Endpoint[], points: number): Lookup => {
  const { at, owner } = sorted(pointsOf(endpoints, countsOf(endpoints, points)))
  const total = at.length
  const shift = 32 - Math.max(1, Math.ceil(Math.log2(total)))
  const starts = new Uint32Array(2 ** (32 - shift) + 1).fill(total)
  for (let spot = total - 1; spot >= 0; spot--) starts[at[spot]! >>> shift] = spot
  for (let bucket = starts.length - 2; bucket >= 0; bucket--) if (starts[bucket] === total) starts[bucket] = starts[bucket + 1]!
  return (point) => {
    const end = starts[(point >>> shift) + 1]!
    let spot = starts[point >>> shift]!
    while (spot < end && at[spot]! < point) spot++
    return owner[spot === total ? 0 : spot]!
  }
}

/**
 * All points, by double hashing: two ids that share one hash in 32 bits would share all their points if they were made of that alone.
 * In the order of the ids: where two endpoints have the same point, which comes first must not depend on the order in which a registry lists them.
 */
const pointsOf = (endpoints: readonly Endpoint[], counts: Uint32Array): Points => {
  const total = counts.reduce((sum, count) => sum + count, 0)
  const at = new Uint32Array(total)
  const owner = new Uint32Array(total)
  let spot = 0
  for (const place of byId(endpoints)) {
    const { id } = endpoints[place]!
    const start = hashOf(id)
    const stride = hashOf(id, 1) | 1
    for (let turn = 0; turn < counts[place]!; turn++, spot++) {
      at[spot] = hashAgain(start, Math.imul(turn, stride))
      owner[spot] = place
    }
  }
  return { at, owner }
}

const digitBits = 11
const digits = 1 << digitBits

/** The points in order, by radix sort: linear, stable, and several times as fast on a million as sorting by comparison. */
const sorted = (points: Points): Points => {
  for (let shift = 0; shift < 32; shift += digitBits) points = sortedByDigit(points, shift)
  return points
}

const sortedByDigit = ({ at, owner }: Points, shift: number): Points => {
  const next = new Uint32Array(digits + 1)
  for (const point of at) next[((point >>> shift) & (digits - 1)) + 1]!++
  for (let digit = 1; digit < digits; digit++) next[digit]! += next[digit - 1]!
  const to: Points = { at: new Uint32Array(at.length), owner: new Uint32Array(at.length) }
  for (let spot = 0; spot < at.length; spot++) {
    const place = next[(at[spot]! >>> shift) & (digits - 1)]!++
    to.at[place] = at[spot]!
    to.owner[place] = owner[spot]!
  }
  return to
}
