import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { z } from 'zod'
import type { RequestHead } from '../../src/core/request.ts'
import { matchers } from '../../src/matchers/index.ts'
import { routeTable, unreachable } from '../../src/route/table.ts'
import { aRequest } from '../../src/testing/a-matcher.ts'

interface Row { readonly name: string, readonly priority?: number, readonly match?: z.input<typeof matchers.schema> }

const parsed = (rows: readonly Row[]) =>
  rows.map(({ name, priority, match }) => ({ name, priority, match: match && matchers.schema.parse(match) }))
const table = (...rows: Row[]) => routeTable(parsed(rows), matchers)
const request = aRequest({ path: '/shop/cart?x=1', headers: ['x-tenant', 'acme', 'x-beta', 'yes'] })

const exact: Row = { name: 'exact', match: { path: { exact: '/shop/cart' } } }
const longPrefix: Row = { name: 'long prefix', match: { path: { prefix: '/shop/cart' } } }
const prefix: Row = { name: 'prefix', match: { path: { prefix: '/shop' } } }
const plainPrefix: Row = { name: 'plain prefix', match: { path: { plainPrefix: '/sho' } } }
const root: Row = { name: 'root', match: { path: { prefix: '/' } } }
const regex: Row = { name: 'regex', match: { path: { regex: '/shop/.*' } } }
const none: Row = { name: 'none' }
const header: Row = { name: 'header', match: { headers: { 'x-tenant': 'acme' } } }
const twoHeaders: Row = { name: 'two headers', match: { headers: { 'x-tenant': 'acme', 'x-beta': 'yes' } } }
const methodAndQuery: Row = { name: 'method and query', match: { method: 'GET', query: { x: '1' } } }
const prefixAndHeader: Row = { name: 'prefix and header', match: { path: { prefix: '/shop' }, headers: { 'x-beta': 'yes' } } }

describe('precedence', () => {
  const better: readonly (readonly [first: Row, second: Row, reason: string])[] = [
    [exact, longPrefix, 'exact path over prefix'],
    [exact, prefixAndHeader, 'exact path over more conditions'],
    [longPrefix, prefix, 'longer prefix over shorter'],
    [longPrefix, prefixAndHeader, 'longer prefix over more conditions'],
    [prefix, plainPrefix, 'length counts, whatever the way to compare'],
    [plainPrefix, root, 'longer prefix over shorter, plain ones included'],
    [root, regex, 'any prefix over regular expression'],
    [regex, twoHeaders, 'regular expression over no path, whatever else is asked'],
    [root, twoHeaders, 'prefix over no path'],
    [prefixAndHeader, prefix, 'more conditions over fewer on the same path'],
    [twoHeaders, header, 'each header is a condition'],
    [methodAndQuery, header, 'each field is a condition'],
    [header, none, 'a condition over none'],
    [{ ...none, priority: 0 }, exact, 'a priority over none, whatever the path'],
    [{ ...none, priority: 1000 }, exact, 'even the last priority over none'],
    [{ ...none, priority: 0 }, { ...exact, priority: 1 }, 'lower priority first'],
    [{ ...exact, priority: 5 }, { ...none, priority: 5 }, 'the path decides within a priority'],
  ]
  for (const [first, second, reason] of better) {
    it(reason, () => {
      assert.equal(table(first, second).find(request)?.name, first.name)
      assert.equal(table(second, first).find(request)?.name, first.name)
    })
  }

  it('the order written decides between equals', () => {
    assert.equal(table({ ...header, name: 'a' }, { name: 'b', match: { method: 'GET' } }).find(request)?.name, 'a')
    assert.equal(table({ name: 'b', match: { method: 'GET' } }, { ...header, name: 'a' }).find(request)?.name, 'b')
  })

  it('is the same whatever the order written, where no two are equal', () => {
    const rows = [exact, longPrefix, prefixAndHeader, prefix, plainPrefix, root, regex, twoHeaders, header, none]
    fc.assert(fc.property(fc.shuffledSubarray(rows, { minLength: 1 }), (some) => {
      const names = table(...some).explain(request).map(({ route }) => route.name)
      assert.deepEqual(names, rows.map(({ name }) => name).filter((name) => names.includes(name)))
    }))
  })
})

describe('finding', () => {
  it('skips what does not match', () => {
    const find = (asked: RequestHead) => table(exact, { ...none, match: { method: 'POST' } }, header).find(asked)?.name
    assert.equal(find(aRequest({ path: '/other', headers: ['X-Tenant', 'acme'] })), 'header')
    assert.equal(find(aRequest({ path: '/other' })), undefined)
  })

  it('finds nothing in an empty table', () => assert.equal(table().find(request), undefined))

  it("gives back the caller's own route object", () => {
    const route = { to: 'order', priority: 0 }
    assert.equal(routeTable([route], { make: () => [] }).find(request), route)
  })
})

describe('explaining', () => {
  it('says of every route whether it matched, and why it was not taken', () => {
    const asked = aRequest({ path: '/shop?token=secret', headers: ['x-tenant', 'other'] })
    const told = table(none, prefix, { ...header, match: { ...header.match, method: ['POST', 'PUT'] } }).explain(asked)
    const unmet = "method GET is not POST or PUT, header 'x-tenant' must be present and be 'acme'; it is something else"
    assert.deepEqual(told.map(({ route, index, matched, chosen, reason }) => [route.name, index, matched, chosen, reason]), [
      ['prefix', 1, true, true, undefined],
      ['header', 2, false, false, unmet],
      ['none', 0, true, false, 'it matches too, but route 1 comes before it'],
    ])
  })

  it('agrees with finding, whatever is asked', () => {
    const made = table(exact, prefix, regex, header, methodAndQuery)
    fc.assert(fc.property(fc.webPath(), fc.constantFrom('acme', 'x'), (path, tenant) => {
      const asked = aRequest({ path, headers: ['x-tenant', tenant] })
      assert.equal(made.explain(asked).find(({ chosen }) => chosen)?.route, made.find(asked))
    }))
  })
})

describe('routes that can never be taken', () => {
  const pairs = (...rows: Row[]) => unreachable(parsed(rows))

  it('are those with the conditions and the priority of an earlier one', () => {
    assert.deepEqual(pairs(prefix, none, { ...prefix }, { name: 'also none', match: {} }), [[2, 0], [3, 1]])
  })

  it('are found however the conditions are spelt', () => {
    const a: Row = { name: 'a', match: { method: ['get', 'PUT'], headers: { 'X-A': '1', b: '2' }, host: 'A.local.' } }
    const b: Row = { name: 'b', match: { host: ['a.local'], headers: { b: { exact: '2' }, 'x-a': '1' }, method: ['PUT', 'GET'] } }
    assert.deepEqual(pairs(a, b), [[1, 0]])
  })

  it('are not those of another priority or with another condition', () => {
    assert.deepEqual(pairs(prefix, { ...prefix, priority: 0 }, root, plainPrefix, header, twoHeaders), [])
  })
})
