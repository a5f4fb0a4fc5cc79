import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { readSecret, secret } from '../../src/config/secret.ts'
import { createMesh } from '../../src/index.ts'

test('a secret is read from its place each time, and says where it is missing', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'enmesh-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'token')
  await assert.rejects(readSecret({ file }), { message: /token' cannot be read \(ENOENT\): check the path/ })
  writeFileSync(file, ' first\n')
  assert.equal(await readSecret({ file }), 'first')
  writeFileSync(file, 'second')
  assert.equal(await readSecret({ file }), 'second')
  writeFileSync(file, '\n')
  await assert.rejects(readSecret({ file }), { message: /token' is empty, and a secret is expected in it$/ })
  await assert.rejects(readSecret({ env: 'ENMESH_TEST_SECRET' }), { message: /'ENMESH_TEST_SECRET' is not set/ })
  process.env['ENMESH_TEST_SECRET'] = 'third'
  t.after(() => { delete process.env['ENMESH_TEST_SECRET'] })
  assert.equal(await readSecret({ env: 'ENMESH_TEST_SECRET' }), 'third')
})

test('text in the place of a secret is refused without repeating it', () => {
  for (const text of ['hunter2', 5, null]) {
    const { error } = secret.safeParse(text)
    assert.match(error!.issues[0]!.message, /^is a secret, and no secret stands in a configuration: write \{ env: 'NAME' \}/)
  }
  assert.match(secret.safeParse({ env: 'A', value: 'hunter2' }).error!.message, /value/)
  assert.throws(() => createMesh({ clusters: { a: { registry: { type: 'consul', service: 'a', token: 'hunter2' as never } } } }),
    (error: Error) => error.message.includes('clusters.a.registry.token: is a secret') && !error.message.includes('hunter2'))
})
