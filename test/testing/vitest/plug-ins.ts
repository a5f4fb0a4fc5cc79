import { z } from 'zod'
import type { Balancer } from '../../../src/balancers/balancer.ts'
import { kind } from '../../../src/core/family.ts'
import { matcherKind, type Matcher } from '../../../src/matchers/matcher.ts'
import type { Registry } from '../../../src/registries/registry.ts'
import { aBalancer, aMatcher, aRegistry, aRequest, type Runner } from '../../../src/testing/index.ts'

const addresses = ['10.0.0.1:80', '10.0.0.2:80']

const list: Registry = async function* () {
  yield addresses.map((address) => ({ address }))
}

/** Looks once more after its signal was aborted. */
const deafRegistry: Registry = async function* ({ wake }) {
  for (;;) {
    yield addresses.map((address) => ({ address }))
    await wake.wait(1_000).catch(() => {})
  }
}

const turns = kind('turns', z.strictObject({}), (): Balancer => (endpoints) => {
  let turn = 0
  return (call) => {
    const next = endpoints[turn++ % endpoints.length]
    return next && call.hasTried(next) ? endpoints.find((endpoint) => !call.hasTried(endpoint)) ?? next : next
  }
})

/** Picks by chance whatever was tried. */
const forgetfulBalancer = kind('forgetful', z.strictObject({}), (_config, { random }): Balancer => (endpoints) =>
  () => endpoints[Math.floor(random() * endpoints.length)])

const matchesTenant = (isTenant: (given: string | undefined, wanted: string) => boolean) =>
  matcherKind('tenant', z.string().min(1), (wanted): Matcher => ({
    conditions: 1,
    matches: (request) => isTenant(request.header('x-tenant'), wanted),
    explain: () => `the tenant is not '${wanted}'`,
  }))

const examples = {
  good: [{ config: 'blue', matches: [aRequest({ headers: ['x-tenant', 'blue'] })], refuses: [aRequest()], conditions: 1 }],
  bad: ['', 7],
}

/** The suites of three plug-ins that do as they must. */
export const goodPlugIns = (runner?: Runner): void => {
  aRegistry('list', () => ({ registry: list, expected: addresses }), runner)
  aBalancer(turns, {}, runner)
  aMatcher(matchesTenant((given, wanted) => given === wanted), examples, runner)
}

/** The suites of three plug-ins, each with a fault. */
export const brokenPlugIns = (runner?: Runner): void => {
  aRegistry('deaf', () => ({ registry: deafRegistry, expected: addresses }), runner)
  aBalancer(forgetfulBalancer, {}, runner)
  aMatcher(matchesTenant(() => true), examples, runner)
}
