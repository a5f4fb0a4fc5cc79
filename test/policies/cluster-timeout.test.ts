import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Call } from '../../src/core/call.ts'
import type { Layer } from '../../src/core/send.ts'
import { clusterTimeout, clusterTimeoutConfig } from '../../src/policies/cluster-timeout.ts'
import { deadline } from '../../src/policies/deadline.ts'
import { FakeClock, scriptedUpstream, type Script } from '../../src/testing/index.ts'
import { callFor, clusterOf, watch } from './support.ts'

const bounded = (options: object): Layer<Call> => clusterTimeout(clusterTimeoutConfig.parse(options))!

const sending = (script: Script, route: number, cluster: object) => {
  const clock = new FakeClock()
  const handle = clusterOf(scriptedUpstream(script).send)
  const call = callFor(clock, handle)
  return { clock, call, seen: watch(deadline(route)(bounded(cluster)(handle.send))(call)) }
}

test('the shorter of the two deadlines holds', async () => {
  const cluster = sending({ delay: Infinity }, 100, { timeout: 60 })
  await cluster.clock.advance(59)
  assert.equal(cluster.seen.done, false)
  await cluster.clock.advance(1)
  assert.equal(cluster.seen.error.code, 'ENMESH_DEADLINE_EXCEEDED')
  assert.match(cluster.seen.error.message, /took longer than cluster 'order' is given, which is 60 ms \(1 attempts made\)/)

  const route = sending({ delay: Infinity }, 50, { timeout: 60 })
  await route.clock.advance(50)
  assert.match(route.seen.error.message, /longer than its timeout of 50 ms/)

  const none = sending({ delay: Infinity }, 0, { timeout: 60 })
  await none.clock.advance(60)
  assert.match(none.seen.error.message, /cluster 'order'/)
})

test('it counts from the start of the call, however late the cluster was drawn', async () => {
  const clock = new FakeClock()
  const handle = clusterOf(scriptedUpstream({ delay: Infinity }).send)
  const call = callFor(clock, handle)
  await clock.advance(80)
  const seen = watch(deadline(1_000)(bounded({ timeout: 60 })(handle.send))(call))
  await clock.advance(0)
  assert.equal(seen.error.code, 'ENMESH_DEADLINE_EXCEEDED')
  assert.equal(call.attempts.length, 0, 'nothing is sent')
})

test('a call that ends in time takes its timer along, and one that was lifted lives on', async () => {
  const { clock, call, seen } = sending({ delay: 10 }, 0, { timeout: 60 })
  await clock.advance(10)
  assert.equal(seen.value?.status, 200)
  call.end('complete')
  assert.equal(clock.pending, 0)

  const lifted = sending({ delay: Infinity }, 0, { timeout: 60 })
  lifted.call.deadline = Number.POSITIVE_INFINITY
  await lifted.clock.advance(60)
  assert.equal(lifted.seen.done, false)
})

test('the shorter silence holds, and nothing configured is no layer', () => {
  const silence = (ofCall: number, idleTimeout: number): number => {
    const handle = clusterOf(scriptedUpstream({}).send)
    const call = callFor(new FakeClock(), handle)
    call.idleTimeout = ofCall
    void bounded({ idleTimeout })(handle.send)(call)
    return call.idleTimeout
  }
  assert.deepEqual([silence(300, 100), silence(100, 300), silence(0, 300)], [100, 100, 300])
  assert.equal(clusterTimeout(clusterTimeoutConfig.parse({})), undefined)
})
