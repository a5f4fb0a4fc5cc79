import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { normaliseHost } from '../../src/core/host.ts'

test('spellings of one host become one', () => {
  const spellings: [string, string][] = [
    ['Order.Shop.Local', 'order.shop.local'],
    ['order.shop.local.', 'order.shop.local'],
    ['order.shop.local..', 'order.shop.local'],
    ['0x7f.1', '127.0.0.1'],
    ['2130706433', '127.0.0.1'],
    ['127.0.0.1.', '127.0.0.1'],
    ['0x7f.1..', '127.0.0.1'],
    ['0x7f.1%2e.', '127.0.0.1'],
    ['１２７.0.0.1', '127.0.0.1'],
    ['a。b。', 'a.b'],
    ['[::0001]', '[::1]'],
    ['[2001:DB8:0:0::1]', '[2001:db8::1]'],
    ['Bücher.example', 'xn--bcher-kva.example'],
    ['ex%61mple.com', 'example.com'],
  ]
  for (const [spelt, normal] of spellings) assert.equal(normaliseHost(spelt), normal, spelt)
})

test('what is no host, or more than a host, is none', () => {
  const junk = [
    '', '.', '..', '%2e', ' ', 'a b', 'a\t', '\0a', 'a\0', 'a/b', 'a?b', 'a#b', 'a\\b', 'u@a', 'a:80',
    '::1', '[::1]:80', '[::1', '[]', '[a]', 'http://a', 'a／b', '1.2.3.256',
  ]
  for (const host of junk) assert.equal(normaliseHost(host), undefined, JSON.stringify(host))
})

test('no input makes it throw, and what it gives it leaves alone', () => {
  const nearly = fc.string({ unit: fc.constantFrom(...'aZ0.%2e[]:*xX7fーß。') })
  fc.assert(fc.property(fc.oneof(fc.string({ unit: 'binary' }), nearly, fc.webAuthority()), (host) => {
    const once = normaliseHost(host)
    if (once !== undefined) assert.equal(normaliseHost(once), once)
  }), { numRuns: 2_000 })
})

test('dotted decimals are what a URL says they are, octal and too large ones too', () => {
  const part = fc.oneof(fc.nat(300).map(String), fc.nat(300).map((number) => `0${number}`))
  fc.assert(fc.property(fc.tuple(part, part, part, part), (parts) => {
    const host = parts.join('.')
    assert.equal(normaliseHost(host), URL.parse(`http://${host}`)?.hostname)
  }), { numRuns: 2_000 })
})
