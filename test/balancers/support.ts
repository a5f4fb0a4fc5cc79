import type { Balancer } from '../../src/balancers/balancer.ts'
import type { Endpoint } from '../../src/core/endpoint.ts'
import { fakeCall } from '../../src/testing/index.ts'

/** How many of so many first attempts each endpoint gets; `during` may change things after each. */
export const shares = (
  balancer: Balancer, endpoints: readonly Endpoint[], picks: number, during: (picked: Endpoint) => void = () => {},
): number[] => {
  const pick = balancer(endpoints)
  const counts = new Map(endpoints.map((endpoint) => [endpoint, 0]))
  const call = fakeCall()
  for (let turn = 0; turn < picks; turn++) {
    const picked = pick(call)!
    counts.set(picked, counts.get(picked)! + 1)
    during(picked)
  }
  return [...counts.values()]
}
