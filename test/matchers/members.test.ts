import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { headers } from '../../src/matchers/header.ts'
import { host } from '../../src/matchers/host.ts'
import { method } from '../../src/matchers/method.ts'
import { port } from '../../src/matchers/port.ts'
import { query } from '../../src/matchers/query.ts'
import { scheme } from '../../src/matchers/scheme.ts'
import { aMatcher, aRequest } from '../../src/testing/a-matcher.ts'

const methods = (...names: string[]) => names.map((name) => aRequest({ method: name }))
const header = (...values: string[]) => values.map((value) => aRequest({ headers: ['X-A', value] }))
const search = (...searches: string[]) => searches.map((each) => aRequest({ path: `/p?${each}` }))
const hosts = (...names: string[]) => names.map((name) => aRequest({ host: name }))

aMatcher(method, {
  good: [
    { config: 'get', matches: methods('GET', 'get'), refuses: methods('POST', 'GETS'), conditions: 1 },
    { config: ['PUT', 'patch', 'PUT'], matches: methods('PUT', 'PATCH', 'patch'), refuses: methods('GET'), conditions: 1 },
  ],
  bad: ['', 'G ET', [], [''], { exact: 'GET' }],
})

aMatcher(scheme, {
  good: [{ config: 'https', matches: [aRequest({ scheme: 'https' })], refuses: [aRequest()], conditions: 1 }],
  bad: ['', 'ftp', 'HTTP', ['http']],
})

aMatcher(port, {
  good: [{ config: 8080, matches: [aRequest({ port: 8080 })], refuses: [aRequest(), aRequest({ port: 808 })], conditions: 1 }],
  bad: ['80', 0, -1, 65_536, 1.5],
})

aMatcher(host, {
  good: [
    {
      config: 'API.shop.Local.',
      matches: hosts('api.shop.local'),
      refuses: hosts('shop.local', 'x.api.shop.local', 'api.shop.locale'),
      conditions: 1,
    },
    {
      config: '*.shop.local',
      matches: hosts('a.shop.local', 'a.b.shop.local'),
      refuses: hosts('shop.local', '.shop.local', 'ashop.local', 'a.shop.local.evil'),
      conditions: 1,
    },
    {
      config: 'api.local.:8080',
      matches: [aRequest({ host: 'api.local', port: 8080 })],
      refuses: [aRequest({ host: 'api.local' }), aRequest({ host: 'a.local', port: 8080 })],
      conditions: 1,
    },
    {
      config: ['[::1]:80', '10.0.0.1', 'Bücher.de'],
      matches: [aRequest({ host: '[::1]' }), aRequest({ host: '10.0.0.1', port: 9 }), aRequest({ host: 'xn--bcher-kva.de' })],
      refuses: [aRequest({ host: '[::1]', port: 81 }), aRequest({ host: '10.0.0.10' })],
      conditions: 1,
    },
  ],
  bad: ['', '*', '*.', '.', 'a b', 'a*b', '*.*.a', 'http://a', 'a/b', 'a:', 'a:0', 'a:65536', 'a:x', 'u@a', '[::1', 'a%2eb', []],
})

aMatcher(headers, {
  good: [
    { config: { 'X-a': 'one' }, matches: header('one'), refuses: [...header('two', 'One', 'one '), aRequest()], conditions: 1 },
    {
      config: { 'x-a': { prefix: 'on' } },
      matches: header('on', 'one'),
      refuses: [...header('o', 'xon'), aRequest()],
      conditions: 1,
    },
    { config: { 'x-a': { suffix: 'ne' } }, matches: header('ne', 'one'), refuses: [...header('nex'), aRequest()], conditions: 1 },
    {
      config: { 'x-a': { regex: 'o|one' } },
      matches: header('o', 'one'),
      refuses: [...header('on', 'xo'), aRequest()],
      conditions: 1,
    },
    {
      config: { 'x-a': { range: { start: -1, end: 10 } } },
      matches: header('-1', '0', '9', '+9', '009'),
      refuses: [...header('10', '-2', '', '1.5', '1e0', '0x1', 'one', ' 1', '9'.repeat(400)), aRequest()],
      conditions: 1,
    },
    { config: { 'x-a': { present: true } }, matches: header('', 'x'), refuses: [aRequest()], conditions: 1 },
    { config: { 'x-a': {} }, matches: header('', 'x'), refuses: [aRequest()], conditions: 1 },
    { config: { 'x-a': { present: false } }, matches: [aRequest()], refuses: header('', 'x'), conditions: 1 },
    { config: { 'x-a': { invert: true } }, matches: [aRequest()], refuses: header('', 'x'), conditions: 1 },
    { config: { 'x-a': { present: false, invert: true } }, matches: header('x'), refuses: [aRequest()], conditions: 1 },
    {
      config: { 'x-a': { exact: 'one', invert: true } },
      matches: header('two', ''),
      refuses: [...header('one'), aRequest()],
      conditions: 1,
    },
    {
      config: { 'x-a': { range: { start: 0, end: 5 }, invert: true } },
      matches: header('5', 'one'),
      refuses: [...header('0'), aRequest()],
      conditions: 1,
    },
    {
      config: { 'x-a': 'one, two', 'x-b': { present: false } },
      matches: [aRequest({ headers: ['x-a', 'one', 'X-A', 'two'] })],
      refuses: [aRequest({ headers: ['x-a', 'one, two', 'x-b', ''] }), ...header('one')],
      conditions: 2,
    },
    {
      config: { 'x-a': [{ prefix: 'o' }, { suffix: 'e', invert: true }] },
      matches: header('o', 'on'),
      refuses: [...header('one', 'n'), aRequest()],
      conditions: 2,
    },
  ],
  bad: [
    {}, { 'x a': 'b' }, { '': 'b' }, { ':path': '/' }, { a: 1 }, { a: null }, { a: { exact: 'a', prefix: 'a' } },
    { a: { prefix: '' } }, { a: { regex: '(?!a)' } }, { a: { range: { start: 5, end: 5 } } }, { a: { range: { start: 1 } } },
    { a: { range: { start: 1.5, end: 3 } } },
    { a: { present: 'yes' } }, { a: { exact: 'a', present: true } }, { 'X-A': 'a', 'x-a': 'b' },
  ],
})

aMatcher(query, {
  good: [
    {
      config: { a: 'b c' },
      matches: search('a=b+c', 'a=b%20c', 'x=1&a=b%20c', 'a=b+c&a=z', '%61=b+c'),
      refuses: [...search('a=b', '', 'A=b+c', 'a=z&a=b+c', 'xa=b+c', 'a=b+c%'), aRequest()],
      conditions: 1,
    },
    { config: { '?a': { exact: '1' } }, matches: search('?a=1'), refuses: search('a=1'), conditions: 1 },
    { config: { a: { prefix: 'x' } }, matches: search('a=xy'), refuses: search('a=y', 'a'), conditions: 1 },
    { config: { a: { suffix: 'y' } }, matches: search('a=xy'), refuses: search('a=x'), conditions: 1 },
    { config: { a: { regex: '[0-9]+' } }, matches: search('a=12'), refuses: search('a=12x', 'a='), conditions: 1 },
    { config: { a: { present: true }, b: {} }, matches: search('a&b=1'), refuses: search('a', 'b', ''), conditions: 2 },
    { config: { a: { present: false } }, matches: [...search('b'), aRequest()], refuses: search('a', 'a='), conditions: 1 },
    {
      config: { a: { exact: '1', invert: true } },
      matches: search('a=2'),
      refuses: [...search('a=1'), aRequest()],
      conditions: 1,
    },
  ],
  bad: [
    {}, { a: 1 }, { a: { range: { start: 1, end: 2 } } }, { a: { regex: '(a)\\1' } }, { a: { prefix: 'a', suffix: 'b' } }, 'a=b',
  ],
})

describe('explanations', () => {
  it('name the condition and never what the request carried', () => {
    const config = { 'x-a': { range: { start: 1, end: 5 } }, 'x-b': { exact: 'b', invert: true } }
    const matcher = headers.make(headers.schema.parse(config))
    assert.equal(
      matcher.explain(aRequest({ headers: ['x-a', 'secret'] })),
      "header 'x-a' must be present and be an integer from 1 to below 5; it is something else, "
      + "header 'x-b' must be present and not be 'b'; it is absent",
    )
  })
})

describe('junk', () => {
  const known = fc.constantFrom('__proto__', 'constructor', 'toString', '%', '\uD800')
  const odd = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), known)

  it('never crashes a schema, and what a schema takes compiles and answers', () => {
    const compared = fc.constantFrom('exact', 'prefix', 'suffix', 'regex').chain((key) => fc.record({ [key]: odd }))
    const text = fc.oneof(odd, compared, fc.anything())
    fc.assert(fc.property(fc.dictionary(odd, text, { maxKeys: 4 }), odd, odd, (config, name, value) => {
      for (const kind of [headers, query]) {
        const parsed = kind.schema.safeParse(config)
        if (!parsed.success) continue
        const matcher = kind.make(parsed.data)
        const request = aRequest({ method: name, host: value, path: `/${name}?${name}=${value}`, headers: [name, value] })
        assert.equal(typeof matcher.matches(request), 'boolean')
        assert.equal(typeof matcher.explain(request), 'string')
      }
    }))
  })

  it('never crashes the host matcher, and what it takes for a host it finds again', () => {
    fc.assert(fc.property(fc.oneof(odd, fc.domain(), fc.ipV4(), fc.ipV6().map((each) => `[${each}]`)), (text) => {
      const parsed = host.schema.safeParse(text)
      if (!parsed.success || parsed.data[0]!.includes('*') || /:\d+$/.test(parsed.data[0]!)) return
      assert.equal(host.make(parsed.data).matches(aRequest({ host: parsed.data[0]! })), true)
    }))
  })

  it('ends on header values that make backtracking engines hang', () => {
    const matcher = headers.make(headers.schema.parse({ 'x-a': { regex: '(a|aa)+b' } }))
    assert.equal(matcher.matches(aRequest({ headers: ['x-a', 'a'.repeat(50_000)] })), false)
  })
})
