import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { coresHere, lastCore, onOneCore } from '../../src/compare/cores.ts'

const allowed = (): string => /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8'))![1]!

test('the last of the cores that the kernel lists is taken', () => {
  assert.deepEqual(['0', '0-1', '0-3,8', '2,4-11'].map(lastCore), ['0', '1', '8', '11'])
})

test('processes are kept on one core for as long as it takes, and may go everywhere again, whatever came of it', async (t) => {
  const cores = await coresHere()
  if (typeof cores === 'string') return t.skip(cores)
  assert.equal(allowed(), cores.all)
  assert.equal(await onOneCore(cores, [process.pid], async () => allowed()), cores.one)
  assert.equal(allowed(), cores.all)
  await assert.rejects(onOneCore(cores, [process.pid], () => Promise.reject(new Error('it broke'))), /it broke/)
  assert.equal(allowed(), cores.all)
})
