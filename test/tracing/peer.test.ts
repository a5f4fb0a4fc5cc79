import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAddress } from '../../src/tracing/peer.ts'

test('an address is taken apart into host and port, IPv6 without its brackets', () => {
  assert.deepEqual(parseAddress('10.0.0.1:8080'), { host: '10.0.0.1', port: 8080 })
  assert.deepEqual(parseAddress('a.internal:80'), { host: 'a.internal', port: 80 })
  assert.deepEqual(parseAddress('[2001:db8::1]:443'), { host: '2001:db8::1', port: 443 })
})
