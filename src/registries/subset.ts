import { z } from 'zod'
import type { EndpointSpec } from '../core/endpoint.ts'
import { combinator } from '../core/family.ts'
import { noSuchService, type Registry } from './registry.ts'

/** Of another registry's endpoints, those whose metadata fit. */
export const subset = combinator('subset', (member) => z.strictObject({
  of: member.describe('The registry whose endpoints are chosen from.'),
  metadata: z.record(z.string(), z.string()).refine((metadata) => Object.keys(metadata).length > 0, 'names nothing to choose by')
    .describe('What an endpoint must have in its metadata, all of it.'),
}), ({ of, metadata }, _, make): Registry => {
  const wanted = Object.entries(metadata)
  const fits = (endpoint: EndpointSpec): boolean => wanted.every(([name, value]) => endpoint.metadata?.[name] === value)
  const registry = make(of)
  return async function* (watch) {
    for await (const endpoints of registry(watch)) yield endpoints === noSuchService ? noSuchService : endpoints.filter(fits)
  }
})
