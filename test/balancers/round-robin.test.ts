import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { roundRobin } from '../../src/balancers/round-robin.ts'
import { aBalancer, fakeCall, fakeEndpoints, fakeRuntime, scriptedRandom, seededRandom } from '../../src/testing/index.ts'
import { shares } from './support.ts'

aBalancer(roundRobin)

const balancer = (random = seededRandom(1)) => roundRobin.make({}, fakeRuntime(random))

describe('round-robin', () => {
  test('takes each in turn, from a random one on', () => {
    const endpoints = fakeEndpoints(4)
    const pick = balancer(scriptedRandom(0.5))(endpoints)
    assert.deepEqual(Array.from({ length: 6 }, () => endpoints.indexOf(pick(fakeCall())!)), [2, 3, 0, 1, 2, 3])
  })

  test('many clients begin everywhere', () => {
    const endpoints = fakeEndpoints(4)
    const make = balancer()
    const first = Array.from({ length: 400 }, () => endpoints.indexOf(make(endpoints)(fakeCall())!))
    for (const place of [0, 1, 2, 3]) assert.ok(Math.abs(first.filter((one) => one === place).length - 100) < 30)
  })

  test('is exact: no endpoint is ever more than one turn ahead', () => {
    assert.deepEqual(shares(balancer(), fakeEndpoints(7), 7_000), Array(7).fill(1_000))
  })

  test('gives each its weight, exactly in the long run and evenly in the short', () => {
    const endpoints = fakeEndpoints(3, [1, 2, 5])
    assert.deepEqual(shares(balancer(), endpoints, 800), [100, 200, 500])
    for (const count of shares(balancer(), endpoints, 16)) assert.ok(count >= 1)
    for (const [index, count] of shares(balancer(), endpoints, 80).entries()) assert.ok(Math.abs(count - [10, 20, 50][index]!) <= 2)
  })

  test('weights may be fractions, and far apart', () => {
    const counts = shares(balancer(), fakeEndpoints(3, [0.001, 0.25, 1]), 12_510)
    assert.ok(Math.abs(counts[0]! - 10) <= 1 && Math.abs(counts[1]! - 2_500) <= 2 && Math.abs(counts[2]! - 10_000) <= 2, String(counts))
  })
})
