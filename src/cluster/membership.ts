import { Endpoint, type EndpointSpec } from '../core/endpoint.ts'

/** What a new set changes. */
export interface Membership {
  readonly endpoints: readonly Endpoint[]
  readonly added: readonly Endpoint[]
  readonly removed: readonly Endpoint[]
}

/** Compares the endpoints at hand with a registry's new set: those that stay keep all that was learnt of them. */
export const membership = (current: readonly Endpoint[], specs: readonly EndpointSpec[]): Membership => {
  const old = new Map(current.map((endpoint) => [endpoint.id, endpoint]))
  const added: Endpoint[] = []
  const endpoints = specs.map((spec) => {
    const before = old.get(spec.id ?? spec.address)
    if (before?.address === spec.address && before.tls === (spec.tls ?? false)) {
      old.delete(before.id)
      return before
    }
    const endpoint = new Endpoint(spec)
    added.push(endpoint)
    return endpoint
  })
  return { endpoints, added, removed: [...old.values()] }
}
