import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { readGrpcTimeout, readTimeLeft, wholeMilliseconds, writeGrpcTimeout } from '../../src/tracing/time-left.ts'

test('a grpc-timeout is a whole number of at most eight digits and a unit', () => {
  const cases: readonly (readonly [string | undefined, number])[] = [
    ['1H', 3_600_000], ['2M', 120_000], ['3S', 3_000], ['4m', 4], ['5000u', 5], ['6000000n', 6], ['99999999S', 99_999_999_000], ['0m', 0], [' 1S ', 1_000],
    [undefined, Infinity], ['', Infinity], ['1', Infinity], ['S', Infinity], ['1s', Infinity], ['1h', Infinity], ['1.5S', Infinity], ['-1S', Infinity],
    ['100000000m', Infinity], ['1S, 2S', Infinity], ['1 S', Infinity], ['١S', Infinity],
  ]
  for (const [text, ms] of cases) assert.equal(Math.round(readGrpcTimeout(text) * 1e6) / 1e6, ms, text)
})

test("Envoy's field is whole milliseconds, and 0 is no end", () => {
  const cases: readonly (readonly [string | undefined, number])[] = [
    ['1', 1], ['15000', 15_000], [' 20 ', 20], ['999999999999999', 999_999_999_999_999],
    [undefined, Infinity], ['', Infinity], ['0', Infinity], ['-1', Infinity], ['1.5', Infinity], ['1e3', Infinity], ['0x10', Infinity], ['1, 2', Infinity],
    ['9999999999999999', Infinity],
  ]
  for (const [text, ms] of cases) assert.equal(readTimeLeft(text), ms, text)
})

test('what is written is never longer than what is left, but for the last millisecond', () => {
  assert.deepEqual([0.2, 1, 1.9, 1_500.7].map(wholeMilliseconds), [1, 1, 1, 1_500])
  assert.deepEqual([0.2, 1_500.7, 99_999_999, 1e8, 1e15].map(writeGrpcTimeout), ['1m', '1500m', '99999999m', '100000S', '99999999S'])
  fc.assert(fc.property(fc.double({ min: 1, max: 9e10, noNaN: true }), (ms) => {
    const read = readGrpcTimeout(writeGrpcTimeout(ms))
    assert.ok(read <= ms && read > ms - 1_000, `${ms} is written as ${read}`)
  }), { seed: 20260106 })
})
