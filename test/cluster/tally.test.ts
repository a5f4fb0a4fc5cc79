import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Latencies, Tally } from '../../src/cluster/tally.ts'
import type { Attempt } from '../../src/core/call.ts'
import { Endpoint } from '../../src/core/endpoint.ts'
import { seededRandom } from '../../src/testing/index.ts'

const attempt = (status: number, took = 1): Attempt => ({ status, startedAt: 100, headAt: status > 0 ? 100 + took : 0 }) as Attempt

/** A tally after attempts by their status; 0 is a failure without an answer. */
const after = (statuses: readonly number[], localApart = false): Tally => {
  const tally = new Tally(new Endpoint({ address: 'a:1' }), false)
  for (const status of statuses) tally.count(attempt(status), status === 0 || status >= 500, localApart)
  return tally
}

const inARow = ({ failures, gatewayFailures, localFailures }: Tally) => [failures, gatewayFailures, localFailures]

// Envoy's rules for its three consecutive detectors: any 5xx, 502 to 504, and no answer, split from the others or not.
for (const [statuses, together, apart] of [
  [[500, 500], [2, 0, 0], [2, 0, 0]],
  [[502, 503, 504], [3, 3, 0], [3, 3, 0]],
  [[503, 500], [2, 0, 0], [2, 0, 0]],
  [[503, 505, 503], [3, 1, 0], [3, 1, 0]],
  [[503, 503, 200], [0, 0, 0], [0, 0, 0]],
  [[404, 429], [0, 0, 0], [0, 0, 0]],
  [[0, 0, 0], [3, 3, 0], [0, 0, 3]],
  [[503, 0], [2, 2, 0], [1, 1, 1]],
  [[0, 503], [2, 2, 0], [1, 1, 0]],
  [[503, 0, 503], [3, 3, 0], [2, 2, 0]],
  [[0, 200, 0], [1, 1, 0], [0, 0, 1]],
] as const) {
  test(`${statuses.join(' ')} are ${together.join(', ')} failures, gateway failures and local failures in a row, and ${apart.join(', ')} with local ones apart`, () => {
    assert.deepEqual(inARow(after(statuses)), together)
    assert.deepEqual(inARow(after(statuses, true)), apart)
  })
}

test('an interval counts all attempts, or with local failures apart those that were answered', () => {
  const statuses = [200, 500, 0, 200, 0]
  const together = after(statuses)
  assert.deepEqual([together.answers.total, together.answers.failed, together.local.total], [5, 3, 0])
  const apart = after(statuses, true)
  assert.deepEqual([apart.answers.total, apart.answers.failed, apart.local.total, apart.local.failed], [3, 1, 5, 2])
  assert.equal(together.answers.successRate, 40)
  apart.beginInterval()
  assert.deepEqual([apart.answers.total, apart.local.total], [0, 0])
  assert.deepEqual(inARow(apart), [0, 0, 1], 'what is counted in a row goes on')
})

test('a body that breaks off after a good status is a local failure', () => {
  const tally = new Tally(new Endpoint({ address: 'a:1' }), false)
  tally.count(attempt(200), true, true)
  assert.deepEqual(inARow(tally), [0, 0, 1])
})

test('only answers that are no failures have a latency: to fail fast is not to be fast', () => {
  const tally = new Tally(new Endpoint({ address: 'a:1' }), true)
  tally.count(attempt(200, 50), false, false)
  tally.count(attempt(503, 1), true, false)
  tally.count(attempt(0), true, false)
  assert.equal(tally.latencies!.count, 1)
  assert.ok(Math.abs(tally.latencies!.median / 50 - 1) < 0.045)
})

test('the median of latencies is within 4.5 % over six orders of magnitude, and within the ends beyond', () => {
  const random = seededRandom(5)
  for (let i = 0; i < 300; i++) {
    const values = Array.from({ length: 1 + Math.floor(random() * 50) }, () => 0.15 * 10 ** (random() * 5.9))
    const latencies = new Latencies()
    for (const value of values) latencies.add(value)
    const sorted = values.toSorted((a, b) => a - b)
    const median = sorted[Math.ceil(sorted.length / 2) - 1]!
    assert.ok(Math.abs(Math.log2(latencies.median / median)) <= 1 / 16 + 1e-9, `${latencies.median} for ${median}`)
    latencies.clear()
    assert.deepEqual([latencies.count, latencies.median], [0, 0])
  }
  const extremes = new Latencies()
  for (const ms of [0, -5, 1e-9]) extremes.add(ms)
  assert.ok(extremes.median < 0.15)
  extremes.clear()
  extremes.add(1e9)
  assert.ok(extremes.median > 100_000)
})
