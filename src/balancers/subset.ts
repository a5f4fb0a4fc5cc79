import { z } from 'zod'
import { combinator } from '../core/family.ts'
import type { Endpoint } from '../core/endpoint.ts'
import type { RequestHead } from '../core/request.ts'
import { readPart, requestPart } from '../core/request-part.ts'
import { learningFrom, type Balancer, type Picker } from './balancer.ts'
import { andThen, lazily, partBy, withExplanation } from './parts.ts'

type Values = readonly (string | undefined)[]

// Not joined by some character: the values are other people's, and could hold it.
const nameOf = (values: Values): string => values.length === 1 ? values[0]! : JSON.stringify(values)

const metadataSet = z.record(z.string(), z.string()).refine((metadata) => Object.keys(metadata).length > 0, 'names nothing to choose by')

/**
 * For each call, those endpoints whose metadata have the values that its request asks for, and among them what another balancer chooses.
 * A retry stays among them: what a request asked for holds for each of its attempts.
 */
export const subset = combinator('subset', (member) => z.strictObject({
  of: member.prefault({ type: 'prequal' } as never).describe('The balancer that chooses among the endpoints that fit.'),
  metadata: z.record(z.string(), z.union([z.string(), requestPart])).refine((metadata) => Object.keys(metadata).length > 0, 'names nothing to choose by')
    .describe('What an endpoint must have in its metadata, all of it: by name a value, or the part of the request that has it.'),
  fallback: z.union([z.literal(['any', 'none']), metadataSet], { error: "must be 'any', 'none', or metadata such as { stage: 'live' }" }).default('any')
    .describe('Who gets a call that no available endpoint fits, or that asks for nothing: any endpoint, none, or those with this metadata.'),
}), ({ of, metadata: wanted, fallback }, _, make): Balancer => {
  const inner = make(of)
  const names = Object.keys(wanted)
  const readers = Object.values(wanted).map((value) => typeof value === 'string' ? () => value : readPart(value))
  const wantedBy = (request: RequestHead): string | undefined => {
    const values = readers.map((read) => read(request))
    return values.includes(undefined) ? undefined : nameOf(values)
  }
  const described = ({ metadata }: Endpoint): string => names.map((name) => `${name} '${metadata[name]!}'`).join(' and ')
  const subsetOf = ({ metadata }: Endpoint): string | undefined => {
    const values = names.map((name) => metadata[name])
    return values.includes(undefined) ? undefined : nameOf(values)
  }
  return learningFrom(inner, (endpoints, all = endpoints) => {
    const listed = partBy(all, subsetOf)
    const pickers = new Map<string | undefined, Picker>()
    for (const [name, members] of partBy(endpoints, subsetOf)) {
      if (name !== undefined) pickers.set(name, lazily(inner, members, listed.get(name) ?? members))
    }
    const otherwise = fallingBack(fallback)
    const pickOther = lazily(inner, endpoints.filter(otherwise), all.filter(otherwise))
    const isFor = (endpoint: Endpoint, request: RequestHead): boolean => {
      const asked = wantedBy(request)
      return pickers.has(asked) ? subsetOf(endpoint) === asked : otherwise(endpoint)
    }
    const verdict = (endpoint: Endpoint, request: RequestHead | undefined): string =>
      request === undefined ? '' : isFor(endpoint, request) ? ', and for this one' : ', and not for this one'
    return withExplanation((call) => (pickers.get(wantedBy(call.request)) ?? pickOther)(call), (endpoint, request) => {
      const own = pickers.get(subsetOf(endpoint))
      if (own) return andThen(`for requests that ask for ${described(endpoint)}${verdict(endpoint, request)}`, own.explain?.(endpoint, request))
      return otherwise(endpoint) ? 'for requests that no other endpoint fits' : 'for no request: it lacks what subsets go by'
    })
  })
})

/** Whether an endpoint is there for calls that nobody fits. */
const fallingBack = (fallback: 'any' | 'none' | Readonly<Record<string, string>>): ((endpoint: Endpoint) => boolean) => {
  if (typeof fallback === 'string') return () => fallback === 'any'
  const wanted = Object.entries(fallback)
  return ({ metadata }) => wanted.every(([name, value]) => metadata[name] === value)
}
