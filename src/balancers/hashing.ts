import { z } from 'zod'
import type { Call } from '../core/call.ts'
import type { Endpoint } from '../core/endpoint.ts'
import { hashAgain, hashOf } from '../core/hash.ts'
import type { RequestHead } from '../core/request.ts'
import { readPart, requestPart } from '../core/request-part.ts'
import type { Runtime } from '../runtime/runtime.ts'
import type { Balancer } from './balancer.ts'
import { loadBound, type LoadBound } from './load-bound.ts'
import { withExplanation } from './parts.ts'

/** The options that hashing balancers share. */
export const hashingConfig = z.strictObject({
  key: z.union([requestPart, z.array(requestPart).min(1)]).optional()
    .describe('Requests with the same value of this part go to the same endpoint; of several parts, the first that a request has. '
      + 'A call\'s own `hashKey` goes before them. Without any value, the endpoint is drawn.'),
  maxLoad: z.number().min(1).max(100).optional()
    .describe('How many times the mean of attempts under way an endpoint may have before its requests go elsewhere; 1.25 is a good start. Without it, no bound.'),
})

/** The place of the endpoint to which a point in 32 bits belongs. */
export type Lookup = (point: number) => number

/** The places of endpoints in the order of their ids, which is the same for all clients, however their registries list them. */
export const byId = (endpoints: readonly Endpoint[]): Uint32Array =>
  Uint32Array.from(endpoints.keys()).sort((one, other) => endpoints[one]!.id < endpoints[other]!.id ? -1 : 1)

/** How often a key is hashed again to find another endpoint, before all are gone through. */
const jumps = 16

/**
 * Makes a balancer of a table that assigns points to endpoints. What cannot go to its endpoint, because that was tried or is full, goes where its
 * hash leads if hashed again, and again: for one key always the same way, so a second attempt has an endpoint of its own too, and what one endpoint
 * sheds does not fall on its neighbour alone (random jumps, Chen et al., arXiv 1908.08762).
 */
export const hashing = (
  { key, maxLoad }: z.output<typeof hashingConfig>,
  { random }: Pick<Runtime, 'random'>,
  prepare: (endpoints: readonly Endpoint[]) => Lookup,
): Balancer => {
  const read = firstOf(key === undefined ? [] : [key].flat().map(readPart))
  return (endpoints) => {
    if (endpoints.length === 0) return () => undefined
    const lookup = prepare(endpoints)
    const bound = maxLoad === undefined ? undefined : loadBound(endpoints, maxLoad)
    const pick = (call: Call): Endpoint => {
      const own = call.hashKey ?? read(call.request)
      const point = own === undefined ? Math.floor(random() * 2 ** 32) : hashOf(own)
      const first = endpoints[lookup(point)]!
      bound?.look()
      if ((call.attempts.length === 0 || !call.hasTried(first)) && !bound?.isFull(first)) return first
      return elsewhere(endpoints, lookup, point, call, bound)
    }
    return withExplanation(pick, (endpoint, request) => {
      if (request === undefined) return undefined
      const own = read(request)
      if (own === undefined) return 'the request has no key, so chance decides unless the call has a `hashKey`'
      return `the request's key leads ${endpoints[lookup(hashOf(own))] === endpoint ? 'here' : 'elsewhere'}`
    })
  }
}

const firstOf = (readers: readonly ((request: RequestHead) => string | undefined)[]) => (request: RequestHead): string | undefined => {
  for (const read of readers) {
    const value = read(request)
    if (value !== undefined) return value
  }
  return undefined
}

/** The next on a key's way that the call has not tried and that has room; if none has, the first on its way that was not tried. */
const elsewhere = (
  endpoints: readonly Endpoint[], lookup: Lookup, point: number, call: Call, bound: LoadBound | undefined,
): Endpoint => {
  const begin = lookup(point)
  let untried: Endpoint | undefined
  for (let step = 0; step <= jumps + endpoints.length; step++) {
    const place = step <= jumps ? lookup(step === 0 ? point : hashAgain(point, step)) : (begin + step - jumps) % endpoints.length
    const endpoint = endpoints[place]!
    if (call.hasTried(endpoint)) continue
    if (!bound?.isFull(endpoint)) return endpoint
    untried ??= endpoint
  }
  return untried ?? endpoints[begin]!
}
