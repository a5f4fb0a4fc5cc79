import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { prequal } from '../../src/balancers/prequal.ts'
import type { Endpoint } from '../../src/core/endpoint.ts'
import { aBalancer, fakeCall, fakeEndpoints, fakeRuntime, seededRandom } from '../../src/testing/index.ts'
import { learns, shares, type Answer } from './support.ts'

aBalancer(prequal)
aBalancer(prequal, { choices: 16, pool: 0, quantile: 0 })

const make = (options: object = {}) => {
  const runtime = fakeRuntime(seededRandom(5))
  const { clock } = runtime
  const balancer = prequal.make(prequal.config.parse(options), runtime)
  const answers = (endpoint: Endpoint | undefined, answer: Answer): void => learns(balancer, endpoint!, clock, answer)
  const reports = (endpoint: Endpoint | undefined, rif: number, latency: number, ms = 10): void =>
    answers(endpoint, { ms, status: 200, headers: { 'endpoint-load-metrics': `TEXT named_metrics.rif=${rif},named_metrics.latency=${latency}` } })
  /** Endpoints that have reported, often enough that it is known what is hot. */
  const reporting = (loads: readonly (readonly [rif: number, latency: number])[]) => {
    const endpoints = fakeEndpoints(loads.length)
    const pick = balancer(endpoints)
    for (let round = 0; round < 20; round++) for (const [place, [rif, latency]] of loads.entries()) reports(endpoints[place], rif, latency)
    return { endpoints, picks: () => [...new Set(Array.from({ length: 100 }, () => endpoints.indexOf(pick(fakeCall())!)))] }
  }
  return { balancer, clock, answers, reports, reporting }
}

// All are compared, so what decides is the rule and not the draw.
const all = { choices: 16, pool: 0 }

describe('prequal', () => {
  test('takes the lowest latency among those that are not hot, however few requests the others have in flight', () => {
    const { reporting } = make(all)
    const { picks } = reporting([[1, 30], [2, 20], [9, 1], [2, 25], [1, 40]])
    assert.deepEqual(picks(), [1])
  })

  test('takes the fewest in flight when all are hot', () => {
    const { reporting } = make(all)
    const { endpoints, picks } = reporting([[2, 10], [2, 10], [2, 10]])
    for (const [place, active] of [5, 4, 6].entries()) endpoints[place]!.active = active
    assert.deepEqual(picks(), [1])
  })

  test('of those that are not hot, its own requests weigh, so that few of them spread', () => {
    const { balancer, reports } = make(all)
    const endpoints = fakeEndpoints(4)
    const pick = balancer(endpoints)
    // Three of our own are usual at each, so none of what follows is hot.
    for (const endpoint of endpoints) endpoint.active = 3
    for (let round = 0; round < 20; round++) for (const [place, endpoint] of endpoints.entries()) reports(endpoint, 3, [10, 11, 12, 30][place]!)
    for (const endpoint of endpoints) endpoint.active = 0
    const counts = [0, 0, 0, 0]
    for (let call = 0; call < 6; call++) {
      const picked = pick(fakeCall())!
      picked.active++
      counts[endpoints.indexOf(picked)]!++
    }
    assert.deepEqual(counts, [2, 2, 2, 0], 'a fourth at 30 ms is worth as much as a third at 10')
  })

  test('with quantile 0 goes by requests in flight alone', () => {
    const { reporting } = make({ ...all, quantile: 0 })
    assert.deepEqual(reporting([[5, 10], [4, 12], [6, 11]]).picks(), [1])
  })

  /** Four that take 10 ms, with one request from elsewhere each and so many of our own: hot with more than none. One beside them is idle, and was heard of once. */
  const besideFour = (latency: number) => {
    const { balancer, reports } = make(all)
    const [idle, ...others] = fakeEndpoints(5)
    const pick = balancer([idle!, ...others])
    for (let round = 0; round < 20; round++) for (const endpoint of others) reports(endpoint, 1, 10)
    reports(idle, 0, latency)
    return (active: number): boolean => {
      for (const endpoint of others) endpoint.active = active
      return pick(fakeCall()) === idle
    }
  }

  test('an idle endpoint that takes many times as long as is usual comes after those that are hot and fast, as long as these have few requests', () => {
    const takesIdle = besideFour(100)
    assert.equal(takesIdle(1), false)
    // More requests in flight than it is times slower are worse.
    assert.equal(takesIdle(12), true)
  })

  test('an idle endpoint that is a few times slower is taken when the others are hot', () => {
    assert.equal(besideFour(40)(1), true)
  })

  test('before the first answer nothing is slow: the fewest in flight are taken', () => {
    const { balancer } = make({ ...all, quantile: 0 })
    const endpoints = fakeEndpoints(3)
    for (const [place, active] of [2, 1, 3].entries()) endpoints[place]!.active = active
    const pick = balancer(endpoints)
    for (let turn = 0; turn < 50; turn++) assert.equal(pick(fakeCall()), endpoints[1])
  })

  test('adds its own requests to what was reported', () => {
    const { reporting } = make({ ...all, quantile: 0 })
    const { endpoints, picks } = reporting([[3, 10], [4, 10], [5, 10]])
    endpoints[0]!.active = 2
    assert.deepEqual(picks(), [1])
  })

  test('does not count its own requests twice', () => {
    const { balancer, reports } = make({ ...all, quantile: 0 })
    const endpoints = fakeEndpoints(2)
    const pick = balancer(endpoints)
    endpoints[0]!.active = 4
    for (let round = 0; round < 20; round++) {
      reports(endpoints[0], 5, 10)
      reports(endpoints[1], 4, 10)
    }
    // One from elsewhere and four of our own, against four from elsewhere; then one from elsewhere alone.
    assert.equal(pick(fakeCall()), endpoints[1])
    endpoints[0]!.active = 0
    assert.equal(pick(fakeCall()), endpoints[0])
  })

  test('compares those that reported last with those drawn', () => {
    const { balancer, reports } = make({ choices: 2, pool: 1 })
    const endpoints = fakeEndpoints(1_000)
    const pick = balancer(endpoints)
    for (const endpoint of endpoints) reports(endpoint, 1, 50)
    reports(endpoints[777], 1, 5)
    const counts = Array.from({ length: 100 }, () => pick(fakeCall()))
    assert.ok(counts.every((picked) => picked === endpoints[777]))
  })

  test('what is old gives way to what is usual', async () => {
    const { balancer, clock, reports } = make(all)
    const endpoints = fakeEndpoints(3)
    const pick = balancer(endpoints)
    for (let round = 0; round < 60; round++) for (const endpoint of endpoints.slice(1)) reports(endpoint, 1, 10)
    reports(endpoints[0], 1, 8)
    for (const endpoint of endpoints.slice(1)) reports(endpoint, 1, 8.5)
    assert.equal(pick(fakeCall()), endpoints[0])
    await clock.advance(60_000)
    for (const endpoint of endpoints.slice(1)) reports(endpoint, 1, 9)
    assert.notEqual(pick(fakeCall()), endpoints[0], 'of its 8 ms little is left')
  })

  test('an endpoint never heard of is tried, by one attempt at a time', () => {
    const { balancer, reports } = make(all)
    const endpoints = fakeEndpoints(3)
    const pick = balancer(endpoints)
    for (let round = 0; round < 20; round++) for (const endpoint of endpoints.slice(1)) reports(endpoint, 0, 10)
    assert.equal(pick(fakeCall()), endpoints[0])
    endpoints[0]!.active = 1
    assert.notEqual(pick(fakeCall()), endpoints[0])
  })

  test('where nothing is reported, goes by its own requests and the latency it sees', () => {
    const { balancer, answers } = make(all)
    const endpoints = fakeEndpoints(3)
    const pick = balancer(endpoints)
    for (let round = 0; round < 20; round++) for (const [place, endpoint] of endpoints.entries()) answers(endpoint, { ms: 10 + place, status: 200 })
    assert.equal(pick(fakeCall()), endpoints[0])
    endpoints[0]!.active = 1
    assert.equal(pick(fakeCall()), endpoints[1])
  })

  for (const status of [503, 429]) {
    test(`an instant ${status} does not draw the load, and lets the endpoint be tried again later`, async () => {
      const { answers, clock, reporting, reports } = make(all)
      const { endpoints, picks } = reporting([[1, 10], [1, 11], [1, 12]])
      for (let failed = 0; failed < 4; failed++) answers(endpoints[0], { ms: 0.2, status })
      endpoints[1]!.active = endpoints[2]!.active = 50
      assert.deepEqual(picks().includes(0), false)
      endpoints[1]!.active = endpoints[2]!.active = 0
      await clock.advance(90_000)
      for (const endpoint of endpoints.slice(1)) reports(endpoint, 1, 1_000)
      assert.deepEqual(picks(), [0])
    })
  }

  test('Retry-After keeps an endpoint out while others are there, until it has passed or a good answer comes', async () => {
    const { answers, clock, reporting, reports } = make(all)
    const { endpoints, picks } = reporting([[1, 1], [1, 100]])
    answers(endpoints[0], { ms: 1, status: 503, headers: { 'retry-after': '20' } })
    assert.deepEqual(picks(), [1])
    await clock.advance(19_000)
    assert.deepEqual(picks(), [1])
    reports(endpoints[0], 1, 1)
    assert.deepEqual(picks(), [0])
  })

  test('Retry-After may be a date', async () => {
    const { answers, clock, reporting } = make(all)
    const { endpoints, picks } = reporting([[1, 1], [1, 100]])
    answers(endpoints[0], { ms: 1, status: 503, headers: { 'retry-after': new Date(clock.wall() + 20_000).toUTCString() } })
    await clock.advance(18_000)
    assert.deepEqual(picks(), [1])
  })

  test('a report of nonsense is none', () => {
    const { balancer, answers } = make(all)
    const endpoints = fakeEndpoints(2)
    const pick = balancer(endpoints)
    const headers = { 'endpoint-load-metrics': 'TEXT named_metrics.rif=-5,named_metrics.latency=1e999' }
    for (let round = 0; round < 20; round++) {
      answers(endpoints[0], { ms: 20, status: 200, headers })
      answers(endpoints[1], { ms: 10, status: 200 })
    }
    assert.equal(pick(fakeCall()), endpoints[1])
  })

  test('draws by weight where there is nothing to tell them apart', () => {
    const { balancer } = make({ pool: 0 })
    const endpoints = fakeEndpoints(3, [1, 1, 8])
    const counts = shares(balancer, endpoints, 4_000)
    assert.ok(counts[2]! > 2_800, String(counts))
  })

  test('weights count in small sets too, and with all endpoints in the pool', () => {
    for (const weights of [[9, 1], [1, 1, 8]]) {
      const { balancer, reports } = make()
      const endpoints = fakeEndpoints(weights.length, weights)
      const counts = shares(balancer, endpoints, 10_000, (picked) => reports(picked, 1, 10))
      const total = weights.reduce((sum, weight) => sum + weight, 0)
      for (const [place, weight] of weights.entries()) {
        const expected = 10_000 * weight / total
        assert.ok(counts[place]! > expected * 0.5 && counts[place]! < expected * 2, `${counts} for ${weights}`)
      }
    }
  })

  test('a heavy endpoint that only fails gets nothing because of its weight', () => {
    const { balancer, answers, reports } = make()
    const endpoints = fakeEndpoints(2, [9, 1])
    const pick = balancer(endpoints)
    for (let round = 0; round < 20; round++) {
      answers(endpoints[0], { ms: 1, status: 503 })
      reports(endpoints[1], 1, 10)
    }
    const picked = Array.from({ length: 200 }, () => endpoints.indexOf(pick(fakeCall())!))
    assert.deepEqual([...new Set(picked)], [1])
  })

  test('a later attempt goes by the time it begins at, not by that of its call', async () => {
    const { balancer, clock, answers, reports } = make(all)
    const endpoints = fakeEndpoints(3)
    const pick = balancer(endpoints)
    for (let round = 0; round < 20; round++) for (const endpoint of endpoints) reports(endpoint, 1, 10)
    const call = fakeCall([], 'key', clock)
    call.begin(endpoints[0]!, { active: 0, pending: 0 })
    answers(endpoints[1], { ms: 1, status: 503, headers: { 'retry-after': '2' } })
    answers(endpoints[2], { ms: 1, status: 503, headers: { 'retry-after': '5' } })
    await clock.advance(3_000)
    assert.equal(pick(call), endpoints[1], 'its two seconds are over')
  })
})
