import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { egress, egressConfig } from '../../src/policies/egress.ts'

const allowing = (...allow: string[]) => egress(egressConfig.parse({ allow }))

test("'allow' and 'deny' judge every host alike", () => {
  for (const host of ['api.example.com', '[::1]', 'not a host', '']) {
    assert.equal(egress('allow')(host, 80), true)
    assert.equal(egress('deny')(host, 80), false)
  }
})

test('a list allows its hosts and no others', () => {
  const allowed = allowing('api.example.com')
  assert.equal(allowed('api.example.com', 443), true)
  for (const host of ['example.com', 'x.api.example.com', 'api.example.com.evil.test', 'api-example.com', '127.0.0.1']) {
    assert.equal(allowed(host, 443), false, host)
  }
})

test('an empty list allows nothing', () => {
  assert.equal(allowing()('api.example.com', 443), false)
})

test("'*.x' means the subdomains of x, however deep, and not x itself", () => {
  const allowed = allowing('*.example.com')
  for (const host of ['api.example.com', 'a.b.example.com']) assert.equal(allowed(host, 80), true, host)
  for (const host of ['example.com', '.example.com', 'badexample.com', 'example.com.evil.test']) {
    assert.equal(allowed(host, 80), false, host)
  }
})

test('a port in a pattern is the only one', () => {
  const allowed = allowing('api.example.com:8443', '*.internal:80', '[::1]:9000')
  assert.equal(allowed('api.example.com', 8443), true)
  assert.equal(allowed('api.example.com', 443), false)
  assert.equal(allowed('a.internal', 80), true)
  assert.equal(allowed('a.internal', 81), false)
  assert.equal(allowed('[0::1]', 9000), true)
  assert.equal(allowed('[::1]', 80), false)
})

test('the spelling of a host slips past no list and out of none', () => {
  const allowed = allowing('127.0.0.1', '[::1]', 'API.Example.com.', 'bücher.example')
  const spellings = ['0x7f.1', '2130706433', '127.1', '[0:0::1]', 'api.EXAMPLE.com', 'api.example.com.', 'xn--bcher-kva.example']
  for (const host of spellings) {
    assert.equal(allowed(host, 80), true, host)
  }
})

test('patterns that cannot be meant are refused with their place and a hint', () => {
  const refused: [string, RegExp][] = [
    ['https://api.example.com', /without a scheme/],
    ['api.example.com/v1', /without a path/],
    ['api.example.com?x', /without a path/],
    ['user:secret@api.example.com', /without credentials/],
    ['api.*.com', /whole first label/],
    ['*', /whole first label.*egress: 'allow'/],
    ['*:443', /whole first label/],
    ['*api.example.com', /whole first label/],
    ['*.*.example.com', /whole first label/],
    ['*.', /is not a host/],
    ['*.127.0.0.1', /IP address/],
    ['*.1', /IP address/],
    ['*.[::1]', /IP address/],
    ['::1', /brackets/],
    ['api.example.com:http', /at most a port/],
    ['api.example.com:0', /port from 1/],
    ['api.example.com:70000', /port from 1/],
    ['', /is not a host/],
    ['a b', /is not a host/],
    ['1.2.3.256', /is not a host/],
  ]
  for (const [pattern, hint] of refused) {
    const { error } = egressConfig.safeParse({ allow: ['good.example.com', pattern] })
    assert.deepEqual(error?.issues[0]?.path, ['allow', 1], pattern)
    assert.match(error.issues[0].message, hint, pattern)
  }
})

test('other words than the three forms are refused', () => {
  for (const input of ['denied', true, null, [], { alow: [] }, { allow: 'a' }, { allow: [1] }]) {
    assert.equal(egressConfig.safeParse(input).success, false, JSON.stringify(input))
  }
})

const junk = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: fc.constantFrom(...'aZ0.*%2e[]:@/xX7f') }))

test('no host makes it throw, and no pattern the parser', () => {
  const allowed = allowing('*.example.com', '127.0.0.1', '[::1]')
  fc.assert(fc.property(junk, junk, fc.nat(65_535), (host, pattern, port) => {
    assert.equal(typeof allowed(host, port), 'boolean')
    const parsed = egressConfig.safeParse({ allow: [pattern] })
    if (parsed.success) assert.equal(typeof egress(parsed.data)(host, port), 'boolean')
  }), { numRuns: 2_000 })
})

test('case and trailing dots never change the verdict', () => {
  const allowed = allowing('*.example.com', 'api.test', '10.0.0.1')
  const host = fc.oneof(fc.domain(), fc.ipV4(), fc.constantFrom('api.test', 'a.example.com', 'example.com', '10.0.0.1'))
  fc.assert(fc.property(host, fc.array(fc.boolean(), { minLength: 64, maxLength: 64 }), (host, upper) => {
    const cased = [...host].map((letter, i) => upper[i % 64] ? letter.toUpperCase() : letter).join('')
    assert.equal(allowed(cased, 80), allowed(host, 80))
    assert.equal(allowed(`${cased}.`, 80), allowed(host, 80))
  }))
})
