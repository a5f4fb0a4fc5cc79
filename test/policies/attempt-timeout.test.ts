import assert from 'node:assert/strict'
import { test } from 'node:test'
import { attemptTimeout } from '../../src/policies/attempt-timeout.ts'
import { retry, retryConfig } from '../../src/policies/retry.ts'
import { fakeRuntime, scriptedUpstream, settle, type Script } from '../../src/testing/index.ts'
import { callFor, clusterOf, textOf, watch, type Asked } from './support.ts'

const sending = (script: Script, ms: number, asked?: Asked) => {
  const runtime = fakeRuntime()
  const cluster = clusterOf(scriptedUpstream(script).send, { layer: attemptTimeout })
  const call = callFor(runtime.clock, cluster, asked)
  call.attemptTimeout = asked?.policy?.attemptTimeout ?? ms
  return { clock: runtime.clock, runtime, cluster, call }
}

test('an attempt without an answer in time fails, and the call lives on', async () => {
  const { clock, call, cluster } = sending({ delay: Infinity }, 100)
  const seen = watch(cluster.send(call))
  await clock.advance(99)
  assert.equal(seen.done, false)
  await clock.advance(1)
  assert.equal(seen.error.code, 'ENMESH_ATTEMPT_TIMEOUT')
  assert.match(seen.error.message, /^Attempt 1 of GET order\.local\/ at 10\.0\.0\.1:80 had no answer within 100 ms\./)
  assert.match(seen.error.message, /Raise 'attemptTimeout'/)
  assert.deepEqual([call.aborted, call.attempts[0]!.ending, clock.pending], [false, seen.error, 0])
})

test('the wait for a socket is part of it, and the message says so', async () => {
  const { clock, call, cluster } = sending({ delay: Infinity, sent: false }, 100)
  const seen = watch(cluster.send(call))
  await clock.advance(100)
  assert.match(seen.error.message, /still waiting for a socket/)
})

test('once the head is in, the body may take its time', async () => {
  const { clock, call, cluster } = sending({ delay: 50, body: 'stream', bodyDelay: 10_000 }, 100)
  const seen = watch(cluster.send(call))
  await clock.advance(50)
  assert.equal(clock.awaited, 1, 'only the body is still to come')
  const body = watch(textOf(seen.value!))
  await clock.advance(10_000)
  assert.equal(body.value, 'stream')
})

test('an attempt that fails by itself leaves no timer', async () => {
  const { clock, call, cluster } = sending({ error: 'ENMESH_CONNECT_FAILED' }, 100)
  const seen = watch(cluster.send(call))
  await settle()
  assert.equal(seen.error.code, 'ENMESH_CONNECT_FAILED')
  assert.equal(clock.pending, 0)
})

test('0 is no timeout, and a call may bring its own', async () => {
  const cases = [[0, undefined, 0], [100, { attemptTimeout: 0 }, 0], [0, { attemptTimeout: 20 }, 1]] as const
  for (const [ms, policy, timers] of cases) {
    const { clock, call, cluster } = sending({ delay: Infinity }, ms, policy && { policy })
    const seen = watch(cluster.send(call))
    assert.equal(clock.pending, timers)
    await clock.advance(20)
    assert.equal(seen.done, timers === 1)
  }
})

test('a timed-out attempt is retried on another endpoint', async () => {
  const { runtime, clock, call, cluster } = sending([{ delay: Infinity }, { body: 'second' }], 100)
  const seen = watch(retry(retryConfig.parse({}), runtime)(cluster.send)(call))
  await clock.advance(200)
  assert.equal(await textOf(seen.value!), 'second')
  assert.deepEqual(call.attempts.map(({ why }) => why), ['first', 'retry after ENMESH_ATTEMPT_TIMEOUT'])
})
