import { z } from 'zod'
import { duration } from '../config/duration.ts'
import type { EndpointSpec } from '../core/endpoint.ts'
import { combinator } from '../core/family.ts'
import { certainly, noSuchService, type Registry } from './registry.ts'
import { sourcesOf, type Source } from './sources.ts'

/** Whose set to use; `undefined` while that cannot be told. */
const chosen = (sources: readonly Source[]): Source | undefined => {
  for (const source of sources) {
    // It may yet answer.
    if (source.set === undefined && !source.lost) return undefined
    if (source.set && source.set.length > 0 && !source.lost) return source
  }
  // What one of them knew last is better than nothing.
  return sources.find(({ set }) => set && set.length > 0)
}

const isEmptyEverywhere = (sources: readonly Source[]): boolean => sources.every(({ set }) => set?.length === 0)

/** The first of several registries that has endpoints: falls back while one has nothing, or fails for longer than the patience. */
export const firstOf = combinator('first-of', (member) => z.strictObject({
  of: z.array(member).min(1).describe('The registries, the one to prefer first.'),
  patience: duration.default(10_000)
    .describe('How long a registry may fail, list nothing, or keep silent at first, before the next one takes its place.'),
}), ({ of, patience }, runtime, make): Registry => {
  const registries = of.map(make)
  // What lists nothing all of a sudden is given as much time as what fails.
  const guard = { grace: patience, emptyGrace: patience, maxLoss: 100 }
  return async function* (watch) {
    let before: Source | undefined
    for await (const sources of sourcesOf(registries, watch, { runtime, patience, guard })) {
      const source = chosen(sources)
      if (source) yield source === before ? source.set! : certainly(source.set!)
      else if (isEmptyEverywhere(sources)) yield emptySet(sources)
      before = source ?? before
    }
  }
})

const emptySet = (sources: readonly Source[]): readonly EndpointSpec[] => sources.every(({ set }) => set === noSuchService) ? noSuchService : []
