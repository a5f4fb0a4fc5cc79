import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { z } from 'zod'
import { matchers } from '../../src/matchers/index.ts'
import { matcherKind } from '../../src/matchers/matcher.ts'
import { aRequest } from '../../src/testing/a-matcher.ts'

describe('table of matchers', () => {
  it('knows every condition that a route may have', () => {
    const fields = matchers.kinds.map(({ field }) => field)
    assert.deepEqual(fields.sort(), ['headers', 'host', 'method', 'path', 'port', 'query', 'scheme'])
  })

  it('compiles the fields that are written, and no other', () => {
    const made = matchers.make(matchers.schema.parse({ method: 'GET', headers: { a: 'b', c: 'd' } }))
    assert.deepEqual(made.map(({ conditions }) => conditions), [1, 2])
    assert.deepEqual(matchers.make({}), [])
  })

  it('refuses a field it does not know', () => {
    assert.equal(matchers.schema.safeParse({ header: { a: 'b' } }).success, false)
  })

  it("takes a user's own kind, in its schema and its type", () => {
    const tenant = matcherKind('tenant', z.string(), (wanted) => ({
      conditions: 1,
      matches: (request) => request.header('x-tenant') === wanted,
      explain: () => `tenant is not ${wanted}`,
    }))
    const wider = matchers.with(tenant)
    const [path, own] = wider.make(wider.schema.parse({ tenant: 'acme', path: { exact: '/' } }))
    assert.equal(path!.matches(aRequest()), true)
    assert.equal(own!.matches(aRequest({ headers: ['x-tenant', 'acme'] })), true)
    assert.equal(matchers.schema.safeParse({ tenant: 'acme' }).success, false)
  })

  it('lets a kind take the place of another of the same field', () => {
    const port = matcherKind('port', z.literal('any'), () => ({ conditions: 0, matches: () => true, explain: () => '' }))
    const table = matchers.with(port)
    assert.equal(table.kinds.filter(({ field }) => field === 'port').length, 1)
    assert.equal(table.make(table.schema.parse({ port: 'any' }))[0]!.matches(aRequest({ port: 7 })), true)
  })

  it('parses anything without a crash', () => {
    fc.assert(fc.property(fc.anything(), (input) => { matchers.schema.safeParse(input) }))
    const field = fc.constantFrom(...matchers.kinds.map(({ field }) => field))
    fc.assert(fc.property(fc.dictionary(field, fc.anything()), (input) => { matchers.schema.safeParse(input) }))
  })

  it('can be told to editors as JSON Schema, every option described', () => {
    const text = JSON.stringify(z.toJSONSchema(matchers.schema, { io: 'input' }))
    assert.match(text, /plainPrefix/)
    assert.match(text, /half-open|within \[start, end\)/)
  })
})
