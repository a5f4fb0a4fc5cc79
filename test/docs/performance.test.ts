import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { MemoryResults } from '../../bench/findings.ts'
import { memorySection, runSection, sectionOf } from '../../bench/page.ts'
import type { Results } from '../../bench/report.ts'
import { chartOf } from '../../bench/save.ts'
import { pageText, root } from './samples.ts'

const kept = (file: string): string => readFileSync(join(root, 'bench/results', file), 'utf8')
const page = pageText('docs/performance.md')

test('the tables of the page are those of the run that is kept: write them with `--save`', () => {
  assert.equal(sectionOf(page, 'run'), runSection(JSON.parse(kept('latest.json')) as Results))
  assert.equal(sectionOf(page, 'memory'), memorySection(JSON.parse(kept('memory.json')) as MemoryResults))
})

test('the chart is that of the run that is kept', () => {
  assert.equal(kept('latest.svg'), chartOf(JSON.parse(kept('latest.json')) as Results))
})
