import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Fleet, healthy, type Behaviour } from './fleet.ts'

/** Every rule at its defaults; with local failures counted apart, as those have rules of their own. */
const everyRule = { gatewayFailures: 5, localFailures: 5, failurePercentage: {}, latency: {} }

const times = (factor: number, behaviour: Behaviour): Behaviour => (second, random) => {
  const { status, ms } = behaviour(second, random)
  return { status, ms: ms * factor }
}

/** What happens to services that are well: unequal machines, pauses, a noisy neighbour, a slow hour for all, a dependency of all that fails now and then. */
const noisy = (index: number): Behaviour => (second, random) => {
  const { status, ms } = healthy(second, random)
  const machine = 0.7 + 0.15 * (index % 5)
  const neighbour = (second + 97 * index) % 600 < 14 ? 10 : 1
  const pause = (second + 31 * index) % 60 === 0 ? 400 * random() : 0
  const allSlow = second % 1_200 >= 900 && second % 1_200 < 1_020 ? 8 : 1
  const dependency = second % 900 < 120 && random() < 0.05
  return { status: dependency ? 503 : status, ms: ms * machine * neighbour * allSlow + pause }
}

describe('an hour of healthy traffic with noise', () => {
  for (const [endpoints, perSecond] of [[5, 80], [12, 150]] as const) {
    test(`ejects none of ${endpoints} endpoints, by any rule`, async () => {
      const fleet = new Fleet(Array.from({ length: endpoints }, (_, index) => noisy(index)), everyRule)
      await fleet.run(3_600, perSecond)
      assert.deepEqual(fleet.told, [])
      for (const { attempts } of fleet.counts.values()) assert.ok(attempts > 40_000)
      fleet.detection.close()
    })
  }

  test('would eject some by Envoy\'s success rate, which has no gap', async () => {
    const fleet = new Fleet(Array.from({ length: 12 }, (_, index) => noisy(index)), { failures: false, successRate: { gap: 0 } })
    await fleet.run(600, 150)
    assert.ok(fleet.told.filter(({ event }) => event === 'endpoint-ejected').length > 10)
    fleet.detection.close()
  })
})

const failing = (percent: number, status: number): Behaviour => (second, random) => {
  const answer = healthy(second, random)
  return random() * 100 < percent ? { status, ms: 1 } : answer
}

/** Well until it falls ill at 65 s, in the middle of an interval, and from 240 s on. */
const ill = (behaviour: Behaviour): Behaviour => (second, random) => (second >= 65 && second < 240 ? behaviour : healthy)(second, random)

// The bounds that the guide to health names.
for (const [what, behaviour, config, rule, bound, always] of [
  ['answers 503 at once', failing(100, 503), {}, 'failures', 1, true],
  ['answers 503 at once, with gateway failures alone', failing(100, 503), { failures: false, successRate: false, gatewayFailures: 5 }, 'gatewayFailures', 1, true],
  ['resets connections', failing(100, 0), {}, 'failures', 1, true],
  ['resets connections, counted apart', failing(100, 0), { localFailures: 5 }, 'localFailures', 1, true],
  ['fails half of the time', failing(50, 500), {}, 'failures', 20, false],
  ['fails half of the time, by its success rate', failing(50, 500), { failures: false }, 'successRate', 20, false],
  ['breaks half of the connections, by the rate of answers', failing(50, 0), { failures: false, localFailures: 1_000 }, 'successRate', 20, false],
  ['fails 95 % of the time, by the failure percentage', failing(95, 500), { failures: false, successRate: false, failurePercentage: {} }, 'failurePercentage', 20, false],
  ['is ten times slower', times(10, healthy), { latency: {} }, 'latency', 40, true],
] as const) {
  test(`one of ten that ${what} is out within ${bound} s, and returns without a burst of errors once it is well`, async () => {
    const fleet = new Fleet(Array.from({ length: 10 }, (_, index) => index === 3 ? ill(behaviour) : healthy), config, 4)
    const bad = fleet.endpoints[3]!
    const count = fleet.counts.get(bad)!
    const told = (event: string) => fleet.told.filter((one) => one.event === event)
    while (fleet.told.length === 0 && fleet.second < 240) await fleet.run(1, 200)
    const [first] = fleet.told
    assert.ok(first && first.second <= 65 + bound, `it took ${fleet.second - 65} s`)
    assert.equal(first.detail.rule, rule)

    const seen = count.attempts
    await fleet.run(240 - fleet.second, 200)
    if (always) assert.equal(count.attempts - seen, told('endpoint-probation').length, 'all that it gets are requests that decide')
    assert.ok(count.attempts - seen < 0.5 * 20 * (240 - first.second), `it got ${count.attempts - seen} requests`)

    const { failed, attempts } = count
    await fleet.run(150, 200)
    assert.equal(bad.state, 'available')
    assert.ok(count.attempts - attempts > 200, 'its traffic is back')
    assert.ok(count.failed - failed < 0.03 * (count.attempts - attempts), 'and goes well')
    assert.ok(fleet.told.every(({ detail }) => detail.endpoint === bad.address), 'the others were never out')
    fleet.detection.close()
    assert.equal(fleet.runtime.clock.pending, 0)
  })
}

test('while all fail no more are out than the cap, and all come back', async () => {
  const out: Behaviour = (second, random) => second >= 20 && second < 80 ? { status: 503, ms: 1 } : healthy(second, random)
  const fleet = new Fleet(Array.from({ length: 10 }, () => out), everyRule)
  await fleet.run(80, 200)
  assert.equal(fleet.mostOut, 5)
  assert.match(fleet.detection.explain(fleet.endpoints.find(({ state }) => state === 'available')!), /^available in spite of \d+ failures in a row: at most 5 of 10/)
  await fleet.run(120, 200)
  assert.ok(fleet.endpoints.every(({ state }) => state === 'available'))
  assert.equal(fleet.mostOut, 5)
})
