import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addedTable, answers } from '../../src/compare/added.ts'
import type { CaseResult, Results, Round } from '../../src/compare/results.ts'
import { results } from './report/results.ts'

const [base] = results.cases
const [{ rounds: [like] }] = base!.measured as unknown as readonly [{ readonly rounds: readonly [Round] }]

interface Figures {
  /** µs of each round. */
  readonly cpu: readonly number[]
  readonly p50: readonly number[]
  /** MiB under load, and at rest. */
  readonly memory: readonly number[]
  readonly rest: readonly number[]
}

const run = (figures: Readonly<Record<string, Figures>>): Results => {
  const entries = Object.entries(figures)
  const measured = (of: (figures: Figures, index: number) => Partial<Round>): CaseResult['measured'] => entries.map(([arrangement, all]) =>
    ({ arrangement, rounds: all.cpu.map((_, index) => ({ ...like, round: index + 1, ...of(all, index) })) }))
  return {
    ...results,
    arrangements: results.arrangements.filter(({ id }) => id in figures),
    cases: [
      { ...base!, id: 'base', title: 'base', measured: measured(({ cpu, memory }, at) => ({ cpu: { application: cpu[at]! / 2_000, proxy: cpu[at]! / 2_000 }, memory: { application: memory[at]!, proxy: 0 } })) },
      { ...base!, id: 'one', title: 'one', inFlight: 1, measured: measured(({ p50 }, at) => ({ latency: { ...like.latency, p50: p50[at]! / 1_000 } })) },
    ],
    starts: entries.map(([arrangement, { rest }]) => ({ arrangement, milliseconds: rest.map(() => ({ application: 100, proxy: 0 })), idleMemory: rest.map((application) => ({ application, proxy: 0 })) })),
  }
}

const some = run({
  'direct-fetch': { cpu: [70, 80, 90], p50: [48, 50, 49], memory: [200, 210, 205], rest: [60, 60, 60] },
  'direct-request': { cpu: [16, 17, 18], p50: [20, 21, 22], memory: [190, 190, 190], rest: [60, 60, 60] },
  'enmesh-fetch': { cpu: [20, 24, 26], p50: [29, 29, 28], memory: [140, 140, 140], rest: [64, 64, 64] },
  'enmesh-request': { cpu: [24, 25, 27], p50: [30, 31, 33], memory: [191, 189, 190], rest: [65, 64, 65] },
  'haproxy-fetch': { cpu: [100, 100, 100], p50: [84, 82, 86], memory: [220, 220, 220], rest: [100, 100, 100] },
  'haproxy-request': { cpu: [32, 50, 50], p50: [40, 41, 42], memory: [180, 200, 210], rest: [100, 100, 100] },
})

const answer = (found: Results, question: RegExp): string | undefined => answers(found).find(([asked]) => question.test(asked!))?.[1]

test('CPU is set against that through the proxy, round by round', () => {
  assert.equal(answer(some, /^CPU.*: mesh\.fetch, of fetch through HAProxy/), '0.24 × (0.20–0.26)')
  assert.equal(answer(some, /^CPU.*: mesh\.fetch, of undici\.request through HAProxy/), '0.52 × (0.48–0.63)')
  assert.equal(answer(some, /^CPU.*: undici\.request with mesh\.dispatcher, of undici/), '0.54 × (0.50–0.75)')
  assert.equal(answer(some, /mesh\.dispatcher, of fetch/), undefined)
})

test('what is added is a part of what the proxy adds; nothing where it is below 0; no part where the proxy adds nothing', () => {
  assert.equal(answer(some, /^p50.*mesh\.fetch/), 'adds nothing: −21 µs (−21 to −19); the proxy: 36 µs (32–37)')
  assert.equal(answer(some, /^p50.*mesh\.dispatcher/), '0.50 × (0.50–0.55): 10 µs (10–11); the proxy: 20 µs')
  assert.equal(answer(some, /^memory at rest.*mesh\.dispatcher/), '0.13 × (0.10–0.13): 5.0 MiB (4.0–5.0); the proxy: 40.0 MiB')
  assert.equal(answer(some, /^memory under load.*mesh\.dispatcher/), 'adds nothing: 0 MiB (−1 to 1), a tie with the client alone; the proxy: 10 MiB (−10 to 20), a tie with the client alone')
  const other = run({
    'direct-request': { cpu: [1], p50: [20], memory: [1], rest: [1] }, 'enmesh-request': { cpu: [1], p50: [22], memory: [1], rest: [1] },
    'haproxy-request': { cpu: [1], p50: [19], memory: [1], rest: [1] },
  })
  assert.equal(answer(other, /^p50/), 'no ratio, since the proxy adds nothing in some round: 2 µs; the proxy: −1 µs')
})

test('ties are named', () => {
  const tied = run({
    'direct-request': { cpu: [9, 9], p50: [20, 20], memory: [1, 1], rest: [1, 1] }, 'enmesh-request': { cpu: [10, 12], p50: [22, 24], memory: [1, 1], rest: [1, 1] },
    'haproxy-request': { cpu: [11, 11], p50: [23, 23], memory: [1, 1], rest: [1, 1] },
  })
  assert.equal(answer(tied, /^CPU/), '1.00 × (0.91–1.09), a tie')
  assert.equal(answer(tied, /^p50/), '1.00 × (0.67–1.33), a tie: 3 µs (2–4); the proxy: 3 µs')
})

test('each way has a line with all that it adds, and what was not measured has none', () => {
  const [head, ...lines] = addedTable(some)
  assert.deepEqual(head, ['arrangement', 'CPU of a call (base), µs', 'p50 at 1 in flight, µs', 'memory at rest, MiB', 'memory under load, MiB', 'time to the first answer, ms'])
  assert.deepEqual(lines.map(([name]) => name), ['enmesh, mesh.fetch', 'enmesh, mesh.dispatcher', 'HAProxy, fetch', 'HAProxy, undici.request'])
  assert.deepEqual(lines[1]!.slice(1), ['+8.0 (8.0–9.0)', '+10 (10–11)', '+5.0 (4.0–5.0)', '0 (−1 to 1), a tie', '0'])
  const bare: Results = { ...some, cases: [], starts: [] }
  assert.deepEqual([addedTable(bare).length, answers(bare).length], [1, 1])
})
