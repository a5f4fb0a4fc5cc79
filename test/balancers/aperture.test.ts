import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { aperture, sliceOf } from '../../src/balancers/aperture.ts'
import type { Balancer } from '../../src/balancers/balancer.ts'
import { balancers } from '../../src/balancers/index.ts'
import type { Endpoint } from '../../src/core/endpoint.ts'
import { aBalancer, fakeCall, fakeEndpoints, fakeRuntime, seededRandom } from '../../src/testing/index.ts'
import { shares } from './support.ts'

aBalancer(aperture)
aBalancer(aperture, { peer: { index: 2, count: 5 }, of: { type: 'round-robin' } })

const make = (options: object = {}, seed = 1): Balancer =>
  balancers.make(balancers.schema.parse({ type: 'aperture', of: { type: 'random' }, ...options } as never), fakeRuntime(seededRandom(seed)))

/** The endpoints that a client picks, by 400 picks. */
const used = (balancer: Balancer, endpoints: readonly Endpoint[]): Set<Endpoint> => {
  const pick = balancer(endpoints)
  return new Set(Array.from({ length: 400 }, () => pick(fakeCall())!))
}

const peers = (count: number) => Array.from({ length: count }, (_, index) => ({ index, count }))

describe('the slice of a peer', () => {
  test('begins at its place and is whole parts of the ring long', () => {
    // 12 of 100 endpoints, 10 peers: N = ceil(12 / 100 × 10) = 2 parts of a tenth.
    assert.deepEqual(sliceOf({ index: 3, count: 10 }, 12, 100), { begin: 0.3, width: 0.2 })
    // More peers than endpoints: N = ceil(12 / 100 × 1 000) = 120 parts of a thousandth, exactly 12 endpoints.
    assert.deepEqual(sliceOf({ index: 0, count: 1_000 }, 12, 100), { begin: 0, width: 0.12 })
    assert.deepEqual(sliceOf({ index: 1, count: 2 }, 12, 100), { begin: 0.5, width: 0.5 })
    assert.deepEqual(sliceOf({ index: 2, count: 3 }, 12, 7), { begin: 2 / 3, width: 1 })
  })
})

describe('aperture', () => {
  test('uses a set of no more than its size as a whole', () => {
    const endpoints = fakeEndpoints(12)
    assert.equal(used(make(), endpoints).size, 12)
  })

  test('keeps to as many endpoints as it is large, the same ones until they change', () => {
    const endpoints = fakeEndpoints(1_000)
    const balancer = make({ size: 20 })
    const before = used(balancer, endpoints)
    assert.equal(before.size, 20)
    assert.deepEqual(used(balancer, [...endpoints].reverse()), before)
  })

  test('one endpoint that goes or comes changes one of them at most', () => {
    const endpoints = fakeEndpoints(100)
    const balancer = make({ size: 20 })
    const before = used(balancer, endpoints)
    for (const gone of [...before].slice(0, 3)) {
      const after = used(balancer, endpoints.filter((endpoint) => endpoint !== gone))
      assert.equal([...after].filter((endpoint) => !before.has(endpoint)).length, 1)
      assert.equal([...before].filter((endpoint) => !after.has(endpoint)).length, 1)
    }
    const outside = endpoints.find((endpoint) => !before.has(endpoint))!
    assert.deepEqual(used(balancer, endpoints.filter((endpoint) => endpoint !== outside)), before)
  })

  test('a thousand clients of a thousand endpoints hold twenty connections each, and every endpoint has some', () => {
    const endpoints = fakeEndpoints(1_000)
    const clients = new Map(endpoints.map((endpoint) => [endpoint, 0]))
    for (let client = 0; client < 1_000; client++) {
      const pick = make({ size: 20, of: { type: 'round-robin' } }, client)(endpoints)
      for (const endpoint of new Set(Array.from({ length: 20 }, () => pick(fakeCall())!))) clients.set(endpoint, clients.get(endpoint)! + 1)
    }
    const counts = [...clients.values()]
    assert.equal(counts.reduce((sum, count) => sum + count), 20_000)
    // Binomial: a mean of 20 with a deviation of 4.4.
    assert.ok(Math.min(...counts) >= 4 && Math.max(...counts) <= 42, `from ${Math.min(...counts)} to ${Math.max(...counts)}`)
  })

  for (const [count, size] of [[10, 100], [7, 30], [50, 20], [3, 40]] as const) {
    test(`${count} peers that know their places load ${size} endpoints evenly`, () => {
      const endpoints = fakeEndpoints(size)
      const load = new Array<number>(size).fill(0)
      for (const peer of peers(count)) {
        for (const [index, picks] of shares(make({ peer }, peer.index), endpoints, 20_000).entries()) load[index]! += picks
      }
      const mean = count * 20_000 / size
      for (const picks of load) assert.ok(Math.abs(picks - mean) < 0.12 * mean, `${picks} of ${mean}`)
    })
  }

  test('peers that know their places keep to few endpoints', () => {
    const endpoints = fakeEndpoints(1_000)
    for (const peer of peers(100).slice(0, 5)) assert.ok(used(make({ peer }), endpoints).size <= 21)
  })

  test('what a peer has ejected moves its slice not at all', () => {
    const endpoints = fakeEndpoints(100)
    const balancer = make({ peer: { index: 7, count: 20 } })
    const before = used(balancer, endpoints)
    const [ejected] = before
    const left = endpoints.filter((endpoint) => endpoint !== ejected)
    const pick = balancer(left, endpoints)
    const after = new Set(Array.from({ length: 400 }, () => pick(fakeCall())!))
    assert.deepEqual(after, new Set([...before].filter((endpoint) => endpoint !== ejected)))
  })

  test('a peer whose slice is ejected as a whole goes outside', () => {
    const endpoints = fakeEndpoints(100)
    const balancer = make({ peer: { index: 7, count: 20 } })
    const before = used(balancer, endpoints)
    const pick = balancer(endpoints.filter((endpoint) => !before.has(endpoint)), endpoints)
    assert.ok(!before.has(pick(fakeCall())!))
  })

  test('a heavy endpoint takes a heavy part of the ring', () => {
    const endpoints = fakeEndpoints(30, Array.from({ length: 30 }, (_, index) => index === 0 ? 10 : 1))
    let heavy = 0
    for (const peer of peers(10)) heavy += shares(make({ peer }, peer.index), endpoints, 10_000)[0]!
    assert.ok(Math.abs(heavy / 100_000 - 10 / 39) < 0.04, `${heavy / 100_000}`)
  })

  test('a call that has tried all of it goes outside', () => {
    const endpoints = fakeEndpoints(10)
    for (const options of [{ size: 2 }, { size: 2, peer: { index: 1, count: 5 } }]) {
      const pick = make(options)(endpoints)
      const tried: Endpoint[] = []
      while (tried.length < 10) {
        const next = pick(fakeCall(tried))!
        assert.ok(!tried.includes(next))
        tried.push(next)
      }
    }
  })

  test('says who is inside', () => {
    const endpoints = fakeEndpoints(5)
    const { explain } = make({ size: 2 })(endpoints)
    const said = endpoints.map((endpoint) => explain?.(endpoint))
    assert.equal(said.filter((text) => text === 'inside the aperture of 2').length, 2)
    assert.equal(said.filter((text) => text === 'outside the aperture of 2').length, 3)
  })

  test('refuses a place that is not there', () => {
    for (const peer of [{ index: 5, count: 5 }, { index: -1, count: 5 }, { index: 0, count: 0 }, { index: 1.5, count: 5 }]) {
      assert.ok(!balancers.schema.safeParse({ type: 'aperture', peer }).success)
    }
  })
})
