import { isIP } from 'node:net'
import { inspect } from 'node:util'
import { Endpoint, type EndpointSpec } from '../core/endpoint.ts'

/** What a new set means for the endpoints of a cluster. */
export interface Membership {
  /** The endpoints of the new set in its order; those that stay are the same objects, with all that was learnt of them. */
  readonly endpoints: readonly Endpoint[]
  readonly added: readonly Endpoint[]
  readonly removed: readonly Endpoint[]
  /** Endpoints that stay and whose weight, metadata or IP address behind their name is another now, already written to them. */
  readonly changed: readonly Endpoint[]
}

/**
 * Compares the endpoints of a cluster with what its registry says now.
 * An endpoint stays as long as its id, address and TLS do; the same id at another address is another endpoint.
 * Of several specs with one id the last counts, at the place of the first.
 */
export const membership = (current: readonly Endpoint[], specs: readonly EndpointSpec[]): Membership => {
  const specById = new Map<string, EndpointSpec>()
  for (const spec of specs) specById.set(spec.id ?? spec.address, spec)
  const leaving = new Map<string, Endpoint>()
  for (const endpoint of current) leaving.set(endpoint.id, endpoint)
  const endpoints: Endpoint[] = []
  const added: Endpoint[] = []
  const changed: Endpoint[] = []
  for (const [id, spec] of specById) {
    const known = leaving.get(id)
    if (known && isStill(known, spec)) {
      leaving.delete(id)
      endpoints.push(known)
      if (describe(known, spec)) changed.push(known)
    } else {
      const fresh = new Endpoint(spec)
      endpoints.push(fresh)
      added.push(fresh)
    }
  }
  return { endpoints, added, removed: [...leaving.values()], changed }
}

const isStill = (endpoint: Endpoint, { address, tls = false }: EndpointSpec): boolean =>
  endpoint.address === address && endpoint.tls === tls

/** Writes down what may change of an endpoint; tells whether it did. */
const describe = (endpoint: Endpoint, { ip, weight = 1, metadata = {} }: EndpointSpec): boolean => {
  if (endpoint.ip === ip && endpoint.weight === weight && sameEntries(endpoint.metadata, metadata)) return false
  endpoint.ip = ip
  endpoint.weight = weight
  endpoint.metadata = metadata
  return true
}

const sameEntries = (one: Readonly<Record<string, string>>, other: Readonly<Record<string, string>>): boolean => {
  if (one === other) return true
  let count = 0
  for (const key in one) {
    if (one[key] !== other[key]) return false
    count++
  }
  return count === Object.keys(other).length
}

/** A balancer divides by weights and adds them up: one of nothing, or beyond counting, would leave it without an answer. */
export const refuseOddities = ({ address, ip, weight, metadata }: EndpointSpec): void => {
  if (ip !== undefined && isIP(ip) === 0) throw new TypeError(`'${ip}' is not an IP address`)
  if (weight !== undefined && !(typeof weight === 'number' && weight > 0 && weight <= 1_000_000)) {
    throw new TypeError(`endpoint '${address}' has the weight ${inspect(weight)}: a weight is a number above 0 and at most 1000000`)
  }
  if (metadata !== undefined && (typeof metadata !== 'object' || metadata === null)) {
    throw new TypeError(`endpoint '${address}' has the metadata ${inspect(metadata)}: metadata are an object of texts`)
  }
}
