import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Breaker, circuitBreaker, circuitBreakerConfig, observeBreaker } from '../../src/policies/circuit-breaker.ts'
import { Call, type Attempt } from '../../src/core/call.ts'
import { Endpoint } from '../../src/core/endpoint.ts'
import { MeshError } from '../../src/core/errors.ts'
import { RequestHead } from '../../src/core/request.ts'
import { stack, type Send } from '../../src/core/send.ts'
import { fakeRuntime, scriptedRandom, scriptedUpstream, settle, type ScriptedAnswer } from '../../src/testing/index.ts'
import type { z } from 'zod'

const ok: ScriptedAnswer = { status: 200 }
const bad: ScriptedAnswer = { status: 503 }
const hangs: ScriptedAnswer = { delay: Number.POSITIVE_INFINITY }

const get = {
  method: 'GET', scheme: 'http', host: 'order.test', port: 80, path: '/a?secret=1', headers: [], body: undefined,
} as const

/** A breaker in its two places around a scripted network; 0.5 is a jitter of nothing. */
const scene = (input: z.input<typeof circuitBreakerConfig> = {}, random = scriptedRandom(0.5)) => {
  const runtime = fakeRuntime(random)
  const breaker = new Breaker('order', circuitBreakerConfig.parse(input), runtime)
  const answers: ScriptedAnswer[] = []
  const upstream = scriptedUpstream(() => answers.shift() ?? ok)
  const endpoint = new Endpoint({ address: '10.0.0.1:80' })
  const load = { active: 0, pending: 0 }
  const toEndpoint = stack<Attempt>([observeBreaker(breaker)], upstream.send)
  let around: Send<Call> = (call) => toEndpoint(call.begin(endpoint, load))
  const send = stack<Call>([circuitBreaker(breaker)], (call) => around(call))
  const published: [string, object][] = []
  for (const event of ['breaker-opened', 'breaker-half-opened', 'breaker-closed']) {
    runtime.channels.on(event, (detail) => published.push([event, detail]))
  }
  const start = (answer: ScriptedAnswer) => {
    answers.push(answer)
    const call = new Call(new RequestHead(get), runtime.clock)
    const outcome = send(call).then((reply) => reply.status, (error: unknown) => error instanceof MeshError ? error.code : error)
    return { call, outcome }
  }
  return {
    runtime, clock: runtime.clock, breaker, upstream, published, start,
    /** Sends calls one after the other, each to its end. */
    run: async (...list: ScriptedAnswer[]) => {
      const outcomes: unknown[] = []
      for (const answer of list) {
        outcomes.push(await start(answer).outcome)
        await settle()
        answers.length = 0
      }
      return outcomes
    },
    /** Puts something else behind the breaker's admission. */
    behind: (send: Send<Call>) => { around = send },
  }
}

const times = (count: number, answer: ScriptedAnswer): ScriptedAnswer[] => Array.from({ length: count }, () => answer)

const opened = async (input: z.input<typeof circuitBreakerConfig> = {}, random = scriptedRandom(0.5)) => {
  const made = scene(input, random)
  await made.run(...times(20, bad))
  assert.equal(made.breaker.state, 'open')
  return made
}

test('has the defaults of Hystrix and refuses what makes no sense', () => {
  assert.deepEqual(circuitBreakerConfig.parse({}), { calls: 20, failures: 50, window: 10_000, open: 5_000 })
  const senseless = [{ calls: 0 }, { calls: 1.5 }, { failures: 0 }, { failures: 101 }, { window: 0 }, { open: '0s' }, { opne: 1 }]
  for (const input of senseless) {
    assert.equal(circuitBreakerConfig.safeParse(input).success, false, JSON.stringify(input))
  }
})

test('exactly half the calls failing opens it', async () => {
  const { run, breaker, published } = scene()
  await run(...times(10, ok), ...times(9, bad))
  assert.equal(breaker.state, 'closed')
  await run(bad)
  assert.equal(breaker.state, 'open')
  assert.deepEqual(published, [['breaker-opened', { cluster: 'order', failures: 10, calls: 20 }]])
})

test('49 % of the calls failing leaves it closed', async () => {
  const { run, breaker } = scene({ calls: 100 })
  await run(...times(51, ok), ...times(49, bad))
  assert.equal(breaker.state, 'closed')
  assert.deepEqual(breaker.status(), { state: 'closed', calls: 100, failures: 49 })
})

test('an odd threshold is reached exactly too', async () => {
  const { run, breaker } = scene({ calls: 10, failures: 30 })
  await run(...times(7, ok), ...times(2, bad))
  assert.equal(breaker.state, 'closed')
  await run(bad)
  assert.equal(breaker.state, 'open')
})

test('too few calls leave it closed however they end', async () => {
  const { run, breaker } = scene()
  await run(...times(19, bad))
  assert.equal(breaker.state, 'closed')
})

test('a success that completes the volume opens it as well', async () => {
  const { run, breaker } = scene()
  await run(...times(10, bad), ...times(9, ok))
  assert.equal(breaker.state, 'closed')
  await run(ok)
  assert.equal(breaker.state, 'open')
})

test('old failures roll out of the window', async () => {
  const { run, breaker, clock } = scene()
  await run(...times(19, bad))
  await clock.advance(10_001)
  await run(...times(19, bad))
  assert.equal(breaker.state, 'closed')
  assert.deepEqual(breaker.status(), { state: 'closed', calls: 19, failures: 19 })
})

test('failures within the window add up across its buckets', async () => {
  const { run, breaker, clock } = scene()
  for (let second = 0; second < 9; second++) {
    await run(bad, bad)
    await clock.advance(1_000)
  }
  assert.equal(breaker.status().calls, 18)
  await run(bad, bad)
  assert.equal(breaker.state, 'open')
})

test('a status is up to date although nobody called for a long time', async () => {
  const { run, breaker, clock } = scene()
  await run(...times(15, bad))
  await clock.advance(3_600_000)
  assert.deepEqual(breaker.status(), { state: 'closed', calls: 0, failures: 0 })
})

test('an open breaker sends nothing and says why, since when and what to do', async () => {
  const { breaker, start, clock, upstream } = await opened()
  await clock.advance(1_200)
  const { call } = start(ok)
  await settle()
  const error = breaker.refusal(call)
  assert.equal(error.code, 'ENMESH_CIRCUIT_OPEN')
  assert.match(error.message, /^GET order\.test\/a was not sent: the breaker of cluster 'order' is open\. It opened 1200 ms ago/)
  assert.match(error.message, /20 of 20 attempts had failed; the next probe is allowed in 3800 ms\. .*mesh\.status\(\)/)
  assert.equal(upstream.attempts.length, 20)
  assert.deepEqual(breaker.status(), {
    state: 'open', calls: 20, failures: 20, openedAt: clock.wall() - 1_200, nextProbeIn: 3_800,
  })
})

test('half-open, one call probes and its success closes', async () => {
  const { run, breaker, clock, published, start, upstream } = await opened()
  await clock.advance(4_999)
  assert.deepEqual(await run(ok), ['ENMESH_CIRCUIT_OPEN'])
  await clock.advance(1)
  assert.equal(breaker.state, 'half-open')
  const probe = start({ delay: 100 })
  await settle()
  assert.deepEqual(await run(ok, ok), ['ENMESH_CIRCUIT_OPEN', 'ENMESH_CIRCUIT_OPEN'])
  assert.equal(upstream.attempts.length, 21)
  await clock.advance(100)
  assert.equal(await probe.outcome, 200)
  assert.equal(breaker.state, 'closed')
  assert.deepEqual(published.map(([event]) => event), ['breaker-opened', 'breaker-half-opened', 'breaker-closed'])
  assert.deepEqual(await run(ok, ok), [200, 200])
})

for (const [name, answer, outcome] of [
  ['a 503', bad, 503],
  ['a reset', { error: 'ENMESH_CONNECTION_RESET' }, 'ENMESH_CONNECTION_RESET'],
] as const) {
  test(`a probe that ends in ${name} opens it again, for the whole time`, async () => {
    const { run, breaker, clock } = await opened()
    await clock.advance(5_000)
    assert.deepEqual(await run(answer), [outcome])
    assert.equal(breaker.state, 'open')
    await clock.advance(4_999)
    assert.equal(breaker.state, 'open')
    await clock.advance(1)
    assert.equal(breaker.state, 'half-open')
  })
}

test('after a recovery the window is fresh: old failures count no more', async () => {
  const { run, breaker, clock } = await opened({ window: '60s' })
  await clock.advance(5_000)
  await run(ok)
  assert.deepEqual(breaker.status(), { state: 'closed', calls: 0, failures: 0 })
  await run(...times(19, bad))
  assert.equal(breaker.state, 'closed')
  await run(bad)
  assert.equal(breaker.state, 'open')
})

test('200 refused calls do not dilute the rate', async () => {
  const { run, breaker, clock } = await opened({ window: '60s' })
  await run(...times(200, ok))
  await clock.advance(5_000)
  await run(ok)
  assert.equal(breaker.state, 'closed')
  await run(...times(10, ok), ...times(10, bad))
  assert.equal(breaker.state, 'open')
})

test('a late success of an old call does not close it', async () => {
  const { start, run, breaker, clock } = scene()
  const early = start({ delay: 5_500 })
  await settle()
  await run(...times(20, bad))
  await clock.advance(5_000)
  assert.equal(breaker.state, 'half-open')
  const probe = start(hangs)
  await clock.advance(500)
  assert.equal(await early.outcome, 200)
  assert.equal(breaker.state, 'half-open')
  probe.call.abort(new Error('enough'))
  await probe.outcome
})

test('a late failure of an old call neither opens it again nor counts', async () => {
  const { start, run, breaker, clock } = scene()
  const early = start({ delay: 5_500, status: 503 })
  const later = start({ delay: 6_000, status: 503 })
  await settle()
  await run(...times(20, bad))
  await clock.advance(5_499)
  const probe = start({ delay: 100 })
  await clock.advance(1)
  assert.equal(await early.outcome, 503)
  assert.equal(breaker.state, 'half-open')
  await clock.advance(500)
  assert.equal(await probe.outcome, 200)
  assert.equal(await later.outcome, 503)
  assert.deepEqual(breaker.status(), { state: 'closed', calls: 0, failures: 0 })
})

test('a call admitted before it opened, that begins its attempt while it is open, counts for nothing', async () => {
  const { start, run, breaker, behind, clock } = scene()
  let proceed = (): void => {}
  const gate = new Promise<void>((resolve) => { proceed = resolve })
  const toEndpoint = stack<Attempt>([observeBreaker(breaker)], scriptedUpstream(bad).send)
  const inner: Send<Call> = (call) => toEndpoint(call.begin(new Endpoint({ address: '10.0.0.2:80' }), { active: 0, pending: 0 }))
  behind(async (call) => { await gate; return inner(call) })
  const queued = start(bad)
  behind(inner)
  await run(...times(20, bad))
  proceed()
  assert.equal(await queued.outcome, 503)
  await clock.advance(4_999)
  assert.equal(breaker.state, 'open')
  await clock.advance(1)
  assert.equal(breaker.state, 'half-open')
})

test('a probe that hangs gives way to another after the open time, and still counts if it answers', async () => {
  const { start, run, breaker, clock } = await opened()
  await clock.advance(5_000)
  const first = start({ delay: 7_000 })
  await clock.advance(4_999)
  assert.deepEqual(await run(ok), ['ENMESH_CIRCUIT_OPEN'])
  assert.equal(breaker.status().nextProbeIn, 1)
  await clock.advance(1)
  const second = start(hangs)
  await settle()
  assert.deepEqual(await run(ok), ['ENMESH_CIRCUIT_OPEN'])
  await clock.advance(2_000)
  assert.equal(await first.outcome, 200)
  assert.equal(breaker.state, 'closed')
  second.call.abort(new Error('enough'))
  await second.outcome
  assert.deepEqual(breaker.status(), { state: 'closed', calls: 0, failures: 0 })
})

test('the end of a probe that was given up does not free the turn of its successor', async () => {
  const { start, run, clock } = await opened()
  await clock.advance(5_000)
  const first = start(hangs)
  await clock.advance(5_000)
  start(hangs)
  await settle()
  first.call.abort(new Error('enough'))
  await first.outcome
  assert.deepEqual(await run(ok), ['ENMESH_CIRCUIT_OPEN'])
})

test('a cancelled probe makes room at once', async () => {
  const { start, run, breaker, clock } = await opened()
  await clock.advance(5_000)
  const probe = start(hangs)
  await settle()
  assert.deepEqual(await run(ok), ['ENMESH_CIRCUIT_OPEN'])
  probe.call.abort(new Error('enough'))
  await probe.outcome
  assert.equal(breaker.state, 'half-open')
  assert.deepEqual(await run(ok), [200])
  assert.equal(breaker.state, 'closed')
})

for (const code of ['ENMESH_OVERLOADED', 'ENMESH_NO_ENDPOINT'] as const) {
  test(`a probe refused inside with ${code} makes room at once`, async () => {
    const { start, breaker, clock, behind } = await opened()
    await clock.advance(5_000)
    behind((call) => Promise.reject(call.error(code, 'refused')))
    assert.equal(await start(ok).outcome, code)
    assert.equal(await start(ok).outcome, code)
    assert.equal(breaker.state, 'half-open')
    assert.equal(breaker.status().nextProbeIn, 0)
  })
}

test('a probe is decided at its head: a stream without end does not hold it back', async () => {
  const { start, breaker, clock } = await opened()
  await clock.advance(5_000)
  const stream = start({ bodyDelay: 60_000 })
  assert.equal(await stream.outcome, 200)
  assert.equal(breaker.state, 'closed')
  await clock.advance(60_000)
  assert.equal(breaker.status().calls, 0)
})

test('calls that say nothing of the cluster are not counted', async () => {
  const { start, run, breaker, behind } = scene()
  for (let i = 0; i < 30; i++) {
    const { call, outcome } = start(hangs)
    await settle()
    call.abort(new Error('enough'))
    await outcome
  }
  behind((call) => Promise.reject(call.error('ENMESH_OVERLOADED', 'full')))
  await run(...times(30, ok))
  behind((call) => Promise.reject(call.error('ENMESH_NO_ENDPOINT', 'none')))
  await run(...times(30, ok))
  assert.deepEqual(breaker.status(), { state: 'closed', calls: 0, failures: 0 })
})

test('a body that breaks off is a failure, an answer below 500 is not', async () => {
  const { run, breaker } = scene()
  await run({ status: 200, error: 'ENMESH_CONNECTION_RESET' }, { status: 404 }, { status: 429 })
  assert.deepEqual(breaker.status(), { state: 'closed', calls: 3, failures: 1 })
})

test('the open time varies by a fifth at most', async () => {
  for (const [chance, shortest] of [[0, 4_000], [0.5, 5_000], [1 - 2 ** -53, 6_000]] as const) {
    const { breaker, clock } = await opened({}, scriptedRandom(chance))
    assert.equal(Math.ceil(breaker.status().nextProbeIn!), shortest)
    await clock.advance(shortest - 1)
    assert.equal(breaker.state, 'open')
    await clock.advance(1)
    assert.equal(breaker.state, 'half-open')
  }
})

test('closed, a call passes without a promise of its own', () => {
  const { breaker, clock } = scene()
  const promise = Promise.resolve({} as never)
  assert.equal(circuitBreaker(breaker)(() => promise)(new Call(new RequestHead(get), clock)), promise)
})

test('opossum keeps no timer of its own, not even while open, and close leaves none on the clock', async (t) => {
  const armed = t.mock.method(globalThis, 'setTimeout').mock
  const stopped = t.mock.method(globalThis, 'clearTimeout').mock
  const intervals = t.mock.method(globalThis, 'setInterval').mock
  const { breaker, clock, run } = await opened()
  assert.equal(armed.callCount(), 1, 'opossum arms its own timer when it opens')
  assert.ok(stopped.calls.some(({ arguments: [timer] }) => timer === armed.calls[0]!.result))
  assert.equal(clock.pending, 1)
  breaker.close()
  assert.equal(clock.pending, 0)
  await run(ok)
  breaker.close()
  assert.equal(intervals.callCount(), 0)
})

test('nothing is counted after close', async () => {
  const { breaker, run } = scene()
  breaker.close()
  await run(...times(30, bad))
  assert.equal(breaker.state, 'closed')
})

test('100 000 records keep no list of latencies', () => {
  const kept: unknown[][] = []
  const push = Array.prototype.push
  const { breaker, clock } = scene()
  const endpoint = new Endpoint({ address: '10.0.0.1:80' })
  const attempt = new Call(new RequestHead(get), clock).begin(endpoint, { active: 0, pending: 0 })
  // Opossum's list is not reachable from outside; every number it would keep goes through push.
  Array.prototype.push = function (this: unknown[], ...items: unknown[]) {
    if (items.length === 1 && typeof items[0] === 'number') kept.push(this)
    return push.apply(this, items)
  }
  try {
    for (let i = 0; i < 100_000; i++) breaker.record(attempt, i % 10 === 0)
  } finally {
    Array.prototype.push = push
  }
  assert.equal(kept.length, 0)
  assert.deepEqual(breaker.status(), { state: 'closed', calls: 100_000, failures: 10_000 })
})

test('dashboards hear opossum\'s events from one emitter, whatever instance is behind it', async () => {
  const { breaker, run, clock, start } = scene({ calls: 2 })
  const heard: string[] = []
  for (const event of breaker.events.eventNames()) breaker.events.on(event, () => heard.push(event))
  assert.equal(breaker.events.name, 'order')
  await run(bad, bad)
  assert.equal(await start(ok).outcome, 'ENMESH_CIRCUIT_OPEN')
  await clock.advance(5_000)
  await run(ok)
  breaker.close()
  assert.deepEqual(heard, [
    'fire', 'failure', 'fire', 'failure', 'open', 'fire', 'reject', 'halfOpen', 'fire', 'success', 'close', 'shutdown',
  ])
  assert.equal(breaker.events.listenerCount('fire'), 0)
})

test('events carry what opossum\'s would: the error or status, and how long it took', async () => {
  const { breaker, run, start, clock } = scene()
  const heard: unknown[][] = []
  breaker.events.on('success', (...detail) => heard.push(detail))
  breaker.events.on('failure', (error: Error, took) => heard.push([error.message, took]))
  const slow = start({ delay: 30 })
  await clock.advance(30)
  await slow.outcome
  await run(bad, { error: 'ENMESH_CONNECTION_RESET' })
  assert.deepEqual(heard, [[200, 30], ['status 503 from 10.0.0.1:80', 0], ['scripted ENMESH_CONNECTION_RESET', 0]])
})

test('a dashboard that throws does not disturb the breaker', (t) => {
  const { breaker } = scene({ calls: 2 })
  const thrown: unknown[] = []
  t.mock.method(globalThis, 'queueMicrotask', (task: () => void) => {
    try { task() } catch (error) { thrown.push(error) }
  })
  breaker.events.on('failure', () => { throw new Error('dashboard') })
  for (const attempt of [1, 2]) {
    const call = new Call(new RequestHead(get), fakeRuntime().clock)
    breaker.record(call.begin(new Endpoint({ address: `10.0.0.${attempt}:80` }), { active: 0, pending: 0 }), true)
  }
  assert.equal(thrown.length, 2)
  assert.equal(breaker.state, 'open')
})

test('two breakers know nothing of one another, and the configuration is left alone', () => {
  const config = Object.freeze(circuitBreakerConfig.parse({ calls: 2 }))
  const runtime = fakeRuntime()
  const [first, second] = [new Breaker('a', config, runtime), new Breaker('b', config, runtime)]
  const call = new Call(new RequestHead(get), runtime.clock)
  const attempt = call.begin(new Endpoint({ address: '10.0.0.1:80' }), { active: 0, pending: 0 })
  first.record(attempt, true)
  first.record(attempt, true)
  assert.deepEqual([first.state, second.state], ['open', 'closed'])
  assert.equal(second.status().calls, 0)
})
