import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { currentTracer } from '../../src/tracing/tracer.ts'
import { register, unregister } from './sdk.ts'

afterEach(unregister)

test('there is no tracer while no SDK is registered, and the same one as long as one is', () => {
  assert.equal(currentTracer(), undefined)
  register()
  const first = currentTracer()
  assert.ok(first)
  assert.equal(currentTracer(), first)
  unregister()
  assert.equal(currentTracer(), undefined)
  register()
  assert.ok(currentTracer())
  assert.notEqual(currentTracer(), first, 'another SDK has another tracer')
})
