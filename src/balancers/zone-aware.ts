import { z } from 'zod'
import type { Endpoint } from '../core/endpoint.ts'
import { combinator } from '../core/family.ts'
import { learningFrom, type Balancer } from './balancer.ts'
import { andThen, capacity, drawPart, partBy, withExplanation } from './parts.ts'

/** Parts of a whole by zone. */
export type ByZone = ReadonlyMap<string, number>

/**
 * Which part of its traffic a caller in one zone sends to each zone (Envoy's zone-aware routing). If the zone's part of the capacity is at least
 * its part of the callers, everything stays. Otherwise as much stays as makes every endpoint equally busy, and the rest goes to zones that have more
 * of the capacity than of the callers, by what they have more.
 * The parts of the answer add up to 1. The zone must have callers, and some zone capacity.
 */
export const zoneShares = (zone: string, callers: ByZone, capacities: ByZone): ByZone => {
  const parts = (of: ByZone): (name: string) => number => {
    const total = [...of.values()].reduce((sum, one) => sum + one, 0)
    return (name) => (of.get(name) ?? 0) / total
  }
  const called = parts(callers)
  const borne = parts(capacities)
  const kept = Math.min(1, borne(zone) / called(zone))
  const spare = new Map([...capacities.keys()].map((name) => [name, name === zone ? 0 : Math.max(0, borne(name) - called(name))]))
  const allSpare = [...spare.values()].reduce((sum, one) => sum + one, 0)
  return new Map([...spare].map(([name, one]) => [name, name === zone ? kept : allSpare > 0 ? (1 - kept) * one / allSpare : 0]))
}

/**
 * Prefers endpoints of the caller's own zone as far as they can bear it, so that traffic stays where it is cheap and fast and no endpoint gets more
 * than those of other zones. Within each zone another balancer chooses.
 */
export const zoneAware = combinator('zone-aware', (member) => z.strictObject({
  of: member.prefault({ type: 'prequal' } as never).describe('The balancer that chooses within a zone.'),
  zone: z.string().min(1).describe('The zone in which this process runs.'),
  by: z.string().min(1).default('zone').describe('The name in the metadata of endpoints under which their zone stands.'),
  callers: z.record(z.string(), z.number().min(0)).optional()
    .describe('How many callers of the cluster run in each zone, this one included; without it, as many in each zone that has endpoints.'),
  minEndpoints: z.int().min(1).default(6).describe('With fewer endpoints to choose from, zones are left aside.'),
}).refine(({ zone, callers }) => callers === undefined || (Object.hasOwn(callers, zone) && callers[zone]! > 0),
  { path: ['callers'], error: 'must count the callers of the own zone too, with more than 0' }),
({ of, zone, by, callers, minEndpoints }, { random }, make): Balancer => {
  const inner = make(of)
  const zoneOf = ({ metadata }: Endpoint): string => metadata[by] ?? ''
  const zoned: Balancer = (endpoints, all = endpoints) => {
    const zones = partBy(endpoints, zoneOf)
    const listed = partBy(all, zoneOf)
    const evenly = new Map([zone, ...zones.keys()].map((name) => [name, 1]))
    const capacities = new Map([...zones].map(([name, members]) => [name, capacity(members)]))
    const shares = zoneShares(zone, callers ? new Map(Object.entries(callers)) : evenly, capacities)
    // The own zone first: where a call has tried what was drawn, what is near is better.
    const names = [...zones.keys()].sort((one, other) => Number(other === zone) - Number(one === zone))
    const parts = names.map((name) => ({
      key: name,
      share: shares.get(name)!,
      endpoints: zones.get(name)!,
      all: listed.get(name) ?? zones.get(name)!,
      means: `in zone '${name}', which gets ${Math.round(100 * shares.get(name)!)} % of the traffic from '${zone}'`,
    }))
    return drawPart(parts, zoneOf, inner, random)
  }
  return learningFrom(inner, (endpoints, all = endpoints) => {
    const aside = endpoints.length < minEndpoints ? `only ${endpoints.length} can be picked`
      : endpoints.some(({ state }) => state !== 'available') ? 'too few are available' : undefined
    if (aside === undefined) return zoned(endpoints, all)
    const pick = inner(endpoints, all)
    return withExplanation((call) => pick(call), (endpoint, request) =>
      andThen(`in zone '${zoneOf(endpoint)}'; zones are left aside, since ${aside}`, pick.explain?.(endpoint, request)))
  })
})
