import assert from 'node:assert/strict'
import { test } from 'node:test'
import { optionsOf, optionsPage } from '../../scripts/options.ts'
import { inputSchema } from '../../src/config-file/schema.ts'
import { pageText } from './samples.ts'

test('the page of options is what the schemas say: run `npm run docs:options` after a change', () => {
  assert.equal(pageText('docs/options.md'), optionsPage())
})

test('every option has a meaning', () => {
  const rows = optionsPage().split('\n').filter((line) => line.startsWith('| `'))
  assert.ok(rows.length > 80)
  assert.deepEqual(rows.filter((row) => row.split(' | ').some((cell) => cell.trim() === '' || cell === ' |')), [])
  assert.deepEqual(optionsOf(inputSchema()).filter(({ meaning }) => meaning === ''), [])
})
