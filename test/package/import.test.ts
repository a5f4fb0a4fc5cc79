import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { promisify } from 'node:util'

const door = new URL('../../src/index.ts', import.meta.url)
const serverDoor = new URL('../../src/server/index.ts', import.meta.url)
const probe = new URL('../../.ci/smoke/globals.cjs', import.meta.url)

// In a process of its own: this one has loaded too much to be a witness.
const globalsChangedBy = async (specifier: string): Promise<unknown> => {
  const script = `
    import globals from ${JSON.stringify(probe.href)}
    const before = globals.snapshot()
    await import(${JSON.stringify(specifier)})
    console.log(JSON.stringify(globals.changesSince(before)))`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], {
    cwd: new URL('../..', import.meta.url),
  })
  return JSON.parse(stdout)
}

test('importing enmesh changes nothing global', { skip: !existsSync(door) && 'src/index.ts is not there yet' }, async () => {
  assert.deepEqual(await globalsChangedBy(door.href), [])
})

test('importing enmesh/testing changes nothing global either', async () => {
  assert.deepEqual(await globalsChangedBy(new URL('../../src/testing/index.ts', import.meta.url).href), [])
})

test('importing enmesh/app-mesh changes nothing global', async () => {
  assert.deepEqual(await globalsChangedBy(new URL('../../src/app-mesh/index.ts', import.meta.url).href), [])
})

test('importing enmesh/server changes nothing global', async () => {
  assert.deepEqual(await globalsChangedBy(serverDoor.href), [])
})

test('the witness is silent about an import that changes nothing', async () => {
  assert.deepEqual(await globalsChangedBy('node:path'), [])
})

test('the witness notices an import that sets the global dispatcher', async () => {
  assert.deepEqual(await globalsChangedBy('undici'), [
    'added Symbol(undici.globalDispatcher.1)',
    'added Symbol(undici.globalDispatcher.2)',
  ])
})

test('the witness notices an import that replaces a global', async () => {
  assert.deepEqual(await globalsChangedBy('data:text/javascript,globalThis.fetch = () => {}'), ['replaced fetch'])
})

test('the version that OpenTelemetry is told is that of the package', async () => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
  assert.equal((await import('../../src/tracing/tracer.ts')).version, version)
})
