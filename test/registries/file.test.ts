import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import type { EndpointSpec } from '../../src/core/endpoint.ts'
import { file } from '../../src/registries/file.ts'
import { discoveryConfig, follow } from '../../src/registries/follow.ts'
import { systemRuntime } from '../../src/runtime/runtime.ts'
import { aRegistry, fakeRuntime, scriptedRandom } from '../../src/testing/index.ts'

const directory = (t: Pick<TestContext, 'after'>): string => {
  const path = mkdtempSync(join(tmpdir(), 'enmesh-file-'))
  t.after(() => rmSync(path, { recursive: true, force: true }))
  return path
}

const list = (...endpoints: readonly unknown[]): string => JSON.stringify(endpoints)

/** Follows a file on virtual time, under the default guard. */
const followed = (t: TestContext, path: string, poll: number | string = 1e12) => {
  const runtime = fakeRuntime(scriptedRandom(0))
  const sets: (readonly EndpointSpec[])[] = []
  const errors: string[] = []
  const following = follow(file.make(file.config.parse({ path, poll }), runtime), {
    runtime,
    guard: () => discoveryConfig.parse({}),
    onSet: (specs) => { sets.push(specs) },
    onFailure: (error) => { errors.push((error as Error).message.replace(path, 'FILE')) },
    onRecovered: () => {},
  })
  t.after(() => {
    following.close()
    assert.equal(runtime.clock.pending, 0)
  })
  const latest = (): string => (sets.at(-1) ?? []).map(({ address }) => address).join(' ')
  /** Moves time on until something holds; the disk has its own time, and the runner's limit is the bound. */
  const until = async (holds: () => boolean): Promise<void> => {
    while (!holds()) await runtime.clock.advance(20)
  }
  return { following, sets, errors, latest, until, clock: runtime.clock }
}

describe('a list in a file', () => {
  test('is read as static has it, in JSON and in YAML', async (t) => {
    const at = directory(t)
    writeFileSync(join(at, 'a.json'), `\ufeff${list('a:1', { address: 'https://b', id: 'b-1', weight: 2, metadata: { zone: 'x' } })}`)
    writeFileSync(join(at, 'a.yaml'), '# two\n- a:1\n- address: https://b\n  id: b-1\n  weight: 2\n  metadata: { zone: x }\n')
    for (const name of ['a.json', 'a.yaml']) {
      const { sets, until } = followed(t, join(at, name))
      await until(() => sets.length > 0)
      assert.deepEqual(sets[0], [{ address: 'a:1' }, { address: 'b:443', tls: true, id: 'b-1', weight: 2, metadata: { zone: 'x' } }])
    }
  })

  test('may be empty', async (t) => {
    const path = join(directory(t), 'a.json')
    writeFileSync(path, '[]')
    const { sets, until } = followed(t, path)
    await until(() => sets.length > 0)
    assert.deepEqual(sets[0], [])
  })

  const changes: Readonly<Record<string, (path: string) => void>> = {
    'written in place': (path) => writeFileSync(path, list('b:1')),
    'replaced by renaming': (path) => {
      writeFileSync(`${path}.tmp`, list('b:1'))
      renameSync(`${path}.tmp`, path)
    },
    'deleted and made again': (path) => {
      rmSync(path)
      writeFileSync(path, list('b:1'))
    },
  }
  for (const [how, change] of Object.entries(changes)) {
    test(`is taken over when it is ${how}, by the word of the system alone`, async (t) => {
      const path = join(directory(t), 'a.json')
      writeFileSync(path, list('a:1'))
      const { latest, until } = followed(t, path)
      await until(() => latest() === 'a:1')
      change(path)
      await until(() => latest() === 'b:1')
    })
  }

  test('is taken over behind a link that is swapped, as Kubernetes does it', async (t) => {
    const at = directory(t)
    const publish = (version: string, endpoint: string): void => {
      mkdirSync(join(at, `..${version}`))
      writeFileSync(join(at, `..${version}`, 'a.json'), list(endpoint))
      symlinkSync(`..${version}`, join(at, '..data_tmp'))
      renameSync(join(at, '..data_tmp'), join(at, '..data'))
    }
    publish('1', 'a:1')
    symlinkSync('..data/a.json', join(at, 'a.json'))
    const { latest, until, errors } = followed(t, join(at, 'a.json'))
    await until(() => latest() === 'a:1')
    publish('2', 'b:1')
    rmSync(join(at, '..1'), { recursive: true })
    await until(() => latest() === 'b:1')
    assert.deepEqual(errors, [])
  })

  test('is polled where the system tells of nothing', async (t) => {
    const at = directory(t)
    const release = (version: string, endpoint: string): void => {
      mkdirSync(join(at, version))
      writeFileSync(join(at, version, 'a.json'), list(endpoint))
      rmSync(join(at, 'current'), { force: true })
      symlinkSync(version, join(at, 'current'))
    }
    release('v2', 'a:1')
    const { latest, until, clock } = followed(t, join(at, 'current', 'a.json'), '60s')
    await until(() => latest() === 'a:1')
    release('v3', 'b:1')
    const before = clock.now()
    await until(() => latest() === 'b:1')
    assert.ok(clock.now() - before > 50_000)
    // From then on it is the new directory that is listened to.
    const then = clock.now()
    writeFileSync(join(at, 'v3', 'a.json'), list('c:1'))
    await until(() => latest() === 'c:1')
    assert.ok(clock.now() - then < 55_000)
  })

  test('never half: a file that is written in pieces counts once it stands still', async (t) => {
    const path = join(directory(t), 'a.yaml')
    writeFileSync(path, '- a:1\n- b:1\n')
    const { sets, latest, until, clock, errors } = followed(t, path, '50ms')
    await until(() => latest() === 'a:1 b:1')
    const pieces = ['- c:1\n', '- c:1\n- d:1\n', '- c:1\n- d:1\n- e:1\n']
    for (const piece of pieces) {
      writeFileSync(path, piece)
      await clock.advance(80)
    }
    await until(() => latest() === 'c:1 d:1 e:1')
    assert.deepEqual([...new Set(sets.map((set) => set.length))], [2, 3])
    assert.deepEqual(errors, [])
  })

  test('stays in use while the file is gone or has faults, each of which is told with its place', async (t) => {
    const path = join(directory(t), 'a.json')
    writeFileSync(path, list('a:1'))
    const { sets, errors, latest, until } = followed(t, path)
    await until(() => latest() === 'a:1')
    for (const [text, message] of [
      ['["a:1",\n "secret]', /^FILE:2:10: is not JSON$/],
      ['', /^FILE:1:1: is not JSON$/],
      ['{}', /^FILE: Invalid input: expected array/],
      [list('a:1', 'b'), /^FILE: \[1\]: 'b' has no port/],
      [list('a:1', { address: 'b:1', weight: 0 }, 'x'), /^FILE: \[1\]\.weight: .* \(and 1 more faults\)$/],
      [list('a:1', 'a:1'), /^FILE: \[1\]: is endpoint 0 again/],
    ] as const) {
      writeFileSync(path, text)
      await until(() => message.test(errors.at(-1) ?? ''))
    }
    rmSync(path)
    await until(() => errors.at(-1)!.startsWith('ENOENT'))
    assert.ok(!errors.some((error) => error.includes('secret')))
    assert.deepEqual(sets, [[{ address: 'a:1' }]])
    writeFileSync(path, list('b:1'))
    await until(() => latest() === 'b:1')
  })

  test('in YAML is told with the place of a fault too', async (t) => {
    const path = join(directory(t), 'a.yml')
    writeFileSync(path, '- a:1\n- {b: [\n')
    const { errors, until } = followed(t, path)
    await until(() => errors.length > 0)
    assert.match(errors[0]!, /^FILE:\d+:\d+: is not YAML$/)
  })

  test('of 10 000 endpoints is read', async (t) => {
    const path = join(directory(t), 'a.json')
    writeFileSync(path, list(...Array.from({ length: 10_000 }, (_, index) => `10.0.${index >> 8}.${index & 255}:80`)))
    const { sets, until } = followed(t, path)
    await until(() => sets.length > 0)
    assert.equal(sets[0]!.length, 10_000)
  })

  test('must be JSON or YAML by its name', () => {
    for (const path of ['', 'a', 'a.txt', 'a.json.tmp']) {
      assert.match(file.config.safeParse({ path }).error!.issues[0]!.message, /^must end in \.json, \.yaml, \.yml/)
    }
    assert.ok(file.config.safeParse({ path: 'a.JSON' }).success)
  })
})

aRegistry('file', () => {
  const at = mkdtempSync(join(tmpdir(), 'enmesh-file-'))
  const path = join(at, 'a.json')
  const heal = (): void => writeFileSync(path, list('a:1', 'b:1'))
  heal()
  return {
    registry: file.make(file.config.parse({ path }), systemRuntime()),
    expected: ['a:1', 'b:1'],
    fail: () => rmSync(path),
    heal,
    close: () => rmSync(at, { recursive: true }),
  }
})
