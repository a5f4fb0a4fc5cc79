import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { budgetConfig, retryBudget } from '../../src/policies/budget.ts'
import { retry, retryConfig } from '../../src/policies/retry.ts'
import { FakeClock, fakeRuntime, scriptedUpstream } from '../../src/testing/index.ts'
import { callFor, clusterOf } from './support.ts'

const budgetOf = (input: object, clock = new FakeClock()) => ({ clock, budget: retryBudget(budgetConfig.parse(input), clock) })

test('the default is 20 % and 10 per second over 10 s', () => {
  assert.deepEqual(budgetConfig.parse({}), { percent: 20, perSecond: 10, window: 10_000 })
})

test('windows under a second or over a minute are refused', () => {
  for (const window of [0, 999, '61s']) assert.equal(budgetConfig.safeParse({ window }).success, false, String(window))
})

test('five calls earn one retry at 20 %', () => {
  const { clock, budget } = budgetOf({ percent: 20, perSecond: 0 })
  for (let i = 0; i < 4; i++) budget.deposit(clock.now())
  assert.equal(budget.withdraw(), false)
  budget.deposit(clock.now())
  assert.equal(budget.balance, 1)
  assert.equal(budget.withdraw(), true)
  assert.equal(budget.withdraw(), false)
})

test('deposits are lost after the window', async () => {
  const { clock, budget } = budgetOf({ percent: 100, perSecond: 0 })
  budget.deposit(clock.now())
  await clock.advance(8_000)
  budget.deposit(clock.now())
  assert.equal(budget.balance, 2)
  await clock.advance(2_000)
  assert.equal(budget.balance, 1)
  await clock.advance(100_000)
  assert.equal(budget.balance, 0)
  assert.equal(budget.withdraw(), false)
})

test('the reserve is there without a call, and comes back after the window', async () => {
  const { clock, budget } = budgetOf({ percent: 0, perSecond: 10 })
  for (let i = 0; i < 100; i++) assert.equal(budget.withdraw(), true)
  assert.equal(budget.withdraw(), false)
  await clock.advance(8_900)
  assert.equal(budget.withdraw(), false)
  await clock.advance(1_200)
  assert.equal(budget.balance, 100)
})

test('nothing is allowed when neither a share nor a reserve is given', () => {
  const { clock, budget } = budgetOf({ percent: 0, perSecond: 0 })
  for (let i = 0; i < 1_000; i++) budget.deposit(clock.now())
  assert.equal(budget.withdraw(), false)
  assert.equal(budget.balance, 0)
})

test('over every whole window, withdrawals stay within the share and the reserve, whatever the traffic', () => {
  const steps = fc.array(fc.record({ wait: fc.nat(3_000), deposits: fc.nat(60), withdrawals: fc.nat(60) }), { maxLength: 60 })
  fc.assert(fc.property(steps, fc.integer({ min: 0, max: 100 }), fc.nat(20), (steps, percent, perSecond) => {
    let now = 1_000
    const clock = { now: () => now, wall: () => now, after: () => () => {}, background: () => () => {} }
    const budget = retryBudget({ percent, perSecond, window: 10_000 }, clock)
    const log: { bucket: number; deposits: number; withdrawals: number }[] = []
    for (const step of steps) {
      now += step.wait
      let withdrawals = 0
      for (let i = 0; i < step.deposits; i++) budget.deposit(clock.now())
      for (let i = 0; i < step.withdrawals; i++) if (budget.withdraw()) withdrawals++
      log.push({ bucket: Math.floor(now / 1_000), deposits: step.deposits, withdrawals })
      const window = log.filter(({ bucket }) => bucket > Math.floor(now / 1_000) - 10)
      const sum = (field: 'deposits' | 'withdrawals'): number => window.reduce((total, entry) => total + entry[field], 0)
      if (withdrawals > 0) assert.ok(sum('withdrawals') * 100 <= sum('deposits') * percent + perSecond * 10 * 100)
    }
  }), { numRuns: 200 })
})

const storm = async (rps: number, seconds: number): Promise<number> => {
  const runtime = fakeRuntime()
  const { clock } = runtime
  const upstream = scriptedUpstream({ error: 'ENMESH_CONNECT_FAILED' })
  const cluster = clusterOf(upstream.send, { budget: retryBudget(budgetConfig.parse({}), clock) })
  const send = retry(retryConfig.parse({ backoff: { base: 0 } }), runtime)(cluster.send)
  let failed = 0
  for (let sent = 0; sent < rps * seconds; sent += rps / 10) {
    for (let i = 0; i < rps / 10; i++) send(callFor(clock, cluster)).catch(() => { failed++ })
    await clock.advance(100)
  }
  assert.equal(failed, rps * seconds, 'every call fails, so the budget alone bounds the attempts')
  assert.equal(clock.pending, 0)
  return upstream.attempts.length / failed
}

test('a retry storm of 500 calls per second is held to 1.22 attempts per call over the window', async () => {
  const ratio = await storm(500, 10)
  assert.ok(ratio <= 1.22, `${ratio} attempts per call`)
  assert.ok(ratio > 1.21, `${ratio}: the budget gives what it promises`)
})

test('a storm that lasts is held to the same over several windows', async () => {
  const ratio = await storm(500, 30)
  assert.ok(ratio <= 1.22, `${ratio} attempts per call`)
})
