import type { Call } from '../core/call.ts'
import type { Endpoint } from '../core/endpoint.ts'

/** Chooses an endpoint for a try of a call: never one that the call has tried while another is there. `undefined` only for an empty set. */
export type Picker = (call: Call) => Endpoint | undefined

/** Prepares a picker for a set of endpoints. Called again whenever the set changes; what was learnt lives on the endpoints. */
export type Balancer = (endpoints: readonly Endpoint[]) => Picker
