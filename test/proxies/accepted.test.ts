import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { refusedBy } from '../../bench/proxy-process.ts'
import { examples } from './definitions.ts'
import { runnable, without, writers } from './support.ts'

for (const proxy of runnable) {
  describe(`${proxy} takes what is written for it`, { skip: without[proxy] }, () => {
    for (const { name, config, options } of examples) {
      test(name, async () => {
        const { text } = writers[proxy](config, options)
        assert.equal(await refusedBy(proxy, text), undefined, text)
      })
    }
  })
}
