import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeClock } from '../../../src/testing/index.ts'
import { certificateStatus, ExpiryWatch, type Expiry } from '../../../src/transport/tls/expiry.ts'

const day = 24 * 3_600_000

const expiring = (clock: FakeClock, inDays: number, serial = '1'): Expiry =>
  ({ use: 'own', subject: 'order', names: [], serial, expiresAt: new Date(clock.wall() + inDays * day).toISOString() })

const watching = (days = 14) => {
  const clock = new FakeClock()
  const told: string[] = []
  const watch = new ExpiryWatch(clock, days * day, ({ expiry: { serial }, expired }) => told.push(`${serial} ${expired ? 'expired' : 'expires'}`))
  return { clock, told, watch }
}

test('a certificate is warned of once before it expires, and once when it has', async () => {
  const { clock, told, watch } = watching()
  watch.watch([expiring(clock, 100)])
  await clock.advance(85 * day)
  assert.deepEqual(told, [])
  await clock.advance(day)
  assert.deepEqual(told, ['1 expires'])
  await clock.advance(13 * day)
  assert.deepEqual(told, ['1 expires'])
  await clock.advance(2 * day)
  assert.deepEqual(told, ['1 expires', '1 expired'])
  assert.equal(clock.pending, 0)
})

test('one that has not long to go from the start is told of too, not before the caller can listen', async () => {
  const { clock, told, watch } = watching()
  watch.watch([expiring(clock, 3, 'near'), expiring(clock, -3, 'over')])
  assert.deepEqual(told, [])
  await clock.advance(0)
  assert.deepEqual(told, ['near expires', 'over expired'])
})

test('a renewed one is watched in place of the one before, and the one beside it is not told of again', async () => {
  const { clock, told, watch } = watching()
  const beside = expiring(clock, 5, 'beside')
  watch.watch([expiring(clock, 10, 'old'), beside])
  await clock.advance(0)
  watch.watch([expiring(clock, 20, 'new'), beside])
  await clock.advance(7 * day)
  assert.deepEqual(told, ['old expires', 'beside expires', 'beside expired', 'new expires'])
  watch.close()
  assert.equal(clock.pending, 0)
})

test('the time left falls below 0', () => {
  const clock = new FakeClock()
  assert.deepEqual(certificateStatus([expiring(clock, 1), expiring(clock, -1)], clock).map(({ expiresIn }) => expiresIn), [day, -day])
})
