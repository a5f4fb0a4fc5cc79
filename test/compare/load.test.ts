import assert from 'node:assert/strict'
import { test } from 'node:test'
import { closedLoop, openLoop, pause, steady } from '../../src/compare/load.ts'
import type { Clock } from '../../src/runtime/clock.ts'
import { FakeClock } from '../../src/testing/index.ts'

test('a closed loop keeps so many under way and sends so many', async () => {
  const clock = new FakeClock()
  let [underWay, most, sent] = [0, 0, 0]
  const driving = closedLoop(async () => {
    sent++
    most = Math.max(most, ++underWay)
    await pause(10, clock)
    underWay--
  }, 4, { requests: 10 }, clock)
  await clock.advance(1_000)
  const { took, failed, seconds } = await driving
  assert.deepEqual([sent, most, failed], [10, 4, 0])
  assert.deepEqual(took, Array(10).fill(10))
  assert.equal(seconds, 0.03)
})

test('a closed loop begins nothing after its time', async () => {
  const clock = new FakeClock()
  const driving = closedLoop(() => pause(30, clock), 1, { milliseconds: 100 }, clock)
  await clock.advance(1_000)
  assert.equal((await driving).took.length, 4)
})

test('failures are counted, have no latency and end nothing; the first one is told', async () => {
  let turn = 0
  const { took, failed, failure } = await closedLoop(async () => {
    if (++turn % 2 === 0) throw new Error(`number ${turn}`)
  }, 1, { requests: 6 })
  assert.deepEqual([took.length, failed, (failure as Error).message], [3, 3, 'number 2'])
})

test('an open loop sends when it is due, whatever became of those before', async () => {
  const clock = new FakeClock()
  const sent: [index: number, at: number, due: number][] = []
  const began = clock.now()
  const driving = openLoop([0, 10, 20, 500], async (index, due) => {
    sent.push([index, clock.now() - began, due - began])
    await pause(index === 0 ? 2_000 : 1, clock)
  }, clock)
  await clock.advance(1_000)
  assert.deepEqual(sent, [[0, 20, 20], [1, 30, 30], [2, 40, 40], [3, 520, 520]])
  let ended = false
  void driving.then(() => { ended = true })
  await clock.advance(500)
  assert.equal(ended, false)
  await clock.advance(1_000)
  assert.equal(ended, true)
})

test('what is late goes out at once, and counts from when it was due', async () => {
  const clock = new FakeClock()
  const late: number[] = []
  const driving = openLoop(function* () {
    yield 0
    void clock.advance(100)
    yield 10
  }(), async (_, due) => { late.push(clock.now() - due) }, clock)
  await clock.advance(1_000)
  await driving
  assert.equal(late[0], 0)
  assert.ok(late.length === 2)
})

test('nothing is sent before it is due, though timers fire early', async () => {
  const clock = new FakeClock()
  const early: Clock = { now: () => clock.now(), wall: () => clock.wall(), after: (ms, task) => clock.after(ms * 0.9, task), background: (ms, task) => clock.background(ms, task) }
  const took: number[] = []
  const driving = openLoop([0, 10.5, 20.25], async (_, due) => { took.push(clock.now() - due) }, early)
  await clock.advance(1_000)
  await driving
  assert.equal(took.length, 3)
  assert.ok(took.every((late) => late >= 0 && late < 1), String(took))
})

test('a steady load is even, and never nothing', () => {
  assert.deepEqual(steady(100, 50), [0, 10, 20, 30, 40])
  assert.deepEqual(steady(1, 10), [0])
})
