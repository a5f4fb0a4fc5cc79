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

  test('draws by weight at the edges', () => {
    const endpoints = fakeEndpoints(3, [1, 1, 2])
    const at = (number: number) => endpoints.indexOf(random.make({}, fakeRuntime(scriptedRandom(number)))(endpoints)(fakeCall())!)
    assert.deepEqual([0, 0.249_999, 0.25, 0.499_999, 0.5, 0.999_999].map(at), [0, 0, 1, 1, 2, 2])
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
