import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { random } from '../../src/balancers/random.ts'
import { aBalancer, fakeCall, fakeEndpoints, fakeRuntime, scriptedRandom, seededRandom } from '../../src/testing/index.ts'
import { shares } from './support.ts'

aBalancer(random)

const near = (counts: number[], expected: number[], tolerance: number): void => {
  for (const [index, count] of counts.entries()) assert.ok(Math.abs(count - expected[index]!) < tolerance, `${counts} is not near ${expected}`)
}

describe('random', () => {
  const balancer = random.make({}, fakeRuntime(seededRandom(5)))

  test('spreads evenly', () => near(shares(balancer, fakeEndpoints(5), 10_000), Array<number>(5).fill(2_000), 160))

  test('spreads by weight', () => near(shares(balancer, fakeEndpoints(4, [1, 2, 3, 4]), 10_000), [1_000, 2_000, 3_000, 4_000], 200))

  for (const weights of [[1, 1, 2], [5, 1, 1, 1], [1, 2, 3, 4, 5, 6], [0.001, 1, 1], [1e6, 1], [0.1, 0.2, 0.3]]) {
    test(`draws by weight exactly: ${String(weights)}`, () => {
      const endpoints = fakeEndpoints(weights.length, weights)
      const points = 200_000
      let turn = 0
      const counts = shares(random.make({}, fakeRuntime(() => (turn++ % points) / points)), endpoints, points)
      const total = weights.reduce((sum, weight) => sum + weight)
      near(counts, weights.map((weight) => points * weight / total), weights.length + 1)
    })
  }

  test('draws by weight at the edges of chance', () => {
    const endpoints = fakeEndpoints(3, [1, 1, 2])
    for (const number of [0, 0.999_999_999, 1 - 2 ** -53]) {
      assert.ok(endpoints.includes(random.make({}, fakeRuntime(scriptedRandom(number)))(endpoints)(fakeCall())!))
    }
  })

  test('a second attempt spreads evenly over the others', () => {
    const endpoints = fakeEndpoints(4)
    const pick = balancer(endpoints)
    const counts = [0, 0, 0, 0]
    const call = fakeCall([endpoints[1]!])
    for (let turn = 0; turn < 9_000; turn++) counts[endpoints.indexOf(pick(call)!)]!++
    near(counts, [3_000, 0, 3_000, 3_000], 200)
  })
})
