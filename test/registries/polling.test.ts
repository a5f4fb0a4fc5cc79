import assert from 'node:assert/strict'
import { aRegistry } from '../../src/testing/index.ts'
import { polling } from '../../src/registries/polling.ts'

aRegistry('polling', () => {
  let broken = false
  return {
    registry: polling(async (signal) => {
      assert.ok(!signal.aborted)
      if (broken) throw new Error('down')
      return { endpoints: [{ address: 'a:1' }, { address: 'b:1' }], again: 1_000 }
    }),
    expected: ['a:1', 'b:1'],
    fail: () => { broken = true },
    heal: () => { broken = false },
  }
})
