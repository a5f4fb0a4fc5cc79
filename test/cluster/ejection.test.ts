import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decayed, ejectable, ejectionConfig, ejectionTime } from '../../src/cluster/ejection.ts'

test('at most the share rounded down may be out, and never all', () => {
  assert.deepEqual([0, 1, 2, 3, 4, 5, 10].map((total) => ejectable(total, 50)), [0, 0, 1, 1, 2, 2, 5])
  assert.deepEqual([1, 2, 3, 10].map((total) => ejectable(total, 100)), [0, 1, 2, 9])
  assert.deepEqual([1, 9, 10, 19, 20].map((total) => ejectable(total, 10)), [0, 0, 1, 1, 2])
  assert.equal(ejectable(10, 0), 0)
  assert.deepEqual([0, 1, 2, 10].map((total) => ejectable(total, 0, 1)), [0, 0, 1, 1])
  assert.equal(ejectable(10, 50, 1), 5)
})

test('each ejection in a row is longer, up to the longest', () => {
  const config = ejectionConfig.parse({})
  assert.deepEqual([1, 2, 3, 29, 30, 31, 1_000].map((times) => ejectionTime(config, times)),
    [10_000, 20_000, 30_000, 290_000, 300_000, 300_000, 300_000])
})

test('ejections in a row are forgotten one by one in good times', () => {
  assert.deepEqual([0, 9_999, 10_000, 25_000, 30_000, 1e9].map((back) => decayed(3, back, 10_000)), [3, 3, 2, 1, 0, 0])
})

test('a first ejection longer than the longest lasts as long as it says (Envoy: the longest is at least the base)', () => {
  assert.deepEqual([1, 2, 7].map((times) => ejectionTime(ejectionConfig.parse({ ejection: '10m' }), times)), [600_000, 600_000, 600_000])
})

test('with Envoy\'s 30 s the vectors are Envoy\'s', () => {
  const config = ejectionConfig.parse({ ejection: '30s' })
  assert.deepEqual([1, 2, 9, 10, 11].map((times) => ejectionTime(config, times)), [30_000, 60_000, 270_000, 300_000, 300_000])
})
