import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Balancer } from '../../src/balancers/balancer.ts'
import { balancers } from '../../src/balancers/index.ts'
import { loadBound } from '../../src/balancers/load-bound.ts'
import { maglev } from '../../src/balancers/maglev.ts'
import { ringHash } from '../../src/balancers/ring-hash.ts'
import { Call } from '../../src/core/call.ts'
import { Endpoint } from '../../src/core/endpoint.ts'
import { hashAgain, hashOf } from '../../src/core/hash.ts'
import { aBalancer, aRequest, fakeCall, FakeClock, fakeEndpoints, fakeRuntime, seededRandom } from '../../src/testing/index.ts'

const types = ['ring-hash', 'maglev'] as const

for (const kind of [ringHash, maglev]) {
  aBalancer(kind)
  aBalancer(kind, { maxLoad: 1.25 })
}

const make = (type: typeof types[number], options: object = {}): Balancer =>
  balancers.make(balancers.schema.parse({ type, ...options }), fakeRuntime(seededRandom(5)))

const keys = Array.from({ length: 20_000 }, (_, index) => `user-${index}`)

/** Where each key goes. */
const places = (balancer: Balancer, endpoints: readonly Endpoint[]): readonly Endpoint[] => {
  const pick = balancer(endpoints)
  return keys.map((key) => pick(fakeCall([], key))!)
}

/** How many keys went to each. */
const tally = (picked: readonly Endpoint[], endpoints: readonly Endpoint[]): number[] => {
  const counts = new Map(endpoints.map((endpoint) => [endpoint, 0]))
  for (const endpoint of picked) counts.set(endpoint, counts.get(endpoint)! + 1)
  return [...counts.values()]
}

/** Part of the keys that moved. */
const moved = (before: readonly Endpoint[], after: readonly Endpoint[], counts: (was: Endpoint) => boolean = () => true): number =>
  before.filter((was, index) => counts(was) && was !== after[index]).length / before.length

for (const type of types) {
  describe(type, () => {
    test('sends a key to one endpoint, whoever asks and in whatever order the endpoints are listed', () => {
      const endpoints = fakeEndpoints(20)
      const there = places(make(type), endpoints)
      assert.deepEqual(places(make(type), [...endpoints].reverse()), there)
    })

    test('spreads keys evenly', () => {
      const endpoints = fakeEndpoints(10)
      const tolerance = type === 'maglev' ? 150 : 500
      for (const count of tally(places(make(type), endpoints), endpoints)) assert.ok(Math.abs(count - 2_000) < tolerance, `${count} is far from 2 000`)
    })

    test('spreads keys by weight', () => {
      const endpoints = fakeEndpoints(3, [1, 3, 6])
      const tolerance = type === 'maglev' ? 300 : 1_300
      for (const [index, count] of tally(places(make(type), endpoints), endpoints).entries()) {
        assert.ok(Math.abs(count - [2_000, 6_000, 12_000][index]!) < tolerance, `${count} for weight ${endpoints[index]!.weight}`)
      }
    })

    test('an endpoint that goes moves its keys to all the others', () => {
      const endpoints = fakeEndpoints(10)
      const [gone, ...left] = endpoints
      const before = places(make(type), endpoints)
      const after = places(make(type), left)
      const heirs = tally(after.filter((_, index) => before[index] === gone), left)
      for (const count of heirs) assert.ok(count > 100, `one of the others gets ${count} of 2 000`)
      // A ring moves those alone; Maglev moves about as many again.
      const others = moved(before, after, (was) => was !== gone)
      assert.ok(type === 'ring-hash' ? others === 0 : others < 0.15, `${others} of the keys moved without need`)
    })

    test('an endpoint that comes takes its share from all', () => {
      const endpoints = fakeEndpoints(11)
      const before = places(make(type), endpoints.slice(0, 10))
      const after = places(make(type), endpoints)
      const part = moved(before, after)
      assert.ok(part > 0.06 && part < (type === 'ring-hash' ? 0.13 : 0.25), `${part} of the keys moved`)
      const toOthers = after.filter((now, index) => now !== before[index] && now !== endpoints[10]).length / keys.length
      assert.ok(type === 'ring-hash' ? toOthers === 0 : toOthers < 0.15, `${toOthers} of the keys moved without need`)
    })

    test('a second attempt of a key has an endpoint of its own, and keys of one endpoint have different ones', () => {
      const endpoints = fakeEndpoints(10)
      const pick = make(type)(endpoints)
      const second = (key: string): Endpoint => pick(fakeCall([pick(fakeCall([], key))!], key))!
      const seconds = new Set<Endpoint>()
      for (const key of keys.slice(0, 500)) {
        if (pick(fakeCall([], key)) !== endpoints[0]) continue
        assert.equal(second(key), second(key))
        seconds.add(second(key))
      }
      assert.ok(seconds.size >= 8, `all go to ${seconds.size}`)
    })

    test('a call without a key is drawn', () => {
      const endpoints = fakeEndpoints(4)
      const pick = make(type, { key: { cookie: 'session' } })(endpoints)
      const call = new Call(aRequest({ headers: ['cookie', 'other=1; session='] }), new FakeClock())
      const seen = new Set(Array.from({ length: 200 }, () => pick(call)))
      assert.equal(seen.size, 4)
    })

    for (const [name, key, fields] of [
      ['a header', { header: 'X-User' }, (user: string) => ({ headers: ['x-user', user] })],
      ['a cookie', { cookie: 'session' }, (user: string) => ({ headers: ['Cookie', `theme=dark; session=${user}`] })],
      ['a parameter of the query', { query: 'user' }, (user: string) => ({ path: `/?a=1&user=${encodeURIComponent(user)}` })],
      ['the path', { path: true }, (user: string) => ({ path: `/${user}?at=${Math.floor(user.length)}` })],
      ['the first of several parts', [{ header: 'x-tenant' }, { cookie: 'session' }], (user: string) => ({ headers: ['cookie', `session=${user}`] })],
    ] as const) {
      test(`goes by ${name}`, () => {
        const endpoints = fakeEndpoints(10)
        const pick = make(type, { key })(endpoints)
        const call = (user: string): Call => new Call(aRequest(fields(user)), new FakeClock())
        const seen = new Set<Endpoint>()
        for (const user of keys.slice(0, 100)) {
          const picked = pick(call(user))!
          seen.add(picked)
          assert.equal(pick(call(user)), picked)
        }
        assert.equal(seen.size, 10)
      })
    }

    test("a call's own key goes before what is configured", () => {
      const endpoints = fakeEndpoints(10)
      const pick = make(type, { key: { header: 'x-user' } })(endpoints)
      const call = (user: string): Call => new Call(aRequest({ headers: ['x-user', user] }), new FakeClock(), { hashKey: 'mine' })
      assert.equal(new Set(keys.slice(0, 50).map((user) => pick(call(user)))).size, 1)
    })

    test('a key that a layer sets on a call counts too', () => {
      const endpoints = fakeEndpoints(10)
      const pick = make(type)(endpoints)
      const call = fakeCall([], 'from the caller')
      call.hashKey = 'from a layer'
      assert.equal(pick(call), pick(fakeCall([], 'from a layer')))
    })

    test('with a bound, no endpoint bears more than its part of the mean, however popular a key is', () => {
      const endpoints = fakeEndpoints(10, [1, 1, 1, 1, 1, 1, 1, 1, 1, 3])
      const pick = make(type, { maxLoad: 1.25 })(endpoints)
      const call = fakeCall([], 'the one that everybody asks for')
      for (let turn = 0; turn < 1_200; turn++) pick(call)!.active++
      for (const { active, weight } of endpoints) assert.ok(active <= weight * 127, `${active} for weight ${weight}, where the mean is 100`)
    })

    test('with a bound, a key comes home once its endpoint has room again', () => {
      const endpoints = fakeEndpoints(5)
      const pick = make(type, { maxLoad: 1.25 })(endpoints)
      const call = fakeCall([], 'somebody')
      const home = pick(call)!
      home.active = 10
      const away = pick(call)!
      assert.notEqual(away, home)
      assert.equal(pick(call), away)
      home.active = 0
      assert.equal(pick(call), home)
    })

    test('with a bound, those that are full are better than one that was tried', () => {
      const endpoints = fakeEndpoints(3)
      const pick = make(type, { maxLoad: 1 })(endpoints)
      for (const endpoint of endpoints.slice(1)) endpoint.active = 1_000
      for (const key of keys.slice(0, 50)) assert.notEqual(pick(fakeCall([endpoints[0]!], key)), endpoints[0])
    })

    test('refuses a key of no part, of two, or of none at all', () => {
      for (const key of [{}, { header: 'a', cookie: 'b' }, [], { header: 'a b' }, { path: false }, { cookie: '' }]) {
        assert.ok(!balancers.schema.safeParse({ type, key }).success, JSON.stringify(key))
      }
      assert.ok(!balancers.schema.safeParse({ type, maxLoad: 0.9 }).success)
    })

    test('ten thousand endpoints all get their share', () => {
      const endpoints = fakeEndpoints(10_000)
      const pick = make(type)(endpoints)
      const counts = new Map<Endpoint, number>()
      for (let turn = 0; turn < 200_000; turn++) {
        const picked = pick(fakeCall([], `key ${turn}`))!
        counts.set(picked, (counts.get(picked) ?? 0) + 1)
      }
      assert.ok(counts.size > 9_990, `${counts.size} of them are reached`)
      const most = Math.max(...counts.values())
      assert.ok(most < 60, `one gets ${most} of 20`)
    })
  })
}

describe('the ring', () => {
  test('leaves keys where they are when the weight of one endpoint changes, but for what that one gains', () => {
    const endpoints = fakeEndpoints(10)
    const before = places(make('ring-hash'), endpoints)
    endpoints[3]!.weight = 2
    const after = places(make('ring-hash'), endpoints)
    const toOthers = before.filter((was, index) => was !== after[index] && after[index] !== endpoints[3]).length
    assert.ok(toOthers / keys.length < 0.1, `${toOthers} keys moved between others`)
  })

  test('gives a key to the next point, and beyond the last to the first', () => {
    const endpoints = fakeEndpoints(5)
    const points = endpoints.map((endpoint) => ({ endpoint, at: hashAgain(hashOf(endpoint.id), 0) })).sort((one, other) => one.at - other.at)
    const expected = keys.map((key) => (points.find(({ at }) => at >= hashOf(key)) ?? points[0]!).endpoint)
    assert.equal(places(make('ring-hash', { points: 1 }), endpoints).findIndex((endpoint, index) => endpoint !== expected[index]), -1)
    assert.ok(keys.some((key) => hashOf(key) > points.at(-1)!.at))
  })

  test('differs for two endpoints whose ids have the same hash', () => {
    // Known to collide under FNV-1a in 32 bits.
    assert.equal(hashOf('costarring'), hashOf('liquid'))
    const endpoints = ['costarring', 'liquid'].map((id) => new Endpoint({ id, address: '10.0.0.1:80' }))
    for (const count of tally(places(make('ring-hash'), endpoints), endpoints)) assert.ok(count > 7_000, `${count} of 20 000`)
  })
})

describe('the table of Maglev', () => {
  test('refuses a size that is not prime', () => {
    assert.ok(!maglev.config.safeParse({ tableSize: 65_536 }).success)
    assert.ok(maglev.config.safeParse({ tableSize: 655_373 }).success)
  })

  test('grows for a set that it could not hold', () => {
    const endpoints = fakeEndpoints(50)
    assert.equal(new Set(places(make('maglev', { tableSize: 7 }), endpoints)).size, 50)
  })

  test('is even to within one slot', () => {
    const endpoints = fakeEndpoints(3)
    const counts = tally(places(make('maglev', { tableSize: 7 }), endpoints), endpoints)
    for (const count of counts) assert.ok([2, 3].includes(Math.round(count * 7 / keys.length)), String(counts))
  })
})

describe('the bound', () => {
  test('is the factor times the mean with the attempt to come, rounded up', () => {
    const endpoints = fakeEndpoints(8)
    for (const endpoint of endpoints) endpoint.active = 8
    // 65 attempts on 8 endpoints, times 1.25: 10.2, so 11 may be there.
    const bound = loadBound(endpoints, 1.25)
    endpoints[0]!.active = 10
    assert.ok(!bound.isFull(endpoints[0]!))
    endpoints[0]!.active = 11
    assert.ok(bound.isFull(endpoints[0]!))
  })

  test('follows load in sets of any size as it changes', () => {
    const endpoints = fakeEndpoints(100)
    const bound = loadBound(endpoints, 1.25)
    assert.ok(!bound.isFull(endpoints[0]!))
    endpoints[0]!.active = 2
    assert.ok(bound.isFull(endpoints[0]!))
    for (const endpoint of endpoints) endpoint.active = 8
    for (let turn = 0; turn < 100 / 8 + 1; turn++) bound.look()
    assert.ok(!bound.isFull(endpoints[0]!))
    endpoints[0]!.active = 11
    assert.ok(bound.isFull(endpoints[0]!))
  })
})

for (const type of types) {
  test(`${type} says where the key of a request leads, and repeats none`, () => {
    const endpoints = fakeEndpoints(5)
    const pick = make(type, { key: [{ cookie: 'session' }, { header: 'x-user' }] })(endpoints)
    for (const headers of [['x-user', 'ada'], ['cookie', 'session=ben; x=1'], ['x-user', 'cleo']]) {
      const request = aRequest({ headers })
      const said = endpoints.map((endpoint) => pick.explain?.(endpoint, request))
      const place = endpoints.indexOf(pick(new Call(request, new FakeClock()))!)
      assert.deepEqual(said, endpoints.map((_, at) => `the request's key leads ${at === place ? 'here' : 'elsewhere'}`))
    }
    assert.equal(pick.explain?.(endpoints[0]!, aRequest()), 'the request has no key, so chance decides unless the call has a `hashKey`')
    assert.equal(pick.explain?.(endpoints[0]!), undefined)
  })
}
