import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cases, requestsOf } from '../../bench/cases.ts'
import { chart } from '../../bench/chart.ts'
import type { Measurement } from '../../bench/client.ts'
import { sectionOf, withSection } from '../../bench/page.ts'
import { summarize, tables, type Round } from '../../bench/report.ts'
import { spreadOf, written } from '../../src/compare/spread.ts'

const measured = (cpu: number, p50 = 1): Measurement => ({ cpu, throughput: 1, p50, p99: 1, p999: 1, allocated: 1, rss: 1 })

const rounds: readonly Round[] = [
  { 'pool.dispatch': measured(10, 1), 'mesh.fetch': measured(30, 1.5) },
  { 'pool.dispatch': measured(100, 4), 'mesh.fetch': measured(200, 4.25) },
  { 'pool.dispatch': measured(10, 1), 'mesh.fetch': measured(40, 1.125) },
]

test('a spread is the middle of the values with their ends, and is written without them where they are one', () => {
  assert.deepEqual(spreadOf([3, 1, 10]), { median: 3, min: 1, max: 10 })
  assert.deepEqual(spreadOf([4, 1]), { median: 2.5, min: 1, max: 4 })
  assert.equal(written(spreadOf([3, 1, 10]), 1), '3.0 (1.0–10.0)')
  assert.equal(written(spreadOf([3]), 2), '3.00')
})

test('ratios are taken within each round, so a slow round changes none', () => {
  const { 'mesh.fetch': mesh } = summarize(rounds, ['pool.dispatch', 'mesh.fetch'])
  assert.deepEqual(mesh?.cpu, { median: 40, min: 30, max: 200 })
  assert.deepEqual(mesh?.against['pool.dispatch']?.cpu, { median: 3, min: 2, max: 4 })
  assert.deepEqual(mesh?.addedP50, { median: 250, min: 125, max: 500 })
})

test('what is waited for beyond the bare pool is told for one request at a time only', () => {
  const rows = summarize(rounds, ['pool.dispatch', 'mesh.fetch'])
  const heads = (name: 'base' | '1 in flight'): readonly string[] => tables(name, rows).map(([head]) => head!.join())
  assert.ok(heads('1 in flight').includes('mode,p50 over pool.dispatch, µs'))
  assert.equal(heads('base').length, heads('1 in flight').length - 1)
})

test('a mode that no baseline was measured with has no ratios', () => {
  const rows = summarize(rounds, ['mesh.fetch'])
  assert.deepEqual(rows['mesh.fetch']?.against, {})
  assert.equal(tables('1 in flight', rows).length, 1)
})

test('no case sends fewer requests than it has under way at once', () => {
  for (const name of Object.keys(cases) as (keyof typeof cases)[]) assert.ok(requestsOf(name, 1) >= cases[name].inFlight, name)
})

test('the chart ends its longest bar with its whisker inside the space for bars', () => {
  const drawn = chart(summarize(rounds, ['pool.dispatch', 'mesh.fetch']), 'a < b')
  assert.match(drawn, /<rect class="mesh" [^>]*width="84\.0"/)
  assert.match(drawn, /H610\.0/)
  assert.match(drawn, /a &#60; b/)
})

test('a section of a page can be written again and again', () => {
  const page = 'before\n<!-- run: written by the benchmark -->\n<!-- end of run -->\nafter\n'
  const once = withSection(page, 'run', 'a $& b')
  assert.equal(sectionOf(once, 'run'), 'a $& b')
  assert.equal(withSection(once, 'run', 'a $& b'), once)
  assert.ok(once.startsWith('before\n') && once.endsWith('\nafter\n'))
  assert.throws(() => sectionOf('no marks', 'run'), /no section 'run'/)
})
