import { z } from 'zod'
import { duration } from '../config/duration.ts'
import type { EndpointSpec } from '../core/endpoint.ts'
import { combinator } from '../core/family.ts'
import { noSuchService, type Registry } from './registry.ts'
import { sourcesOf } from './sources.ts'

/** All endpoints of several sets; of those with one id the first. */
const union = (sets: readonly (readonly EndpointSpec[])[]): readonly EndpointSpec[] => {
  const byId = new Map<string, EndpointSpec>()
  for (const endpoint of sets.flat()) {
    const id = endpoint.id ?? endpoint.address
    if (!byId.has(id)) byId.set(id, endpoint)
  }
  return [...byId.values()]
}

/** The endpoints of several registries together. One that fails keeps its last known ones in. */
export const merge = combinator('merge', (member) => z.strictObject({
  of: z.array(member).min(1).describe('The registries; of endpoints with one id, that of the first counts.'),
  patience: duration.default(10_000).describe('How long the first answer of a registry that keeps silent is waited for; one that fails is not.'),
}), ({ of, patience }, runtime, make): Registry => {
  const registries = of.map(make)
  return async function* (watch) {
    for await (const sources of sourcesOf(registries, watch, { runtime, patience })) {
      if (sources.some(({ set, lost }) => set === undefined && !lost)) continue
      const sets = sources.flatMap(({ set }) => set ? [set] : [])
      // Empty only if each of them says so.
      if (sets.length === sources.length || sets.some((set) => set.length > 0)) {
        yield sets.every((set) => set === noSuchService) ? noSuchService : union(sets)
      }
    }
  }
})
