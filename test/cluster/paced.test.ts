import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Paced } from '../../src/cluster/paced.ts'
import { FakeClock } from '../../src/testing/index.ts'

const scene = () => {
  const clock = new FakeClock()
  const done: number[] = []
  return { clock, done, paced: new Paced(clock, () => { done.push(clock.now()) }) }
}

test('the first time at once, then once in 20 ms however often it is asked for', async () => {
  const { clock, done, paced } = scene()
  const began = clock.now()
  for (let i = 0; i < 10; i++) {
    paced.ask()
    await clock.advance(5)
  }
  assert.deepEqual(done.map((at) => at - began), [0, 20, 40])
})

test('nothing is done once it is closed', async () => {
  const { clock, done, paced } = scene()
  paced.ask()
  paced.ask()
  paced.close()
  paced.ask()
  await clock.advance(100)
  assert.deepEqual([done.length, clock.pending], [1, 0])
})
