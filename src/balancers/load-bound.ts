import type { Endpoint } from '../core/endpoint.ts'

/** How many endpoints are looked at for each pick. */
const looks = 8

/** Bounds what one endpoint bears to a multiple of the mean. */
export interface LoadBound {
  /** Looks at a few endpoints' load; once before each pick. */
  look(): void
  /** Whether an endpoint has its fill. */
  isFull(endpoint: Endpoint): boolean
}

/**
 * Consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam; arXiv 1608.01350): an endpoint takes no more attempts than
 * `factor` times the mean, counted with the attempt to come, by weight, and rounded up.
 * The sum of all attempts under way is not added up for each pick: of a large set a few endpoints are looked at in turn, and the sum corrected
 * by what has changed there. Of sets up to eight it is exact, and of others behind by as many picks as it takes to come around.
 */
export const loadBound = (endpoints: readonly Endpoint[], factor: number): LoadBound => {
  const { length } = endpoints
  const seen = Float64Array.from(endpoints, ({ active }) => active)
  let total = seen.reduce((sum, active) => sum + active, 0)
  const totalWeight = endpoints.reduce((sum, { weight }) => sum + weight, 0)
  const turns = Math.min(looks, length)
  let next = 0
  return {
    look: () => {
      for (let turn = 0; turn < turns; turn++) {
        const { active } = endpoints[next]!
        total += active - seen[next]!
        seen[next] = active
        next = next + 1 === length ? 0 : next + 1
      }
    },
    isFull: ({ active, weight }) => active >= Math.max(1, Math.ceil(factor * (total + 1) * weight / totalWeight)),
  }
}
