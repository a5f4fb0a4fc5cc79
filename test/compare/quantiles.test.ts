import assert from 'node:assert/strict'
import { test } from 'node:test'
import { distributionOf, latencyOf, quantile, quantiles } from '../../src/compare/quantiles.ts'

const hundred = Array.from({ length: 100 }, (_, index) => index + 1)

test('a quantile is the smallest value that its share of all does not exceed', () => {
  assert.deepEqual([0, 0.01, 0.5, 0.99, 0.991, 1].map((share) => quantile(hundred, share)), [1, 1, 50, 99, 100, 100])
  assert.equal(quantile([7], 0.5), 7)
  assert.equal(quantile([], 0.5), 0)
})

test('latencies are given in whole microseconds', () => {
  assert.deepEqual(latencyOf(Float64Array.from(hundred)), { p50: 50, p90: 90, p99: 99, p999: 100, max: 100 })
  assert.equal(latencyOf([1.23456]).p50, 1.235)
})

test('a distribution has a value for every quantile, and both ascend', () => {
  const values = distributionOf(hundred)
  assert.equal(values.length, quantiles.length)
  for (const row of [quantiles, values]) assert.ok(row.every((value, index) => index === 0 || value >= row[index - 1]!))
  assert.deepEqual([quantiles[0], quantiles.at(-1)], [0, 1])
})
