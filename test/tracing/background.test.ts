import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { trace } from '@opentelemetry/api'
import { z } from 'zod'
import { carry, currentPassport } from '../../src/core/passport.ts'
import { balancers, createMesh, kind, registries, type Balancer, type Mesh } from '../../src/index.ts'
import { follow } from '../../src/registries/follow.ts'
import { polling } from '../../src/registries/polling.ts'
import { detached, systemClock } from '../../src/runtime/clock.ts'
import { systemRuntime } from '../../src/runtime/runtime.ts'
import { gate, next, story, turnsUntil } from '../scenarios/support/story.ts'
import { says } from '../scenarios/support/upstream.ts'
import { inSpan, register, spans, forget, unregister } from './sdk.ts'

before(() => register())
beforeEach(forget)
after(unregister)

const nobody = 'nobody'

/** For whom the present code runs. */
const whose = (): string => {
  const names = [currentPassport()?.requestId, trace.getActiveSpan() && 'a span'].filter((name) => name !== undefined)
  return names.length === 0 ? nobody : names.join(' and ')
}

/** Runs a task as an inbound request's: with a passport, and in a span. */
const inRequest = <T>(task: () => Promise<T>): Promise<T> =>
  carry({ requestId: 'a request', headers: ['uber-trace-id', '1:2:0:1'], deadline: Infinity }, () => inSpan('request', task))

/** A registry that looks all the time, and notes for whom; and a balancer that notes for whom it is made. */
const noting = (address: string) => {
  const looks: string[] = []
  const made: string[] = []
  const registry = () => polling(async () => {
    looks.push(whose())
    await new Promise<void>((resolve) => { systemClock.background(0, resolve) })
    looks.push(whose())
    return { endpoints: [{ address }], again: 1 }
  })
  const balancer: Balancer = ([first]) => {
    made.push(whose())
    return () => first
  }
  return {
    looks,
    made,
    families: {
      registries: registries.with(kind('noting', z.strictObject({ version: z.int().optional() }), registry)),
      balancers: balancers.with(kind('noting', z.strictObject({}), () => balancer)),
    },
  }
}

test('the test can tell: code of a request runs for it', async () => {
  assert.equal(whose(), nobody)
  assert.equal(await inRequest(async () => whose()), 'a request and a span')
})

test("the clock's background and detached work belong to nobody, and what a caller waits for to the caller", async () => {
  const seen: Record<string, string> = {}
  const note = (name: string) => new Promise<void>((resolve) => {
    const done = (): void => { seen[name] = whose(); resolve() }
    if (name === 'after') systemClock.after(1, done)
    else systemClock.background(1, done)
  })
  await inRequest(async () => {
    const background = note('background')
    await note('after')
    await background
    detached(() => { seen['detached'] = whose() })
    await detached(async () => {
      await new Promise<void>((resolve) => { systemClock.after(1, resolve) })
      seen['detached later'] = whose()
    })
    seen['then'] = whose()
  })
  assert.deepEqual(seen, { after: 'a request and a span', background: nobody, detached: nobody, 'detached later': nobody, then: 'a request and a span' })
})

test('a registry is asked for nobody, also where the mesh was made, first used, and updated inside a request', async (t) => {
  const server = await story(t).upstream(says('fine'))
  const { looks, families } = noting(server.address)
  const config = (version: number) => ({
    services: { 'svc.test': { cluster: 'c' } }, clusters: { c: { registry: { type: 'noting', version } } },
  }) as const
  let mesh!: Mesh
  await inRequest(async () => {
    mesh = createMesh(config(1), families) as Mesh
    await (await mesh.fetch('http://svc.test/')).text()
  })
  await turnsUntil(() => looks.length >= 10, 'it has looked several times')
  await inRequest(async () => {
    mesh.update(config(2) as never)
    await (await mesh.fetch('http://svc.test/')).text()
  })
  const before = looks.length
  await turnsUntil(() => looks.length >= before + 10, 'the new one has looked several times')
  await inRequest(() => mesh.close())
  assert.deepEqual(new Set(looks), new Set([nobody]))
})

test('a look that is asked for inside a request is no part of it', async () => {
  const { looks, families } = noting('127.0.0.1:1')
  const runtime = systemRuntime()
  const registry = families.registries.make({ type: 'noting' }, runtime)
  const following = await inRequest(async () => follow(registry, { runtime, onSet: () => {}, onFailure: () => {}, onRecovered: () => {} }))
  await following.first
  for (let turn = 0; turn < 5; turn++) {
    const before = looks.length
    await inRequest(async () => following.wake())
    await turnsUntil(() => looks.length > before, 'it has looked')
  }
  following.close()
  assert.deepEqual(new Set(looks), new Set([nobody]))
})

test("the back-off of a registry that fails belongs to nobody", async () => {
  const seen: string[] = []
  const runtime = systemRuntime()
  const failing = polling(async () => { seen.push(whose()); throw new Error('down') })
  const enough = gate()
  const following = await inRequest(async () => follow(failing, {
    runtime: { ...runtime, clock: { ...runtime.clock, background: (_, task) => runtime.clock.background(0, task) } },
    onSet: () => {},
    onFailure: () => { seen.push(whose()); if (seen.length > 6) enough.open() },
    onRecovered: () => {},
  }))
  await enough.opened
  following.close()
  assert.deepEqual(new Set(seen), new Set([nobody]))
})

test('timers of breaker, outlier detection and slow start run for nobody, whoever set them going', async (t) => {
  const stage = story(t)
  const server = await stage.upstream(says('busy', 500))
  const { made, families } = noting(server.address)
  const mesh = stage.mesh({
    services: { 'svc.test': { cluster: 'c' } },
    clusters: {
      c: {
        registry: { type: 'static', endpoints: [server.address, '127.0.0.1:2'] },
        balancer: { type: 'noting' },
        breaker: { calls: 1, failures: 50, open: 5 },
        outlier: { failures: 1, ejection: 5 },
        slowStart: 20,
      },
    },
  } as never, families as never)
  const told: Record<string, string> = {}
  for (const event of ['breaker-half-opened', 'endpoint-probation'] as const) mesh.on(event, () => { told[event] = whose() })
  const all = Promise.all([next(mesh, 'breaker-half-opened'), next(mesh, 'endpoint-probation')])
  await inRequest(async () => (await mesh.fetch('http://svc.test/')).text())
  await all
  assert.deepEqual(told, { 'breaker-half-opened': nobody, 'endpoint-probation': nobody })

  // Back from probation it starts slowly; at the end of that the balancer is made anew.
  server.answer = says('fine')
  const returned = next(mesh, 'endpoint-returned')
  await inRequest(async () => (await mesh.fetch('http://svc.test/')).text())
  await returned
  await turnsUntil(() => made.at(-1) === nobody, 'the slow start is over')
})

test("a socket that one request had opened carries the next one's work as the next one's", async (t) => {
  const stage = story(t)
  const server = await stage.upstream(says('fine'))
  const seen: string[] = []
  const mesh = stage.mesh({
    services: { 'svc.test': { cluster: 'c' } },
    clusters: { c: { registry: { type: 'static', endpoints: [server.address] }, connections: 1 } },
  }, { layers: { attempt: [(next) => async (attempt) => { const reply = await next(attempt); seen.push(whose()); return reply }] } })
  await inRequest(async () => (await mesh.fetch('http://svc.test/')).text())
  await (await mesh.fetch('http://svc.test/')).text()
  assert.equal(server.accepted, 1)
  assert.deepEqual(seen, ['a request and a span', 'a span'], 'an attempt runs in its own span')
  const [inside, , outside] = spans()
  assert.notEqual(inside!.spanContext().traceId, outside!.spanContext().traceId)
  assert.equal(outside!.parentSpanContext, undefined)
  assert.deepEqual(server.requests.map((request) => request.headers['uber-trace-id']), ['1:2:0:1', undefined])
})
