import { z } from 'zod'
import type { EndpointSpec } from '../core/endpoint.ts'
import { kind } from '../core/family.ts'
import { endpointAddress } from './address.ts'
import type { Registry } from './registry.ts'

const endpointDetails = z.strictObject({
  address: endpointAddress,
  id: z.string().min(1).optional().describe('The name of the instance; its address by default.'),
  weight: z.number().positive().max(1_000_000).optional().describe('Its share of the traffic relative to the others, above 0; 1 by default.'),
  tls: z.boolean().optional().describe("Whether it is dialled with TLS; as the address's scheme says, or as its cluster does, by default."),
  metadata: z.record(z.string(), z.string()).optional().describe('What subsets and zones select by.'),
}).refine(({ address, tls }) => tls === undefined || address.tls === undefined || tls === address.tls, {
  path: ['tls'],
  error: "contradicts the address's scheme: leave one of the two out",
})

// The transform stands outside the union: within, it would hide which field is at fault behind "Invalid input".
const endpoint = z.union([endpointAddress, endpointDetails]).transform((written): EndpointSpec => {
  if (typeof written.address === 'string') return written as EndpointSpec
  const { address, id, weight, tls, metadata } = written as z.output<typeof endpointDetails>
  return {
    ...address,
    ...(id !== undefined && { id }),
    ...(weight !== undefined && { weight }),
    ...(tls !== undefined && { tls }),
    ...(metadata !== undefined && { metadata }),
  }
})

const refuseTwins = (endpoints: readonly EndpointSpec[], ctx: z.RefinementCtx): void => {
  const seen = new Map<string, number>()
  for (const [index, endpoint] of endpoints.entries()) {
    // One that could not be read has its own fault already.
    if (typeof endpoint?.address !== 'string') continue
    const id = endpoint.id ?? endpoint.address
    const earlier = seen.get(id)
    if (earlier === undefined) seen.set(id, index)
    else ctx.addIssue({ code: 'custom', path: [index], message: `is endpoint ${earlier} again ('${id}'): give it a weight or an id of its own` })
  }
}

/** A list of endpoints as a user writes it: texts, or objects where there is more to say. None twice. Parsed to `EndpointSpec`s. */
export const endpointSet = z.array(endpoint).superRefine(refuseTwins)

/** Such a list with at least one endpoint. */
export const endpointList = z.array(endpoint).min(1).superRefine(refuseTwins)

/** Endpoints written down in the configuration. */
export const staticRegistry = kind('static', z.strictObject({
  endpoints: endpointList.describe('The endpoints; at least one.'),
}), ({ endpoints }): Registry => async function* () {
  yield endpoints
})
