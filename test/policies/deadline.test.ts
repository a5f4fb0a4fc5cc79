import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Call } from '../../src/core/call.ts'
import type { Send } from '../../src/core/send.ts'
import { deadline } from '../../src/policies/deadline.ts'
import { FakeClock, scriptedUpstream, settle, type Script } from '../../src/testing/index.ts'
import { callFor, clusterOf, textOf, watch, type Asked } from './support.ts'

const sending = (script: Script, ms: number, asked?: Asked) => {
  const clock = new FakeClock()
  const cluster = clusterOf(scriptedUpstream(script).send)
  const call = callFor(clock, cluster, asked)
  return { clock, call, cluster, seen: watch(deadline(ms)(cluster.send)(call)) }
}

test('a call in time keeps its answer, and its end takes the timer away', async () => {
  const { clock, call, seen } = sending({ delay: 50 }, 100)
  await clock.advance(50)
  assert.equal(seen.value?.status, 200)
  assert.equal(clock.awaited, 1, 'the body is still bounded')
  call.end('complete')
  assert.equal(clock.pending, 0)
})

test('a call without an answer is aborted when its time is over', async () => {
  const { clock, call, seen } = sending({ delay: Infinity }, 100, { path: '/x?token=secret' })
  assert.equal(call.remaining, 100)
  await clock.advance(99)
  assert.equal(seen.done, false)
  await clock.advance(1)
  assert.equal(seen.error.code, 'ENMESH_DEADLINE_EXCEEDED')
  assert.match(seen.error.message, /^GET order\.local\/x took longer than its timeout of 100 ms: /)
  assert.match(seen.error.message, /: 1 attempt made, the last at 10\.0\.0\.1:80 waited for an answer\./)
  assert.match(seen.error.message, /raise 'timeout' on the route or 'mesh\.timeout'/)
  assert.equal(seen.error.attempts.length, 1)
})

test('the deadline covers the body', async () => {
  const { clock, seen } = sending({ body: 'x', bodyDelay: Infinity }, 100)
  await settle()
  const body = watch(textOf(seen.value!))
  await clock.advance(100)
  assert.equal(body.error.code, 'ENMESH_DEADLINE_EXCEEDED')
  assert.match(body.error.message, /waited for the end of the body/)
})

test('the message tells what the call waited for', async () => {
  const socket = sending({ delay: Infinity, sent: false }, 100)
  await socket.clock.advance(100)
  assert.match(socket.seen.error.message, /waited for a socket/)

  const clock = new FakeClock()
  const cluster = clusterOf(scriptedUpstream({}).send)
  const late: Send<Call> = async (call) => { await call.pause(1_000); return cluster.send(call) }
  const endpoint = watch(deadline(100)(late)(callFor(clock, cluster)))
  await clock.advance(100)
  assert.match(endpoint.error.message, /no attempt was made, it still waited for an endpoint of 'order'/)

  const twice: Send<Call> = async (call) => { await cluster.send(call); return late(call) }
  const again = watch(deadline(100)(twice)(callFor(clock, cluster)))
  await clock.advance(100)
  assert.match(again.error.message, /1 attempt made, it waited for the next try/)
  assert.equal(clock.pending, 0)
})

test('0 is no deadline', async () => {
  const { clock, call, seen } = sending({ delay: 1e9 }, 0)
  assert.deepEqual([call.deadline, clock.pending], [Infinity, 1])
  await clock.advance(1e9)
  assert.equal(seen.value?.status, 200)
})

test('a call may bring its own timeout, shorter, longer or none', async () => {
  for (const [timeout, left] of [[10, 10], [500, 500], [0, Infinity]] as const) {
    assert.equal(sending({}, 100, { policy: { timeout } }).call.remaining, left)
  }
})

test('the time runs from the start of the call, not from the layer', async () => {
  const clock = new FakeClock()
  const cluster = clusterOf(scriptedUpstream({ delay: Infinity }).send)
  const call = callFor(clock, cluster)
  await clock.advance(70)
  const seen = watch(deadline(100)(cluster.send)(call))
  await clock.advance(30)
  assert.equal(seen.error.code, 'ENMESH_DEADLINE_EXCEEDED')
})

test('a call that is over is not aborted any more', async () => {
  const { clock, call } = sending({}, 100)
  await settle()
  call.end('complete')
  await clock.advance(1_000)
  assert.equal(call.aborted, false)
})

const inbound = (deadline: number) => ({ requestId: 'r', headers: [], deadline })

test("an inbound request's deadline bounds its calls where it is the shorter one, and the error says whose it was", async () => {
  // The clock starts at 1 000.
  const { clock, call, seen } = sending({ delay: Infinity }, 100, { path: '/x?token=secret', passport: inbound(1_060) })
  assert.equal(call.remaining, 60)
  await clock.advance(59)
  assert.equal(seen.done, false)
  await clock.advance(1)
  assert.equal(seen.error.code, 'ENMESH_DEADLINE_EXCEEDED')
  assert.match(seen.error.message, /^GET order\.local\/x had 60 ms left of the deadline of the inbound request that it was made for: 1 attempt made/)
  assert.ok(!seen.error.message.includes('secret'))
})

test("a call's own timeout holds where it is the shorter one, its own policy's and none of a route's included", async () => {
  const own = sending({ delay: Infinity }, 50, { passport: inbound(1_060) })
  await own.clock.advance(50)
  assert.match(own.seen.error.message, /its timeout of 50 ms/)
  for (const asked of [{ policy: { timeout: 0 } }, { policy: { timeout: 5_000 } }]) {
    const { clock, seen } = sending({ delay: Infinity }, 50, { ...asked, passport: inbound(1_060) })
    await clock.advance(60)
    assert.match(seen.error.message, /had 60 ms left of the deadline of the inbound request/)
  }
  const endless = sending({ delay: Infinity }, 0, { passport: inbound(Infinity) })
  await endless.clock.advance(1e9)
  assert.equal(endless.seen.done, false)
})

test('once the inbound request is not waited for any more, nothing is sent for it', async () => {
  for (const deadline of [1_000, 400]) {
    const { clock, call, seen } = sending({}, 100, { passport: inbound(deadline) })
    await settle()
    assert.equal(seen.error.code, 'ENMESH_DEADLINE_EXCEEDED')
    assert.match(seen.error.message, /had 0 ms left of the deadline of the inbound request that it was made for: nothing was sent\. /)
    assert.equal(call.attempts.length, 0)
    assert.equal(clock.pending, 0)
  }
})
