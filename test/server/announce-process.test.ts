import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { Queue } from '../support/queue.ts'

const started = async (t: TestContext, options: object = {}) => {
  const directory = mkdtempSync(join(tmpdir(), 'enmesh-announced-'))
  const path = join(directory, 'pricing.json')
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const child = fork(new URL('apps/announced.ts', import.meta.url), [path, JSON.stringify({ propagation: '50ms', ...options })], { env })
  const said = new Queue<string>()
  child.on('message', (message) => said.put(message as string))
  const ended = once(child, 'exit') as Promise<[code: number | null, signal: string | null]>
  t.after(async () => {
    child.kill('SIGKILL')
    await ended
    rmSync(directory, { recursive: true })
  })
  const url = `http://${(await said.take()).replace('registered ', '')}`
  return { child, said, ended, url, listed: () => (JSON.parse(readFileSync(path, 'utf8')) as unknown[]).length }
}

describe('a process at SIGTERM', () => {
  test('leaves, answers what is under way, and ends by itself', async (t) => {
    const { child, said, ended, url, listed } = await started(t)
    assert.equal(listed(), 1)
    const slow = fetch(`${url}/slow`)
    assert.equal(await said.take(), 'slow')
    child.kill('SIGTERM')
    assert.equal(await said.take(), 'leaving SIGTERM')
    child.send('answer')
    const answer = await slow
    assert.deepEqual([await answer.text(), answer.headers.get('connection')], ['slow', 'close'])
    assert.equal(await said.take(), 'left true 0')
    assert.deepEqual([await ended, listed()], [[0, null], 0])
  })

  test('that comes twice ends at once', async (t) => {
    const { child, said, ended, url } = await started(t, { propagation: '1h' })
    child.kill('SIGTERM')
    assert.equal(await said.take(), 'leaving SIGTERM')
    assert.equal(await (await fetch(url)).text(), String(child.pid))
    child.kill('SIGTERM')
    assert.deepEqual(await ended, [null, 'SIGTERM'])
  })

  test('with something else that holds it open, ends by the signal after a while', async (t) => {
    const { child, said, ended } = await started(t, { holdOpen: true, linger: '50ms' })
    child.kill('SIGTERM')
    await said.takeWhere((message) => message === 'left true 0')
    assert.deepEqual(await ended, [null, 'SIGTERM'])
  })

  test('that somebody else listens to is not ended by us', async (t) => {
    const { child, ended } = await started(t, { holdOpen: true, listens: true, linger: 0 })
    child.kill('SIGTERM')
    assert.deepEqual(await ended, [7, null])
  })

  test('leaves at other signals if told to, and only at those', async (t) => {
    const { child, said, ended, listed } = await started(t, { signals: ['SIGINT'] })
    child.kill('SIGINT')
    assert.deepEqual([await said.take(), await said.take()], ['leaving SIGINT', 'left true 0'])
    assert.deepEqual(await ended, [0, null])
    assert.equal(listed(), 0)
    const other = await started(t, { signals: [] })
    other.child.kill('SIGTERM')
    assert.deepEqual([await other.ended, other.listed()], [[null, 'SIGTERM'], 1])
  })

  test('that left already ends by itself', async (t) => {
    const { child, said, ended } = await started(t)
    child.send('leave')
    assert.deepEqual([await said.take(), await said.take()], ['leaving undefined', 'left true 0'])
    assert.deepEqual(await ended, [0, null])
  })
})
