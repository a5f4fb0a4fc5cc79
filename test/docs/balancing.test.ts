import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { sectionOf } from '../../bench/page.ts'
import { chartOf } from '../../bench/simulator/chart.ts'
import { fileOf, over, studySection } from '../../bench/simulator/page.ts'
import type { Figures } from '../../bench/simulator/measure.ts'
import { scenarios } from '../../bench/simulator/scenarios.ts'
import type { Study } from '../../bench/simulator/study.ts'
import { pageText, root } from './samples.ts'

const kept = (file: string): string => readFileSync(join(root, 'bench/results', file), 'utf8')
const study = JSON.parse(kept('balancing.json')) as Study
const page = pageText('docs/balancing.md')

test('the figures of the page are those of the run that is kept: `npm run simulate` writes both', () => {
  assert.equal(sectionOf(page, 'balancing'), studySection(study))
  for (const result of study.results) assert.equal(kept(fileOf(result.name)), chartOf(result), result.name)
})

test('the run that is kept went through every scenario, from several seeds', () => {
  assert.deepEqual(study.results.map(({ name, text }) => ({ name, text })), scenarios.map(({ name, text }) => ({ name, text })))
  assert.ok(study.seeds.length >= 5)
})

const p99 = (seeds: readonly Figures[]) => over(seeds, (figures) => figures.p99)
const p999 = (seeds: readonly Figures[]) => over(seeds, (figures) => figures.p999)
const rowsOf = (scenario: string) => study.results.find(({ name }) => name === scenario)!.rows

test('at 1.2 times of what is allotted, prequal is best: half of the p99.9 of round-robin and of weights by report, and no worse than any beyond the spread of seeds', () => {
  const { phases, rows } = study.results.find(({ name }) => name === 'antagonists')!
  const at = (name: string) => p999(rows[name]![phases.indexOf('1.2 ×')]!)
  for (const name of ['round-robin', 'orca-wrr']) assert.ok(2 * at('prequal').max <= at(name).min, name)
  for (const name of Object.keys(rows)) assert.ok(at('prequal').median <= at(name).max, name)
})

test('one of ten ten times slower: p99 is within 1.3 times of that without it, with few calls too', () => {
  for (const name of ['prequal', 'prequal without reports']) {
    const well = p99(rowsOf('few calls')[name]![0]!).median
    assert.ok(p99(rowsOf('one slow, few calls')[name]![0]!).max <= 1.3 * well, name)
  }
})

test('whatever has a scenario in which it beats prequal by a tenth, in the median of the seeds, has a sentence for it', () => {
  const [, told = ''] = page.split('**Where `prequal` is not the best, and why.**')
  const sentences = told.split('<!--')[0]!
  for (const { name, rows } of study.results) {
    const { prequal, ...others } = rows
    const beaten = Object.values(others).some((row) => row.some((seeds, index) =>
      [p99, p999].some((percentile) => percentile(seeds).median < 0.9 * percentile(prequal![index]!).median)))
    assert.equal(sentences.includes(`*${name}*`), beaten, name)
  }
})
