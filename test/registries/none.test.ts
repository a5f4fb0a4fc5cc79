import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMesh, type MeshError } from '../../src/index.ts'

test('a cluster without endpoints is ready at once and refuses every call', async (t) => {
  const mesh = createMesh({ services: { 'later.local': { cluster: 'later' } }, clusters: { later: { registry: { type: 'none' } } } })
  t.after(() => mesh.close())
  await mesh.ready()
  await assert.rejects(mesh.fetch('http://later.local/'), (error: MeshError) => error.code === 'ENMESH_NO_ENDPOINT')
})
