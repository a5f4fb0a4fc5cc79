import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { registries } from '../../src/registries/index.ts'
import { follow } from '../../src/registries/follow.ts'
import { aRegistry, FakeRegistry, fakeRuntime, settle } from '../../src/testing/index.ts'

aRegistry('the fake registry', () => {
  const fake = new FakeRegistry()
  fake.push('a:1', 'b:1')
  return { registry: fake.registry, expected: ['a:1', 'b:1'], fail: () => fake.fail(), heal: () => fake.push('a:1', 'b:1') }
})

describe('the fake registry', () => {
  test('counts watches, looks and wakes, and is silent when told to', async () => {
    const fake = new FakeRegistry()
    const runtime = fakeRuntime()
    const table = registries.with(fake.kind)
    let sets = 0
    const following = follow(table.make(table.schema.parse({ type: 'fake' }), runtime), {
      runtime, onSet: () => { sets++ }, onFailure: () => {}, onRecovered: () => {},
    })
    await settle()
    assert.deepEqual([fake.watches, fake.looks, fake.wakes, sets], [1, 0, 0, 0])
    fake.push('a:1')
    await settle()
    following.wake()
    await settle()
    assert.deepEqual([fake.watches, fake.looks, fake.wakes, sets], [1, 2, 1, 2])
    fake.goSilent()
    await settle()
    following.wake()
    await settle()
    assert.deepEqual([fake.looks, fake.wakes, sets], [2, 1, 2])
    following.close()
    await settle()
    assert.equal(fake.open, 0)
  })
})
