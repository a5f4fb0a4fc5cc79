import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RequestHead } from '../../src/core/request.ts'
import { knownMethod, urlOf } from '../../src/tracing/url.ts'

const url = (path: string, rest: Partial<RequestHead> = {}): string =>
  urlOf(new RequestHead({ method: 'GET', scheme: 'http', host: 'svc.test', port: 80, path, headers: [], ...rest }))

test('a URL has its port where it is not the scheme\'s own', () => {
  assert.equal(url('/a'), 'http://svc.test/a')
  assert.equal(url('/a', { port: 8080 }), 'http://svc.test:8080/a')
  assert.equal(url('/a', { scheme: 'https', port: 443 }), 'https://svc.test/a')
  assert.equal(url('/', { host: '[::1]', port: 80 }), 'http://[::1]/')
})

test('values of secret parameters are left out, whatever the case and spelling of their names', () => {
  const secret = [
    'AWSAccessKeyId', 'Signature', 'sig', 'X-Goog-Signature', 'X-Amz-Signature', 'X-Amz-Credential', 'X-Amz-Security-Token', 'token', 'access_token',
    'id_token', 'refreshToken', 'apikey', 'api_key', 'api-key', 'key', 'password', 'user.password', 'passwd', 'pwd', 'secret', 'client_secret', 'code', 'jwt',
    'auth', 'authorization', 'session', 'sessionid', 'sid', 'otp', '%74oken', 'TOKEN',
  ]
  for (const name of secret) assert.equal(url(`/a?x=1&${name}=hidden&y=2`), `http://svc.test/a?x=1&${name}=REDACTED&y=2`)
  assert.equal(url('/a?token=one&token=two=three'), 'http://svc.test/a?token=REDACTED&token=REDACTED')
})

test('other parameters stay as they are', () => {
  for (const query of ['currency=EUR', 'tokenless', 'key', 'monkey=1', 'design=blue', 'barcode=1', 'passenger=2', 'a=token', '%zz=1', '=1', '&&']) {
    assert.equal(url(`/a?${query}`), `http://svc.test/a?${query}`)
  }
  assert.equal(url('/a?'), 'http://svc.test/a')
})

test('methods that are not of the conventions are all called the same', () => {
  for (const method of ['GET', 'QUERY', 'PATCH']) assert.equal(knownMethod(method), method)
  for (const method of ['PURGE', 'X1', 'constructor']) assert.equal(knownMethod(method), '_OTHER')
})
