import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { sectionOf } from '../../bench/page.ts'
import { chartOf } from '../../bench/simulator/chart.ts'
import { fileOf, studySection } from '../../bench/simulator/page.ts'
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

test('the run that is kept went through every scenario', () => {
  assert.deepEqual(study.results.map(({ name, text }) => ({ name, text })), scenarios.map(({ name, text }) => ({ name, text })))
})

test('at 1.2 times of what is allotted, prequal is best: half of the p99.9 of round-robin and of weights by report, and no worse than any', () => {
  const { phases, rows } = study.results.find(({ name }) => name === 'antagonists')!
  const at = (name: string): number => rows[name]![phases.indexOf('1.2 ×')]!.p999
  for (const name of ['round-robin', 'orca-wrr']) assert.ok(2 * at('prequal') <= at(name), name)
  for (const name of Object.keys(rows)) assert.ok(at('prequal') <= at(name), name)
})

test('whatever has a scenario in which it beats prequal by a tenth has a sentence for it', () => {
  const [, told = ''] = page.split('**Where `prequal` is not the best, and why.**')
  const sentences = told.split('<!--')[0]!
  for (const { name, rows } of study.results) {
    const { prequal, ...others } = rows
    const beaten = Object.values(others).some((row) => row.some(({ p99, p999 }, index) => p99 < 0.9 * prequal![index]!.p99 || p999 < 0.9 * prequal![index]!.p999))
    assert.equal(sentences.includes(`*${name}*`), beaten, name)
  }
})
