import assert from 'node:assert/strict'
import { test } from 'node:test'
import { observeReach, Reach } from '../../src/cluster/reach.ts'
import { Call } from '../../src/core/call.ts'
import { Endpoint } from '../../src/core/endpoint.ts'
import { RequestHead } from '../../src/core/request.ts'
import { FakeClock, scriptedUpstream, type ScriptedAnswer } from '../../src/testing/index.ts'

/** Endpoints whose reach is watched, and what was asked for about them. */
const scene = (count: number) => {
  const clock = new FakeClock()
  const endpoints = Array.from({ length: count }, (_, i) => new Endpoint({ address: `10.0.0.${i + 1}:80` }))
  const asked = { looks: 0, changes: 0 }
  const reach = new Reach(clock, { total: () => endpoints.length, look: () => { asked.looks++ }, changed: () => { asked.changes++ } })
  return { clock, endpoints, asked, reach, alone: () => endpoints.map((endpoint) => reach.aloneUntil(endpoint) > clock.now()) }
}

test('what could not be connected to is left alone for five seconds from the last try', async () => {
  const { clock, endpoints: [first], asked, reach, alone } = scene(2)
  assert.deepEqual(alone(), [false, false])
  reach.lost(first!)
  await clock.advance(3_000)
  reach.lost(first!)
  assert.equal(asked.changes, 1, 'nothing new about one that is left alone already')
  await clock.advance(4_999)
  assert.deepEqual(alone(), [true, false])
  await clock.advance(1)
  assert.deepEqual(alone(), [false, false])
  reach.lost(first!)
  assert.deepEqual([alone(), asked.changes], [[true, false], 2])
  reach.found(first!)
  assert.deepEqual([alone(), asked.changes], [[false, false], 3])
  reach.found(first!)
  assert.equal(asked.changes, 3)
})

test('a look is asked for when all are lost, and not again within five seconds', async () => {
  const { clock, endpoints: [first, second], asked, reach } = scene(2)
  reach.lost(first!)
  assert.equal(asked.looks, 0)
  // However long ago the first one was tried.
  await clock.advance(60_000)
  reach.lost(second!)
  reach.lost(first!)
  assert.equal(asked.looks, 1)
  await clock.advance(5_000)
  reach.lost(first!)
  assert.equal(asked.looks, 2)
})

test('when one is back after all were lost, the others are worth a try too', () => {
  const { endpoints, reach, alone } = scene(3)
  reach.lost(endpoints[0]!)
  reach.lost(endpoints[1]!)
  reach.found(endpoints[0]!)
  assert.deepEqual(alone(), [false, true, false], 'one of them had not been lost')
  for (const endpoint of endpoints) reach.lost(endpoint)
  reach.found(endpoints[2]!)
  assert.deepEqual(alone(), [false, false, false])
})

test('one that is gone is forgotten, and late news of it too', () => {
  const { endpoints: [first], asked, reach, alone } = scene(2)
  reach.lost(first!)
  first!.state = 'retired'
  reach.forget(first!)
  reach.lost(first!)
  assert.deepEqual([alone(), asked], [[false, false], { looks: 0, changes: 1 }])
})

for (const [what, answer, alone] of [
  ['no connection', { error: 'ENMESH_CONNECT_FAILED' }, true],
  ['a connection that TLS refused', { error: 'ENMESH_TLS', sent: false }, true],
  ['a timeout before there was a connection', { error: 'ENMESH_ATTEMPT_TIMEOUT', sent: false }, true],
  ['a reset', { error: 'ENMESH_CONNECTION_RESET' }, false],
  ['an answer', { status: 503 }, false],
] as const satisfies readonly (readonly [string, ScriptedAnswer, boolean])[]) {
  test(`${what} after an attempt without a connection ${alone ? 'leaves the endpoint alone' : 'shows that there is one'}`, async () => {
    const { clock, endpoints: [first], reach, alone: left } = scene(2)
    reach.lost(first!)
    const call = new Call(new RequestHead({ method: 'GET', scheme: 'http', host: 's', port: 80, path: '/', headers: [], body: undefined }), clock)
    const reply = observeReach(reach)(scriptedUpstream(answer).send)(call.begin(first!, { active: 0, pending: 0 }))
    await reply.then((reply) => reply.discard(), () => {})
    call.attempts[0]!.end('complete')
    assert.equal(left()[0], alone)
  })
}
