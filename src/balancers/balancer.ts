import type { Call } from '../core/call.ts'
import type { Endpoint } from '../core/endpoint.ts'

/**
 * Chooses an endpoint for a try of a call: never one that the call has tried while another is there that it could go to.
 * `undefined` only where there is none: for an empty set, or if what the call asks for excludes all.
 */
export interface Picker {
  (call: Call): Endpoint | undefined
  /** What there is to say of an endpoint's part in the choice, in a few words, for `status()` and `explain()`. */
  readonly explain?: ((endpoint: Endpoint) => string | undefined) | undefined
}

/**
 * Prepares a picker for a set of endpoints. Called again whenever the set changes; what was learnt lives on the endpoints.
 *
 * `endpoints` are those that may be picked: the available ones, or all in a panic. `all` are those that the registry lists, whatever
 * their state, for a balancer that goes by how many of them are left; the same ones if it is not given.
 *
 * Weight is the balancer's business: it decides which share of the picks an endpoint gets. Slow start is not: it works around
 * any balancer, by refusing some of its picks of an endpoint that is still warming, so the two multiply.
 */
export type Balancer = (endpoints: readonly Endpoint[], all?: readonly Endpoint[]) => Picker
