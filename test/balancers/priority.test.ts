import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Balancer } from '../../src/balancers/balancer.ts'
import { balancers } from '../../src/balancers/index.ts'
import { levelHealth, priority, priorityLoads } from '../../src/balancers/priority.ts'
import { Endpoint } from '../../src/core/endpoint.ts'
import { aBalancer, fakeCall, fakeRuntime, seededRandom } from '../../src/testing/index.ts'

aBalancer(priority)
aBalancer(priority, { of: { type: 'ring-hash' } })

const make = (options: object = {}): Balancer =>
  balancers.make(balancers.schema.parse({ type: 'priority', of: { type: 'random' }, ...options } as never), fakeRuntime(seededRandom(1)))

/** So many endpoints of each level, of which so many are available. */
const leveled = (...levels: readonly (readonly [name: string | undefined, total: number, available: number])[]): Endpoint[] =>
  levels.flatMap(([name, total, available], level) => Array.from({ length: total }, (_, index) => {
    const endpoint = new Endpoint({ address: `10.0.${level}.${index + 1}:80`, ...(name !== undefined && { metadata: { priority: name } }) })
    if (index >= available) endpoint.state = 'ejected'
    return endpoint
  }))

const available = (endpoints: readonly Endpoint[]): Endpoint[] => endpoints.filter(({ state }) => state === 'available')

/** Percent of the picks by level. */
const spread = (balancer: Balancer, endpoints: readonly Endpoint[], all: readonly Endpoint[]): Record<string, number> => {
  const pick = balancer(endpoints, all)
  const counts: Record<string, number> = {}
  for (let turn = 0; turn < 10_000; turn++) {
    const level = pick(fakeCall())?.metadata['priority'] ?? '0'
    counts[level] = (counts[level] ?? 0) + 1
  }
  return Object.fromEntries(Object.entries(counts).map(([level, count]) => [level, Math.round(count / 100)]))
}

describe('the loads of levels', () => {
  for (const [healthy, first, second] of [[100, 100, 0], [72, 100, 0], [71, 99, 1], [50, 70, 30], [25, 35, 65], [0, 0, 100]] as const) {
    test(`with ${healthy} % of the first available it gets ${first} %, as in Envoy's table`, () => {
      assert.deepEqual(priorityLoads([levelHealth(healthy, 100, 1.4), levelHealth(100, 100, 1.4)]), [first, second])
    })
  }

  test('a level of which all is available bears all of it, whatever its weights add up to', () => {
    for (const capacity of [1.4000000000000001, 23.299999999999997, 47.599999999999994]) assert.equal(levelHealth(capacity, capacity, 1), 100)
  })

  test('what two cannot bear together they share', () => {
    assert.deepEqual(priorityLoads([25, 25].map((healthy) => levelHealth(healthy, 100, 1.4))), [50, 50])
  })

  test('a third takes what two cannot bear', () => {
    assert.deepEqual(priorityLoads([25, 25, 100].map((healthy) => levelHealth(healthy, 100, 1.4))), [35, 35, 30])
  })

  test('what rounding leaves over is the first one\'s that bears anything, and all adds up to 100', () => {
    assert.deepEqual(priorityLoads([32, 32, 32]), [34, 33, 33])
    assert.deepEqual(priorityLoads([0, 32, 32, 32]), [0, 34, 33, 33])
  })

  test('when nobody can bear anything, everything goes to the first', () => {
    assert.deepEqual(priorityLoads([0, 0]), [100, 0])
  })
})

describe('priority', () => {
  test('keeps to the first level while enough of it is available', () => {
    const all = leveled(['0', 10, 8], ['1', 10, 10])
    assert.deepEqual(spread(make(), available(all), all), { 0: 100 })
  })

  test('passes on what the first level cannot bear', () => {
    const all = leveled(['0', 10, 5], ['1', 10, 10])
    const counts = spread(make(), available(all), all)
    assert.ok(Math.abs(counts['0']! - 70) <= 2 && Math.abs(counts['1']! - 30) <= 2, JSON.stringify(counts))
  })

  test('over-provisioning says how much is enough', () => {
    const all = leveled(['0', 10, 5], ['1', 10, 10])
    assert.deepEqual(spread(make({ overprovisioning: 2 }), available(all), all), { 0: 100 })
  })

  test('goes by weight, not by number', () => {
    const all = leveled(['0', 10, 9], ['1', 10, 10])
    all[9]!.weight = 9
    const counts = spread(make(), available(all), all)
    assert.ok(Math.abs(counts['0']! - 70) <= 2, JSON.stringify(counts))
  })

  test('leaves a level that is down alone although it makes the cluster panic, while the next can bear everything', () => {
    const all = leveled(['0', 10, 0], ['1', 3, 3])
    assert.deepEqual(spread(make(), all, all), { 1: 100 })
  })

  test('leaves ejected endpoints alone in a panic in which the levels together can bear everything', () => {
    const all = leveled(['0', 10, 4], ['1', 3, 2])
    const pick = make()(all, all)
    const picked = new Set(Array.from({ length: 2_000 }, () => pick(fakeCall())!))
    assert.deepEqual(new Set(available(all)), picked)
  })

  test('in a panic in which the levels cannot bear everything, uses all endpoints of each', () => {
    const all = leveled(['0', 10, 1], ['1', 10, 1])
    const pick = make()(all, all)
    assert.equal(new Set(Array.from({ length: 2_000 }, () => pick(fakeCall()))).size, 20)
    const dead = leveled(['0', 4, 0], ['1', 4, 0])
    assert.deepEqual(spread(make(), dead, dead), { 0: 100 })
  })

  test('a retry goes to the next level once the first has nothing untried', () => {
    const all = leveled(['0', 2, 2], ['1', 1, 1], ['2', 1, 1])
    const pick = make()(all)
    assert.equal(pick(fakeCall(all.slice(0, 1))), all[1])
    assert.equal(pick(fakeCall(all.slice(0, 2))), all[2])
    assert.equal(pick(fakeCall(all.slice(0, 3))), all[3])
  })

  test('an endpoint without a level is of the first, one whose level is no number of the last', () => {
    const all = leveled(['high', 1, 1], ['7', 1, 1], [undefined, 1, 1])
    const pick = make()(all)
    assert.equal(pick(fakeCall()), all[2])
    assert.equal(pick(fakeCall([all[2]!])), all[1])
    assert.equal(pick(fakeCall([all[2]!, all[1]!])), all[0])
    assert.equal(pick.explain?.(all[0]!), 'of the last level, which gets 0 % of the traffic')
  })

  test('levels may be names in an order', () => {
    const all = leveled(['backup', 2, 2], ['main', 2, 2], ['other', 2, 2])
    const balancer = make({ order: ['main', 'backup'] })
    assert.deepEqual(spread(balancer, all, all), { main: 100 })
    const left = all.filter((endpoint) => endpoint.metadata['priority'] !== 'main')
    assert.deepEqual(spread(balancer, left, left), { backup: 100 })
    assert.equal(balancer(all).explain?.(all[0]!), "of level 'backup', which gets 0 % of the traffic")
  })

  test('holds others that hold others', () => {
    const all = leveled(['0', 3, 3], ['1', 3, 3])
    const balancer = make({ of: { type: 'zone-aware', zone: 'a', of: { type: 'round-robin' } } })
    assert.equal(balancer(all).explain?.(all[0]!), "of level 0, which gets 100 % of the traffic; in zone ''; zones are left aside, since only 3 can be picked")
  })
})
