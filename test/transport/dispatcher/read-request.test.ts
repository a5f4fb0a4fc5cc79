import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Dispatcher } from 'undici'
import { originOf, readOrigin } from '../../../src/transport/dispatcher/origin.ts'
import { placeBeyond, readRequest } from '../../../src/transport/dispatcher/read-request.ts'

const origin = readOrigin('http://svc.test')

const reading = (options: object): ReturnType<typeof readRequest> =>
  readRequest({ method: 'GET', path: '/', ...options } as Dispatcher.DispatchOptions, origin, 1024)

const headersOf = (headers: unknown): readonly string[] => reading({ headers }).headers

test('headers are read in every shape that undici takes', () => {
  for (const headers of [{ 'X-A': '1', 'b': '2' }, ['X-A', '1', 'b', '2'], new Map([['X-A', '1'], ['b', '2']])]) {
    assert.deepEqual(headersOf(headers), ['X-A', '1', 'b', '2'])
  }
  assert.deepEqual(headersOf({ a: ['1', '2'], b: 3, c: true, d: null, e: undefined, f: ['1', null] }), ['a', '1', 'a', '2', 'b', '3', 'c', 'true', 'd', '', 'f', '1', 'f', ''])
  for (const none of [undefined, null, {}, []]) assert.deepEqual(headersOf(none), [])
})

test('headers that undici would refuse are refused, with what is wrong', () => {
  const wrong: readonly [unknown, RegExp][] = [
    [['a', '1', 'b'], /ends with a name/],
    [[['a', '1'], ['b', '2']], /a header's name is text, not a list/],
    [{ a: {} }, /'a' is text, not an object/],
    [{ a: Buffer.from('1') }, /'a' is text, not an object/],
    [{ a: ['1', {}] }, /'a' is text, not an object/],
    [{ a: Symbol('1') }, /'a' is text, not a symbol/],
    [new Set(['ab']), /a name and a value each time, not text/],
    [new Set([['a', '1', '2']]), /a name and a value each time, not a list/],
    ['a: 1', /an object or a list, not text/],
    [7, /an object or a list, not 7/],
  ]
  for (const [headers, message] of wrong) assert.throws(() => headersOf(headers), { name: 'TypeError', message }, String(message))
})

test('a query is written as undici writes it', () => {
  const pathOf = (query: unknown, path = '/a'): string => reading({ path, query }).path
  assert.equal(pathOf({ a: 'b c', d: [1, 2], e: null, f: undefined, g: '' }), '/a?a=b%20c&d=1&d=2&e=&f=&g=')
  for (const none of [{}, null, undefined, 0]) assert.equal(pathOf(none), '/a')
  for (const path of ['/a?b=c', '/a#b']) assert.throws(() => pathOf({ d: 1 }, path), /put all of it into one of the two/)
})

test('a path is a path or a whole URL, and nothing else', () => {
  for (const path of ['', 'a', '?a', '*', 'http://[', 7, null, undefined]) {
    assert.throws(() => placeBeyond({ path, method: 'GET' } as never), { name: 'TypeError', message: /needs a path that begins with '\/'/ }, String(path))
  }
})

test('an origin is a scheme, a host and a port, and nothing else', () => {
  for (const good of ['http://svc.test', 'HTTP://SVC.test.:80/', new URL('http://svc.test')]) {
    assert.deepEqual(readOrigin(good), { scheme: 'http', host: 'svc.test', port: 80 })
  }
  assert.deepEqual(readOrigin('https://svc.test'), { scheme: 'https', host: 'svc.test', port: 443 })
  for (const none of ['', 'svc.test', 'svc.test:80', 'ftp://svc.test', 'http://[', undefined, null, 7, {}]) {
    assert.throws(() => readOrigin(none), { name: 'TypeError', message: /needs an origin such as/ }, JSON.stringify(none))
  }
  for (const more of ['http://svc.test/base', 'http://svc.test?a', 'http://svc.test#a', new URL('http://svc.test/base')]) {
    assert.throws(() => readOrigin(more), /as its path/, String(more))
  }
  for (const other of ['ftp://svc.test/', 'ws://svc.test/', 'mailto:a']) assert.throws(() => originOf(new URL(other)), /'http:' or 'https:', not to/, other)
})

test('what is shown of a wrong place holds no secret', () => {
  assert.throws(() => readOrigin('name:word@svc.test'), { message: "a request needs an origin such as 'http://svc.local', not '…@svc.test'" })
  assert.throws(() => placeBeyond({ path: 'a?token=word', method: 'GET' }), { message: /, not 'a\?…'$/ })
})

test('a body of no kind that can be sent is refused', () => {
  for (const body of [7, true, false, 0, Symbol('a'), () => 'a']) {
    assert.throws(() => reading({ method: 'POST', body }), { name: 'TypeError', message: /^a body is text, bytes, / }, String(body))
  }
})

test('memory that was given away is an empty body', () => {
  const bytes = new Uint8Array(4)
  structuredClone(bytes, { transfer: [bytes.buffer] })
  for (const body of [bytes, bytes.buffer]) assert.equal((reading({ method: 'POST', body }).body!.open() as Uint8Array).byteLength, 0)
})
