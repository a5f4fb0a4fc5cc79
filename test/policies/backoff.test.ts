import assert from 'node:assert/strict'
import { test } from 'node:test'
import { backoff, backoffConfig } from '../../src/policies/backoff.ts'
import { scriptedRandom } from '../../src/testing/index.ts'

test('the default back-off is 25 to 250 ms', () => {
  assert.deepEqual(backoffConfig.parse({}), { base: 25, max: 250 })
  assert.deepEqual(backoffConfig.parse({ base: '10ms', max: '1s' }), { base: 10, max: 1_000 })
})

test('retry N waits up to (2^N - 1) times the base, and never over the maximum', () => {
  const longest = backoff(backoffConfig.parse({}), scriptedRandom(1))
  assert.deepEqual([1, 2, 3, 4, 5, 60].map(longest), [25, 75, 175, 250, 250, 250])
})

test('the whole range is used evenly', () => {
  const wait = backoff(backoffConfig.parse({}), scriptedRandom(0, 0.5, 0.25))
  assert.deepEqual([wait(2), wait(2), wait(2)], [0, 37.5, 18.75])
})

test('a base of 0 never waits', () => {
  assert.equal(backoff({ base: 0, max: 250 }, scriptedRandom(0.9))(3), 0)
})
