import assert from 'node:assert/strict'
import { test } from 'node:test'
import { proxiesGuide, proxiesTable, writtenGuide } from '../../scripts/proxies.ts'
import { policyRows } from '../../src/proxies/expression.ts'

test('the table of the guide to proxies is what the code says: run `node scripts/write-proxies.ts` after a change', () => {
  assert.equal(writtenGuide(), proxiesGuide(writtenGuide()))
})

test('each policy has one row, and each row says all', () => {
  const rows = proxiesTable().split('\n').slice(2, -1)
  assert.equal(rows.length, policyRows.length)
  assert.equal(new Set(policyRows.map(({ policy }) => policy)).size, policyRows.length)
  for (const row of rows) assert.equal(row.split(/(?<!\\)\|/).length, 6, row)
})
