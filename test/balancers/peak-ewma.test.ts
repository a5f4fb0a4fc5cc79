import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { peakEwma } from '../../src/balancers/peak-ewma.ts'
import { aBalancer, fakeCall, fakeEndpoints, fakeRuntime, seededRandom } from '../../src/testing/index.ts'
import { shares } from './support.ts'

aBalancer(peakEwma)

const make = (decay = 10_000) => {
  const runtime = fakeRuntime(seededRandom(5))
  return { balancer: peakEwma.make({ decay, penalty: 1_000 }, runtime), clock: runtime.clock }
}

describe('peak-ewma', () => {
  test('prefers the faster of two', () => {
    const { balancer, clock } = make()
    const endpoints = fakeEndpoints(2)
    endpoints[0]!.latency.observe(100, clock.now())
    endpoints[1]!.latency.observe(10, clock.now())
    assert.deepEqual(shares(balancer, endpoints, 100), [0, 100])
  })

  test('weighs latency against what is under way: ten times faster bears ten times as much', () => {
    const { balancer, clock } = make()
    const endpoints = fakeEndpoints(2)
    endpoints[0]!.latency.observe(100, clock.now())
    endpoints[1]!.latency.observe(10, clock.now())
    shares(balancer, endpoints, 110, (picked) => { picked.active++ })
    assert.ok(Math.abs(endpoints[1]!.active - 100) <= 1, `${endpoints[1]!.active} of 110`)
  })

  test('tries an endpoint it knows nothing of, by one attempt at a time', () => {
    const { balancer, clock } = make()
    const endpoints = fakeEndpoints(3)
    for (const endpoint of endpoints.slice(1)) endpoint.latency.observe(10, clock.now())
    const pick = balancer(endpoints)
    const picked: unknown[] = []
    for (let turn = 0; turn < 50; turn++) {
      const endpoint = pick(fakeCall())!
      endpoint.active++
      picked.push(endpoint)
    }
    assert.equal(picked.filter((endpoint) => endpoint === endpoints[0]).length, 1)
  })

  test('when nothing is known, each gets one attempt, then the least busy', () => {
    const { balancer } = make()
    const endpoints = fakeEndpoints(2)
    shares(balancer, endpoints, 20, (picked) => { picked.active++ })
    assert.deepEqual(endpoints.map(({ active }) => active), [10, 10])
  })

  test('comes back to a slow endpoint as its evidence fades, the sooner the shorter the decay', async () => {
    // 100 ms have faded to 10 ms after 2.3 times the decay.
    for (const decay of [10_000, 1_000]) {
      const { balancer, clock } = make(decay)
      const endpoints = fakeEndpoints(2)
      const pick = balancer(endpoints)
      endpoints[0]!.latency.observe(100, clock.now())
      const steady = () => endpoints[1]!.latency.observe(10, clock.now())
      steady()
      await clock.advance(2.2 * decay)
      steady()
      assert.equal(pick(fakeCall()), endpoints[1])
      await clock.advance(0.2 * decay)
      steady()
      assert.equal(pick(fakeCall()), endpoints[0])
    }
  })

  test('sets the decay on the endpoints it is prepared for', () => {
    const endpoints = fakeEndpoints(2)
    make(1_234).balancer(endpoints)
    assert.deepEqual(endpoints.map(({ latency }) => latency.decay), [1_234, 1_234])
  })

  test('draws by weight among equals', () => {
    const { balancer, clock } = make()
    const endpoints = fakeEndpoints(2, [1, 3])
    for (const endpoint of endpoints) endpoint.latency.observe(10, clock.now())
    const [light] = shares(balancer, endpoints, 4_000)
    assert.ok(Math.abs(light! - 1_000) < 120, `${light} of 4 000`)
  })

  test('refuses a decay of nothing', () => {
    assert.ok(!peakEwma.config.safeParse({ decay: 0 }).success)
    assert.equal(peakEwma.config.parse({}).decay, 10_000)
  })
})
