import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { z } from 'zod'
import { matchers } from '../../src/matchers/index.ts'
import { routeConfig } from '../../src/route/config.ts'

const shape = routeConfig({ match: matchers.schema, retry: z.strictObject({ attempts: z.int().min(1).default(3) }) })
const faults = (input: unknown): string[] => {
  const told = (issues: readonly z.core.$ZodIssue[], above: readonly PropertyKey[] = []): string[] => issues.flatMap((issue) => {
    const path = [...above, ...issue.path]
    const nested = issue.code === 'invalid_union' ? issue.errors.flatMap((each) => told(each, path)) : []
    return [`${path.map(String).join('.')}: ${issue.message}`, ...nested]
  })
  return told(shape.safeParse(input).error?.issues ?? [])
}

describe('shape of a route', () => {
  it('takes a cluster alone and fills in the defaults', () => {
    assert.deepEqual(shape.parse({ to: 'order' }), { to: 'order', timeout: 15_000, attemptTimeout: 0, idleTimeout: 300_000 })
  })

  it('takes everything that a route may say', () => {
    const route = shape.parse({
      name: 'beta', priority: 0, to: { a: 90, b: 10, c: 0 }, timeout: '2s', attemptTimeout: '250ms', idleTimeout: 0, retry: {},
      match: { path: { prefix: '/a' }, headers: { 'X-Beta': 'yes' } },
      sticky: { header: 'X-User' }, rewrite: { prefix: '/b', host: 'inner.local' },
    })
    assert.deepEqual(route.to, { a: 90, b: 10, c: 0 })
    assert.deepEqual([route.timeout, route.attemptTimeout, route.idleTimeout], [2_000, 250, 0])
    assert.deepEqual(route.match?.headers, { 'x-beta': { exact: 'yes' } })
    assert.deepEqual(route.sticky, { header: 'x-user' })
    assert.deepEqual(route.retry, { attempts: 3 })
  })

  const mistakes: readonly (readonly [input: object, fault: RegExp])[] = [
    [{}, /^to: /],
    [{ to: '' }, /^to: is empty: name a cluster/],
    [{ to: {} }, /^to: is empty: name a cluster/],
    [{ to: { a: 0, b: 0 } }, /^to: gives every cluster weight 0/],
    [{ to: { a: -1, b: 2 } }, /^to\.a: is negative/],
    [{ to: { a: Number.POSITIVE_INFINITY } }, /^to\.a: .*number/],
    [{ to: { a: 1e308, b: 1e308 } }, /^to: adds up to more/],
    [{ to: { a: '90' } }, /^to\.a: .*number/],
    [{ to: 'a', priority: 1001 }, /^priority: /],
    [{ to: 'a', priority: 0.5 }, /^priority: /],
    [{ to: 'a', timeout: '2 hours' }, /^timeout: is not a duration/],
    [{ to: 'a', timeOut: 1 }, /^: Unrecognized key: "timeOut"/],
    [{ to: 'a', name: '' }, /^name: /],
    [{ to: 'a', sticky: {} }, /^sticky: needs exactly one of header, cookie/],
    [{ to: 'a', sticky: { header: 'a', cookie: 'b' } }, /^sticky: needs exactly one/],
    [{ to: 'a', sticky: { header: 'a b' } }, /^sticky\.header: is not a header name/],
    [{ to: 'a', rewrite: {} }, /^rewrite: rewrites nothing/],
    [{ to: 'a', rewrite: { path: 'b' } }, /^rewrite\.path: must begin with/],
    [{ to: 'a', rewrite: { path: '/b?c' } }, /^rewrite\.path: must hold neither/],
    [{ to: 'a', rewrite: { path: '/b\r\nx' } }, /^rewrite\.path: must begin with/],
    [{ to: 'a', rewrite: { host: 'a/b' } }, /^rewrite\.host: is not a host/],
    [{ to: 'a', rewrite: { host: 'a\r\nx: y' } }, /^rewrite\.host: is not a host/],
    [{ to: 'a', rewrite: { prefix: '/b' } }, /^rewrite\.prefix: has nothing to replace/],
    [{ to: 'a', rewrite: { prefix: '/b' }, match: { path: { exact: '/a' } } }, /^rewrite\.prefix: has nothing to replace/],
    [{ to: 'a', rewrite: { prefix: '/b', path: '/c' }, match: { path: { prefix: '/a' } } }, /^rewrite\.prefix: has no effect/],
    [{ to: 'a', match: { path: { regex: '(?=x)' } } }, /^match\.path\.regex: .*not RE2 syntax.*not supported/],
    [{ to: 'a', match: { headers: { a: { regex: '(' } } } }, /^match\.headers\.a\.regex: .*not RE2 syntax/],
    [{ to: 'a', match: { headers: { a: { exakt: 'x' } } } }, /^match\.headers\.a: .*exakt/],
    [{ to: 'a', match: { header: {} } }, /^match: .*header/],
    [{ to: 'a', match: { path: '/a' } }, /^match\.path: .*object/],
    [{ to: 'a', retry: { attempts: 0 } }, /^retry\.attempts: /],
  ]
  for (const [input, fault] of mistakes) {
    it(`refuses ${JSON.stringify(input)} with its place`, () => {
      const told = faults(input)
      assert.ok(told.some((each) => fault.test(each)), `got ${JSON.stringify(told)}`)
    })
  }

  it('parses anything without a crash', () => {
    const key = fc.constantFrom('name', 'match', 'to', 'priority', 'timeout', 'retry', 'sticky', 'rewrite')
    fc.assert(fc.property(fc.dictionary(key, fc.anything()), (input) => { shape.safeParse(input) }))
  })
})
