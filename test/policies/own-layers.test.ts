import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Attempt, Call } from '../../src/core/call.ts'
import { stack, type Layer } from '../../src/core/send.ts'
import { attemptTimeout } from '../../src/policies/attempt-timeout.ts'
import { deadline } from '../../src/policies/deadline.ts'
import { ownAttemptLayers, ownCallLayers } from '../../src/policies/own-layers.ts'
import { trackLoad } from '../../src/policies/track-load.ts'
import { fakeRuntime, scriptedUpstream, settle, type Script } from '../../src/testing/index.ts'
import { callFor, clusterOf, textOf, watch } from './support.ts'

interface Own {
  readonly call?: Layer<Call>
  readonly attempt?: Layer<Attempt>
}

const sending = (own: Own, script: Script = { body: 'text' }) => {
  const runtime = fakeRuntime()
  const upstream = scriptedUpstream(script)
  const around = [trackLoad, attemptTimeout, ownAttemptLayers(own.attempt && [own.attempt])]
  const cluster = clusterOf(upstream.send, { layer: (next) => stack(around, next) })
  const call = callFor(runtime.clock, cluster)
  const send = stack<Call>([deadline(1_000), ownCallLayers(own.call && [own.call])], (call) => cluster.send(call))
  return { clock: runtime.clock, upstream, cluster, call, send: () => send(call) }
}

/** A layer that waits for whatever a test resolves, and sends then. */
const waiting = <T>() => {
  let go = (): void => {}
  const gone = new Promise<void>((resolve) => { go = resolve })
  const layer: Layer<T> = (next) => async (subject) => {
    await gone
    return next(subject)
  }
  return { layer, go }
}

test('no layers are no layer', () => {
  assert.deepEqual([ownCallLayers(undefined), ownCallLayers([]), ownAttemptLayers(undefined), ownAttemptLayers([])], [undefined, undefined, undefined, undefined])
})

for (const place of ['call', 'attempt'] as const) {
  test(`the deadline is heard while a layer around the ${place} waits, and nothing is sent afterwards`, async () => {
    const { layer, go } = waiting<never>()
    const { clock, send, call, cluster } = sending({ [place]: layer })
    const seen = watch(send())
    await clock.advance(999)
    assert.equal(seen.done, false)
    await clock.advance(1)
    assert.equal(seen.error.code, 'ENMESH_DEADLINE_EXCEEDED')
    call.end('cancelled')
    go()
    await settle()
    assert.deepEqual([cluster.load.active, cluster.load.pending], [0, 0])
    assert.deepEqual(call.attempts.map(({ ending }) => ending), place === 'call' ? [] : ['cancelled'])
    assert.deepEqual(cluster.endpoints.map(({ failures }) => failures), [0, 0, 0])
  })

  test(`an abort is heard while a layer around the ${place} keeps the answer, which is let go`, async () => {
    let give = (): void => {}
    const keeping: Layer<never> = (next) => async (subject) => {
      const reply = await next(subject)
      await new Promise<void>((resolve) => { give = resolve })
      return reply
    }
    const { send, call, upstream } = sending({ [place]: keeping }, { body: 'text', bodyDelay: Infinity })
    const seen = watch(send())
    await settle()
    const reason = new RangeError('enough')
    call.abort(reason)
    await settle()
    assert.equal(seen.error as unknown, reason)
    give()
    await settle()
    assert.equal(upstream.discarded.length, 1)
    assert.equal(upstream.attempts[0]!.ending, 'cancelled')
  })

  test(`a layer around the ${place} that gives no reply is told so`, async () => {
    for (const none of [undefined, null, {}, 'ok', new Response('made up')]) {
      const seen = watch(sending({ [place]: () => () => Promise.resolve(none) } as Own).send())
      await settle()
      assert.match(seen.error.message, /gave no reply: return what `next` gives/)
    }
  })

  test(`what a layer around the ${place} throws, at once or later, is what the caller hears`, async () => {
    const reason = new RangeError('mine')
    for (const layer of [() => () => { throw reason }, () => () => Promise.reject(reason)] as Layer<never>[]) {
      const { send, call, cluster } = sending({ [place]: layer })
      const seen = watch(send())
      await settle()
      assert.equal(seen.error as unknown, reason)
      assert.deepEqual([cluster.load.active, cluster.load.pending, call.aborted], [0, 0, false])
    }
  })

  test(`an answer passes layers around the ${place} as it is`, async () => {
    const { send, clock, call } = sending({ [place]: (next: (subject: never) => never) => (subject: never) => next(subject) } as Own)
    const seen = watch(send())
    await settle()
    assert.equal(await textOf(seen.value!), 'text')
    call.end('complete')
    assert.equal(clock.pending, 0)
  })
}

test("an attempt's own timeout is heard while a layer has it, and says nothing of its endpoint", async () => {
  const { clock, send, call, cluster } = sending({ attempt: () => () => new Promise(() => {}) })
  call.attemptTimeout = 100
  const seen = watch(send())
  await clock.advance(100)
  assert.equal(seen.error.code, 'ENMESH_ATTEMPT_TIMEOUT')
  assert.deepEqual([call.attempts[0]!.ending, cluster.load.active, cluster.endpoints[0]!.failures], ['cancelled', 0, 0])
})

test('an attempt that a layer refuses after it was sent holds no socket', async () => {
  const refusing: Layer<Attempt> = (next) => async (attempt) => {
    await next(attempt)
    throw new RangeError('not this one')
  }
  const { send, upstream, cluster } = sending({ attempt: refusing }, { body: 'text', bodyDelay: Infinity })
  const seen = watch(send())
  await settle()
  assert.equal((seen.error as Error).message, 'not this one')
  assert.deepEqual([upstream.attempts[0]!.ending, cluster.load.active], ['cancelled', 0])
})

test('headers that a layer leaves have to be a list of names and values', async () => {
  for (const headers of [['x-one'], ['x-one', 1], [['x-one', '1']], { 'x-one': '1' }, 'x-one: 1', undefined, null]) {
    const { send, upstream } = sending({ attempt: (next) => (attempt) => {
      attempt.headers = headers as never
      return next(attempt)
    } })
    const seen = watch(send())
    await settle()
    assert.match(seen.error.message, /left in `attempt.headers` what is no list of texts/, JSON.stringify(headers))
    assert.equal(upstream.attempts.length, 0)
  }
})
