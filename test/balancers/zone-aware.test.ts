import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Balancer } from '../../src/balancers/balancer.ts'
import { balancers } from '../../src/balancers/index.ts'
import { zoneAware, zoneShares } from '../../src/balancers/zone-aware.ts'
import { Endpoint } from '../../src/core/endpoint.ts'
import { aBalancer, fakeCall, fakeRuntime, seededRandom } from '../../src/testing/index.ts'

aBalancer(zoneAware, { zone: 'a' })
aBalancer(zoneAware, { zone: 'a', minEndpoints: 1, of: { type: 'least-request' } })

const make = (options: object = {}): Balancer =>
  balancers.make(balancers.schema.parse({ type: 'zone-aware', zone: 'a', of: { type: 'random' }, ...options } as never), fakeRuntime(seededRandom(1)))

const zoned = (counts: Readonly<Record<string, number>>): Endpoint[] => Object.entries(counts).flatMap(([zone, count], place) =>
  Array.from({ length: count }, (_, index) => new Endpoint({ address: `10.0.${place}.${index + 1}:80`, metadata: { zone } })))

/** Percent of the picks by zone. */
const spread = (balancer: Balancer, endpoints: readonly Endpoint[]): Record<string, number> => {
  const pick = balancer(endpoints)
  const counts: Record<string, number> = {}
  for (let turn = 0; turn < 20_000; turn++) {
    const { zone } = pick(fakeCall())!.metadata
    counts[zone!] = (counts[zone!] ?? 0) + 1
  }
  return Object.fromEntries(Object.entries(counts).map(([zone, count]) => [zone, Math.round(count / 200)]))
}

const near = (counts: Record<string, number>, expected: Record<string, number>): void => {
  for (const [zone, percent] of Object.entries(expected)) {
    assert.ok(Math.abs((counts[zone] ?? 0) - percent) <= 2, `${JSON.stringify(counts)} is not near ${JSON.stringify(expected)}`)
  }
}

const shareOf = (zone: string, callers: Record<string, number>, capacities: Record<string, number>): Record<string, number> =>
  Object.fromEntries([...zoneShares(zone, new Map(Object.entries(callers)), new Map(Object.entries(capacities)))]
    .map(([name, share]) => [name, Math.round(share * 10_000) / 10_000]))

describe('the shares of zones', () => {
  test('everything stays where the zone bears its part of the callers', () => {
    assert.deepEqual(shareOf('a', { a: 1, b: 1 }, { a: 5, b: 5 }), { a: 1, b: 0 })
    assert.deepEqual(shareOf('a', { a: 1, b: 9 }, { a: 5, b: 5 }), { a: 1, b: 0 })
  })

  test('else the part stays that makes every endpoint equally busy, and the rest goes where there is room', () => {
    // L = 1/2, U = 1/4: half stays.
    assert.deepEqual(shareOf('a', { a: 1, b: 1 }, { a: 1, b: 3 }), { a: 0.5, b: 0.5 })
    // Room: b 0.5 - 0.25, c 0.375 - 0.25, d nothing.
    assert.deepEqual(shareOf('a', { a: 2, b: 2, c: 2, d: 2 }, { a: 0.5, b: 4, c: 3, d: 0.5 }), { a: 0.25, b: 0.5, c: 0.25, d: 0 })
  })

  test('all endpoints are equally busy in the end', () => {
    const callers = { a: 5, b: 3, c: 2 }
    const capacities = { a: 10, b: 20, c: 20 }
    const load: Record<string, number> = { a: 0, b: 0, c: 0 }
    for (const [zone, count] of Object.entries(callers)) {
      for (const [to, share] of Object.entries(shareOf(zone, callers, capacities))) load[to]! += count * share
    }
    assert.deepEqual(Object.entries(load).map(([zone, one]) => Math.round(1_000 * one / capacities[zone as 'a'])), [200, 200, 200])
  })

  test('nothing stays in a zone without endpoints', () => {
    assert.deepEqual(shareOf('a', { a: 1, b: 1, c: 1 }, { b: 1, c: 1 }), { b: 0.5, c: 0.5 })
  })
})

describe('zone-aware', () => {
  test('keeps to its zone', () => near(spread(make(), zoned({ a: 4, b: 4, c: 4 })), { a: 100 }))

  test('spills over by capacity where its zone has less than its part', () => {
    // A third of the callers, a sixth of the endpoints.
    near(spread(make(), zoned({ a: 2, b: 5, c: 5 })), { a: 50, b: 25, c: 25 })
  })

  test('goes by where callers run if that is said', () => {
    near(spread(make({ callers: { a: 1, b: 3, c: 2 } }), zoned({ a: 2, b: 6, c: 4 })), { a: 100 })
    near(spread(make({ callers: { a: 6, b: 3, c: 3 } }), zoned({ a: 3, b: 3, c: 6 })), { a: 50, c: 50 })
  })

  test('goes by weight', () => {
    const endpoints = zoned({ a: 4, b: 4 })
    for (const endpoint of endpoints.slice(0, 4)) endpoint.weight = 0.5
    near(spread(make(), endpoints), { a: 67, b: 33 })
  })

  test('leaves zones aside with few endpoints, and in a panic', () => {
    near(spread(make(), zoned({ a: 1, b: 4 })), { a: 20, b: 80 })
    const endpoints = zoned({ a: 4, b: 4 })
    endpoints[7]!.state = 'ejected'
    near(spread(make(), endpoints), { a: 50, b: 50 })
    assert.equal(make()(endpoints).explain?.(endpoints[7]!), "in zone 'b'; zones are left aside, since too few are available")
  })

  test('goes elsewhere where its zone has nothing', () => near(spread(make(), zoned({ b: 4, c: 4 })), { b: 50, c: 50 }))

  test('a retry stays in the zone while it has an untried endpoint, then leaves it', () => {
    const endpoints = zoned({ a: 3, b: 3 })
    const pick = make()(endpoints)
    assert.equal(pick(fakeCall(endpoints.slice(0, 2))), endpoints[2])
    assert.ok(endpoints.slice(3).includes(pick(fakeCall(endpoints.slice(0, 3)))!))
  })

  test('where the zone drawn has nothing untried, the own zone is next', () => {
    const endpoints = zoned({ c: 5, b: 5, a: 2 })
    const pick = make()(endpoints)
    const tried = endpoints.filter(({ metadata }) => metadata['zone'] === 'b')
    const near = Array.from({ length: 4_000 }, () => pick(fakeCall(tried))!).filter(({ metadata }) => metadata['zone'] === 'a').length
    // Its own half, and what would have gone to b.
    assert.ok(Math.abs(near - 3_000) < 150, `${near} of 4 000`)
  })

  test('says what each zone gets', () => {
    const endpoints = zoned({ a: 2, b: 5, c: 5 })
    const { explain } = make()(endpoints)
    assert.equal(explain?.(endpoints[0]!), "in zone 'a', which gets 50 % of the traffic from 'a'")
    assert.equal(explain?.(endpoints[2]!), "in zone 'b', which gets 25 % of the traffic from 'a'")
  })

  test('refuses callers without those of its own zone', () => {
    for (const callers of [{}, { b: 1 }, { a: 0, b: 1 }, { a: -1 }]) {
      assert.ok(!balancers.schema.safeParse({ type: 'zone-aware', zone: 'a', callers }).success, JSON.stringify(callers))
    }
    assert.ok(!balancers.schema.safeParse({ type: 'zone-aware', zone: 'constructor', callers: { b: 1 } }).success)
  })
})
