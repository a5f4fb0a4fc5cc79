import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lackOf, settingOf, unexpressedBy } from '../../src/compare/arrangement.ts'
import { arrangements } from '../../src/compare/arrangements.ts'
import { faults } from '../../src/compare/faults/index.ts'
import { cases } from '../../src/compare/cases.ts'
import { pricing } from '../../src/compare/services.ts'
import { situationOf } from '../../src/compare/situation.ts'
import { createMesh } from '../../src/index.ts'

const addresses = ['127.0.0.1:9001', '127.0.0.1:9002']
const plain = situationOf(pricing, { versions: { v1: addresses } })
const certificates = { ca: '/c/ca.pem', cert: '/c/leaf.pem', key: '/c/leaf.key', servername: pricing, bundle: '/c/bundle.pem' }

test('names of arrangements, cases and faults are each there once', () => {
  for (const all of [arrangements, cases, faults]) assert.equal(new Set(all.map(({ id }) => id)).size, all.length)
})

test('one definition makes a mesh and the configuration of every proxy', async () => {
  const mesh = createMesh(plain.definition)
  assert.equal(mesh.explain(`http://${pricing}/`).clusters[0]!.name, 'pricing-v1')
  await mesh.close()
  for (const arrangement of arrangements.filter(({ sidecar }) => sidecar)) {
    const lines = unexpressedBy(arrangement, plain)
    assert.equal(new Set(lines).size, lines.length, 'each line once')
    const { write, slip: [pattern] } = arrangement.sidecar!
    assert.match(write(plain.definition, { ports: { [pricing]: '127.0.0.1:15002' } }).text, pattern, 'there is a place for a slip of the pen')
  }
  assert.deepEqual(unexpressedBy(arrangements[0]!, plain), [])
})

test('the definition divides calls among versions by their weights', async () => {
  const mesh = createMesh(situationOf(pricing, { versions: { v1: ['127.0.0.1:1'], v2: ['127.0.0.1:2'] }, weights: { v1: 90, v2: 10 } }).definition)
  assert.deepEqual(mesh.explain(`http://${pricing}/`).clusters.map(({ name, share }) => [name, share]), [['pricing-v1', 90], ['pricing-v2', 10]])
  await mesh.close()
})

test('a client without a proxy is given instances, and TLS; one with a proxy dials it in plain text', () => {
  const secured = situationOf(pricing, { versions: { v1: addresses } }, certificates)
  const [one, all] = [arrangements.find(({ id }) => id === 'direct-fetch')!, arrangements.find(({ id }) => id === 'turns-fetch')!]
  assert.deepEqual(settingOf(one, plain, undefined).origins, ['http://127.0.0.1:9001'])
  assert.deepEqual(settingOf(all, secured, undefined).origins, addresses.map((address) => `https://${address}`))
  assert.equal(settingOf(all, secured, undefined).tls?.servername, pricing)
  const behind = settingOf(one, secured, { pid: 1, origin: 'http://127.0.0.1:4', milliseconds: 1, push: async () => undefined, pushBroken: async () => undefined, stop: async () => {} })
  assert.deepEqual([behind.origins, behind.tls], [['http://127.0.0.1:4'], undefined])
})

test('what is not installed is said, with how to install it', () => {
  const [haproxy] = arrangements.filter(({ sidecar }) => sidecar?.name === 'haproxy')
  const gone = { ...haproxy!, sidecar: { ...haproxy!.sidecar!, name: 'no-such-proxy' as 'haproxy' } }
  assert.match(lackOf(gone)!, /no no-such-proxy on the PATH \(apt-get install haproxy\)/)
  assert.equal(lackOf(arrangements[0]!), undefined)
})
