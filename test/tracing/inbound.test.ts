import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fakeRuntime } from '../../src/testing/index.ts'
import { readPassport } from '../../src/tracing/inbound.ts'

const reading = (fields: Readonly<Record<string, string>>, runtime = fakeRuntime()) => readPassport((name) => fields[name], runtime)

test('a request that brings nothing gets a name, no headers and no deadline', () => {
  const { requestId, headers, deadline } = reading({})
  assert.match(requestId, /^[0-9a-f-]{36}$/)
  assert.deepEqual([headers, deadline], [[], Infinity])
})

test('a request id is kept where it is one word of visible characters, and made anew where it could do harm in a log', () => {
  for (const id of ['a', 'A-b_c.d/e:1+2=', '~'.repeat(200)]) assert.equal(reading({ 'x-request-id': id }).requestId, id)
  for (const id of ['', ' ', 'a b', 'a\tb', 'a\u001b[31m', 'é', 'a, b', '~'.repeat(201)]) {
    assert.match(reading({ 'x-request-id': id }).requestId, /^[0-9a-f-]{36}$/, id)
  }
})

test('fields that travel on do so as they came; empty, over-long and malformed ones do not', () => {
  for (const name of ['baggage', 'b3', 'x-b3-traceid', 'x-b3-spanid', 'x-b3-parentspanid', 'x-b3-sampled', 'x-b3-flags', 'x-amzn-trace-id', 'uber-trace-id']) {
    for (const value of ['x', 'a=1, b=2;c', 'é', 'x'.repeat(8_192)]) assert.deepEqual(reading({ [name]: value }).headers, [name, value])
    for (const value of ['', 'x'.repeat(8_193), 'a\nb', 'a\u0000', 'a\u007f', '€']) assert.deepEqual(reading({ [name]: value }).headers, [], value)
  }
  for (const name of ['cookie', 'authorization', 'x-forwarded-for', 'grpc-timeout', 'x-request-id']) assert.deepEqual(reading({ [name]: 'x' }).headers, [], name)
})

test('the deadline is the shorter of what the sender says, in whichever way, from now on', () => {
  const runtime = fakeRuntime()
  const left = (fields: Readonly<Record<string, string>>): number => reading(fields, runtime).deadline - runtime.clock.now()
  assert.equal(left({ 'grpc-timeout': '2S' }), 2_000)
  assert.equal(left({ 'x-envoy-expected-rq-timeout-ms': '1500' }), 1_500)
  assert.equal(left({ 'grpc-timeout': '2S', 'x-envoy-expected-rq-timeout-ms': '1500' }), 1_500)
  assert.equal(left({ 'grpc-timeout': '1S', 'x-envoy-expected-rq-timeout-ms': '1500' }), 1_000)
  assert.equal(left({ 'grpc-timeout': 'soon', 'x-envoy-expected-rq-timeout-ms': 'later' }), Infinity)
  assert.equal(left({ 'x-envoy-expected-rq-timeout-ms': '0' }), Infinity)
})

test('no header makes reading a passport throw, and nothing that it passes on could break a header apart', () => {
  const names = ['traceparent', 'tracestate', 'baggage', 'b3', 'x-amzn-trace-id', 'uber-trace-id', 'x-request-id', 'grpc-timeout', 'x-envoy-expected-rq-timeout-ms']
  const fields = fc.dictionary(fc.constantFrom(...names), fc.string({ unit: 'binary' }))
  fc.assert(fc.property(fields, (came) => {
    const { requestId, headers, deadline } = reading(came)
    for (const text of [requestId, ...headers]) assert.match(text, /^[\t\x20-\x7e\x80-\xff]+$/)
    assert.ok(deadline >= 0)
  }), { numRuns: 1_000, seed: 20260105 })
})
