import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { duration } from '../../src/config/duration.ts'
import { createMesh } from '../../src/index.ts'
import { pageText, root } from './samples.ts'

/** The rows of a page's tables as lists of cells, without the heads. */
const rows = (page: string): readonly (readonly string[])[] => pageText(page).split('\n')
  .filter((line) => line.startsWith('| '))
  .map((line) => line.slice(2, -2).split(' | '))

const code = (cell: string | undefined): string | undefined => /^`([^`]*)`$/.exec(cell ?? '')?.[1]

/** What a cell of the table of defaults stands for: a duration, or JSON. */
const valueOf = (cell: string): unknown => {
  const written = code(cell)
  if (written === undefined) return undefined
  const time = duration.safeParse(written)
  return time.success ? time.data : JSON.parse(written)
}

const at = (value: unknown, path: string): unknown =>
  path.split('.').reduce<unknown>((inner, key) => (inner as Record<string, unknown> | undefined)?.[key], value)

/** The effective configuration where a user wrote as little as possible, by the words of the table's first column. */
const effective = async (): Promise<Readonly<Record<string, unknown>>> => {
  const mesh = createMesh({
    services: { 'a.local': { routes: [{ to: 'a' }] } },
    clusters: { a: { registry: { type: 'static', endpoints: ['127.0.0.1:1'] } } },
  })
  const { config, clusters } = mesh.status()
  await mesh.close()
  const { routes: [route] } = config.services['a.local'] as { routes: readonly unknown[] }
  return { route, cluster: clusters['a']?.config, mesh: config }
}

test('the table of defaults says what the schemas say', async () => {
  const defaults = await effective()
  const table = rows('README.md').filter(([where]) => where !== undefined && where in defaults)
  assert.ok(table.length > 25, `only ${table.length} rows were read`)
  for (const [where = '', option = '', value = ''] of table) {
    assert.deepEqual(at(defaults[where], code(option) ?? ''), valueOf(value), `default of ${where} ${option}`)
  }
})

test('the table of defaults leaves no option of a cluster out', async () => {
  const { cluster } = await effective()
  const named = new Set(rows('README.md').filter(([where]) => where === 'cluster').map(([, option]) => code(option)?.split('.')[0]))
  assert.deepEqual(Object.keys(cluster as object).filter((option) => option !== 'registry' && !named.has(option)), [])
})

for (const page of ['README.md', 'docs/guides/errors.md']) {
  test(`${page} lists every error code, and no other`, () => {
    const type = /export type MeshErrorCode =([^\n]*\n(?: +\| .*\n)*)/.exec(readFileSync(join(root, 'src/core/errors.ts'), 'utf8'))?.[1]
    const codes = [...type?.matchAll(/ENMESH_\w+/g) ?? []].map(([code]) => code)
    assert.ok(codes.length > 5)
    assert.deepEqual(rows(page).map(([first]) => code(first)).filter((word) => word?.startsWith('ENMESH_')).sort(), codes.sort())
  })
}
