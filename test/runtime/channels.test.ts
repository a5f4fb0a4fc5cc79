import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { test } from 'node:test'
import { Channels } from '../../src/runtime/channels.ts'

test('whoever subscribes to the diagnostics channel hears each event from then on, until it leaves', () => {
  const channels = new Channels()
  const heard: unknown[] = []
  const hear = (message: unknown): void => { heard.push(message) }
  channels.publish('tested', { number: 1 })
  assert.equal(channels.heard('tested'), false)
  subscribe('enmesh:tested', hear)
  assert.equal(channels.heard('tested'), true)
  channels.publish('tested', { number: 2 })
  unsubscribe('enmesh:tested', hear)
  channels.publish('tested', { number: 3 })
  assert.equal(channels.heard('tested'), false)
  assert.deepEqual(heard, [{ number: 2 }])
})

test('a subscriber that was there before the first event hears it', () => {
  const heard: unknown[] = []
  const hear = (message: unknown): void => { heard.push(message) }
  subscribe('enmesh:tested-later', hear)
  new Channels().publish('tested-later', {})
  unsubscribe('enmesh:tested-later', hear)
  assert.equal(heard.length, 1)
})
