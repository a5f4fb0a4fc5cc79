import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { etcdMissing } from '../support/etcd.ts'
import { inProcess, registries, Rollout } from './support/rollout.ts'

describe('a rolling restart of every instance under load', { concurrency: true }, () => {
  for (const [name, start] of Object.entries(registries)) {
    test(`fails no request, and sends no POST twice, with ${name}`, { skip: name === 'etcd' && etcdMissing, timeout: 60_000 }, async (t) => {
      const rollout = new Rollout(await start(), inProcess)
      t.after(() => rollout.close())
      await rollout.start(3)
      const { failures, requests, sent, arrived, cut } = await rollout.under(8, () => rollout.roll())
      t.diagnostic(`${name}: ${requests} requests, ${sent.length} of them POSTs`)
      assert.deepEqual(failures, [])
      assert.deepEqual([arrived.toSorted(), cut], [sent.toSorted(), 0])
      assert.ok(sent.length > 20)
    })
  }
})
