import { z } from 'zod'
import { kind } from '../core/family.ts'
import type { Balancer } from './balancer.ts'
import { preferUntried } from './untried.ts'

/** Parts of 1 that never cluster: where endpoints of unequal weight begin their strides, so they don't take turns in lockstep. */
const goldenRatio = 0.618_033_988_749_895

/**
 * Each endpoint in turn, from a random one on, so that many clients don't begin with the same.
 * Weights by static strides (gRPC's scheduler): in each round an endpoint has its turn whenever its share of the heaviest
 * endpoint's weight has added up to another whole one. With equal weights that is every round.
 */
export const roundRobin = kind('round-robin', z.strictObject({}), (_config, { random }): Balancer => preferUntried((endpoints) => {
  const { length } = endpoints
  if (length === 0) return () => undefined
  const heaviest = endpoints.reduce((most, { weight }) => Math.max(most, weight), 0)
  let next = Math.floor(random() * length)
  let round = 0
  return () => {
    for (;;) {
      const place = next
      const endpoint = endpoints[place]!
      const share = endpoint.weight / heaviest
      const begun = place * goldenRatio % 1
      const hasTurn = Math.floor(begun + (round + 1) * share) > Math.floor(begun + round * share)
      next = place + 1 === length ? 0 : place + 1
      if (next === 0) round++
      if (hasTurn) return endpoint
    }
  }
}))
