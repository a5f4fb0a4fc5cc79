import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { z } from 'zod'
import { observeOutliers, outlierConfig, OutlierDetection } from '../../src/cluster/outlier.ts'
import { Call, type Attempt } from '../../src/core/call.ts'
import { Endpoint } from '../../src/core/endpoint.ts'
import { RequestHead } from '../../src/core/request.ts'
import { stack } from '../../src/core/send.ts'
import { fakeRuntime, scriptedUpstream, settle, type ScriptedAnswer } from '../../src/testing/index.ts'

const ok: ScriptedAnswer = { status: 200 }
const bad: ScriptedAnswer = { status: 503 }
const hangs: ScriptedAnswer = { delay: Number.POSITIVE_INFINITY }

const get = { method: 'GET', scheme: 'http', host: 'order.test', port: 80, path: '/', headers: [], body: undefined } as const

/** Endpoints under detection, reached through a scripted network. */
const scene = (count: number, input: z.input<typeof outlierConfig> = {}, slowStart = false) => {
  const runtime = fakeRuntime()
  const endpoints = Array.from({ length: count }, (_, i) => new Endpoint({ address: `10.0.0.${i + 1}:80` }))
  const host = { name: 'order', endpoints, slowStart, changes: 0, changed() { host.changes++ } }
  const detection = new OutlierDetection(host, outlierConfig.parse(input), runtime)
  const answers: ScriptedAnswer[] = []
  const upstream = scriptedUpstream(() => answers.shift() ?? ok)
  const toEndpoint = stack<Attempt>([observeOutliers(detection)], upstream.send)
  const load = { active: 0, pending: 0 }
  const published: [string, object][] = []
  for (const event of ['endpoint-ejected', 'endpoint-probation', 'endpoint-returned']) {
    runtime.channels.on(event, (detail) => published.push([event, detail]))
  }
  const newCall = (): Call => new Call(new RequestHead(get), runtime.clock)
  const start = (endpoint: Endpoint, answer: ScriptedAnswer, call = newCall()) => {
    answers.push(answer)
    const attempt = call.begin(endpoint, load)
    const outcome = toEndpoint(attempt).then(({ status }) => status, (error: { code?: string }) => error.code ?? error)
    return { call, outcome }
  }
  const run = async (endpoint: Endpoint, ...list: ScriptedAnswer[]) => {
    for (const answer of list) {
      await start(endpoint, answer).outcome
      await settle()
    }
  }
  return {
    runtime, clock: runtime.clock, endpoints, host, detection, published, newCall, start, run,
    fail: (endpoint: Endpoint, times = 5) => run(endpoint, ...Array.from({ length: times }, () => bad)),
    /** Lets the next call decide on an endpoint on probation. */
    probe: async (answer: ScriptedAnswer) => {
      const call = newCall()
      const endpoint = detection.probation.take(call)
      assert.ok(endpoint)
      await start(endpoint, answer, call).outcome
      await settle()
    },
    states: () => endpoints.map(({ state }) => state).join(' '),
  }
}

test('its defaults eject for failures in a row and for a success rate far below the fleet\'s, and it refuses what makes no sense', () => {
  assert.deepEqual(outlierConfig.parse({}), {
    failures: 5, gatewayFailures: false, localFailures: false,
    successRate: { endpoints: 5, volume: 100, factor: 1.9, gap: 10 }, failurePercentage: false, latency: false, interval: 10_000,
    ejection: 10_000, maxEjection: 300_000, jitter: 0, return: 'probation', maxEjected: 50, minEjected: 0,
  })
  assert.deepEqual(outlierConfig.parse({ failurePercentage: {}, latency: {} }).failurePercentage, { endpoints: 5, volume: 50, threshold: 85 })
  assert.deepEqual(outlierConfig.parse({ latency: {} }).latency, { endpoints: 3, volume: 20, factor: 3, gap: 20, intervals: 3 })
  for (const input of [
    { failures: 0 }, { failures: true }, { gatewayFailures: 1.5 }, { localFailures: -1 }, { ejection: 0 }, { maxEjection: '0s' }, { maxEjected: 101 }, { fails: 3 },
    { interval: 5 }, { return: 'at once' }, { successRate: true }, { successRate: { endpoints: 1 } }, { successRate: { volume: 0 } }, { successRate: { factor: -1 } },
    { failurePercentage: { threshold: 101 } }, { latency: { endpoints: 2 } }, { latency: { factor: 0.5 } }, { latency: { intervals: 0 } }, { latency: { gaps: 1 } },
  ]) {
    assert.equal(outlierConfig.safeParse(input).success, false, JSON.stringify(input))
  }
})

test('the fifth failure in a row ejects', async () => {
  const { endpoints, fail, host, published, states, detection } = scene(2)
  await fail(endpoints[0]!, 4)
  assert.equal(states(), 'available available')
  assert.equal(host.changes, 0)
  await fail(endpoints[0]!, 1)
  assert.equal(states(), 'ejected available')
  assert.equal(host.changes, 1)
  const reason = '5 failures in a row, the last with status 503'
  assert.deepEqual(published, [['endpoint-ejected', { cluster: 'order', endpoint: '10.0.0.1:80', rule: 'failures', reason, duration: 10_000 }]])
  assert.equal(detection.explain(endpoints[0]!), `ejected: ${reason}; on probation in 10000 ms`)
})

test('a success between failures starts the count again', async () => {
  const { endpoints: [first], run, fail, states } = scene(2)
  await fail(first!, 4)
  await run(first!, ok)
  await fail(first!, 4)
  assert.equal(states(), 'available available')
})

test('connection errors and broken bodies are failures too, what the caller cancels is not', async () => {
  const { endpoints: [first, second], run, start, states, published } = scene(2)
  for (let i = 0; i < 9; i++) {
    const { call, outcome } = start(second!, hangs)
    call.abort(new Error('enough'))
    await outcome
  }
  await run(first!, { error: 'ENMESH_CONNECT_FAILED' }, { status: 200, error: 'ENMESH_CONNECTION_RESET' }, bad, bad,
    { error: 'ENMESH_CONNECT_FAILED' })
  assert.equal(states(), 'ejected available')
  assert.match((published[0]![1] as { reason: string }).reason, /the last with ENMESH_CONNECT_FAILED$/)
})

for (const [count, out] of [[1, 0], [2, 1], [3, 1], [4, 2]] as const) {
  test(`of ${count} failing endpoints ${out} may be ejected`, async () => {
    const { endpoints, fail } = scene(count)
    for (const endpoint of endpoints) await fail(endpoint, 10)
    assert.equal(endpoints.filter(({ state }) => state === 'ejected').length, out)
  })
}

test('the last available endpoint stays even if all may be out', async () => {
  const { endpoints, fail, states } = scene(3, { maxEjected: 100 })
  for (const endpoint of endpoints) await fail(endpoint, 10)
  assert.equal(states(), 'ejected ejected available')
})

test('what cannot be connected to may be out whatever the share, but for the last one, and takes the room of others', async () => {
  const { endpoints, fail, run, states } = scene(4, { maxEjected: 25 })
  const refuse = (endpoint: Endpoint) => run(endpoint, ...Array.from({ length: 5 }, (): ScriptedAnswer => ({ error: 'ENMESH_CONNECT_FAILED' })))
  await refuse(endpoints[0]!)
  await fail(endpoints[1]!)
  assert.equal(states(), 'ejected available available available')
  await run(endpoints[1]!, { error: 'ENMESH_TLS' })
  await refuse(endpoints[2]!)
  await refuse(endpoints[3]!)
  assert.equal(states(), 'ejected ejected ejected available')
})

test('retired endpoints count neither as there nor as out', async () => {
  const { endpoints, fail, states } = scene(3)
  endpoints[2]!.state = 'retired'
  await fail(endpoints[0]!)
  assert.equal(states(), 'ejected available retired')
  await fail(endpoints[1]!)
  assert.equal(states(), 'ejected available retired')
})

test('an endpoint kept by the cap says so, and goes as soon as there is room', async () => {
  const { endpoints: [first, second], fail, clock, states, probe, detection } = scene(2)
  await fail(first!)
  await fail(second!, 7)
  assert.equal(detection.explain(second!),
    'available in spite of 7 failures in a row: at most 1 of 2 endpoints may be out, and 1 is')
  await clock.advance(10_000)
  await fail(second!, 1)
  assert.equal(states(), 'probation available')
  await probe(ok)
  assert.equal(detection.explain(second!), 'available in spite of 8 failures in a row: too many others were out; the next failure ejects it')
  await fail(second!, 1)
  assert.equal(states(), 'available ejected')
})

test('after its time one real request decides: a success brings it back', async () => {
  const { endpoints: [first], fail, clock, states, probe, detection, host, published, newCall } = scene(2)
  await fail(first!)
  await clock.advance(9_999)
  assert.equal(states(), 'ejected available')
  await clock.advance(1)
  assert.equal(states(), 'probation available')
  assert.equal(detection.explain(first!), 'on probation: waits for a request that may be repeated elsewhere')
  assert.equal(host.changes, 1)
  await probe(ok)
  assert.equal(states(), 'available available')
  assert.equal(host.changes, 2)
  assert.equal(detection.explain(first!), 'available')
  assert.equal(first!.warmingSince, undefined)
  assert.deepEqual(published.slice(1), [
    ['endpoint-probation', { cluster: 'order', endpoint: '10.0.0.1:80' }],
    ['endpoint-returned', { cluster: 'order', endpoint: '10.0.0.1:80' }],
  ])
  assert.equal(detection.probation.take(newCall()), undefined)
})

test('it starts slowly where that is asked for', async () => {
  const { endpoints: [first], fail, clock, probe } = scene(2, {}, true)
  await fail(first!)
  await clock.advance(10_000)
  await probe(ok)
  assert.equal(first!.warmingSince, clock.now())
  await fail(first!)
  assert.equal(first!.warmingSince, undefined)
})

test('a failure ejects it again, for longer each time', async () => {
  const { endpoints: [first], fail, clock, probe, published, detection } = scene(2, { maxEjection: '25s' })
  await fail(first!)
  for (const duration of [10_000, 20_000, 25_000]) {
    assert.equal((published.at(-1)![1] as { duration: number }).duration, duration)
    await clock.advance(duration)
    assert.equal(first!.state, 'probation')
    await probe(bad)
    assert.equal(first!.state, 'ejected')
  }
  assert.equal(detection.explain(first!),
    'ejected 4 times in a row: the request that was to decide on its return ended with status 503; on probation in 25000 ms')
})

test('a relapse soon after the return is ejected for longer, after good times for less', async () => {
  const { endpoints: [first], fail, clock, probe, published } = scene(2)
  const relapse = async (after: number): Promise<number> => {
    await clock.advance((published.findLast(([event]) => event === 'endpoint-ejected')![1] as { duration: number }).duration)
    await probe(ok)
    await clock.advance(after)
    await fail(first!)
    return first!.ejections
  }
  await fail(first!)
  assert.equal(await relapse(0), 2)
  assert.equal(await relapse(9_999), 3)
  assert.equal(await relapse(10_000), 3)
  assert.equal(await relapse(20_000), 2)
  assert.equal(await relapse(1e6), 1)
})

test('a cancelled deciding request makes room for another', async () => {
  const { endpoints: [first], fail, clock, probe, detection, newCall, start } = scene(2)
  await fail(first!)
  await clock.advance(10_000)
  const call = newCall()
  const { outcome } = start(detection.probation.take(call)!, hangs, call)
  await settle()
  assert.equal(detection.explain(first!), 'on probation: the request that decides is under way')
  assert.equal(detection.probation.take(newCall()), undefined)
  call.abort(new Error('enough'))
  await outcome
  assert.equal(first!.state, 'probation')
  await probe(ok)
  assert.equal(first!.state, 'available')
})

test('a deciding request that hangs gives way to another, and still decides if it answers', async () => {
  const { endpoints: [first], fail, clock, detection, newCall, start } = scene(2)
  await fail(first!)
  await clock.advance(10_000)
  const slow = newCall()
  const { outcome } = start(detection.probation.take(slow)!, { delay: 15_000 }, slow)
  await clock.advance(9_999)
  assert.equal(detection.probation.take(newCall()), undefined)
  await clock.advance(1)
  const second = newCall()
  start(detection.probation.take(second)!, hangs, second)
  assert.equal(detection.probation.take(newCall()), undefined)
  await clock.advance(5_000)
  assert.equal(await outcome, 200)
  assert.equal(first!.state, 'available')
})

test('the deciding request is judged by the head of its reply', async () => {
  const { endpoints: [first], fail, clock, detection, newCall, start } = scene(2)
  await fail(first!)
  await clock.advance(10_000)
  const call = newCall()
  await start(detection.probation.take(call)!, { bodyDelay: Number.POSITIVE_INFINITY }, call).outcome
  assert.equal(first!.state, 'available')
  assert.equal(detection.explain(first!), 'available')
})

test('results of attempts begun before the ejection decide nothing', async () => {
  const { endpoints: [first], fail, clock, states, start, probe, detection } = scene(2)
  const late = start(first!, { delay: 12_000 })
  const later = Array.from({ length: 5 }, () => start(first!, { delay: 13_000, status: 503 }))
  await settle()
  await fail(first!)
  await clock.advance(12_000)
  assert.equal(await late.outcome, 200)
  assert.equal(states(), 'probation available')
  await probe(ok)
  await clock.advance(1_000)
  assert.deepEqual(await Promise.all(later.map(({ outcome }) => outcome)), [503, 503, 503, 503, 503])
  assert.equal(states(), 'available available')
  assert.equal(detection.explain(first!), 'available')
})

test('while others are used in a panic only one attempt decides', async () => {
  const { endpoints: [first], fail, clock, start } = scene(2)
  await fail(first!)
  await start(first!, ok).outcome
  assert.equal(first!.state, 'ejected')
  await clock.advance(10_000)
  const deciding = start(first!, { delay: 100 })
  const other = start(first!, bad)
  await other.outcome
  await settle()
  assert.equal(first!.state, 'probation')
  await clock.advance(100)
  assert.equal(await deciding.outcome, 200)
  assert.equal(first!.state, 'available')
})

test('the chosen call decides although another attempt came first', async () => {
  const { endpoints: [first], fail, clock, detection, newCall, start } = scene(2)
  await fail(first!)
  await clock.advance(10_000)
  const chosen = newCall()
  const endpoint = detection.probation.take(chosen)!
  await start(first!, bad).outcome
  await settle()
  assert.equal(first!.state, 'probation')
  await start(endpoint, ok, chosen).outcome
  assert.equal(first!.state, 'available')
})

test('an endpoint that left has no timer any more', async () => {
  const { endpoints: [first], fail, clock, detection, published } = scene(2)
  await fail(first!)
  assert.equal(clock.pending, 1)
  first!.state = 'retired'
  detection.forget(first!)
  assert.equal(clock.pending, 0)
  assert.equal(detection.explain(first!), 'retired: its registry lists it no more')
  await clock.advance(60_000)
  assert.equal(published.length, 1)
})

test('an endpoint that leaves on probation is not asked for', async () => {
  const { endpoints: [first], fail, clock, detection, newCall } = scene(2)
  await fail(first!)
  await clock.advance(10_000)
  detection.forget(first!)
  assert.equal(detection.probation.take(newCall()), undefined)
})

test('close stops all timers, and nothing is ejected after', async () => {
  const { endpoints, fail, clock, detection } = scene(4)
  await fail(endpoints[0]!)
  detection.close()
  await fail(endpoints[1]!)
  assert.equal(clock.pending, 0)
  assert.equal(endpoints[1]!.state, 'available')
  assert.match(detection.explain(endpoints[0]!), /^ejected: /)
})

test('an endpoint under its limit explains how far it is', async () => {
  const { endpoints: [first], fail, detection } = scene(2)
  assert.equal(detection.explain(first!), 'available')
  await fail(first!, 1)
  assert.equal(detection.explain(first!), 'available: 1 failure, ejected at 5')
  await fail(first!, 2)
  assert.equal(detection.explain(first!), 'available: 3 failures in a row, ejected at 5')
})

test('a healthy endpoint\'s reply passes without a promise of its own', () => {
  const { detection, endpoints, newCall } = scene(2)
  const promise = Promise.resolve({} as never)
  const attempt = newCall().begin(endpoints[0]!, { active: 0, pending: 0 })
  assert.equal(observeOutliers(detection)(() => promise)(attempt), promise)
})
