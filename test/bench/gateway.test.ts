import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gatewayTable, ratioOf, type GatewayRound, type Measured } from '../../bench/gateway/page.ts'

const measured = (cpu: number | null, p99 = 1): Measured => ({ cpu, perSecond: 1, p50: 1, p99, p999: 1 })

const rounds: readonly GatewayRound[] = [
  { 'straight to it': measured(null), 'HAProxy': measured(10), 'enmesh': measured(40, 2) },
  { 'straight to it': measured(null), 'HAProxy': measured(100), 'enmesh': measured(300, 3) },
]

test('a way is set against another within each round', () => {
  assert.deepEqual(ratioOf(rounds, 'enmesh', 'HAProxy', 'cpu'), { median: 3.5, min: 3, max: 4 })
  assert.equal(ratioOf(rounds, 'enmesh', 'node:http', 'cpu'), undefined)
})

test('what was not measured is a dash, and a way that is not there has no column', () => {
  const [head, straight, , enmesh] = gatewayTable('cost', rounds)
  assert.deepEqual(head?.slice(-1), ['CPU × HAProxy'])
  assert.deepEqual([straight?.[1], straight?.at(-1), enmesh?.at(-1)], ['–', '–', '3.50 (3.00–4.00)'])
})
