import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isBelow, plainPath, writtenPath } from '../../src/server/plain-path.ts'

test('a path is told as every framework may read it', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['/', '/'], ['', '/'], ['/orders', '/orders'], ['/orders/', '/orders'], ['/Orders/7?x=/../y', '/orders/7'], ['/orders#top', '/orders'],
    ['/%6frders', '/orders'], ['/caf%C3%A9', '/café'], ['http://shop.local/orders', '/orders'], ['HTTPS://shop.local:8443', '/'], ['http://[::1]:80?x', '/'],
    ['/orders;v=2', '/orders;v=2'], ['/a.b/..c', '/a.b/..c'],
  ]
  for (const [target, path] of cases) assert.equal(plainPath(target), path, target)
})

test('what two may read in different ways is no path', () => {
  const hostile = [
    '//orders', '/orders//7', '/./orders', '/a/../orders', '/a/..', '/..', '/%2e%2e/orders', '/a/.%2E/orders', '/a/..;x/orders', '/a/;x/orders', '/orders%2F7', '/orders%5c7',
    '/orders\\7', '/orders%00', '/a%0ab', '/a%20b', '/%256frders', '/%zz', '/%c3', '*', 'orders', 'shop.local:443', 'http:orders', '/a\tb',
    // Where parsers differ on where the authority ends.
    'http://user:pass@shop.local/orders', 'http://shop.local\\orders?/open', 'http://shop.local;/orders', 'http://a b/orders', 'http:///orders', 'ftp://shop.local/orders', 'http://shop.local%2forders',
  ]
  for (const target of hostile) assert.equal(plainPath(target), undefined, target)
})

test('a path is below another by whole segments', () => {
  for (const path of ['/orders', '/orders/7', '/orders;v=2']) assert.ok(isBelow(path, '/orders'), path)
  for (const path of ['/ordersx', '/', '/order', '/x/orders']) assert.ok(!isBelow(path, '/orders'), path)
  assert.ok(isBelow('/anything', '/'))
})

test('a path for the log has neither credentials nor query', () => {
  assert.equal(writtenPath('http://user:pass@shop.local/orders?key=1#x'), '/orders')
})
