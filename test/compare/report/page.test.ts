import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Results } from '../../../src/compare/results.ts'
import { page } from '../../../src/compare/report/page.ts'
import { html } from '../../../src/compare/report/html.ts'
import { percent, shown, time } from '../../../src/compare/report/numbers.ts'
import { linearTicks, logarithmic, logarithmicTicks } from '../../../src/compare/report/scale.ts'
import { lowest, spreadOf, tie } from '../../../src/compare/spread.ts'
import { results } from './results.ts'

test('a spread is the median with its range', () => {
  assert.deepEqual(spreadOf([3, 1, 2]), { median: 2, min: 1, max: 3 })
  assert.deepEqual(spreadOf([4, 1, 2, 3]), { median: 2.5, min: 1, max: 4 })
})

test('figures tie when their ranges meet, and the best are the lowest and all that tie with it', () => {
  const [a, b, c] = [[1, 2, 3], [3, 4, 5], [4, 5, 6]].map(spreadOf)
  assert.equal(tie(a!, b!), true)
  assert.equal(tie(a!, c!), false)
  assert.deepEqual(lowest([c!, a!, b!]), [false, true, true])
  // It ties with the lowest, and yet another one beats it.
  assert.deepEqual(lowest([spreadOf([0, 1, 10]), spreadOf([2, 2, 2]), spreadOf([4, 5, 6])]), [true, true, false])
})

test('what is put into markup is escaped, markup is not', () => {
  assert.equal(html`<b title="${'"\'&'}">${'<i>'}${html`<i>${1}</i>`}${undefined}${['a', html`<u></u>`]}</b>`.text, '<b title="&quot;&#39;&amp;">&lt;i&gt;<i>1</i>a<u></u></b>')
})

test('numbers are written with three digits that count', () => {
  assert.deepEqual([0, 0.01234, 1.2345, 12.345, 123.45, 12_345, Number.NaN].map(shown), ['0', '0.012', '1.23', '12.3', '123', '12,345', '–'])
  assert.deepEqual([percent(0, 10), percent(1, 1_000_000), percent(1, 100), percent(1, 3), percent(0, 0)], ['0 %', '< 0.01 %', '1.00 %', '33.3 %', '–'])
  assert.deepEqual([time(3.2), time(1_500)], ['3.20 ms', '1.50 s'])
})

test('axes are labelled at round numbers', () => {
  assert.deepEqual(linearTicks(93), [0, 20, 40, 60, 80])
  assert.deepEqual(linearTicks(0), [0])
  assert.deepEqual(logarithmicTicks(0.2, 12), [0.2, 0.5, 1, 2, 5, 10])
  assert.deepEqual([0.1, 1, 10, 100].map(logarithmic(1, 10, 50)), [0, 0, 50, 50])
})

test('each arrangement is set against enmesh with the same client, round by round', () => {
  const text = page(results).split('Each arrangement set against enmesh')[1]!
  const row = /<tr><th scope="row">HAProxy, fetch<\/th>.*?<\/tr>/s.exec(text)![0]
  // (66 + 20) / 24 in the first round.
  assert.match(row, /3\.5\d × \(3\.5\d–3\.58\)/)
  const same = /<tr><th scope="row">direct, fetch<\/th>.*?<\/tr>/s.exec(text)![0]
  assert.match(same, /a tie \(1\.00–1\.00 ×\)/)
})

test('of one round nothing is marked as the best', () => {
  const one: Results = { ...results, rounds: 1, cases: results.cases.map((each) => ({ ...each, measured: each.measured.map((measured) => ({ ...measured, rounds: measured.rounds.slice(0, 1) })) })) }
  assert.match(page(results), /class="best"/)
  assert.doesNotMatch(page(one), /class="best"/)
  assert.match(page(one), /nothing is marked as the best/)
})

test('what happened in a fault is numbered in its chart and listed below, with what was said against what was pushed', () => {
  const [fault] = results.faults
  const text = page({ ...results, faults: [{ ...fault!, runs: fault!.runs.map((run) => ({ ...run, refusal: 'no <backend> nowhere' })) }] })
  assert.match(text, /<ol class="marks"><li>killed, 2\.50 s after the beginning<\/li><li>back, 3\.50 s/)
  assert.match(text, /no &lt;backend&gt; nowhere/)
})

test('an answer of the wrong version is drawn once', () => {
  const [fault] = results.faults
  const [run] = fault!.runs
  const slices = [{ at: 0, ok: 100, failed: 0, wrongVersion: 0, p99: 5 }, { at: 250, ok: 100, failed: 0, wrongVersion: 30, p99: 5 }]
  const text = page({ ...results, faults: [{ ...fault!, runs: [{ ...run!, failed: 0, wrongVersion: 30, requests: 200, slices }] }] })
  assert.match(text, /: 30 of the wrong version<.*: 70 answered</s)
  assert.match(text, />15\.0 %<\/text>/)
})

test('parts that were not asked for are said to be missing, and a run without any is still a page', () => {
  const empty: Results = { ...results, cases: [], faults: [], starts: [] }
  assert.equal(page(empty).match(/Not part of this run\./g)?.length, 3)
})

test('a case of which nothing was answered, and one with rounds of nothing, are still drawn', () => {
  const [base] = results.cases
  const silent = { ...base!, measured: base!.measured.map((measured, place) => ({ ...measured, rounds: place === 0 ? [] : measured.rounds.map((round) => ({ ...round, requests: 0, failed: 9, distribution: round.distribution.map(() => 0) })) })) }
  const text = page({ ...results, cases: [silent] })
  assert.match(text, /No call of this case was answered\./)
  assert.doesNotMatch(text, /NaN|Infinity|undefined/)
})
