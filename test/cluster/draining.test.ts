import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Dispatcher } from 'undici'
import { Draining } from '../../src/cluster/draining.ts'
import { Endpoint } from '../../src/core/endpoint.ts'
import { FakeClock } from '../../src/testing/index.ts'

const limit = 30_000

/** An endpoint with connections on which something is under way for good: only `destroy` ends them. */
const busy = () => {
  const endpoint = new Endpoint({ address: 'a:1' })
  let resolve = (): void => {}
  const promise = new Promise<void>((done) => { resolve = done })
  const pool = { destroyed: false, close: () => promise, destroy: () => { pool.destroyed = true; resolve(); return promise } }
  endpoint.pools.set('kind', pool as unknown as Dispatcher)
  return { endpoint, pool, finish: () => resolve() }
}

test('connections of an endpoint that is gone have a limit', async () => {
  const clock = new FakeClock()
  const { endpoint, pool } = busy()
  new Draining(clock).drain(endpoint)
  assert.equal(endpoint.pools.size, 0)
  await clock.advance(limit - 1)
  assert.equal(pool.destroyed, false)
  await clock.advance(1)
  assert.equal(pool.destroyed, true)
})

test('those of which nothing is wrong have none until the end, and then one for all', async () => {
  const clock = new FakeClock()
  const draining = new Draining(clock)
  const patient = busy()
  draining.drainInItsTime(patient.endpoint)
  await clock.advance(100 * limit)
  assert.equal(patient.pool.destroyed, false)
  const other = busy()
  draining.drain(other.endpoint)
  await clock.advance(limit - 1)
  const finished = draining.finished()
  await clock.advance(1)
  assert.deepEqual([other.pool.destroyed, patient.pool.destroyed], [true, false], 'a limit that runs does not begin anew')
  await clock.advance(limit - 1)
  assert.equal(patient.pool.destroyed, true)
  await finished
  assert.equal(clock.pending, 0)
})

test('whoever ends in time leaves no timer', async () => {
  const clock = new FakeClock()
  const draining = new Draining(clock)
  const { endpoint, pool, finish } = busy()
  draining.drain(endpoint)
  finish()
  await draining.finished()
  assert.deepEqual([pool.destroyed, clock.pending], [false, 0])
})
