import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { orcaWrr, sharesOf, weightOf } from '../../src/balancers/orca-wrr.ts'
import type { Endpoint } from '../../src/core/endpoint.ts'
import { aBalancer, fakeCall, fakeEndpoints, fakeRuntime, seededRandom } from '../../src/testing/index.ts'
import { learns, shares } from './support.ts'

aBalancer(orcaWrr)

const make = (options: object = {}) => {
  const runtime = fakeRuntime(seededRandom(5))
  const { clock } = runtime
  const balancer = orcaWrr.make(orcaWrr.config.parse(options), runtime)
  const reports = (endpoint: Endpoint | undefined, report: string): void =>
    learns(balancer, endpoint!, clock, { ms: 10, status: 200, headers: { 'endpoint-load-metrics': report } })
  return { balancer, clock, reports }
}

describe('the weight of a report', () => {
  test('is rps over utilization, made worse by errors (gRPC A58)', () => {
    assert.equal(weightOf(0.5, 100, 0, 1), 200)
    assert.equal(weightOf(0.5, 100, 50, 1), 100)
    assert.equal(weightOf(0.5, 100, 50, 0), 200)
    assert.equal(weightOf(0.25, 100, 50, 0.5), 200)
  })

  test('is none without rps or utilization', () => {
    for (const [utilization, rps] of [[0, 100], [0.5, 0], [Number.NaN, 100], [0.5, Number.NaN]] as const) {
      assert.equal(weightOf(utilization, rps, 0, 1), 0)
    }
  })

  test('is none beyond counting: a share of it would never be due, and a pick among such endpoints never end', async () => {
    assert.equal(weightOf(Number.MIN_VALUE, 1, 0, 1), 0)
    const { balancer, clock, reports } = make({ blackout: 0 })
    const endpoints = fakeEndpoints(2)
    for (const endpoint of endpoints) reports(endpoint, 'TEXT cpu_utilization=1e-320,rps_fractional=1')
    await clock.advance(1_000)
    assert.deepEqual(shares(balancer, endpoints, 10), [5, 5])
  })

  test('becomes a share: the heaviest has all, the unknown the mean, and with fewer than two known all are equal', () => {
    assert.deepEqual([...sharesOf(Float64Array.of(100, 50, 0))], [65_535, 32_768, 49_151])
    assert.deepEqual([...sharesOf(Float64Array.of(100, 0, 0))], [65_535, 65_535, 65_535])
    assert.deepEqual([...sharesOf(Float64Array.of(1e9, ...Array<number>(99).fill(1)))].slice(0, 2), [65_535, 1])
  })
})

describe('orca-wrr', () => {
  test('gives each what its reports make it worth, once they have come for the blackout', async () => {
    const { balancer, clock, reports } = make()
    const endpoints = fakeEndpoints(3)
    balancer(endpoints)
    const all = (): void => {
      for (const [place, utilization] of [0.2, 0.4, 0.8].entries()) {
        reports(endpoints[place], `TEXT application_utilization=${utilization},rps_fractional=100`)
      }
    }
    all()
    await clock.advance(9_000)
    all()
    const equal = shares(balancer, endpoints, 3_000)
    assert.ok(equal.every((count) => Math.abs(count - 1_000) <= 2), String(equal))
    await clock.advance(1_000)
    const [first, second, third] = shares(balancer, endpoints, 7_000)
    assert.ok(Math.abs(first! - 4_000) < 10 && Math.abs(second! - 2_000) < 10 && Math.abs(third! - 1_000) < 10, `${first} ${second} ${third}`)
  })

  test('takes new weights while it is used, at most once in the time between', async () => {
    const { balancer, clock, reports } = make({ blackout: 0, update: '1s' })
    const endpoints = fakeEndpoints(2)
    const pick = balancer(endpoints)
    const counts = (): number => Array.from({ length: 300 }, () => pick(fakeCall())).filter((one) => one === endpoints[0]).length
    assert.ok(Math.abs(counts() - 150) <= 1)
    for (const [place, utilization] of [0.25, 0.5].entries()) reports(endpoints[place], `TEXT cpu_utilization=${utilization},rps_fractional=10`)
    assert.ok(Math.abs(counts() - 150) <= 1)
    await clock.advance(1_000)
    assert.ok(Math.abs(counts() - 200) <= 2)
  })

  test('forgets a report that has expired, and what comes after waits for the blackout again', async () => {
    const { balancer, clock, reports } = make({ blackout: '10s', expiration: '60s' })
    const endpoints = fakeEndpoints(2)
    balancer(endpoints)
    const all = (): void => {
      for (const [place, utilization] of [0.25, 0.5].entries()) reports(endpoints[place], `TEXT cpu_utilization=${utilization},rps_fractional=10`)
    }
    all()
    await clock.advance(10_000)
    assert.ok(Math.abs(shares(balancer, endpoints, 300)[0]! - 200) <= 2)
    await clock.advance(60_000)
    assert.ok(Math.abs(shares(balancer, endpoints, 300)[0]! - 150) <= 1)
    all()
    assert.ok(Math.abs(shares(balancer, endpoints, 300)[0]! - 150) <= 1)
    await clock.advance(10_000)
    assert.ok(Math.abs(shares(balancer, endpoints, 300)[0]! - 200) <= 2)
  })
})
