import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadReport } from '../../src/balancers/load-report.ts'
import type { Reply, ReplyHeaders } from '../../src/core/reply.ts'

const read = (header: string | string[] | undefined) => loadReport({ headers: { 'endpoint-load-metrics': header } as ReplyHeaders } as Reply)

const nothing = { rif: Number.NaN, latency: Number.NaN, utilization: Number.NaN, rps: Number.NaN, eps: Number.NaN }

test('reads the text form, with either sign between name and value', () => {
  const report = 'cpu_utilization=0.7,application_utilization=0.8,mem_utilization=0.9,rps_fractional=1000,eps=2,named_metrics.rif=12,named_metrics.latency=3.5'
  const expected = { rif: 12, latency: 3.5, utilization: 0.8, rps: 1_000, eps: 2 }
  assert.deepEqual(read(`TEXT ${report}`), expected)
  assert.deepEqual(read(`TEXT ${report.replaceAll('=', ':')}`), expected)
})

test('reads the JSON form', () => {
  const report = { cpu_utilization: 0.7, rps_fractional: 1_000, eps: 2, named_metrics: { rif: 12, latency: 3.5 } }
  assert.deepEqual(read(`JSON ${JSON.stringify(report)}`), { rif: 12, latency: 3.5, utilization: 0.7, rps: 1_000, eps: 2 })
})

test('takes names for what they are and not for parts of others', () => {
  assert.deepEqual(read('TEXT named_metrics.eps=7,reps=8,epsilon=9'), nothing)
})

test('a value that is no number from 0 on is left out', () => {
  for (const value of ['-1', 'NaN', 'Infinity', '1e999', '1e308', '1e9', '', '"2"', 'x']) assert.deepEqual(read(`TEXT eps=${value},rps_fractional=${value}`), nothing, value)
  assert.deepEqual(read('JSON {"eps":"2","rps_fractional":null,"named_metrics":[1]}'), nothing)
})

test('what is no report is none', () => {
  for (const header of [undefined, '', 'TEXT', 'BIN CgQ=', 'eps=1', 'JSON', 'JSON {', 'JSON null', 'JSON 7', ['TEXT eps=1', 'TEXT eps=2'], `TEXT eps=1,${'x'.repeat(3_000)}`]) {
    assert.equal(read(header), undefined, String(header))
  }
})
