import { z } from 'zod'
import type { Endpoint } from '../core/endpoint.ts'
import { combinator } from '../core/family.ts'
import { learningFrom, type Balancer } from './balancer.ts'
import { capacity, drawPart, partBy } from './parts.ts'

/**
 * How much of the traffic each level gets, in percent, first level first, from what they can bear of it: 100 or more is all of it.
 * Envoy's rule, in whole percents: each level takes what it can bear, and passes the rest on; if all together cannot bear it, each gets its part.
 * If none can bear anything, everything goes to the first.
 */
export const priorityLoads = (health: readonly number[]): readonly number[] => {
  const bearable = Math.min(100, health.reduce((sum, one) => sum + one, 0))
  if (bearable === 0) return health.map((_, level) => level === 0 ? 100 : 0)
  let left = 100
  const loads = health.map((one) => {
    const load = Math.min(left, Math.floor(one * 100 / bearable))
    left -= load
    return load
  })
  // What rounding has left over.
  const first = health.findIndex((one) => one > 0)
  return loads.map((load, level) => level === first ? load + left : load)
}

// Without it, a level of which all is available could lack one percent, which then went to the next.
const rounding = 1e-9

/** What a level can bear, in whole percents up to 100: its part that is available, times the over-provisioning factor. */
export const levelHealth = (available: number, total: number, overprovisioning: number): number =>
  total > 0 ? Math.min(100, Math.floor(Math.round(overprovisioning * 100) * available / total + rounding)) : 0

/** Said where an endpoint's level can't be told. */
const last = Number.POSITIVE_INFINITY

const numbered = (value: string | undefined): number =>
  value === undefined ? 0 : /^\d{1,9}$/.test(value) ? Number(value) : last

/**
 * Levels of endpoints, and failover from one to the next (Envoy's priority levels): the first gets everything while enough of it is available,
 * and passes on what it cannot bear. Within each level another balancer chooses.
 */
export const priority = combinator('priority', (member) => z.strictObject({
  of: member.prefault({ type: 'prequal' } as never).describe('The balancer that chooses within a level.'),
  by: z.string().min(1).default('priority').describe('The name in the metadata of endpoints under which their level stands: a whole number, 0 first; an endpoint without it is of level 0.'),
  order: z.array(z.string()).min(1).optional()
    .describe('The values from first to last, where levels are names and not numbers; what it does not name comes last.'),
  overprovisioning: z.number().min(1).max(100).default(1.4)
    .describe('How much more than its part of the traffic an endpoint can bear: with 1.4, a level keeps everything while 72 percent of it are available.'),
}), ({ of, by, order, overprovisioning }, { random }, make): Balancer => {
  const inner = make(of)
  const levelOf = ({ metadata }: Endpoint): number => {
    if (order === undefined) return numbered(metadata[by])
    const level = order.indexOf(metadata[by] ?? '')
    return level < 0 ? last : level
  }
  return learningFrom(inner, (endpoints, all = endpoints) => {
    const levels = [...partBy(all, levelOf)].sort(([one], [other]) => one - other)
    const ready = partBy(endpoints.filter(({ state }) => state === 'available'), levelOf)
    const health = levels.map(([level, members]) => levelHealth(capacity(ready.get(level) ?? []), capacity(members), overprovisioning))
    // As long as the levels together can bear everything, a level that is down is left alone, even if it makes the cluster panic.
    const usable = health.reduce((sum, one) => sum + one, 0) >= 100 ? ready : partBy(endpoints, levelOf)
    const loads = priorityLoads(health)
    const parts = levels.map(([level, members], place) => ({
      key: level,
      share: loads[place]!,
      endpoints: usable.get(level) ?? [],
      all: members,
      means: `${levelName(level, order)}, which gets ${loads[place]!} % of the traffic`,
    }))
    return drawPart(parts, levelOf, inner, random)
  })
})

const levelName = (level: number, order: readonly string[] | undefined): string =>
  level === last ? 'of the last level' : `of level ${order === undefined ? level : `'${order[level]!}'`}`
