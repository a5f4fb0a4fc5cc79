import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { performance } from 'node:perf_hooks'
import { test } from 'node:test'
import { registries, Rollout, type StartInstance } from '../scenarios/support/rollout.ts'
import { etcdMissing } from '../support/etcd.ts'
import { soakSeconds } from './support/duration.ts'

interface Told { readonly address?: string, readonly arrived?: string, readonly cut?: number }

/** An instance in a process of its own, which is told to leave by SIGTERM and has to end by itself. */
const inProcessOfItsOwn: StartInstance = async ({ write, propagation }, arrived) => {
  const child = fork(new URL('support/announced-service.ts', import.meta.url), [JSON.stringify({ registry: write, propagation })])
  const ended = once(child, 'exit') as Promise<[code: number | null, signal: string | null]>
  let cut = 0
  const address = new Promise<string>((resolve, reject) => {
    child.on('message', (told: Told) => {
      if (told.arrived !== undefined) arrived(told.arrived)
      if (told.address !== undefined) resolve(told.address)
      cut = told.cut ?? cut
    })
    void ended.then(([code, signal]) => reject(new Error(`the instance ended with ${code ?? signal}`)))
  })
  return {
    address: await address,
    leave: async () => {
      child.kill('SIGTERM')
      assert.deepEqual(await ended, [0, null], 'it ends by itself')
      return cut
    },
  }
}

for (const [name, start] of Object.entries(registries)) {
  test(`processes that are restarted in turn fail no request, and no POST arrives twice, with ${name}`, { skip: name === 'etcd' && etcdMissing }, async (t) => {
    const rollout = new Rollout(await start(), inProcessOfItsOwn)
    t.after(() => rollout.close())
    await rollout.start(3)
    const begin = performance.now()
    const seconds = soakSeconds / Object.keys(registries).length
    let rounds = 0
    const { failures, requests, sent, arrived, cut } = await rollout.under(16, async () => {
      do {
        await rollout.roll()
        rounds++
      } while (performance.now() - begin < seconds * 1_000)
    })
    t.diagnostic(`${name}: ${rounds} restarts of all 3, ${requests} requests, ${sent.length} of them POSTs, ${(requests * 1_000 / (performance.now() - begin)).toFixed(0)} a second`)
    assert.deepEqual(failures, [])
    assert.deepEqual([arrived.toSorted(), cut], [sent.toSorted(), 0])
  })
}
