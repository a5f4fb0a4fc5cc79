import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { readPart, requestPart } from '../../src/core/request-part.ts'
import { aRequest } from '../../src/testing/index.ts'

const read = (part: object, request: Parameters<typeof aRequest>[0]): string | undefined => readPart(requestPart.parse(part))(aRequest(request))

describe('a part of a request', () => {
  test('is the value of a header, whatever the case of its name', () => {
    assert.equal(read({ header: 'X-User' }, { headers: ['x-uSER', 'ada'] }), 'ada')
    assert.equal(read({ header: 'x-user' }, { headers: ['x-users', 'ada'] }), undefined)
  })

  test('is the value of a cookie, in one header or several', () => {
    assert.equal(read({ cookie: 'session' }, { headers: ['Cookie', 'theme=dark; session=a=b ; x=1'] }), 'a=b')
    assert.equal(read({ cookie: 'session' }, { headers: ['cookie', 'theme=dark', 'cookie', 'session=1'] }), '1')
    assert.equal(read({ cookie: 'session' }, { headers: ['cookie', 'mysession=1; Session=2; session'] }), undefined)
    assert.equal(read({ cookie: 'session' }, { headers: ['cookie', 'session=1; session=2'] }), '1')
  })

  test('is the first value of a parameter of the query, decoded', () => {
    assert.equal(read({ query: 'user' }, { path: '/?a=1&user=ada+l%C3%B6ve&user=2' }), 'ada löve')
    assert.equal(read({ query: 'user' }, { path: '/user=1' }), undefined)
  })

  test('is the path without its query', () => {
    assert.equal(read({ path: true }, { path: '/a/b?c=d' }), '/a/b')
  })

  test('that is empty is absent', () => {
    for (const part of [{ header: 'x-user' }, { cookie: 'session' }, { query: 'user' }]) {
      assert.equal(read(part, { path: '/?user=', headers: ['x-user', '', 'cookie', 'session='] }), undefined)
    }
  })

  test('is one part', () => {
    for (const bad of [{}, { header: 'a', path: true }, { header: '' }, { cookie: 'a b' }, { query: '' }, { path: false }, { body: 'x' }]) {
      assert.ok(!requestPart.safeParse(bad).success, JSON.stringify(bad))
    }
  })
})
