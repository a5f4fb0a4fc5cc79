import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { registries } from '../../src/registries/index.ts'
import { endpointList, staticRegistry } from '../../src/registries/static.ts'
import { aRegistry, fakeRuntime } from '../../src/testing/index.ts'

aRegistry('static', () => ({
  registry: registries.make(registries.schema.parse({ type: 'static', endpoints: ['http://10.0.0.1', '[::1]:8080'] }), fakeRuntime()),
  expected: ['10.0.0.1:80', '[::1]:8080'],
}))

const faults = (endpoints: unknown) => staticRegistry.config.safeParse({ endpoints }).error?.issues
  .map(({ path, message }) => `${path.join('.')}: ${message}`)

describe('a static list', () => {
  test('takes texts and objects', () => {
    assert.deepEqual(endpointList.parse(['a:1', {
      address: 'https://b', id: 'b-1', weight: 0.5, metadata: { zone: 'x' },
    }, { address: 'c:1', tls: true }]), [
      { address: 'a:1' },
      { address: 'b:443', tls: true, id: 'b-1', weight: 0.5, metadata: { zone: 'x' } },
      { address: 'c:1', tls: true },
    ])
  })

  test('reads what it has parsed once more to the same', () => {
    const parsed = endpointList.parse(['a:1', 'https://b', 'http://c', '[::1]:1', { address: 'd:1', id: 'd', weight: 2, tls: true, metadata: {} }])
    assert.deepEqual(endpointList.parse(parsed), parsed)
  })

  test('names the place of a fault', () => {
    assert.match(faults(['a:1', 'b'])!.join(), /^endpoints\.1: 'b' has no port/)
    assert.match(faults([{ address: 'a:1', weight: 0 }])!.join(), /^endpoints\.0\.weight: /)
    assert.match(faults([{ address: 'b' }])!.join(), /^endpoints\.0\.address: 'b' has no port/)
    assert.match(faults([{ address: 'b', tls: true }])!.join(), /^endpoints\.0\.address: 'b' has no port[^,]*, or a URL$/)
    assert.match(faults([{ address: 'http://b', tls: true }])!.join(), /^endpoints\.0\.tls: contradicts/)
    assert.match(faults([])!.join(), /^endpoints: /)
  })

  test('refuses an endpoint written twice', () => {
    assert.match(faults(['a:80', 'b:1', 'http://A'])!.join(), /^endpoints\.2: is endpoint 0 again \('a:80'\)/)
    assert.equal(faults(['b', 'b'])!.length, 2)
    assert.equal(faults([{ address: 'a:80', id: 'one' }, { address: 'a:80', id: 'two' }]), undefined)
  })
})
