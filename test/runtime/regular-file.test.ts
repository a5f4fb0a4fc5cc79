import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { loadConfig } from '../../src/index.ts'
import { readSecret } from '../../src/config/secret.ts'
import { listText } from '../../src/registries/file.ts'
import { longestSecret, regularFile, regularFileSync, UnfitFileError } from '../../src/runtime/regular-file.ts'
import { readMaterial } from '../../src/transport/tls/certificates.ts'

const directory = (t: TestContext): string => {
  const made = mkdtempSync(join(tmpdir(), 'enmesh-files-'))
  t.after(() => rmSync(made, { recursive: true }))
  return made
}

/** Both ways to read, each as a promise. */
const ways: Readonly<Record<string, (path: string, limit: number) => Promise<Buffer>>> = {
  'in time': regularFile,
  'at once': async (path, limit) => regularFileSync(path, limit),
}

for (const [name, read] of Object.entries(ways)) {
  describe(`a file that is read ${name}`, () => {
    test('is read whole, up to its limit and through links', async (t) => {
      const made = directory(t)
      for (const length of [0, 1, 4_096, 4_097, 10_000]) {
        const path = join(made, String(length))
        writeFileSync(path, 'é'.repeat(length).slice(0, length), 'latin1')
        symlinkSync(path, `${path}.link`)
        assert.equal((await read(`${path}.link`, 10_000)).length, length)
      }
    })

    test('is refused when it has more, whatever size it tells', async (t) => {
      const path = join(directory(t), 'long')
      writeFileSync(path, Buffer.alloc(1024 * 1024 + 1))
      await assert.rejects(read(path, 1024 * 1024), { name: 'UnfitFileError', message: `'${path}' has more than 1 MiB: give the path of a regular file` })
    })

    test('may be of the kernel, which tells no size', { skip: process.platform !== 'linux' }, async () => {
      assert.match((await read('/proc/self/status', 10_000)).toString(), /^Name:/)
      await assert.rejects(read('/proc/self/status', 100), /has more than/)
    })

    test('is none where it is a directory, a device, or a pipe that nobody writes to', { skip: process.platform === 'win32' }, async (t) => {
      const made = directory(t)
      mkdirSync(join(made, 'directory'))
      execFileSync('mkfifo', [join(made, 'pipe')])
      for (const path of [join(made, 'directory'), join(made, 'pipe'), '/dev/zero', '/dev/null']) {
        await assert.rejects(read(path, 1_000), (error) => error instanceof UnfitFileError && error.reason === 'is a directory, a pipe or a device', path)
      }
      await assert.rejects(read(join(made, 'nothing'), 1_000), { code: 'ENOENT' })
    })
  })
}

test('secrets, certificates, lists of endpoints and configurations are all read with this care', { skip: process.platform === 'win32' }, async (t) => {
  const made = directory(t)
  const pipes = ['pipe', 'pipe.json'].map((name) => join(made, name))
  for (const pipe of pipes) execFileSync('mkfifo', [pipe])
  const long = join(made, 'long.pem')
  writeFileSync(long, 'x'.repeat(longestSecret + 1))
  const readers: Readonly<Record<string, (path: string) => Promise<unknown>>> = {
    secret: (file) => readSecret({ file }),
    certificates: async (file) => readMaterial({ ca: { file } }, []),
    list: listText,
    configuration: (path) => loadConfig(path),
  }
  for (const [name, read] of Object.entries(readers)) await assert.rejects(read(pipes[1]!), /is a directory, a pipe or a device/, name)
  await assert.rejects(readers['secret']!(long), /long\.pem' has more than 4 MiB/)
  await assert.rejects(readers['certificates']!(long), /long\.pem' has more than 4 MiB/)
})
