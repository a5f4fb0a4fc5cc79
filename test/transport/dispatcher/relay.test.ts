import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMesh } from '../../../src/index.ts'
import { scriptedUpstream } from '../../../src/testing/index.ts'

test('a body that breaks off in the same turn as its head comes fails, and does not leave its reader waiting', async () => {
  const upstream = scriptedUpstream({ status: 200, error: 'ENMESH_CONNECTION_RESET' })
  const mesh = createMesh({ services: { 'a.local': ['10.0.0.1:80'] } }, { transport: upstream.send })
  const response = await mesh.fetch('http://a.local/')
  assert.equal(response.status, 200)
  const error = await response.text().then(() => assert.fail(), (error: unknown) => error as Error)
  assert.match(String(error.cause), /scripted ENMESH_CONNECTION_RESET/)
  await mesh.close()
})
