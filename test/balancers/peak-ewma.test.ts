import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { peakEwma } from '../../src/balancers/peak-ewma.ts'
import type { Endpoint } from '../../src/core/endpoint.ts'
import { aBalancer, fakeCall, fakeEndpoints, fakeRuntime, seededRandom } from '../../src/testing/index.ts'
import { learns, shares, type Answer } from './support.ts'

aBalancer(peakEwma)

const make = (options: { readonly decay?: number, readonly penalty?: number } = {}) => {
  const runtime = fakeRuntime(seededRandom(5))
  const { clock } = runtime
  const balancer = peakEwma.make(peakEwma.config.parse(options), runtime)
  const answers = (endpoint: Endpoint | undefined, answer: number | Answer): void =>
    learns(balancer, endpoint!, clock, typeof answer === 'number' ? { ms: answer, status: 200 } : answer)
  /** A picker for endpoints that have answered after 10 ms each. */
  const warm = (count: number) => {
    const endpoints = fakeEndpoints(count)
    const pick = balancer(endpoints)
    for (const endpoint of endpoints) answers(endpoint, 10)
    return { endpoints, pick: () => pick(fakeCall()) }
  }
  return { balancer, clock, answers, warm }
}

describe('peak-ewma', () => {
  test('prefers the faster of two', () => {
    const { balancer, answers, warm } = make()
    const { endpoints } = warm(2)
    answers(endpoints[0], 100)
    assert.deepEqual(shares(balancer, endpoints, 100), [0, 100])
  })

  test('weighs latency against what is under way: ten times faster bears ten times as much', () => {
    const { balancer, answers, warm } = make()
    const { endpoints } = warm(2)
    answers(endpoints[0], 100)
    shares(balancer, endpoints, 110, (picked) => { picked.active++ })
    assert.ok(Math.abs(endpoints[1]!.active - 100) <= 1, `${endpoints[1]!.active} of 110`)
  })

  test('tries an endpoint it knows nothing of, by one attempt at a time', () => {
    const { balancer, answers } = make()
    const endpoints = fakeEndpoints(3)
    const pick = balancer(endpoints)
    for (const endpoint of endpoints.slice(1)) answers(endpoint, 10)
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
      const { answers, clock, warm } = make({ decay })
      const { endpoints, pick } = warm(2)
      answers(endpoints[0], 100)
      await clock.advance(2.2 * decay)
      answers(endpoints[1], 10)
      assert.equal(pick(), endpoints[1])
      await clock.advance(0.2 * decay)
      answers(endpoints[1], 10)
      assert.equal(pick(), endpoints[0])
    }
  })

  test('a fast answer after a slow one counts by the time between (Finagle: new × (1 - w) + old × w, w = e^(-Δt / decay))', async () => {
    const { answers, clock, warm } = make()
    const { endpoints, pick } = warm(2)
    answers(endpoints[0], 100)
    await clock.advance(10_000)
    answers(endpoints[0], 10)
    // 10 × (1 - 1/e) + 100 / e = 43.1
    for (const [ms, cheaper] of [[43, 1], [44, 0]] as const) {
      const other = make()
      const twin = other.warm(2)
      other.answers(twin.endpoints[0], 43.109)
      other.answers(twin.endpoints[1], ms)
      assert.equal(twin.pick(), twin.endpoints[cheaper])
    }
    answers(endpoints[1], 43)
    assert.equal(pick(), endpoints[1])
    answers(endpoints[1], 44)
    assert.equal(pick(), endpoints[0])
  })

  test('a set that changes forgets nothing, and a new endpoint has nothing of one that is gone', () => {
    const { balancer, answers } = make()
    const endpoints = fakeEndpoints(200)
    balancer(endpoints)
    for (const endpoint of endpoints) answers(endpoint, 10)
    answers(endpoints[0], 1_000)
    for (const endpoint of endpoints.slice(2)) endpoint.state = 'retired'
    const fresh = fakeEndpoints(700).slice(500)
    const pick = balancer([...endpoints.slice(0, 2), ...fresh])
    for (const endpoint of fresh) answers(endpoint, 10)
    const counts = new Set(Array.from({ length: 2_000 }, () => pick(fakeCall())))
    assert.ok(!counts.has(endpoints[0]))
    assert.equal(counts.size, 201)
  })

  test('learns nothing of an endpoint that it never had', () => {
    const { answers } = make()
    assert.doesNotThrow(() => answers(fakeEndpoints(1)[0], 10))
  })

  test('draws by weight among equals', () => {
    const { balancer, answers } = make()
    const endpoints = fakeEndpoints(2, [1, 3])
    balancer(endpoints)
    for (const endpoint of endpoints) answers(endpoint, 10)
    const [light] = shares(balancer, endpoints, 4_000)
    assert.ok(Math.abs(light! - 1_000) < 120, `${light} of 4 000`)
  })

  test('refuses a decay of nothing', () => {
    assert.ok(!peakEwma.config.safeParse({ decay: 0 }).success)
    assert.deepEqual(peakEwma.config.parse({}), { decay: 10_000, penalty: 1_000 })
  })
})

describe('peak-ewma and failures', () => {
  const failures: Readonly<Record<string, Answer>> = {
    'an instant 503': { ms: 0.2, status: 503 },
    'an instant 429': { ms: 0.2, status: 429 },
    'a connection that breaks at once': { ms: 0.2 },
  }
  for (const [what, failure] of Object.entries(failures)) {
    test(`${what} is not fast: with every other answer an endpoint looks slower, up to a thousand times`, () => {
      const { answers, warm } = make()
      const { endpoints, pick } = warm(2)
      const bears: number[] = []
      for (let failed = 1; failed <= 5; failed++) {
        answers(endpoints[0], failure)
        // How much must be under way at the good one before the bad one is preferred.
        endpoints[1]!.active = 0
        while (pick() === endpoints[1]) endpoints[1]!.active++
        bears.push(endpoints[1]!.active)
      }
      assert.deepEqual(bears, [...bears].sort((a, b) => a - b))
      assert.ok(bears[0]! >= 3 && bears[0]! <= 4, `after one failure: ${bears[0]}`)
      assert.ok(bears[4]! >= 990 && bears[4]! <= 1_000, `after five: ${bears[4]}`)
    })
  }

  test('an endpoint whose first answer is a failure looks as slow at once', () => {
    const { balancer, answers } = make()
    const endpoints = fakeEndpoints(2)
    const pick = balancer(endpoints)
    answers(endpoints[1], 10)
    answers(endpoints[0], { ms: 0.2, status: 503 })
    endpoints[1]!.active = 900
    assert.equal(pick(fakeCall()), endpoints[1])
  })

  test('a failure now and then is forgotten with the next good answers', () => {
    const { answers, warm } = make()
    const { endpoints, pick } = warm(2)
    answers(endpoints[0], { ms: 10, status: 500 })
    for (let good = 0; good < 20; good++) answers(endpoints[0], 10)
    endpoints[1]!.active = 1
    assert.equal(pick(), endpoints[0])
  })

  test('one that has recovered has its share again after its first good answers', async () => {
    const { answers, clock, warm } = make()
    const { endpoints, pick } = warm(2)
    for (let failed = 0; failed < 5; failed++) answers(endpoints[0], { ms: 0.2, status: 503 })
    assert.equal(pick(), endpoints[1])
    await clock.advance(70_000)
    answers(endpoints[1], 10)
    assert.equal(pick(), endpoints[0], 'tried again as its failures fade')
    answers(endpoints[0], 10)
    endpoints[1]!.active = 1
    assert.equal(pick(), endpoints[0])
  })

  test('Retry-After is waited for before the cost begins to fade, up to five minutes', async () => {
    for (const [seconds, fades] of [['60', 60_000], ['99999', 300_000], ['soon', 0]] as const) {
      const { answers, clock, warm } = make()
      const { endpoints, pick } = warm(2)
      answers(endpoints[0], { ms: 10, status: 503, headers: { 'retry-after': seconds } })
      // One failure makes it four times dearer: e^1.39, which fades within 1.39 times the decay.
      await clock.advance(fades + 13_000)
      answers(endpoints[1], 10)
      assert.equal(pick(), endpoints[1], seconds)
      await clock.advance(1_500)
      answers(endpoints[1], 10)
      assert.equal(pick(), endpoints[0], seconds)
    }
  })

  test('what its caller gave up says nothing of an endpoint', () => {
    const { answers, warm } = make()
    const { endpoints, pick } = warm(2)
    answers(endpoints[0], { ms: 5_000, ending: 'cancelled' })
    endpoints[1]!.active = 1
    assert.equal(pick(), endpoints[0])
  })

  test('a penalty of 1 looks at latency alone', () => {
    const { answers, warm } = make({ penalty: 1 })
    const { endpoints, pick } = warm(2)
    for (let failed = 0; failed < 5; failed++) answers(endpoints[0], { ms: 10, status: 503 })
    endpoints[1]!.active = 1
    assert.equal(pick(), endpoints[0])
  })
})
