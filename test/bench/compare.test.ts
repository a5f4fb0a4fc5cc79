import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { lengthsOf } from '../../bench/compare/lengths.ts'
import { comparisonSection } from '../../bench/compare/page.ts'
import { sectionOf } from '../../bench/page.ts'
import { results } from '../compare/report/results.ts'
import type { Results } from '../../src/compare/results.ts'
import { root } from '../docs/samples.ts'

const kept = join(root, 'bench/results/compare.json')

test('the page shows the run that is kept', { skip: existsSync(kept) ? false : 'no run is kept yet' }, () => {
  const run = JSON.parse(readFileSync(kept, 'utf8')) as Results
  assert.equal(sectionOf(readFileSync(join(root, 'docs/comparison.md'), 'utf8'), 'comparison'), comparisonSection(run))
})

test('the page names every arrangement, those that were not run with their reason', () => {
  const page = comparisonSection(results)
  for (const { title, notRun } of results.arrangements) {
    assert.ok(page.includes(title), title)
    if (notRun !== undefined) assert.ok(page.includes(`Not run: ${title}: ${notRun}.`), title)
  }
  for (const { title } of results.faults) assert.ok(page.includes(`### ${title}`), title)
})

test('a quick look has a registry that is less far behind, and one round', () => {
  assert.deepEqual([lengthsOf(true), lengthsOf(false)].map(({ faults, cases }) => [faults.pace.stale, faults.rounds, cases.rounds]), [[2_000, 1, 1], [20_000, 2, 3]])
  assert.equal(lengthsOf(false, 1).faults.rounds, 1)
})
