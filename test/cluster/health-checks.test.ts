import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { test } from 'node:test'
import type { z } from 'zod'
import { healthCheckConfig, HealthChecks, mostAtOnce } from '../../src/cluster/health-checks.ts'
import { outlierConfig, OutlierDetection } from '../../src/cluster/outlier.ts'
import { Endpoint } from '../../src/core/endpoint.ts'
import type { HealthFinding } from '../../src/transport/probes/probe.ts'
import { fakeRuntime, scriptedRandom, settle } from '../../src/testing/index.ts'

const passed: HealthFinding = { result: 'passed', found: 'status 200' }
const failed: HealthFinding = { result: 'failed', found: 'status 503, where 200 is expected' }
const silent: HealthFinding = { result: 'unanswered', found: 'no connection could be made (ECONNREFUSED)' }
const never = new Promise<never>(() => {})

/** New endpoints under health checks whose answers a test decides. */
const scene = (count: number, input: Partial<z.input<typeof healthCheckConfig>> = {}, { slowStart = false, random = scriptedRandom(0.5) } = {}) => {
  const runtime = fakeRuntime(random)
  const { clock } = runtime
  const endpoints = Array.from({ length: count }, (_, i) => new Endpoint({ address: `10.0.0.${i + 1}:80` }))
  for (const endpoint of endpoints) endpoint.state = 'unchecked'
  const host = {
    name: 'order', endpoints, slowStart, changes: 0, changed() { host.changes++ },
    detection: undefined as OutlierDetection | undefined,
  }
  const world: { answer: (endpoint: Endpoint) => HealthFinding | Promise<HealthFinding> } = { answer: () => passed }
  const asked: { at: number, endpoint: Endpoint, signal: AbortSignal }[] = []
  const config = healthCheckConfig.parse({ protocol: 'http', interval: 1_000, timeout: 200, ...input })
  const checks = new HealthChecks(host, config, async (endpoint, signal) => {
    asked.push({ at: clock.now(), endpoint, signal })
    return world.answer(endpoint)
  }, runtime)
  checks.watch(endpoints)
  const told: string[] = []
  for (const event of ['endpoint-checked', 'endpoint-unhealthy', 'endpoint-healthy', 'endpoint-ejected', 'endpoint-probation']) {
    runtime.channels.on(event, (detail) => {
      const { endpoint, result, reason } = detail as { endpoint: string, result?: string, reason?: string }
      told.push([event, endpoint, result, reason].filter((part) => part !== undefined).join(' '))
    })
  }
  return {
    runtime, clock, endpoints, host, checks, asked, world, told, config,
    /** Lets one round of checks pass by: each endpoint is asked once. */
    round: async (answer?: HealthFinding) => {
      if (answer) world.answer = () => answer
      const before = asked.length
      for (let left = 1_000; asked.length < before + count; left--) {
        assert.ok(left > 0, 'nobody is asked')
        await clock.advance(10)
      }
      await settle()
    },
    states: () => endpoints.map(({ state }) => state).join(' '),
  }
}

test('has the defaults of the AWS CDK for App Mesh', () => {
  assert.deepEqual(healthCheckConfig.parse({ protocol: 'http' }), {
    protocol: 'http', path: '/', statuses: [200], interval: 5_000, timeout: 2_000, healthyThreshold: 2, unhealthyThreshold: 2,
  })
  assert.deepEqual(healthCheckConfig.parse({ protocol: 'grpc', interval: '10s', port: 9_000 }), {
    protocol: 'grpc', service: '', port: 9_000, interval: 10_000, timeout: 2_000, healthyThreshold: 2, unhealthyThreshold: 2,
  })
})

for (const input of [
  {}, { protocol: 'https' }, { protocol: 'tcp', path: '/' }, { protocol: 'grpc', statuses: [200] }, { protocol: 'http', service: 'x' },
  { protocol: 'http', interval: 5 }, { protocol: 'http', timeout: '0s' }, { protocol: 'http', healthyThreshold: 0 }, { protocol: 'http', unhealthyThreshold: 1.5 },
  { protocol: 'http', path: 'health' }, { protocol: 'http', path: '/a b' }, { protocol: 'http', path: '/a\r\nx: y' }, { protocol: 'http', path: '/#a' },
  { protocol: 'http', host: 'a\r\nb' }, { protocol: 'http', host: 'a/b' }, { protocol: 'http', statuses: [] }, { protocol: 'http', statuses: [100] },
  { protocol: 'http', port: 0 }, { protocol: 'http', port: 65_536 }, { protocol: 'http', intervall: 5 },
]) {
  test(`refuses ${JSON.stringify(input)}`, () => {
    assert.equal(healthCheckConfig.safeParse(input).success, false)
  })
}

test('one check that passes makes a new endpoint available, one that does not makes it unhealthy', async () => {
  const { endpoints: [, second], round, states, world, told, checks } = scene(2)
  assert.equal(checks.explain(second!), 'unchecked: its first health check is not over')
  world.answer = (endpoint) => endpoint === second ? silent : passed
  await round()
  assert.equal(states(), 'available unhealthy')
  assert.deepEqual(told, [
    'endpoint-checked 10.0.0.1:80 passed status 200',
    'endpoint-healthy 10.0.0.1:80',
    'endpoint-checked 10.0.0.2:80 unanswered no connection could be made (ECONNREFUSED)',
    'endpoint-unhealthy 10.0.0.2:80 health check: no connection could be made (ECONNREFUSED)',
  ])
})

test('checks without an answer count up to the threshold, and one that passes starts the count again', async () => {
  const { endpoints: [only], round, states, checks, host } = scene(1, { unhealthyThreshold: 3 })
  await round(passed)
  for (const answer of [silent, silent, passed, silent, silent]) {
    await round(answer)
    assert.equal(states(), 'available')
  }
  assert.equal(checks.explain(only!), '2 health checks in a row without an answer, unhealthy at 3: health check: no connection could be made (ECONNREFUSED)')
  const { changes } = host
  await round(silent)
  assert.equal(states(), 'unhealthy')
  assert.equal(host.changes, changes + 1)
})

test('an answer that says it is not well decides at once, whatever the threshold', async () => {
  const { endpoints: [only], round, states, checks } = scene(1, { unhealthyThreshold: 10 })
  await round(passed)
  await round(failed)
  assert.equal(states(), 'unhealthy')
  assert.equal(checks.explain(only!), 'unhealthy: health check: status 503, where 200 is expected; 0 of 2 health checks in a row passed')
})

test('an unhealthy endpoint is back after as many checks in a row as the threshold says', async () => {
  const { endpoints: [only], round, states, checks } = scene(1, { healthyThreshold: 3 })
  await round(failed)
  for (const answer of [passed, passed, silent, passed, passed]) {
    await round(answer)
    assert.equal(states(), 'unhealthy')
  }
  assert.match(checks.explain(only!)!, /; 2 of 3 health checks in a row passed$/)
  await round(passed)
  assert.equal(states(), 'available')
  assert.equal(checks.explain(only!), undefined)
})

test('a check that takes too long is given up, and counts as one without an answer', async () => {
  const { asked, world, clock, states, told } = scene(1)
  world.answer = () => never
  await clock.advance(25 + 199)
  assert.equal(states(), 'unchecked')
  assert.equal(asked[0]!.signal.aborted, false)
  await clock.advance(1)
  assert.equal(states(), 'unhealthy')
  assert.equal(asked[0]!.signal.aborted, true)
  assert.equal(told[0], 'endpoint-checked 10.0.0.1:80 unanswered no answer within 200 ms')
})

test('a probe that throws counts as one without an answer', async () => {
  const { world, round, told } = scene(1)
  world.answer = () => { throw new Error('oh') }
  await round()
  assert.equal(told[0], 'endpoint-checked 10.0.0.1:80 unanswered Error: oh')
})

test('an endpoint rests for the interval, a tenth more or less, between the end of a check and the next', async () => {
  for (const [chance, rest] of [[0, 900], [0.5, 1_000], [1, 1_100]] as const) {
    const { asked, clock, world } = scene(1, {}, { random: scriptedRandom(0, 0, chance) })
    // Takes 100 ms each time.
    world.answer = () => new Promise((resolve) => { clock.background(100, () => resolve(passed)) })
    await clock.advance(3_000)
    const [, second, third] = asked.map(({ at }) => at)
    assert.equal(third! - second!, rest + 100, `with the chance ${chance}`)
  }
})

test('a thousand new endpoints are not asked in one burst, nor at any time later, and each once in an interval', async () => {
  const { asked, clock, endpoints, runtime: { random } } = scene(1_000, { interval: 5_000 }, { random: fakeRuntime().random })
  assert.ok(random() < 1)
  await clock.advance(30_000)
  const perTenth = new Map<number, number>()
  for (const { at } of asked) perTenth.set(Math.floor(at / 100), (perTenth.get(Math.floor(at / 100)) ?? 0) + 1)
  const most = Math.max(...perTenth.values())
  // Spread evenly it would be 20 in 100 ms; endpoints that have had their first check come to it by chance.
  assert.ok(most <= 60, `${most} in 100 ms`)
  const firsts = new Map<Endpoint, number>()
  for (const { endpoint, at } of asked) if (!firsts.has(endpoint)) firsts.set(endpoint, at)
  assert.equal(firsts.size, endpoints.length)
  assert.ok(Math.max(...firsts.values()) <= 1_000 + 5_000, 'all are asked within one interval')
  const times = new Map<Endpoint, number[]>()
  for (const { endpoint, at } of asked) times.set(endpoint, [...times.get(endpoint) ?? [], at])
  for (const list of times.values()) {
    for (const [i, at] of list.entries()) if (i > 1) assert.ok(at - list[i - 1]! >= 4_500 && at - list[i - 1]! <= 5_500)
  }
})

test('a few new endpoints are asked soon', async () => {
  const { asked, clock } = scene(3, { interval: 60_000 })
  await clock.advance(150)
  assert.deepEqual(asked.map(({ at }) => at - 1_000), [25, 75, 125])
})

test('no more checks are under way than may be, and those that are due wait for their turn', async () => {
  const { asked, clock, world, endpoints, checks } = scene(500, { interval: 100, timeout: 1_000 })
  world.answer = () => never
  await clock.advance(900)
  assert.equal(asked.length, mostAtOnce)
  await clock.advance(5_000)
  assert.equal(new Set(asked.map(({ endpoint }) => endpoint)).size, endpoints.length, 'none is left out')
  const under = asked.filter(({ signal }) => !signal.aborted).length
  assert.ok(under <= mostAtOnce, `${under} under way`)
  checks.close()
  assert.equal(clock.pending, 0)
  assert.ok(asked.every(({ signal }) => signal.aborted))
})

test('a thousand verdicts make few new lists of endpoints', async () => {
  const { clock, host, states } = scene(1_000, { interval: 1_000 })
  await clock.advance(1_500)
  assert.equal(states().includes('unchecked'), false)
  assert.ok(host.changes <= 60, `${host.changes} lists`)
  assert.ok(host.changes >= 2)
})

test('an endpoint that asks to be taken out is out at once, and back by checks that began later', async () => {
  const { endpoints: [only], checks, clock, round, states, world, asked, told } = scene(1)
  await round(passed)
  let answer!: (finding: HealthFinding) => void
  world.answer = () => new Promise((resolve) => { answer = resolve })
  await clock.advance(600)
  assert.equal(asked.at(-1)!.signal.aborted, false)
  const { length } = asked
  checks.asked(only!)
  assert.equal(states(), 'unhealthy')
  assert.equal(told.at(-1), 'endpoint-unhealthy 10.0.0.1:80 it asked for that (x-envoy-immediate-health-check-fail)')
  answer(passed)
  await settle()
  assert.equal(asked.length, length)
  assert.equal(asked.at(-1)!.signal.aborted, true, 'the check that was under way is given up')
  await round(passed)
  assert.equal(states(), 'unhealthy', 'it began before, so it counts for nothing')
  await round(passed)
  assert.equal(states(), 'available')
})

test('an endpoint that goes on asking while it is out does not put off its checks', async () => {
  const { endpoints: [only], checks, clock, round, states } = scene(1)
  await round(passed)
  for (let i = 0; i < 40; i++) {
    checks.asked(only!)
    await clock.advance(100)
    if (states() === 'available') break
  }
  assert.equal(states(), 'available')
})

/** The same with outlier detection beside it. */
const withDetection = (count: number) => {
  const made = scene(count)
  const detection = new OutlierDetection(made.host, outlierConfig.parse({}), made.runtime)
  made.host.detection = detection
  return { ...made, detection }
}

test('what outlier detection has out stays out while its checks go on passing', async () => {
  const { endpoints: [first], round, states, told, detection, clock } = withDetection(2)
  await round(passed)
  detection.admit(first!)
  await round()
  assert.equal(states(), 'probation available')
  assert.equal(told.at(-1)!.startsWith('endpoint-checked'), true)
  detection.close()
  assert.ok(clock.pending > 0)
})

test('an ejected endpoint that becomes unhealthy comes back on probation, and no ejection is left to run out', async () => {
  const { endpoints: [first], round, states, world, checks, clock, told, detection } = withDetection(2)
  await round(passed)
  detection.admit(first!)
  world.answer = (endpoint) => endpoint === first ? failed : passed
  await round()
  assert.equal(states(), 'unhealthy available')
  assert.equal(detection.probation.deciding(first!), false)
  await round(passed)
  await round(passed)
  assert.equal(states(), 'probation available')
  assert.deepEqual(told.filter((line) => !line.startsWith('endpoint-checked')).slice(-2), ['endpoint-probation 10.0.0.1:80', 'endpoint-healthy 10.0.0.1:80'])
  checks.close()
  detection.close()
  assert.equal(clock.pending, 0)
})

test('an endpoint that was unhealthy, or joined later, starts slowly; those of the first set do not', async () => {
  const { endpoints: [first, second], round, world, clock } = scene(2, { healthyThreshold: 1 }, { slowStart: true })
  second!.warmingSince = 0
  world.answer = (endpoint) => endpoint === first ? passed : silent
  await round()
  assert.equal(first!.warmingSince, undefined)
  assert.equal(second!.warmingSince, undefined)
  await round(passed)
  assert.ok(second!.warmingSince! > 1_000 && second!.warmingSince! <= clock.now())
  assert.equal(first!.warmingSince, undefined)
})

test('an endpoint that is gone is asked no more, and what its check finds is not heard', async () => {
  const { endpoints: [first], checks, clock, world, asked, told } = scene(1)
  world.answer = () => never
  await clock.advance(60)
  first!.state = 'retired'
  checks.forget(first!)
  assert.equal(asked[0]!.signal.aborted, true)
  await clock.advance(10_000)
  assert.equal(asked.length, 1)
  assert.deepEqual(told, [])
  assert.equal(clock.pending, 0)
})

test('whoever lets go of an endpoint the moment its check is over finds nothing going on afterwards', async () => {
  for (let turns = 0; turns < 12; turns++) {
    for (const act of ['forget', 'close', 'asked'] as const) {
      const { endpoints: [only], checks, clock, world, states, round } = scene(1)
      await round(passed)
      let answer!: (finding: HealthFinding) => void
      world.answer = () => new Promise((resolve) => { answer = resolve })
      await clock.advance(600)
      assert.equal(clock.pending, 1, 'its timeout')
      answer(passed)
      for (let i = 0; i < turns; i++) await Promise.resolve()
      if (act === 'forget') only!.state = 'retired'
      checks[act](only!)
      await settle()
      assert.equal(clock.pending, act === 'asked' ? 1 : 0, `${act} after ${turns} turns`)
      assert.equal(states(), { forget: 'retired', close: 'available', asked: 'unhealthy' }[act])
    }
  }
})

test('a listener may end the checks that it hears of', async () => {
  for (const event of ['endpoint-checked', 'endpoint-healthy', 'endpoint-unhealthy']) {
    const { endpoints: [only], checks, clock, world, runtime } = scene(1)
    runtime.channels.on(event, () => checks.close())
    if (event === 'endpoint-unhealthy') checks.asked(only!)
    world.answer = () => passed
    await clock.advance(200)
    assert.equal(clock.pending, 0, event)
  }
})

test('checks that are ended while others wait for their turn begin none of those', async () => {
  const { asked, clock, world, checks } = scene(mostAtOnce + 50, { interval: 100, timeout: 10_000 })
  world.answer = () => never
  await clock.advance(1_000)
  checks.close()
  await settle()
  assert.equal(asked.length, mostAtOnce)
})

test('endpoints in use are not taken out by the first check of a new definition that gets no answer, those that are out need but one that passes', async () => {
  const { endpoints: [first, second], round, world, states } = scene(2)
  first!.state = 'available'
  second!.state = 'unhealthy'
  world.answer = (endpoint) => endpoint === first ? silent : passed
  await round()
  assert.equal(states(), 'available available')
  await round()
  assert.equal(states(), 'unhealthy available')
})

test('checks begin outside of whatever request they are due to', async () => {
  const { endpoints: [only], checks, clock, round, world } = scene(1)
  const request = new AsyncLocalStorage<string>()
  const seen: unknown[] = []
  await round(passed)
  world.answer = () => {
    seen.push(request.getStore())
    return passed
  }
  request.run('a request', () => checks.asked(only!))
  await clock.advance(1_500)
  assert.deepEqual(seen, [undefined])
})
