import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { parseEndpointAddress } from '../../src/registries/address.ts'

describe('an endpoint address', () => {
  for (const [text, expected] of Object.entries({
    '10.0.0.1:8080': { address: '10.0.0.1:8080' },
    'Order-1.Shop.local:80': { address: 'order-1.shop.local:80' },
    'order.shop.local.:80': { address: 'order.shop.local:80' },
    'my_service:1': { address: 'my_service:1' },
    'localhost:65535': { address: 'localhost:65535' },
    '[::1]:8080': { address: '[::1]:8080' },
    '[2001:DB8:0:0::1]:443': { address: '[2001:db8::1]:443' },
    'http://10.0.0.1': { address: '10.0.0.1:80', tls: false },
    'http://10.0.0.1:8080': { address: '10.0.0.1:8080', tls: false },
    'https://a.local': { address: 'a.local:443', tls: true },
    'HTTPS://A.local:8443/': { address: 'a.local:8443', tls: true },
    'http://[::1]': { address: '[::1]:80', tls: false },
    'https://[::1]:8443': { address: '[::1]:8443', tls: true },
    'bücher.local:80': { address: 'xn--bcher-kva.local:80' },
  })) {
    test(`reads ${text}`, () => assert.deepEqual(parseEndpointAddress(text), expected))
  }

  for (const [text, hint] of [
    ['10.0.0.1', /has no port: write '10\.0\.0\.1:8080'/],
    ['[::1]', /has no port/],
    ['10.0.0.1:', /has the port ''/],
    ['10.0.0.1:0', /from 1 to 65535/],
    ['10.0.0.1:65536', /from 1 to 65535/],
    ['10.0.0.1:http', /from 1 to 65535/],
    ['10.0.0.1:-1', /from 1 to 65535/],
    ['http://a.local:', /from 1 to 65535/],
    ['a.local:80 ', /from 1 to 65535/],
    ['', /names no host/],
    [':80', /names no host/],
    ['http://', /names no host/],
    ['10.0.0.256:80', /names no host/],
    ['a b:80', /names no host/],
    ['*.local:80', /names no host/],
    ['-a.local:80', /names no host/],
    ['[10.0.0.1]:80', /names no host/],
    ['[fe80::1%eth0]:80', /names no host/],
    ['::1', /stands in brackets/],
    ['::1:80', /stands in brackets/],
    ['a.local:80/', /has the port '80\/'/],
    ['a.local:80/path', /has a path.*rewrite paths in a route/],
    ['http://a.local/path', /has a path/],
    ['http://a.local?x=1', /has a query/],
    ['http://a.local#x', /has a query or fragment/],
    ['http://user:secret@a.local', /holds credentials/],
    ['tcp://a.local:80', /has the scheme 'tcp'/],
    ['redis://a.local:80', /has the scheme 'redis'/],
  ] as const) {
    test(`refuses ${text || 'nothing'} with a hint`, () => assert.throws(() => parseEndpointAddress(text), { name: 'TypeError', message: hint }))
  }

  test('repeats no password in its fault', () => {
    for (const text of ['http://user:secret@a.local', 'user:secret@a.local:80', 'ftp://user:secret@a.local']) {
      assert.throws(() => parseEndpointAddress(text), (error: Error) => !error.message.includes('secret'))
    }
  })

  const pieces = fc.array(fc.constantFrom('http://', 'https://', 'a', '-', '.', '1', '0x7', ':', '80', '[', ']', '::', '/', '@', '?', ' ', '%', 'é', '\n', '_'))
  const text = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), pieces.map((all) => all.join('')), fc.webUrl(), fc.webAuthority(), fc.ipV6())

  test('whatever is written, is refused with a TypeError or read as what a URL can dial, in one spelling', () => {
    let read = 0
    fc.assert(fc.property(text, (written) => {
      let address: string
      try {
        ({ address } = parseEndpointAddress(written))
      } catch (error) {
        return error instanceof TypeError && !(error as { code?: string }).code
      }
      read++
      assert.deepEqual(parseEndpointAddress(address), { address })
      const url = new URL(`http://${address}`)
      assert.equal(`${url.hostname}:${url.port || '80'}`, address)
      return true
    }), { numRuns: 3_000, seed: 7 })
    assert.ok(read > 100, `only ${read} of them were addresses`)
  })

  test('every IP address with a port is read', () => {
    fc.assert(fc.property(fc.oneof(fc.ipV4(), fc.ipV6().map((ip) => `[${ip}]`)), fc.integer({ min: 1, max: 65_535 }), (host, port) => {
      assert.ok(parseEndpointAddress(`${host}:${port}`).address.endsWith(`:${port}`))
    }), { numRuns: 300, seed: 7 })
  })
})
