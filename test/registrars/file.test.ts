import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, lstatSync, writeFileSync, utimesSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { file } from '../../src/registrars/file.ts'
import type { Registration } from '../../src/registrars/registrar.ts'
import { endpointsIn } from '../../src/registries/file.ts'
import { fakeRuntime } from '../../src/testing/index.ts'
import { runNode } from '../support/child.ts'
import { instanceOf, never, registrationOf, written } from './support.ts'

const started = (t: TestContext, name = 'pricing.json', text?: string) => {
  const directory = mkdtempSync(join(tmpdir(), 'enmesh-announce-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const path = join(directory, name)
  if (text !== undefined) writeFileSync(path, text)
  const of = (id: string, port = 8080, config: object = {}): Registration =>
    registrationOf(file, { path, ...config }, instanceOf(id, { address: `10.0.0.1:${port}`, port }))
  return { directory, path, of, list: async () => (await endpointsIn(path, readFileSync(path, 'utf8'))).map(written) }
}

const entry = (id: string, port = 8080): object => ({ id, address: `10.0.0.1:${port}`, metadata: { zone: 'a' } })

describe('announcing in a file', () => {
  for (const name of ['pricing.json', 'pricing.yaml']) {
    test(`${name} is made, and what it lists the registry file reads`, async (t) => {
      const { directory, list, of } = started(t, name)
      const [a, b] = [of('a'), of('b', 8081, { weight: 2, tls: true })]
      await a.register(true, never)
      await b.register(true, never)
      assert.deepEqual(await list(), [entry('a'), { ...entry('b', 8081), weight: 2, tls: true }])
      assert.equal(await a.renew(true, never), true)
      await a.deregister(never)
      await a.deregister(never)
      assert.deepEqual((await list()).length, 1)
      await b.deregister(never)
      assert.deepEqual([await list(), readdirSync(directory)], [[], [name]])
    })
  }

  test('what others wrote stays as it is, comments of YAML included', async (t) => {
    const text = '# by hand\n- 10.0.0.9:80   # the old one\n- { address: "10.0.0.8:80", weight: 2 }\n'
    const { path, of, list } = started(t, 'pricing.yml', text)
    const a = of('a')
    await a.register(true, never)
    assert.equal((await list()).length, 3)
    await a.deregister(never)
    const left = readFileSync(path, 'utf8')
    assert.ok(left.includes('# by hand') && left.includes('# the old one'), left)
    assert.deepEqual((await list()).map((one) => (one as { address: string }).address), ['10.0.0.9:80', '10.0.0.8:80'])
  })

  test('an instance that died without leaving makes way for the next one at its address', async (t) => {
    const { of, list } = started(t, 'pricing.json', JSON.stringify(['http://10.0.0.1:8080', { id: 'old', address: '10.0.0.1:8081' }, '10.0.0.2:8080']))
    await of('a').register(true, never)
    await of('old', 8082).register(true, never)
    assert.deepEqual((await list()).map((one) => (one as { address: string }).address), ['10.0.0.2:8080', '10.0.0.1:8080', '10.0.0.1:8082'])
  })

  test('what somebody took away is missed, and not listed while it is not well', async (t) => {
    const { path, of, list } = started(t)
    const a = of('a')
    await a.register(true, never)
    writeFileSync(path, '[]')
    assert.equal(await a.renew(true, never), false)
    await a.register(true, never)
    await a.renew(false, never)
    assert.deepEqual(await list(), [])
    await a.renew(true, never)
    assert.deepEqual(await list(), [entry('a')])
  })

  test('a file with faults is a failure and is never written over', async (t) => {
    for (const text of ['{', '{"a":1}', '["nonsense"]', '']) {
      const { path, of, directory } = started(t, 'pricing.json', text)
      await assert.rejects(of('a').register(true, never), (error: Error) => error.message.includes(path))
      assert.deepEqual([readFileSync(path, 'utf8'), readdirSync(directory)], [text, ['pricing.json']])
    }
  })

  test('a link stays one, and who may read the file stays the same', async (t) => {
    const { directory, of } = started(t)
    const [real, path] = [join(directory, 'real.json'), join(directory, 'pricing.json')]
    writeFileSync(real, '[]')
    chmodSync(real, 0o666)
    symlinkSync('real.json', path)
    await of('a').register(true, never)
    assert.ok(lstatSync(path).isSymbolicLink())
    assert.equal(statSync(real).mode & 0o777, 0o666)
    assert.ok(readFileSync(real, 'utf8').includes('10.0.0.1:8080'))
  })

  test('several in one process that change it at once lose nothing', async (t) => {
    const { of, list } = started(t)
    const all = Array.from({ length: 20 }, (_, at) => of(`i${at}`, 8000 + at))
    await Promise.all(all.map((one) => one.register(true, never)))
    assert.equal((await list()).length, 20)
    await Promise.all(all.slice(5).map((one) => one.deregister(never)))
    assert.equal((await list()).length, 5)
  })

  test('several processes that change it at once lose nothing', async (t) => {
    const { path, list, directory } = started(t)
    const script = (from: number): string => `
      const { registrationOf, instanceOf, never } = await import('./test/registrars/support.ts')
      const { file } = await import('./src/registrars/file.ts')
      for (let at = ${from}; at < ${from} + 15; at++) {
        const one = registrationOf(file, { path: ${JSON.stringify(path)} }, instanceOf('i' + at, { address: '10.0.0.1:' + (8000 + at) }))
        await one.register(true, never)
        if (at % 3 === 0) await one.deregister(never)
      }`
    const ended = await Promise.all([0, 15, 30].map((from) => runNode(['--input-type=module-typescript', '--eval', script(from)])))
    assert.deepEqual(ended.map(({ code, output }) => [code, code === 0 ? '' : output]), Array(3).fill([0, '']))
    assert.deepEqual([(await list()).length, readdirSync(directory)], [30, ['pricing.json']])
  })

  test('the lock of a process that died with it is broken open after three seconds, one that changes hands is not', async (t) => {
    const { directory, path, list } = started(t, 'pricing.json', '[]')
    const runtime = fakeRuntime()
    const lock = join(directory, 'pricing.json.lock')
    writeFileSync(lock, '1')
    const registering = file.make(file.config.parse({ path }), runtime)(instanceOf('a')).register(true, never)
    let done = false
    void registering.then(() => { done = true })
    const passes = async (ms: number): Promise<void> => {
      for (let left = ms; left > 0 && !done; left -= 25) {
        await runtime.clock.advance(25)
        // The file system takes its own time: a look has to be over before the clock goes on.
        while (runtime.clock.pending === 0 && !done) await new Promise(setImmediate)
      }
    }
    await passes(2_500)
    utimesSync(lock, 1, 1)
    await passes(2_900)
    assert.equal(done, false)
    await passes(1_000)
    await registering
    assert.deepEqual([await list(), readdirSync(directory)], [[entry('a')], ['pricing.json']])
  })

  test('waiting for a lock ends with the signal', async (t) => {
    const { directory, of } = started(t)
    writeFileSync(join(directory, 'pricing.json.lock'), '1')
    const abort = new AbortController()
    const registering = of('a').register(true, abort.signal)
    abort.abort(new Error('enough'))
    await assert.rejects(registering, { message: 'enough' })
    assert.deepEqual(readdirSync(directory), ['pricing.json.lock'])
  })

  test('a folder that is not there is a failure', async (t) => {
    const { directory } = started(t)
    const registration = registrationOf(file, { path: join(directory, 'none', 'pricing.json') }, instanceOf('a'))
    await assert.rejects(registration.register(true, never), { code: 'ENOENT' })
  })

  test('refuses what it cannot use', () => {
    assert.match(file.config.safeParse({ path: 'a.txt' }).error!.issues[0]!.message, /must end in \.json/)
  })
})
