import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { leastRequest } from '../../src/balancers/least-request.ts'
import type { Endpoint } from '../../src/core/endpoint.ts'
import { aBalancer, fakeCall, fakeEndpoints, fakeRuntime, scriptedRandom, seededRandom } from '../../src/testing/index.ts'
import { shares } from './support.ts'

aBalancer(leastRequest)
aBalancer(leastRequest, { choices: 5 })

const balancer = (choices = 2, random = seededRandom(5)) => leastRequest.make({ choices }, fakeRuntime(random))

describe('least-request', () => {
  test('of two drawn it takes the one with fewer attempts under way', () => {
    const endpoints = fakeEndpoints(2)
    const pick = balancer()(endpoints)
    endpoints[0]!.active = 1
    for (let turn = 0; turn < 100; turn++) assert.equal(pick(fakeCall()), endpoints[1])
  })

  test('never draws one twice: the busiest of all is never picked', () => {
    const endpoints = fakeEndpoints(10)
    endpoints[4]!.active = 1
    const counts = shares(balancer(), endpoints, 5_000)
    assert.equal(counts[4], 0)
    for (const [index, count] of counts.entries()) if (index !== 4) assert.ok(Math.abs(count - 5_000 / 9) < 100)
  })

  test('draws all, as often as one another, whatever the chance', () => {
    for (const number of [0, 0.5, 0.999_999]) {
      const endpoints = fakeEndpoints(4)
      assert.ok(endpoints.includes(balancer(4, scriptedRandom(number))(endpoints)(fakeCall())!))
    }
  })

  test('with as many choices as endpoints it finds the least busy', () => {
    const endpoints = fakeEndpoints(5)
    for (const [index, endpoint] of endpoints.entries()) endpoint.active = 5 - index
    const pick = balancer(10)(endpoints)
    for (let turn = 0; turn < 100; turn++) assert.equal(pick(fakeCall()), endpoints[4])
  })

  test('keeps the busiest near the mean where random would not', () => {
    const endpoints = fakeEndpoints(100)
    shares(balancer(), endpoints, 1_000, (picked) => { picked.active++ })
    const most = Math.max(...endpoints.map(({ active }) => active))
    assert.ok(most <= 13, `the busiest has ${most} where the mean is 10`)
  })

  const idle = (endpoints: Endpoint[]) => shares(balancer(), endpoints, 9_000)

  test('gives each its weight while all are idle, and while all are busy', () => {
    for (const [index, count] of idle(fakeEndpoints(3, [1, 2, 6])).entries()) {
      assert.ok(Math.abs(count - [1_000, 2_000, 6_000][index]!) < 250)
    }
    const endpoints = fakeEndpoints(3, [1, 2, 6])
    shares(balancer(), endpoints, 9_000, (picked) => { picked.active++ })
    for (const { active, weight } of endpoints) assert.ok(Math.abs(active - weight * 1_000) < 50, `${active} for weight ${weight}`)
  })
})
