import assert from 'node:assert/strict'
import { test } from 'node:test'
import { trackLoad } from '../../src/policies/track-load.ts'
import { FakeClock, scriptedUpstream, settle, type Script } from '../../src/testing/index.ts'
import { callFor, clusterOf, watch } from './support.ts'

const tracked = (script: Script) => {
  const clock = new FakeClock()
  const cluster = clusterOf(scriptedUpstream(script).send, { layer: trackLoad, endpoints: 1 })
  const call = callFor(clock, cluster)
  void watch(cluster.send(call))
  return { clock, cluster, call, endpoint: cluster.endpoints[0]!, send: () => watch(cluster.send(callFor(clock, cluster))) }
}

test('an attempt counts until its body ends, and its latency is the time to its head', async () => {
  const { clock, cluster, endpoint } = tracked({ delay: 40, bodyDelay: 60 })
  assert.deepEqual([cluster.load.active, endpoint.active, endpoint.attempts], [1, 1, 1])
  await clock.advance(40)
  assert.deepEqual([cluster.load.active, endpoint.active], [1, 1])
  assert.equal(endpoint.latency.at(clock.now()), 0, 'not known before the end')
  await clock.advance(60)
  assert.deepEqual([cluster.load.active, endpoint.active, endpoint.attempts, endpoint.failures], [0, 0, 1, 0])
  assert.equal(endpoint.latency.at(clock.now()), 40)
})

test('a failed attempt counts as a failure, and the time it took as its latency', async () => {
  const { clock, cluster, endpoint } = tracked({ delay: 30, error: 'ENMESH_CONNECTION_RESET' })
  await clock.advance(30)
  assert.deepEqual([cluster.load.active, endpoint.active, endpoint.failures], [0, 0, 1])
  assert.equal(endpoint.latency.at(clock.now()), 30)
})

test('a 5xx is a failure', async () => {
  const { endpoint } = tracked({ status: 500 })
  await settle()
  assert.equal(endpoint.failures, 1)
})

test('a body that breaks off is a failure', async () => {
  const { clock, endpoint } = tracked({ status: 200, error: 'ENMESH_CONNECTION_RESET', bodyDelay: 10 })
  await clock.advance(10)
  assert.deepEqual([endpoint.active, endpoint.failures], [0, 1])
})

test('what the caller gave up says nothing of the endpoint', async () => {
  const { clock, cluster, endpoint, call } = tracked({ delay: Infinity })
  await clock.advance(500)
  call.abort(new Error('the caller left'))
  await settle()
  assert.deepEqual([cluster.load.active, endpoint.active, endpoint.failures, endpoint.latency.at(clock.now())], [0, 0, 0, 0])
})

test('failing fast does not make an endpoint look fast, and failing slowly makes it look slow', async () => {
  const { clock, endpoint, send } = tracked((attempt) => [
    { delay: 100 }, { status: 503, delay: 1 }, { error: 'ENMESH_CONNECTION_RESET' as const, delay: 400 },
  ][attempt.endpoint.attempts - 1]!)
  await clock.advance(100)
  const before = endpoint.latency.at(clock.now() + 1)
  send()
  await clock.advance(1)
  assert.equal(endpoint.failures, 1)
  assert.equal(endpoint.latency.at(clock.now()), before)
  send()
  await clock.advance(400)
  assert.equal(endpoint.latency.at(clock.now()), 400)
})

test('an attempt that a layer behind it refuses, or throws at, is no longer counted once its call is over, and says nothing of the endpoint', async () => {
  const refusal = new Error('mine')
  for (const refuse of [() => Promise.reject(refusal), () => { throw refusal }]) {
    const clock = new FakeClock()
    const cluster = clusterOf(refuse, { layer: trackLoad, endpoints: 1 })
    const endpoint = cluster.endpoints[0]!
    const call = callFor(clock, cluster)
    await assert.rejects(cluster.send(call), refusal)
    call.end('cancelled')
    assert.deepEqual([cluster.load.active, endpoint.active, endpoint.attempts, endpoint.failures], [0, 0, 1, 0])
  }
})
