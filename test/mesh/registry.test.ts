import assert from 'node:assert/strict'
import { test } from 'node:test'
import { registries, type EndpointSpec, type MeshEvents } from '../../src/index.ts'
import { FakeRegistry, settle } from '../../src/testing/index.ts'
import { virtual } from './support.ts'

const oddities: readonly (string | EndpointSpec)[] = [
  'bad address', 'a:99999', '', 'x/y', 'a:80@b:80', 'no-port',
  ...[0, -1, Number.NaN, Number.POSITIVE_INFINITY, 1e9].map((weight) => ({ address: '10.0.0.3:80', weight })),
]

for (const bad of oddities) {
  test(`${typeof bad === 'string' ? `the address '${bad}'` : `the weight ${bad.weight}`} is the failure of the registry that lists it, and its last set stays`, async () => {
    const fake = new FakeRegistry()
    const { mesh } = virtual({
      services: { 'svc.test': { cluster: 'c' } },
      clusters: { c: { registry: { type: 'fake' } as never } },
    }, {}, { registries: registries.with(fake.kind) as never })
    const failed: MeshEvents['registry-failed'][] = []
    mesh.on('registry-failed', (event) => { failed.push(event) })
    fake.push('10.0.0.1:80')
    await mesh.ready()
    fake.push('10.0.0.2:80', bad)
    await settle()
    assert.deepEqual(failed.map(({ cluster }) => cluster), ['c'])
    const { endpoints, registry } = mesh.status().clusters['c']!
    assert.deepEqual(endpoints.map(({ address }) => address), ['10.0.0.1:80'])
    assert.equal((registry as { readonly failuresInARow: number }).failuresInARow, 1)
    assert.equal((await mesh.fetch('http://svc.test/')).status, 200)
    await mesh.close()
  })
}
