import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { blamedBy, figuresOf, isMisattributed, sliceLength, slicesOf, timeToRecover } from '../../../src/compare/faults/figures.ts'
import type { Seen } from '../../../src/compare/processes/client-process.ts'
import type { Slice } from '../../../src/compare/results.ts'

const ok = (at: number, took = 10, version = 'v1'): Seen => ({ at, took, answer: { status: 200, servedBy: 'v1-1', version } })
const serviceSays = (at: number, status: number): Seen => ({ at, took: 5, answer: { status, servedBy: 'v1-1', version: 'v1' } })
const nobodySays = (at: number, status: number): Seen => ({ at, took: 5, answer: { status } })
const failed = (at: number, error: string): Seen => ({ at, took: 5, error })

describe('who is blamed', () => {
  test('a status is the service\'s where an instance says that it answered, and the proxy\'s otherwise', () => {
    assert.equal(blamedBy(serviceSays(0, 503), 'sidecar'), 'service 503')
    assert.equal(blamedBy(nobodySays(0, 503), 'sidecar'), 'proxy 503')
    assert.equal(blamedBy(nobodySays(0, 503), 'direct'), 'unknown 503')
    assert.equal(blamedBy(failed(0, 'ECONNRESET'), 'direct'), 'ECONNRESET')
  })

  test('only an answer that no instance gave is blamed on the wrong one', () => {
    assert.deepEqual([ok(0), serviceSays(0, 503), failed(0, 'ECONNRESET'), nobodySays(0, 502)].map(isMisattributed), [false, false, false, true])
  })
})

test('slices count what was due in them', () => {
  const slices = slicesOf([ok(0, 10), ok(10, 20), serviceSays(sliceLength - 1, 503), ok(sliceLength, 30, 'v2'), failed(3 * sliceLength, 'x')], { from: 0 }, 'v2')
  assert.deepEqual(slices, [
    { at: 0, ok: 2, failed: 1, wrongVersion: 2, p99: 20 },
    { at: sliceLength, ok: 1, failed: 0, wrongVersion: 0, p99: 30 },
    { at: 3 * sliceLength, ok: 0, failed: 1, wrongVersion: 0, p99: 5 },
  ])
})

type Kind = 'good' | 'failed' | 'slow' | 'wrong'

describe('the time to recover', () => {
  const p99Before = 10
  const slow = 2 * p99Before + 26
  const run = (...kinds: readonly Kind[]): readonly Slice[] => kinds.map((kind, index) => ({
    at: index * sliceLength, ok: 30, failed: kind === 'failed' ? 3 : 0, wrongVersion: kind === 'wrong' ? 3 : 0, p99: kind === 'slow' ? slow : p99Before,
  }))
  const recovered = (...kinds: readonly Kind[]): number | null => timeToRecover(run('good', 'good', ...kinds), { from: 2 * sliceLength }, p99Before)

  test('is none where nothing was ever wrong', () => assert.equal(recovered('good', 'good'), 0))
  test('lasts to the end of the last slice with a failure', () => assert.equal(recovered('failed', 'good', 'failed', 'good'), 3 * sliceLength))
  test('counts the wrong version as a failure', () => assert.equal(recovered('wrong', 'wrong', 'good'), 2 * sliceLength))
  test('is not within the run where its last slice is bad', () => assert.equal(recovered('good', 'failed'), null))
  test('counts slow slices in a row, and none that stands alone', () => {
    assert.equal(recovered('slow', 'slow', 'good'), 2 * sliceLength)
    assert.equal(recovered('good', 'slow', 'good'), 0)
    assert.equal(recovered('failed', 'slow', 'good'), 2 * sliceLength)
  })
  test('does not count what was before the fault', () => {
    assert.equal(timeToRecover(run('failed', 'failed', 'good', 'good'), { from: 2 * sliceLength }, p99Before), 0)
  })
})

test('a run is summed up: requests, attempts, the three times, and whom the caller blames', () => {
  const seen = [ok(0, 10), ok(500, 12), failed(1_000, 'ECONNRESET'), nobodySays(1_100, 502), ok(1_200, 40, 'v2'), ok(2_500, 11, 'v2')]
  const run = figuresOf({ began: 0, seen }, { from: 1_000, to: 2_000 }, 9, { arrangement: 'nginx-fetch', kind: 'sidecar', round: 2, wanted: 'v2', refusal: 'no' })
  assert.deepEqual({ ...run, slices: run.slices.length }, {
    arrangement: 'nginx-fetch', round: 2, requests: 6, failed: 2, wrongVersion: 0, attemptsPerRequest: 1.5,
    p99: { before: 12, during: 40, after: 11 }, timeToRecover: 250, blamed: { 'ECONNRESET': 1, 'proxy 502': 1 }, misattributed: 1, slices: 4, refusal: 'no',
  })
})
