import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PeerCertificate } from 'node:tls'
import { checkNames, namesIn } from '../../../src/transport/tls/certificate-names.ts'

const passes = (list: string | undefined, ...wanted: readonly string[]): boolean =>
  checkNames(wanted, { subjectaltname: list } as PeerCertificate) === undefined

test('reads the list as Node writes it', () => {
  assert.deepEqual(namesIn('DNS:a.test, IP Address:127.0.0.1, URI:spiffe://shop/a'), [
    { kind: 'DNS', name: 'a.test' }, { kind: 'IP Address', name: '127.0.0.1' }, { kind: 'URI', name: 'spiffe://shop/a' },
  ])
  assert.deepEqual(namesIn(undefined), [])
})

test('a name within another one is no name', () => {
  assert.equal(passes('DNS:"evil.test, DNS:a.test"', 'a.test'), false)
  assert.equal(passes('URI:"http://evil/, URI:spiffe://shop/a"', 'spiffe://shop/a'), false)
  assert.equal(passes('DNS:evil.test", DNS:a.test', 'a.test'), false)
  assert.equal(passes('DNS:"evil\\", DNS:a.test', 'a.test'), false)
  assert.equal(passes('URI:spiffe://shop/a', 'shop'), false)
  assert.equal(passes('DNS:spiffe://shop/a', 'spiffe://shop/a'), false)
})

test('names are exact: no wildcard, no subdomain, no subject', () => {
  assert.equal(passes('DNS:*.a.test', 'x.a.test'), false)
  assert.equal(passes('DNS:*.a.test', '*.a.test'), true)
  assert.equal(passes('DNS:A.test', 'a.TEST'), true)
  assert.equal(passes('URI:spiffe://shop/a', 'b.test', 'spiffe://shop/a'), true)
  assert.notEqual(checkNames(['a.test'], { subject: { CN: 'a.test' } } as PeerCertificate), undefined)
})
