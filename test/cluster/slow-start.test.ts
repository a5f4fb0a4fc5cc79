import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Balancer } from '../../src/balancers/balancer.ts'
import { balancers } from '../../src/balancers/index.ts'
import { endWarming, slowStart, slowStartConfig, warmingEnds, warmth } from '../../src/cluster/slow-start.ts'
import { Call, type Attempt } from '../../src/core/call.ts'
import { Endpoint } from '../../src/core/endpoint.ts'
import type { Reply } from '../../src/core/reply.ts'
import { RequestHead } from '../../src/core/request.ts'
import { registries, type MeshInput } from '../../src/index.ts'
import { FakeRegistry, fakeRuntime, scriptedRandom, seededRandom, settle } from '../../src/testing/index.ts'
import { virtual } from '../mesh/support.ts'

const request = new RequestHead({
  method: 'GET', scheme: 'http', host: 'order.test', port: 80, path: '/', headers: [], body: undefined,
})

const take = (count: number): Endpoint[] =>
  Array.from({ length: count }, (_, i) => new Endpoint({ address: `10.0.0.${i + 1}:80` }))

/** Any endpoint by an even chance of its own. */
const evenly = (): Balancer => {
  const random = seededRandom(7)
  return (endpoints) => () => endpoints[Math.floor(random() * endpoints.length)]
}

/** Each in turn. */
const inTurn: Balancer = (endpoints) => {
  let turn = 0
  return () => endpoints[turn++ % endpoints.length]
}

test('a window may be written as text', () => {
  assert.equal(slowStartConfig.parse('30s'), 30_000)
})

test('warmth follows Envoy\'s vectors for a window of a minute', () => {
  const shares = [0, 1, 6, 30, 45, 60, 90].map((second) => warmth(second * 1_000, 60_000))
  assert.deepEqual(shares, [0.1, 0.1, 0.1, 0.5, 0.75, 1, 1])
})

test('the first second counts as a second', () => {
  assert.equal(warmth(0, 2_000), 0.5)
  assert.equal(warmth(999, 2_000), 0.5)
  assert.equal(warmth(10, 500), 1)
})

test('warming ends with the endpoint that began last', () => {
  const endpoints = take(3)
  assert.equal(warmingEnds(endpoints, 60_000), undefined)
  endpoints[0]!.warmingSince = 5_000
  assert.equal(warmingEnds(endpoints, 60_000), 65_000)
  endpoints[2]!.warmingSince = 8_000
  assert.equal(warmingEnds(endpoints, 60_000), 68_000)
})

test('the picker is the balancer\'s own while nothing is warming', async () => {
  const runtime = fakeRuntime()
  const endpoints = take(2)
  const pick = inTurn(endpoints)
  const balancer = slowStart(60_000, runtime)(() => pick)
  assert.equal(balancer(endpoints), pick)
  endpoints[0]!.warmingSince = runtime.clock.now()
  assert.notEqual(balancer(endpoints), pick)
  await runtime.clock.advance(60_000)
  assert.equal(balancer(endpoints), pick)
})

test('warming is over at the end of the window, and not when somebody makes a picker on trial', () => {
  const endpoints = take(2)
  endpoints[0]!.warmingSince = 1_000
  slowStart(5, fakeRuntime())(inTurn)(endpoints)
  endWarming(endpoints, 60_000, 60_999)
  assert.equal(endpoints[0]!.warmingSince, 1_000)
  endWarming(endpoints, 60_000, 61_000)
  assert.equal(endpoints[0]!.warmingSince, undefined)
})

test('warming is over at the very moment reckoned for it, whatever the fractions', () => {
  const [endpoint] = take(1)
  const random = seededRandom(4)
  for (let turn = 0; turn < 10_000; turn++) {
    const window = random() * 1_000
    endpoint!.warmingSince = random() * 1e6
    endWarming([endpoint!], window, warmingEnds([endpoint!], window)!)
    assert.equal(endpoint!.warmingSince, undefined)
  }
})

test('an update that switches slow start off ends it for those that are warming', async () => {
  const fake = new FakeRegistry()
  fake.push('10.0.0.1:80')
  const config = (slowStart: number): MeshInput =>
    ({ services: { s: { cluster: 's' } }, clusters: { s: { registry: { type: 'fake' } as never, slowStart } } })
  const { mesh, clock } = virtual(config(60_000), {}, { registries: registries.with(fake.kind) as never })
  const why = (): string | undefined => mesh.status().clusters['s']!.endpoints[1]?.why
  await mesh.ready()
  fake.push('10.0.0.1:80', '10.0.0.2:80')
  await settle()
  assert.match(why()!, /in slow start/)
  mesh.update(config(0))
  assert.deepEqual([why(), clock.pending], ['available', 0])
  await mesh.close()
})

for (const [second, factor] of [[1, 0.1], [6, 0.1], [30, 0.5], [60, 1]] as const) {
  test(`${second} s into a minute an endpoint among four gets ${factor} of its share`, async () => {
    const runtime = fakeRuntime(seededRandom(3))
    const endpoints = take(4)
    endpoints[0]!.warmingSince = runtime.clock.now()
    const pick = slowStart(60_000, runtime)(evenly())(endpoints)
    await runtime.clock.advance(second * 1_000)
    const call = new Call(request, runtime.clock)
    const counts = new Map(endpoints.map((endpoint) => [endpoint, 0]))
    for (let i = 0; i < 40_000; i++) {
      const picked = pick(call)!
      counts.set(picked, counts.get(picked)! + 1)
    }
    const [warming, ...others] = [...counts.values()] as [number, ...number[]]
    const full = others.reduce((sum, count) => sum + count) / others.length
    assert.ok(Math.abs(warming / full - factor) < 0.02, `${warming / full}`)
  })
}

test('endpoints that all began together get full shares at once', () => {
  const runtime = fakeRuntime(() => { throw new Error('no chance needed') })
  const endpoints = take(3)
  for (const endpoint of endpoints) endpoint.warmingSince = runtime.clock.now()
  const pick = slowStart(60_000, runtime)(inTurn)(endpoints)
  const call = new Call(request, runtime.clock)
  assert.deepEqual([pick(call), pick(call), pick(call)], endpoints)
})

test('among endpoints that are all warming, shares are relative to the warmest', async () => {
  const runtime = fakeRuntime(scriptedRandom(0.49, 0.51))
  const [early, late] = take(2) as [Endpoint, Endpoint]
  early.warmingSince = runtime.clock.now()
  await runtime.clock.advance(20_000)
  late.warmingSince = runtime.clock.now()
  const pick = slowStart(60_000, runtime)(inTurn)([late, early])
  await runtime.clock.advance(20_000)
  const call = new Call(request, runtime.clock)
  assert.equal(pick(call), late)
  assert.equal(pick(call), early)
  assert.equal(pick(call), early)
})

test('an endpoint that is the only choice is picked however cold', () => {
  const runtime = fakeRuntime(scriptedRandom(0.99))
  const endpoints = take(2)
  endpoints[1]!.warmingSince = runtime.clock.now()
  let picks = 0
  const pick = slowStart(60_000, runtime)(() => () => { picks++; return endpoints[1] })(endpoints)
  assert.equal(pick(new Call(request, runtime.clock)), endpoints[1])
  assert.ok(picks <= 8)
})

test('nothing is picked from nothing', () => {
  const runtime = fakeRuntime()
  const endpoints = take(1)
  endpoints[0]!.warmingSince = runtime.clock.now()
  assert.equal(slowStart(60_000, runtime)(() => () => undefined)(endpoints)(new Call(request, runtime.clock)), undefined)
})

for (const type of ['prequal', 'peak-ewma', 'orca-wrr'] as const) {
  for (const count of [2, 3, 10]) {
    test(`${type} does not make up for what is refused: one of ${count} gets a tenth of its share at first`, () => {
      const random = seededRandom(5)
      const runtime = fakeRuntime(seededRandom(3))
      let now = 1_000
      Object.assign(runtime.clock, { now: () => now })
      const balancer = slowStart(60_000, runtime)(balancers.make(balancers.schema.parse({ type } as never), runtime))
      const endpoints = take(count)
      let pick = balancer(endpoints)
      const running: { readonly attempt: Attempt, readonly until: number }[] = []
      const endThoseDue = (): void => {
        for (const { attempt } of running.filter(({ until }) => until <= now)) {
          attempt.endpoint.active--
          Object.assign(attempt, { headAt: now, status: 200 })
          balancer.learn!(attempt, { status: 200, headers: {}, attempt } as unknown as Reply)
        }
        running.splice(0, running.length, ...running.filter(({ until }) => until > now))
      }
      const counts = new Map(endpoints.map((endpoint) => [endpoint, 0]))
      const send = (times: number): void => {
        for (let turn = 0; turn < times; turn++, now += 2) {
          endThoseDue()
          const call = new Call(request, runtime.clock)
          const endpoint = pick(call)!
          endpoint.active++
          counts.set(endpoint, counts.get(endpoint)! + 1)
          running.push({ attempt: call.begin(endpoint, { active: 0, pending: 0 }), until: now + 10 + 20 * random() })
        }
      }
      send(2_000)
      endpoints[0]!.warmingSince = now
      pick = balancer(endpoints)
      counts.set(endpoints[0]!, 0)
      send(3_000)
      const part = counts.get(endpoints[0]!)! / (3_000 / count)
      // Latency and load decide beside it, so not exactly a tenth.
      assert.ok(part > 0 && part < 0.35, `${part} of its share`)
    })
  }
}

test('a retry goes to an endpoint that is warming before it goes to one that was tried', () => {
  const runtime = fakeRuntime(() => 0.99)
  const endpoints = take(2)
  endpoints[1]!.warmingSince = runtime.clock.now()
  const pick = slowStart(60_000, runtime)(balancers.make(balancers.schema.parse({ type: 'prequal' } as never), runtime))(endpoints)
  const call = new Call(request, runtime.clock)
  call.begin(endpoints[0]!, { active: 0, pending: 0 })
  assert.equal(pick(call), endpoints[1])
})
