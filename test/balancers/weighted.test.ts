import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { weighted, weightUnderLoad } from '../../src/balancers/weighted.ts'
import { aBalancer, fakeCall, fakeEndpoints, fakeRuntime, scriptedRandom, seededRandom } from '../../src/testing/index.ts'
import { shares } from './support.ts'

aBalancer(weighted)
aBalancer(weighted, { bias: 1 })

const balancer = (bias = 0, random = seededRandom(1)) => weighted.make({ bias }, fakeRuntime(random))

describe('weighted', () => {
  test("divides a weight by load as Envoy's example does: weight 2 with 4 attempts under way is 0.4", () => {
    const [endpoint] = fakeEndpoints(1, [2])
    endpoint!.active = 4
    assert.equal(weightUnderLoad(endpoint!, 1), 0.4)
    assert.equal(weightUnderLoad(endpoint!, 0), 2)
    assert.equal(weightUnderLoad(endpoint!, 2), 0.08)
  })

  test('gives each its weight, never off by more than a turn', () => {
    const endpoints = fakeEndpoints(3, [1, 2, 5])
    for (const turns of [8, 80, 800]) {
      for (const [index, count] of shares(balancer(), endpoints, turns).entries()) {
        assert.ok(Math.abs(count - turns * endpoints[index]!.weight / 8) <= 1.01, `${count} of ${turns} for weight ${endpoints[index]!.weight}`)
      }
    }
  })

  test('spreads the turns of the heaviest', () => {
    const endpoints = fakeEndpoints(3, [1, 1, 2])
    const pick = balancer(0, scriptedRandom(0.4, 0.45, 0))(endpoints)
    assert.deepEqual(Array.from({ length: 8 }, () => endpoints.indexOf(pick(fakeCall())!)), [2, 0, 1, 2, 2, 0, 1, 2].slice(0, 8))
  })

  test('weights may be far apart', () => {
    const counts = shares(balancer(), fakeEndpoints(3, [0.001, 0.25, 1]), 12_510)
    assert.ok(Math.abs(counts[0]! - 10) <= 1 && Math.abs(counts[1]! - 2_500) <= 2 && Math.abs(counts[2]! - 10_000) <= 2, String(counts))
  })

  test('many clients begin anywhere', () => {
    const endpoints = fakeEndpoints(4)
    const make = balancer()
    const first = Array.from({ length: 400 }, () => endpoints.indexOf(make(endpoints)(fakeCall())!))
    for (const place of [0, 1, 2, 3]) assert.ok(Math.abs(first.filter((one) => one === place).length - 100) < 30)
  })

  test('with a bias, load takes from the share', () => {
    const endpoints = fakeEndpoints(2)
    endpoints[0]!.active = 9
    const ratio = (bias: number): number => {
      const [busy, idle] = shares(balancer(bias), endpoints, 10_100)
      return idle! / busy!
    }
    assert.ok(Math.abs(ratio(0) - 1) < 0.01)
    assert.ok(Math.abs(ratio(1) - 10) < 0.1)
    assert.ok(Math.abs(ratio(2) - 100) < 5)
  })
})
