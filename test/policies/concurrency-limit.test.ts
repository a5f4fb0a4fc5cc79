import assert from 'node:assert/strict'
import { test } from 'node:test'
import { concurrencyLimit, concurrencyLimitConfig } from '../../src/policies/concurrency-limit.ts'
import { trackLoad } from '../../src/policies/track-load.ts'
import { FakeClock, scriptedUpstream, settle, type Script } from '../../src/testing/index.ts'
import { callFor, clusterOf, watch } from './support.ts'

const limited = (script: Script, limits: object) => {
  const clock = new FakeClock()
  const cluster = clusterOf(scriptedUpstream(script).send, { layer: trackLoad })
  const send = concurrencyLimit(concurrencyLimitConfig.parse(limits), cluster.load)(cluster.send)
  return { clock, cluster, send: () => watch(send(callFor(clock, cluster))) }
}

test('by default 1024 requests may be pending and any number under way', () => {
  assert.deepEqual(concurrencyLimitConfig.parse({}), { pending: 1_024 })
  for (const limits of [{ pending: 0 }, { requests: 0 }, { requests: 1.5 }, { connections: 1 }]) {
    assert.equal(concurrencyLimitConfig.safeParse(limits).success, false, JSON.stringify(limits))
  }
})

test('a request over the limit is refused at once and takes no endpoint', async () => {
  const { clock, cluster, send } = limited({ delay: 10, bodyDelay: 10 }, { requests: 2 })
  const first = send()
  send()
  const third = send()
  await settle()
  assert.equal(third.error.code, 'ENMESH_OVERLOADED')
  assert.match(third.error.message, /^GET order\.local\/ was refused: in cluster 'order' requests under way are 2,/)
  assert.match(third.error.message, /its limit 'requests' is 2\. Raise 'requests'/)
  assert.deepEqual(cluster.endpoints.map(({ attempts }) => attempts), [1, 1, 0])
  await clock.advance(10)
  assert.equal(first.value?.status, 200)
  assert.equal(send().done, false)
  await settle()
  assert.equal(cluster.load.active, 2, 'a body under way still counts')
  await clock.advance(10)
  const later = send()
  await settle()
  assert.equal(later.done, false, 'there is room again')
})

test('what waits for a socket has a limit of its own', async () => {
  const { cluster, send } = limited({ delay: Infinity, sent: false }, { pending: 1 })
  send()
  const second = send()
  await settle()
  assert.equal(second.error.code, 'ENMESH_OVERLOADED')
  assert.match(second.error.message, /requests waiting for a socket are 1, and its limit 'pending' is 1/)
  assert.equal(cluster.load.pending, 1)
})

test('what has its socket is not pending', async () => {
  const { cluster, send } = limited({ delay: Infinity }, { pending: 1 })
  for (let i = 0; i < 5; i++) send()
  await settle()
  assert.deepEqual({ ...cluster.load }, { active: 5, pending: 0 })
})
