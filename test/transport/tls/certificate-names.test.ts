import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PeerCertificate } from 'node:tls'
import { checkHost, checkNames, namesIn } from '../../../src/transport/tls/certificate-names.ts'

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

test('a host is no URI and a URI no host, whatever it looks like', () => {
  assert.equal(passes('URI:a.test', 'a.test'), false)
  assert.equal(passes('DNS:urn:shop:a', 'urn:shop:a'), false)
  assert.equal(passes('URI:urn:shop:a', 'urn:shop:a'), true)
  assert.equal(passes('email:a.test, IP Address:10.0.0.1, DirName:"CN=a.test"', 'a.test', '10.0.0.1'), false)
})

test('what is hidden in a name is no part of another', () => {
  for (const list of ['DNS:"a.test\\u0000.evil.test"', 'DNS:"a.test\\u0000"', 'URI:"spiffe://shop/a\\u0000"', 'DNS:a.test.', 'DNS: a.test', 'DNS:а.test', 'URI:spiffe://shop/a/', 'URI:spiffe://shop//a',
    'URI:spiffe://SHOP/a', 'URI:spiffe://shop/%61', 'URI:spiffe://shop/x/../a', 'URI:spiffe://shop/a?', 'URI:spiffe://shop/a#', 'DNS:"a.test', 'DNS:a.test"', 'DNS:"\\x", DNS:a.test']) {
    assert.equal(passes(list, 'a.test', 'spiffe://shop/a'), false, list)
  }
  assert.equal(passes('URI:https://other/, DNS:x.test, URI:spiffe://shop/a, URI:spiffe://shop/b', 'spiffe://shop/a'), true, 'of several any one')
})

const isFor = (host: string, list: string | undefined, CN = 'a.test'): boolean => checkHost(host, { subject: { CN }, subjectaltname: list } as unknown as PeerCertificate) === undefined

test('without names of its own for it, a host is known by alternative names: exactly, by a wildcard of one label, never by the common name', () => {
  const cases: readonly (readonly [string, string | undefined, boolean])[] = [
    ['a.test', 'DNS:a.test', true], ['a.test', 'DNS:A.TEST', true], ['a.test', undefined, false], ['a.test', 'URI:spiffe://shop/a', false], ['a.test', 'IP Address:10.0.0.1', false],
    ['x.a.test', 'DNS:*.a.test', true], ['x.y.a.test', 'DNS:*.a.test', false], ['a.test', 'DNS:*.a.test', false], ['a.test', 'DNS:*.test', false], ['x.a.test', 'DNS:x.*.test', false], ['a.test', 'DNS:*', false],
    ['10.0.0.1', 'IP Address:10.0.0.1', true], ['10.0.0.1', 'DNS:10.0.0.1', false], ['::1', 'IP Address:0:0:0:0:0:0:0:1', true], ['a.test', 'DNS:"a.test\\u0000.evil.test"', false], ['a.test', 'URI:a.test', false],
  ]
  for (const [host, list, fits] of cases) assert.equal(isFor(host, list), fits, `${host} by ${list}`)
  assert.equal(isFor('10.0.0.1', undefined, '10.0.0.1'), false)
  const certificate = { subject: { CN: 'a.test' } } as unknown as PeerCertificate
  assert.equal((checkHost('a.test', certificate) as { cert?: unknown }).cert, certificate, 'as it is, for the message')
})
