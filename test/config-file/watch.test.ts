import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { promisify } from 'node:util'
import { z } from 'zod'
import {
  createMesh, kind, loadConfig, MeshConfigError, registries, watchConfig, type MeshEvents, type MeshInput, type MeshOptions, type WatchOptions,
} from '../../src/index.ts'
import { fakeRuntime, settle } from '../../src/testing/index.ts'
import { authority } from '../support/authority.ts'
import { directory } from './support.ts'

const pki = authority()

const config = (drain: number | string): string => `drain: ${drain}\n`

// So far off that only the system's word can be what made the watch look.
const noPoll = 1e12

/** A mesh on virtual time that watches a file, and what became of it. */
const watching = async (t: TestContext, path: string, options: WatchOptions = {}, meshOptions: MeshOptions = {}, made: MeshInput = { drain: 1 }) => {
  const runtime = fakeRuntime()
  const mesh = createMesh(made, { runtime, ...meshOptions })
  t.after(() => mesh.close())
  const applied: MeshEvents['config-applied'][] = []
  const rejected: unknown[] = []
  mesh.on('config-applied', (detail) => applied.push(detail))
  mesh.on('config-rejected', ({ error }) => rejected.push(error))
  const stop = watchConfig(mesh, path, { poll: noPoll, ...options })
  const drain = (): number => mesh.status().config.drain
  /** Moves time on until something holds; the disk has its own time, and the runner's limit is the bound. */
  const until = async (holds: () => boolean): Promise<void> => {
    while (!holds()) await runtime.clock.advance(20)
  }
  /** Moves time on for long enough that whatever the watch has heard of is judged. */
  const rest = async (): Promise<void> => {
    for (let turn = 0; turn < 60; turn++) await runtime.clock.advance(20)
  }
  return { mesh, runtime, applied, rejected, stop, drain, until, rest }
}

const faultOf = (error: unknown): string => {
  assert.ok(error instanceof MeshConfigError, String(error))
  const [fault] = error.faults
  return `${[fault?.file?.replace(/^.*\//, ''), fault?.line, fault?.column].filter((part) => part !== undefined).join(':')} ${fault?.path}: ${fault?.message}`
}

test('what the file says at first is taken over', async (t) => {
  const path = join(directory(t), 'mesh.yaml')
  writeFileSync(path, config(2))
  const { until, drain, applied } = await watching(t, path)
  await until(() => drain() === 2)
  assert.deepEqual(applied, [{ added: [], changed: ['drain'], removed: [] }])
})

describe('a change is taken over when the file is', () => {
  const changes: Readonly<Record<string, (path: string) => void>> = {
    'written in place': (path) => writeFileSync(path, config(3)),
    'replaced by renaming': (path) => {
      writeFileSync(`${path}.tmp`, config(3))
      renameSync(`${path}.tmp`, path)
    },
    'deleted and made again': (path) => {
      unlinkSync(path)
      writeFileSync(path, config(3))
    },
    'kept as a backup, as vim does it': (path) => {
      renameSync(path, `${path}~`)
      writeFileSync(path, config(3))
      unlinkSync(`${path}~`)
    },
    'written in pieces': (path) => {
      writeFileSync(path, '')
      writeFileSync(path, 'dra')
      writeFileSync(path, config(3))
    },
  }
  for (const [title, change] of Object.entries(changes)) {
    test(title, async (t) => {
      const path = join(directory(t), 'mesh.yaml')
      writeFileSync(path, config(2))
      const { until, drain, applied, rejected } = await watching(t, path)
      await until(() => drain() === 2)
      change(path)
      await until(() => drain() === 3)
      assert.equal(applied.length, 2)
      assert.deepEqual(rejected, [])
    })
  }

  test('behind a link that is swapped, as Kubernetes does it', async (t) => {
    const at = directory(t)
    const publish = (version: string, drain: number): void => {
      mkdirSync(join(at, `..${version}`))
      writeFileSync(join(at, `..${version}`, 'mesh.yaml'), config(drain))
      symlinkSync(`..${version}`, join(at, '..data_tmp'))
      renameSync(join(at, '..data_tmp'), join(at, '..data'))
    }
    publish('2026_01', 2)
    symlinkSync('..data/mesh.yaml', join(at, 'mesh.yaml'))
    const { until, drain, rejected } = await watching(t, join(at, 'mesh.yaml'))
    await until(() => drain() === 2)
    publish('2026_02', 3)
    rmSync(join(at, '..2026_01'), { recursive: true })
    await until(() => drain() === 3)
    assert.deepEqual(rejected, [])
  })

  test('there only later', async (t) => {
    const path = join(directory(t), 'mesh.yaml')
    const { until, drain, rejected } = await watching(t, path)
    await until(() => rejected.length === 1)
    assert.equal(faultOf(rejected[0]), 'mesh.yaml : there is no such file')
    writeFileSync(path, config(2))
    await until(() => drain() === 2)
  })
})

test('where the system tells of nothing, the polls find the change, and from then on the new directory is listened to', async (t) => {
  const at = directory(t)
  const release = (version: string, drain: number): void => {
    mkdirSync(join(at, version))
    writeFileSync(join(at, version, 'mesh.yaml'), config(drain))
    rmSync(join(at, 'current'), { force: true })
    symlinkSync(version, join(at, 'current'))
  }
  release('v2', 2)
  const { until, rest, drain, runtime } = await watching(t, join(at, 'current', 'mesh.yaml'), { poll: 60_000 })
  await until(() => drain() === 2)
  release('v3', 3)
  await rest()
  assert.equal(drain(), 2)
  const before = runtime.clock.now()
  await until(() => drain() === 3)
  assert.ok(runtime.clock.now() - before > 50_000)

  const poll = runtime.clock.now()
  writeFileSync(join(at, 'v3', 'mesh.yaml'), config(4))
  await until(() => drain() === 4)
  assert.ok(runtime.clock.now() - poll < 60_000)
})

test('a directory that is not there yet is found by polling', async (t) => {
  const path = join(directory(t), 'later', 'mesh.yaml')
  const { until, drain, rejected } = await watching(t, path, { poll: 1000 })
  await until(() => rejected.length === 1)
  mkdirSync(dirname(path))
  writeFileSync(path, config(2))
  await until(() => drain() === 2)
  assert.equal(rejected.length, 1)
})

test('a bad file is told once with its place, the configuration stays, and the next good version is taken', async (t) => {
  const path = join(directory(t), 'mesh.yaml')
  writeFileSync(path, config(2))
  const told: unknown[] = []
  const { until, rest, drain, rejected, applied } = await watching(t, path, { onError: (error) => told.push(error), poll: 200 })
  await until(() => drain() === 2)
  writeFileSync(path, 'drain: 5\negress: [never\n')
  await until(() => rejected.length === 1)
  await rest()
  assert.deepEqual(rejected.map(faultOf), ['mesh.yaml:3:1 : is indented in a way that YAML cannot read, or a bracket before it is not closed'])
  writeFileSync(path, 'drain: 5\negress: never\n')
  await until(() => rejected.length === 2)
  assert.match(faultOf(rejected[1]), /^mesh\.yaml:2:1 egress: must be 'allow'/)
  // What only the mesh can find: the file is well-formed.
  writeFileSync(path, 'drain: 5\nservices:\n  a.local: { cluster: a }\n')
  await until(() => rejected.length === 3)
  assert.equal(faultOf(rejected[2]), "mesh.yaml:3:14 services[\"a.local\"].cluster: there is no cluster 'a': `clusters` has none")
  assert.equal(drain(), 2)
  assert.equal(applied.length, 1)
  writeFileSync(path, config(5))
  await until(() => drain() === 5)
  assert.deepEqual(told, rejected)
  assert.equal(rejected.length, 3)
})

test('that a file is good again is told, though nothing changes', async (t) => {
  const path = join(directory(t), 'mesh.yaml')
  writeFileSync(path, config(2))
  const { until, drain, rejected, applied } = await watching(t, path)
  await until(() => drain() === 2)
  writeFileSync(path, 'drain: x\n')
  await until(() => rejected.length === 1)
  writeFileSync(path, config(2))
  await until(() => applied.length === 2)
  assert.deepEqual(applied[1], { added: [], changed: [], removed: [] })
})

test('a file that vanishes is told, and does no harm', async (t) => {
  const path = join(directory(t), 'mesh.yaml')
  writeFileSync(path, config(2))
  const { until, drain, rejected } = await watching(t, path)
  await until(() => drain() === 2)
  unlinkSync(path)
  await until(() => rejected.length === 1)
  assert.equal(faultOf(rejected[0]), 'mesh.yaml : there is no such file')
  assert.equal(drain(), 2)
})

test('nothing is applied for what changes nothing', async (t) => {
  const path = join(directory(t), 'mesh.yaml')
  writeFileSync(path, config(1))
  const { rest, applied, until, drain } = await watching(t, path, { poll: 200 })
  await rest()
  writeFileSync(path, config(1))
  await rest()
  writeFileSync(path, '# a comment, and the default of something\ndrain: 1ms\negress: allow\n')
  await rest()
  assert.deepEqual(applied, [])
  writeFileSync(path, config(2))
  await until(() => drain() === 2)
  assert.equal(applied.length, 1)
})

test('nothing is applied for what changes nothing where certificates come from files', { skip: pki === undefined }, async (t) => {
  const at = directory(t)
  const tls = (name: string): string => {
    writeFileSync(join(at, name), pki!.root)
    return `{ ca: { file: ${join(at, name)} }, cert: { file: ${join(at, 'cert.pem')} }, key: { file: ${join(at, 'key.pem')} } }`
  }
  writeFileSync(join(at, 'cert.pem'), pki!.client.cert)
  writeFileSync(join(at, 'key.pem'), pki!.client.key)
  const path = join(at, 'mesh.yaml')
  const text = (name: string): string => `clusters:\n  a: { registry: { type: static, endpoints: [a:1] }, tls: ${tls(name)} }\n`
  writeFileSync(path, text('ca.pem'))
  const { applied, rest, until } = await watching(t, path, { poll: 200 }, {}, await loadConfig(path))
  await rest()
  writeFileSync(path, `# a comment\n${text('ca.pem')}`)
  await rest()
  assert.deepEqual(applied, [])
  writeFileSync(path, text('other.pem'))
  await until(() => applied.length === 1)
  assert.deepEqual(applied, [{ added: [], changed: ['clusters.a'], removed: [] }])
})

test('what somebody else gave to update stays until the file changes', async (t) => {
  const path = join(directory(t), 'mesh.yaml')
  writeFileSync(path, config(2))
  const { rest, until, drain, mesh } = await watching(t, path, { poll: 200 })
  await until(() => drain() === 2)
  mesh.update({ drain: 9 })
  await rest()
  assert.equal(drain(), 9)
})

test('a file is believed only when it has stayed the same for a moment', async (t) => {
  const path = join(directory(t), 'mesh.yaml')
  writeFileSync(path, config(2))
  const { until, drain, applied, rejected, runtime } = await watching(t, path)
  await until(() => drain() === 2)
  // Each version lives shorter than the moment; every other one is half-written.
  for (let version = 3; version < 60; version++) {
    writeFileSync(`${path}.tmp`, version % 2 === 0 ? config(version) : `{ "drain": ${version}`)
    // In one step: a look that is under way sees the disk while virtual time stands still.
    renameSync(`${path}.tmp`, path)
    await runtime.clock.advance(60)
  }
  writeFileSync(path, config(60))
  await until(() => drain() === 60)
  assert.equal(applied.length, 2)
  assert.deepEqual(rejected, [])
})

test('rapid rewrites end at the last one', async (t) => {
  const path = join(directory(t), 'mesh.yaml')
  writeFileSync(path, config(2))
  const { until, rest, drain } = await watching(t, path)
  for (let version = 3; version <= 500; version++) writeFileSync(path, config(version))
  await until(() => drain() === 500)
  await rest()
  assert.equal(drain(), 500)
})

test('other files beside it are no reason to look', async (t) => {
  const at = directory(t)
  const path = join(at, 'mesh.yaml')
  writeFileSync(path, config(2))
  const { until, rest, drain, runtime } = await watching(t, path)
  await until(() => drain() === 2)
  await rest()
  const pending = runtime.clock.pending
  for (let n = 0; n < 50; n++) writeFileSync(join(at, `other${n}.yaml`), config(n))
  await rest()
  assert.equal(runtime.clock.pending, pending)
  assert.equal(drain(), 2)
})

test('a module is imported afresh when it changes', async (t) => {
  const path = join(directory(t), 'mesh.ts')
  const text = (drain: number): string => `const drain: number = ${drain}\nexport default () => ({ drain })\n`
  writeFileSync(path, text(2))
  const { until, drain, rejected } = await watching(t, path)
  await until(() => drain() === 2)
  writeFileSync(path, text(3))
  await until(() => drain() === 3)
  writeFileSync(path, 'throw new Error("no luck")')
  await until(() => rejected.length === 1)
  assert.equal(faultOf(rejected[0]), 'mesh.ts:1:7 : failed as it was run: no luck')
  writeFileSync(path, text(2))
  await until(() => drain() === 2)
})

test('variables and the kinds of the mesh are at hand', async (t) => {
  const flat = kind('flat-file', z.strictObject({ port: z.int() }), ({ port }) => async function* () { yield [{ address: `a:${port}` }] })
  const path = join(directory(t), 'mesh.yaml')
  writeFileSync(path, 'clusters:\n  a: { registry: { type: flat-file, port: "${PORT}" } }\n')
  const { until, mesh } = await watching(t, path, { env: { PORT: '81' } }, { registries: registries.with(flat) } as object)
  await until(() => mesh.status().clusters['a']?.endpoints[0]?.address === 'a:81')
})

test('a pipe is told, and the file that takes its place is taken over', { skip: process.platform === 'win32' }, async (t) => {
  const path = join(directory(t), 'mesh.yaml')
  execFileSync('mkfifo', [path])
  const { until, drain, rejected } = await watching(t, path)
  await until(() => rejected.length === 1)
  assert.equal(faultOf(rejected[0]), 'mesh.yaml : is a directory, a pipe or a device: a configuration is a regular file')
  writeFileSync(`${path}.tmp`, config(2))
  renameSync(`${path}.tmp`, path)
  await until(() => drain() === 2)
})

describe('options are refused that cannot be used:', () => {
  const wanted = "watchConfig's option 'poll' must be a whole number of milliseconds above 0, not "
  const how = ': write 10_000 for ten seconds'
  const bad: Readonly<Record<string, readonly [options: object, message: string]>> = {
    'no number': [{ poll: NaN }, `${wanted}NaN${how}`],
    'a negative time': [{ poll: -1 }, `${wanted}-1${how}`],
    'no time': [{ poll: 0 }, `${wanted}0${how}`],
    'a part of a millisecond': [{ poll: 0.5 }, `${wanted}0.5${how}`],
    'endless time': [{ poll: Infinity }, `${wanted}Infinity${how}`],
    'a duration as text': [{ poll: '10s' }, `${wanted}a string${how}`],
    'null': [{ poll: null }, `${wanted}null${how}`],
    'an option that is not known': [{ pol: 5 }, "watchConfig has no option 'pol': did you mean 'poll'?"],
  }
  for (const [title, [options, message]] of Object.entries(bad)) {
    test(title, async (t) => {
      const mesh = createMesh({}, { runtime: fakeRuntime() })
      t.after(() => mesh.close())
      assert.throws(() => watchConfig(mesh, join(directory(t), 'mesh.yaml'), options), { name: 'TypeError', message })
    })
  }
})

describe('it ends', () => {
  for (const [title, end] of Object.entries({
    'when it is stopped': ({ stop }: { stop: () => void }) => stop(),
    'when the mesh closes': async ({ mesh }: { mesh: { close(): Promise<void> } }) => mesh.close(),
  })) {
    test(`${title}, leaving no timer and no watcher behind`, async (t) => {
      const path = join(directory(t), 'mesh.yaml')
      writeFileSync(path, config(2))
      const watch = await watching(t, path, { poll: 200 })
      await watch.until(() => watch.drain() === 2)
      await end(watch)
      assert.equal(watch.runtime.clock.pending, 0)
      writeFileSync(path, config(3))
      await watch.rest()
      assert.equal(watch.drain(), 2)
      assert.equal(watch.runtime.clock.pending, 0)
      watch.stop()
    })

    test(`${title}, also in the middle of a look`, async (t) => {
      const path = join(directory(t), 'mesh.yaml')
      writeFileSync(path, config(2))
      const watch = await watching(t, path)
      await end(watch)
      await watch.rest()
      assert.equal(watch.drain(), 1)
      assert.deepEqual([watch.applied, watch.rejected, watch.runtime.clock.pending], [[], [], 0])
    })
  }

  test('before it begins for a mesh that is closed', async (t) => {
    const mesh = createMesh({}, { runtime: fakeRuntime() })
    await mesh.close()
    assert.throws(() => watchConfig(mesh, join(directory(t), 'mesh.yaml')), { code: 'ENMESH_CLOSED' })
  })

  test('never by what onError throws', async (t) => {
    const path = join(directory(t), 'mesh.yaml')
    writeFileSync(path, 'drain: x\n')
    const uncaught: unknown[] = []
    const listener = (error: unknown): void => { uncaught.push(error) }
    const others = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    process.on('uncaughtException', listener)
    t.after(() => {
      process.off('uncaughtException', listener)
      for (const other of others) process.on('uncaughtException', other)
    })
    const { until, drain } = await watching(t, path, { onError: () => { throw new Error('mine') } })
    await until(() => uncaught.length === 1)
    writeFileSync(path, config(2))
    await until(() => drain() === 2)
    assert.equal(String(uncaught[0]), 'Error: mine')
  })
})

test('only a mesh can be watched for', () => {
  assert.throws(() => watchConfig({} as never, 'mesh.yaml'), { name: 'TypeError', message: 'this is no mesh that createMesh made' })
})

test('on the clock of the machine it takes changes over and lets the process end', async (t) => {
  const at = directory(t)
  const path = join(at, 'mesh.yaml')
  writeFileSync(path, config(2))
  // The watch alone keeps nothing alive: after the second change the process has nothing left to do.
  const script = `
    import { renameSync, writeFileSync } from 'node:fs'
    import { createMesh, loadConfig, watchConfig } from ${JSON.stringify(new URL('../../src/index.ts', import.meta.url).href)}
    const path = ${JSON.stringify(path)}
    const mesh = createMesh(await loadConfig(path))
    watchConfig(mesh, path)
    const alive = setInterval(() => {}, 1000)
    mesh.on('config-applied', ({ changed }) => {
      console.log(changed.join(), mesh.status().config.drain)
      clearInterval(alive)
    })
    writeFileSync(path + '.tmp', 'drain: 3')
    renameSync(path + '.tmp', path)`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], { timeout: 30_000 })
  assert.equal(stdout, 'drain 3\n')
  assert.equal(readFileSync(path, 'utf8'), 'drain: 3')
})

test('loading and watching a file of YAML changes nothing global', async (t) => {
  const path = join(directory(t), 'mesh.yaml')
  writeFileSync(path, config(2))
  const before = Reflect.ownKeys(globalThis)
  await loadConfig(path)
  const { until, drain } = await watching(t, path)
  await until(() => drain() === 2)
  await settle()
  assert.deepEqual(Reflect.ownKeys(globalThis), before)
})

test('the process warns of a file that cannot be used where nobody else hears of it', async (t) => {
  const path = join(directory(t), 'mesh.yaml')
  writeFileSync(path, 'drian: 1\n')
  const runtime = fakeRuntime()
  const mesh = createMesh({}, { runtime })
  t.after(() => mesh.close())
  const warned = once(process, 'warning') as Promise<[Error]>
  watchConfig(mesh, path, { poll: noPoll })
  let told: Error | undefined
  void warned.then(([warning]) => { told = warning })
  while (!told) await runtime.clock.advance(20)
  assert.equal(told.name, 'EnmeshWarning')
  assert.match(told.message, /mesh\.yaml:1:1 drian: unknown key: did you mean 'drain'\?/)
})
