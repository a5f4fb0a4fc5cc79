import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { readAppMesh } from '../../src/app-mesh/index.ts'

const place = process.env['ENMESH_APP_MESH_CORPUS'] ?? join(import.meta.dirname, '../../../shared/corpus')
const documents = join(place, 'api-json')
const skip = existsSync(documents) ? false : `no definitions at ${documents}: set ENMESH_APP_MESH_CORPUS`

interface Listed {
  readonly file: string
  readonly dangling: readonly string[]
}

test('real definitions are accepted to the last leaf, and what dangles in them is warned of', { skip }, async () => {
  const dangling = new Map((JSON.parse(readFileSync(join(place, 'manifest.json'), 'utf8')) as readonly Listed[]).map((listed) => [listed.file, listed.dangling.length]))
  const files = readdirSync(documents).filter((name) => name.endsWith('.json'))
  assert.ok(files.length > 0)
  for (const file of files) {
    const path = join(documents, file)
    const { document, warnings } = await readAppMesh(path)
    assert.deepEqual(document, JSON.parse(readFileSync(path, 'utf8')), file)
    assert.equal(warnings.filter(({ message }) => message.startsWith('there is no')).length, dangling.get(file), file)
  }
})
