import assert from 'node:assert/strict'
import { test } from 'node:test'
import { available } from '../../src/cluster/availability.ts'
import { ejectable } from '../../src/cluster/ejection.ts'
import { outlierConfig } from '../../src/cluster/outlier.ts'
import { Endpoint } from '../../src/core/endpoint.ts'
import { pageText } from './samples.ts'

const page = pageText('docs/guides/health.md')

const rowsUnder = (head: string): readonly (readonly string[])[] =>
  page.slice(page.indexOf(head)).split('\n\n')[0]!.split('\n').slice(2).map((line) => line.split('|').slice(1, -1).map((cell) => cell.trim()))

/** How many of so many endpoints must be out for a panic at the default threshold. */
const panicAt = (total: number): number => {
  for (let out = 1; out <= total; out++) {
    const endpoints = Array.from({ length: total }, () => new Endpoint({ address: 'a:1' }))
    for (const endpoint of endpoints.slice(0, out)) endpoint.state = 'ejected'
    if (available(endpoints, 50).panic) return out
  }
  return Number.NaN
}

test('the table of caps says what the code does, for 1 to 10 endpoints', () => {
  const expected = Array.from({ length: 10 }, (_, index) => {
    const total = index + 1
    return [total, ejectable(total, 50), ejectable(total, 10), ejectable(total, 10, 1), ejectable(total, 100), panicAt(total)].map(String)
  })
  assert.deepEqual(rowsUnder('| endpoints | may be out'), expected)
})

test('the table of rules has every rule with its defaults', () => {
  const defaults = outlierConfig.parse({})
  const switchedOn = outlierConfig.parse({ successRate: {}, failurePercentage: {}, latency: {} })
  const rules = ['failures', 'gatewayFailures', 'localFailures', 'successRate', 'failurePercentage', 'latency'] as const
  const expected = rules.map((rule) => {
    const on = switchedOn[rule]
    const options = typeof on === 'object' ? Object.entries(on).map(([name, value]) => `\`${name}\` ${name === 'gap' && rule === 'latency' ? `\`${String(value)}ms\`` : String(value)}`).join(', ') : ''
    return [`\`${rule}\``, typeof defaults[rule] === 'object' ? 'on' : `\`${String(defaults[rule])}\``, options]
  })
  assert.deepEqual(rowsUnder('| rule | takes out').map((cells) => [cells[0], cells[3], cells[4]]), expected)
})
