import type { Balancer } from '../../src/balancers/balancer.ts'
import type { Endpoint } from '../../src/core/endpoint.ts'
import type { Reply } from '../../src/core/reply.ts'
import type { Clock } from '../../src/runtime/clock.ts'
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

/** What an endpoint answers to one attempt, after so many milliseconds; without a status, the attempt fails. */
export interface Answer {
  readonly ms: number
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  /** What it fails with where there is no status; a broken connection by default. */
  readonly ending?: 'cancelled'
}

/** Has a balancer learn of an attempt that is over just now. */
export const learns = (balancer: Balancer, endpoint: Endpoint, clock: Clock, { ms, status, headers = {}, ending }: Answer): void => {
  const call = fakeCall([], 'key', clock)
  const attempt = call.begin(endpoint, { active: 0, pending: 0 })
  Object.assign(attempt, { startedAt: clock.now() - ms })
  if (status === undefined) {
    attempt.end(ending ?? call.error('ENMESH_CONNECTION_RESET', 'scripted'))
    return balancer.learn!(attempt, undefined)
  }
  attempt.status = status
  attempt.headAt = clock.now()
  balancer.learn!(attempt, { status, headers, attempt } as unknown as Reply)
}
