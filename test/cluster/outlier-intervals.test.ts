import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { z } from 'zod'
import { OutlierDetection, outlierConfig } from '../../src/cluster/outlier.ts'
import { Call, type Attempt } from '../../src/core/call.ts'
import { Endpoint } from '../../src/core/endpoint.ts'
import { fakeRuntime, scriptedRandom } from '../../src/testing/index.ts'
import { Fleet, head, type Behaviour } from './fleet.ts'

const fine: Behaviour = () => ({ status: 200, ms: 10 })
const broken: Behaviour = () => ({ status: 500, ms: 1 })
const slow: Behaviour = () => ({ status: 200, ms: 100 })
const between = (from: number, to: number, behaviour: Behaviour): Behaviour => (second, random) => (second >= from && second < to ? behaviour : fine)(second, random)

const fleetOf = (behaviours: readonly Behaviour[], config: z.input<typeof outlierConfig>): Fleet => new Fleet(behaviours, config, 3)

const events = (fleet: Fleet, event = 'endpoint-ejected') => fleet.told.filter((one) => one.event === event)

/** Detection with attempts told by hand. */
const scene = (count: number, config: z.input<typeof outlierConfig>, random = scriptedRandom(0.5)) => {
  const runtime = fakeRuntime(random)
  const endpoints = Array.from({ length: count }, (_, i) => new Endpoint({ address: `10.0.0.${i + 1}:80` }))
  const detection = new OutlierDetection({ name: 'order', endpoints, slowStart: false, changed: () => {} }, outlierConfig.parse(config), runtime)
  const record = (endpoint: Endpoint, times: number, status: number, ms = 10): void => {
    const now = runtime.clock.now()
    for (let i = 0; i < times; i++) {
      detection.record({ endpoint, status, startedAt: now, headAt: status > 0 ? now + ms : 0, ending: status > 0 ? 'complete' : { code: 'ENMESH_CONNECTION_RESET' } } as Attempt, status === 0 || status >= 500)
    }
  }
  return { runtime, clock: runtime.clock, endpoints, detection, record, states: () => endpoints.map(({ state }) => state).join(' ') }
}

describe('as App Mesh has it', () => {
  // maxServerErrors 3, interval 10 s, baseEjectionDuration 30 s, maxEjectionPercent 10.
  const appMesh = { failures: 3, successRate: false, interval: '10s', return: 'sweep', ejection: '30s', maxEjected: 10, minEjected: 1 } as const

  test('three errors in a row eject, one of few whatever the share, until the sweep after its time', async () => {
    const { clock, endpoints: [first, second], detection, record, states } = scene(3, appMesh)
    record(first!, 3, 500)
    record(second!, 10, 500)
    assert.equal(states(), 'ejected available available')
    assert.match(detection.explain(second!), /at most 1 of 3 endpoints may be out, and 1 is$/)
    assert.equal(detection.explain(first!), 'ejected: 3 failures in a row, the last with status 500; back at the first sweep after 30000 ms')
    await clock.advance(29_999)
    assert.equal(states(), 'ejected available available')
    await clock.advance(1)
    assert.equal(states(), 'available available available')
    assert.equal(detection.probation.take({} as never), undefined, 'nobody is on probation')
    assert.equal(clock.pending, 0)
  })

  test('the next ejection takes as many errors as the first, lasts longer, and the count decays by one each interval', async () => {
    const { clock, endpoints: [first], record } = scene(3, appMesh)
    const outFor = async (): Promise<number> => {
      const from = clock.now()
      record(first!, 2, 500)
      assert.equal(first!.state, 'available')
      record(first!, 1, 500)
      assert.equal(first!.state, 'ejected')
      while (first!.state === 'ejected') await clock.advance(1_000)
      return clock.now() - from
    }
    assert.equal(await outFor(), 30_000)
    assert.equal(await outFor(), 60_000)
    await clock.advance(9_000)
    assert.equal(await outFor(), 90_000)
    await clock.advance(20_000)
    assert.equal(await outFor(), 60_000)
    await clock.advance(60_000)
    assert.equal(await outFor(), 30_000)
  })

  test('it returns at a sweep, not before, wherever in an interval its time ends', async () => {
    const { clock, endpoints: [first, second], record, states } = scene(3, { ...appMesh, ejection: '25s', maxEjected: 100 })
    record(first!, 3, 500)
    await clock.advance(4_000)
    record(second!, 3, 500)
    await clock.advance(21_000)
    assert.equal(states(), 'ejected ejected available')
    await clock.advance(5_000)
    assert.equal(states(), 'available available available')
  })

  test('health checks that pass again bring it back with all its traffic', () => {
    const { endpoints: [first], detection, record } = scene(3, appMesh)
    record(first!, 3, 500)
    detection.forget(first!)
    detection.admit(first!)
    assert.equal(first!.state, 'available')
  })
})

describe('local failures', () => {
  test('counted apart they have a limit of their own, and leave the other count alone', () => {
    const { endpoints: [first, second], detection, record, states } = scene(4, { localFailures: 2 })
    record(first!, 4, 500)
    record(first!, 1, 0)
    assert.equal(detection.explain(first!), 'available: 4 failures in a row, ejected at 5')
    record(first!, 1, 500)
    assert.equal(states(), 'ejected available available available')
    record(second!, 2, 0)
    assert.equal(detection.explain(second!), 'ejected: 2 local failures in a row, the last with ENMESH_CONNECTION_RESET; on probation in 10000 ms')
  })

  test('failures in a row can be switched off', () => {
    const { endpoints: [first], detection, record } = scene(4, { failures: false })
    record(first!, 100, 500)
    assert.equal(detection.explain(first!), 'available')
  })
})

test('jitter makes each ejection longer by chance', async () => {
  const { clock, endpoints: [first], detection, record } = scene(2, { failures: 1, jitter: '4s' }, scriptedRandom(0.25))
  record(first!, 1, 500)
  assert.match(detection.explain(first!), /on probation in 11000 ms$/)
  await clock.advance(10_999)
  assert.equal(first!.state, 'ejected')
  await clock.advance(1)
  assert.equal(first!.state, 'probation')
})

describe('intervals', () => {
  test('run only while attempts end, and only where there are enough endpoints to compare', async () => {
    const few = scene(4, {})
    few.record(few.endpoints[0]!, 1, 200)
    assert.equal(few.clock.pending, 0)
    const enough = scene(5, {})
    assert.equal(enough.clock.pending, 0)
    enough.record(enough.endpoints[0]!, 2, 200)
    assert.equal(enough.clock.pending, 1)
    await enough.clock.advance(10_000)
    assert.equal(enough.clock.pending, 0)
    enough.record(enough.endpoints[0]!, 1, 200)
    enough.detection.close()
    assert.equal(enough.clock.pending, 0)
  })

  test('begin empty, whatever was counted while there was nothing to compare', async () => {
    const { clock, endpoints, detection, record, states } = scene(5, { failures: false })
    const [first, ...others] = endpoints
    const grown = endpoints as Endpoint[]
    const last = grown.pop()!
    record(first!, 1_000, 500)
    grown.push(last)
    for (const endpoint of others) record(endpoint, 100, 200)
    record(first!, 100, 200)
    await clock.advance(10_000)
    assert.equal(states(), 'available available available available available')
    assert.equal(detection.explain(first!), 'available')
  })

  test('the cap lets the worst go, and says why the others stay', async () => {
    const { clock, endpoints, detection, record, states } = scene(6, { failures: false, successRate: false, failurePercentage: {}, maxEjected: 20 })
    for (const [index, endpoint] of endpoints.entries()) {
      const failed = [0, 90, 100, 0, 0, 0][index]!
      record(endpoint, failed, 500)
      record(endpoint, 100 - failed, 200)
    }
    await clock.advance(10_000)
    assert.equal(states(), 'available available ejected available available available')
    assert.equal(detection.explain(endpoints[1]!),
      'available all the same (90 of 100 attempts failed, at 85 % it is ejected): at most 1 of 6 endpoints may be out, and 1 is')
    endpoints[2]!.state = 'available'
    assert.equal(detection.explain(endpoints[1]!),
      'available all the same (90 of 100 attempts failed, at 85 % it is ejected): too many others were out; it is judged again at the end of the next interval')
    endpoints[2]!.state = 'ejected'
    for (const endpoint of endpoints) record(endpoint, 60, 200)
    await clock.advance(10_000)
    assert.equal(detection.explain(endpoints[1]!), 'available')
  })

  for (const [what, rule, config] of [
    ['success rate', 'successRate', { failures: false }],
    ['failure percentage', 'failurePercentage', { failures: false, successRate: false, failurePercentage: {} }],
  ] as const) {
    test(`ejections by ${what} grow too, with return at the sweep`, async () => {
      const fleet = fleetOf([broken, fine, fine, fine, fine, fine], { ...config, return: 'sweep' })
      await fleet.run(120, 200)
      const [first, second, third] = events(fleet)
      assert.deepEqual([first, second, third].map((one) => one!.detail.rule), [rule, rule, rule])
      assert.deepEqual([first, second, third].map((one) => one!.detail.duration), [10_000, 20_000, 30_000], 'the interval that it did badly in lets it off nothing')
    })
  }

  test('a rule still sees the interval in which another has ejected', async () => {
    const { clock, endpoints, detection, record, states } = scene(12, { failures: false, return: 'sweep', failurePercentage: {}, successRate: { factor: 0, gap: 75 } })
    for (const [index, endpoint] of endpoints.entries()) {
      const failed = [100, 85][index] ?? 0
      record(endpoint, failed, 500)
      record(endpoint, 100 - failed, 200)
    }
    await clock.advance(10_000)
    assert.match(states(), /^ejected ejected available/)
    assert.match(detection.explain(endpoints[0]!), /^ejected: success rate 0 %/)
    assert.match(detection.explain(endpoints[1]!), /^ejected: 85 of 100 attempts failed/)
  })

  test('a listener may let go of endpoints, and of the detection, while it is told', async () => {
    const { clock, endpoints, detection, record, states, runtime } = scene(6, { failures: false, successRate: false, failurePercentage: {} })
    for (const endpoint of endpoints) record(endpoint, 100, 500)
    const stop = runtime.channels.on('endpoint-ejected', () => {
      stop()
      detection.close()
      for (const endpoint of endpoints) endpoint.state = 'available'
    })
    await clock.advance(60_000)
    assert.equal(states(), 'available available available available available available')
    assert.equal(clock.pending, 0)
  })
})

describe('slowness', () => {
  test('is told while it is counted, and ends in an ejection', async () => {
    const fleet = fleetOf([slow, fine, fine], { latency: {} })
    const [first] = fleet.endpoints
    await fleet.run(12, 50)
    assert.equal(fleet.detection.explain(first!), 'available: slow against the fleet in 1 interval, ejected at 3')
    await fleet.run(10, 50)
    assert.equal(fleet.detection.explain(first!), 'available: slow against the fleet in 2 intervals in a row, ejected at 3')
    await fleet.run(10, 50)
    assert.match(fleet.detection.explain(first!), /^ejected: median of 103\.1 ms until it answers, above 29\.9 ms in 3 intervals in a row; the fleet's is 9\.9 ms; on probation in \d+ ms$/)
  })

  test('has the request that decides be quick, even with a fleet that is one short', async () => {
    const fleet = fleetOf([between(0, 60, slow), fine, fine], { latency: {} })
    const [first] = fleet.endpoints
    await fleet.run(60, 50)
    assert.match(fleet.detection.explain(first!), /the request that was to decide on its return took 100 ms, above 29\.9 ms/)
    await fleet.run(60, 50)
    assert.equal(first!.state, 'available')
    assert.equal(events(fleet, 'endpoint-returned').length, 1)
  })

  test('is not what a new connection takes', async () => {
    const fleet = fleetOf([slow, fine, fine], { latency: {} })
    const { detection, endpoints: [first], runtime: { clock } } = fleet
    await fleet.run(35, 50)
    assert.equal(first!.state, 'ejected')
    await clock.advance(10_000)
    const call = new Call(head, clock)
    assert.equal(detection.probation.take(call), first)
    const attempt = call.begin(first!, { active: 0, pending: 0 })
    detection.probation.begin(attempt)
    attempt.sentAt = attempt.startedAt + 200
    attempt.headAt = attempt.sentAt + 10
    detection.record(attempt, false)
    assert.equal(first!.state, 'available')
  })

  test('that the fleet shares keeps nobody from returning', async () => {
    const fleet = fleetOf([slow, between(40, 200, slow), between(40, 200, slow)], { latency: {} })
    await fleet.run(80, 50)
    assert.equal(events(fleet).filter(({ detail }) => detail.rule === 'latency').length, 1)
    assert.equal(fleet.endpoints[0]!.state, 'available')
  })

  test('is forgotten with the endpoint: whom health checks bring back is judged afresh', async () => {
    const fleet = fleetOf([between(0, 38, slow), fine, fine], { latency: {} })
    const [first] = fleet.endpoints
    await fleet.run(35, 50)
    assert.equal(first!.state, 'ejected')
    fleet.detection.forget(first!)
    first!.state = 'unhealthy'
    fleet.detection.admit(first!)
    assert.equal(first!.state, 'probation')
    await fleet.run(1, 50)
    assert.equal(first!.state, 'available')
  })
})
