import type { Call } from '../core/call.ts'
import type { Endpoint } from '../core/endpoint.ts'
import type { Balancer, Picker } from './balancer.ts'

/**
 * Makes a balancer of a choice that does not look at what a call has tried: keeps a call from the endpoints it has tried while another is there.
 * A first attempt costs one comparison. A later one chooses as usual, and only if that lands on a tried endpoint
 * is the choice prepared anew for the untried ones: linear in the size of the set, and rare in large ones.
 */
export const preferUntried = (prepare: (endpoints: readonly Endpoint[]) => Picker): Balancer => (endpoints) => {
  const choose = prepare(endpoints)
  return (call) => {
    const chosen = choose(call)
    if (call.attempts.length === 0 || chosen === undefined || !call.hasTried(chosen)) return chosen
    return chooseUntried(prepare, endpoints, call) ?? chosen
  }
}

const chooseUntried = (
  prepare: (endpoints: readonly Endpoint[]) => Picker,
  endpoints: readonly Endpoint[],
  call: Call,
): Endpoint | undefined => prepare(endpoints.filter((endpoint) => !call.hasTried(endpoint)))(call)
