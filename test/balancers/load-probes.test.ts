import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Ask, Balancer, Question } from '../../src/balancers/balancer.ts'
import { balancers } from '../../src/balancers/index.ts'
import { prequal } from '../../src/balancers/prequal.ts'
import type { Endpoint } from '../../src/core/endpoint.ts'
import { deferred, type Deferred } from '../../src/testing/deferred.ts'
import { aBalancer, fakeCall, fakeEndpoints, fakeRuntime, seededRandom, settle } from '../../src/testing/index.ts'
import { learns } from './support.ts'

type Answered = Awaited<ReturnType<Ask>>

const told = (rif: number, latency?: number): Answered =>
  ({ status: 200, headers: { 'endpoint-load-metrics': `TEXT named_metrics.rif=${rif}${latency === undefined ? '' : `,named_metrics.latency=${latency}`}` } })

/** A balancer with probes, and those it asks; `tell` is what they answer. */
const make = (probes: object = {}, options: object = {}, tell: (endpoint: Endpoint) => Answered | Promise<Answered> = () => told(1, 10)) => {
  const runtime = fakeRuntime(seededRandom(5))
  const balancer = prequal.make(prequal.config.parse({ ...options, probes: { path: '/load', ...probes } }), runtime)
  const asked: Endpoint[] = []
  const questions: Question[] = []
  const ask: Ask = async (endpoint, question) => {
    asked.push(endpoint)
    questions.push(question)
    return tell(endpoint)
  }
  return { balancer, clock: runtime.clock, asked, questions, ask }
}

/** So many picks in a row. */
const picks = (balancer: Balancer, endpoints: readonly Endpoint[], times: number): readonly (Endpoint | undefined)[] => {
  const pick = balancer(endpoints)
  return Array.from({ length: times }, () => pick(fakeCall()))
}

aBalancer(prequal, { probes: { path: '/load' } })

describe('probes of load', () => {
  test('are asked after a pick and not within it, so many for each, of endpoints drawn', async () => {
    const { balancer, clock, asked, questions, ask } = make({ perCall: 3, timeout: '250ms' })
    const endpoints = fakeEndpoints(1_000)
    balancer.asking!(ask)
    picks(balancer, endpoints, 1)
    assert.equal(asked.length, 0)
    await clock.advance(0)
    assert.equal(asked.length, 3)
    assert.deepEqual(questions[0], { path: '/load', timeout: 250 })
    picks(balancer, endpoints, 4)
    await clock.advance(0)
    assert.equal(asked.length, 15)
    assert.ok(new Set(asked).size > 12)
    assert.equal(clock.pending, 0)
  })

  test('of less than one for each call come now and then', async () => {
    const { balancer, clock, asked, ask } = make({ perCall: 0.25 })
    balancer.asking!(ask)
    picks(balancer, fakeEndpoints(1_000), 3)
    await clock.advance(0)
    assert.equal(asked.length, 0)
    picks(balancer, fakeEndpoints(1_000), 1)
    await clock.advance(0)
    assert.equal(asked.length, 1)
  })

  test('leave out whoever was heard of a moment ago, in an answer or by asking', async () => {
    const { balancer, clock, asked, ask } = make({ quiet: '100ms', atOnce: 1_000, perCall: 20 })
    const endpoints = fakeEndpoints(3)
    balancer.asking!(ask)
    picks(balancer, endpoints, 1)
    learns(balancer, endpoints[0]!, clock, { ms: 5, status: 200 })
    await clock.advance(0)
    assert.deepEqual(new Set(asked), new Set(endpoints.slice(1)))
    assert.equal(asked.length, 2)
    await clock.advance(99)
    picks(balancer, endpoints, 5)
    await clock.advance(0)
    assert.equal(asked.length, 2)
    await clock.advance(1)
    picks(balancer, endpoints, 5)
    await clock.advance(0)
    assert.equal(asked.length, 5)
  })

  test('are no more at once than that, and what there was no room for is left out', async () => {
    const held: Deferred<Answered>[] = []
    const { balancer, clock, asked, ask } = make({ atOnce: 4 }, {}, () => {
      held.push(deferred())
      return held.at(-1)!.promise
    })
    const endpoints = fakeEndpoints(1_000)
    balancer.asking!(ask)
    picks(balancer, endpoints, 500)
    await clock.advance(0)
    picks(balancer, endpoints, 500)
    await clock.advance(1_000)
    assert.equal(asked.length, 4)
    for (const { resolve } of held) resolve(told(1))
    await settle()
    picks(balancer, fakeEndpoints(1_000), 1)
    await clock.advance(0)
    assert.equal(asked.length, 7)
  })

  test('are not asked without a way to, nor once that is over, and what was under way then is not believed', async () => {
    const late = deferred<Answered>()
    const { balancer, clock, asked, ask } = make({ perCall: 100, atOnce: 100 }, { choices: 16, pool: 0 }, () => late.promise)
    const endpoints = fakeEndpoints(2)
    picks(balancer, endpoints, 5)
    assert.equal(clock.pending, 0)
    const stop = balancer.asking!(ask)
    picks(balancer, endpoints, 1)
    await clock.advance(0)
    assert.equal(asked.length, 2)
    picks(balancer, endpoints, 1)
    stop()
    assert.equal(clock.pending, 0)
    late.reject(new Error('closed'))
    await settle()
    picks(balancer, endpoints, 5)
    await clock.advance(1_000)
    assert.equal(asked.length, 2)
    assert.equal(balancer(endpoints).explain?.(endpoints[0]!), undefined)
  })

  test('go on through the new way when it replaces the old one', async () => {
    const { balancer, clock, asked, ask } = make({ perCall: 100, atOnce: 100 })
    const stop = balancer.asking!(() => assert.fail('the old way'))
    balancer.asking!(ask)
    stop()
    picks(balancer, fakeEndpoints(2), 1)
    await clock.advance(0)
    assert.equal(asked.length, 2)
  })

  test('do not dial an endpoint that is gone', async () => {
    const { balancer, clock, asked, ask } = make({ perCall: 100, atOnce: 100 })
    const endpoints = fakeEndpoints(2)
    balancer.asking!(ask)
    picks(balancer, endpoints, 1)
    endpoints[0]!.state = 'retired'
    await clock.advance(0)
    assert.deepEqual(asked, [endpoints[1]])
  })

  test('tell who is loaded before anybody was called there', async () => {
    const { balancer, clock, ask } = make({ perCall: 100, atOnce: 100 }, { choices: 16, pool: 0, quantile: 0 },
      ({ address }) => told(address.startsWith('10.0.0.2:') ? 1 : 9, 10))
    const endpoints = fakeEndpoints(5)
    balancer.asking!(ask)
    picks(balancer, endpoints, 1)
    await clock.advance(0)
    assert.deepEqual(new Set(picks(balancer, endpoints, 50)), new Set([endpoints[1]]))
  })

  test('leave the latency to answers, and let what these said fade, so that one that was slow is tried again', async () => {
    const { balancer, clock, ask } = make({ perCall: 100, atOnce: 100 }, { choices: 16, pool: 0 }, () => told(0, 10))
    const endpoints = fakeEndpoints(5)
    balancer.asking!(ask)
    balancer(endpoints)
    for (let round = 0; round < 20; round++) for (const endpoint of endpoints.slice(1)) learns(balancer, endpoint, clock, { ms: 10, status: 200 })
    learns(balancer, endpoints[0]!, clock, { ms: 100, status: 200 })
    const seconds: boolean[] = []
    for (let second = 0; second < 20; second++) {
      for (let turn = 0; turn < 10; turn++) {
        picks(balancer, endpoints, 1)
        await clock.advance(100)
      }
      // All others are hot for this one pick.
      for (const endpoint of endpoints.slice(1)) endpoint.active = 4
      seconds.push(picks(balancer, endpoints, 1)[0] === endpoints[0])
      for (const endpoint of endpoints.slice(1)) endpoint.active = 0
    }
    assert.equal(seconds[0], false)
    assert.equal(seconds.at(-1), true)
  })

  test('do not pardon an endpoint that fails its calls, nor lift its Retry-After', async () => {
    const { balancer, clock, ask } = make({ perCall: 100, atOnce: 100, quiet: 1 }, { choices: 16, pool: 0 }, ({ address }) => told(address.startsWith('10.0.0.1:') ? 0 : 30, 10))
    const endpoints = fakeEndpoints(3)
    balancer.asking!(ask)
    balancer(endpoints)
    for (const endpoint of endpoints.slice(1)) learns(balancer, endpoint, clock, { ms: 10, status: 200 })
    learns(balancer, endpoints[0]!, clock, { ms: 1, status: 503, headers: { 'retry-after': '30' } })
    await clock.advance(5)
    for (let turn = 0; turn < 5; turn++) {
      assert.equal(picks(balancer, endpoints, 20).includes(endpoints[0]), false)
      await clock.advance(5)
    }
  })

  test('without an answer, with one that tells nothing, or with a refusal change nothing, and are told of', async () => {
    const useless: Readonly<Record<string, () => Answered>> = {
      'it gave no answer (ENMESH_CONNECT_FAILED)': () => { throw Object.assign(new Error('refused'), { code: 'ENMESH_CONNECT_FAILED' }) },
      'it answered with status 404 and told none': () => ({ status: 404, headers: {} }),
      'it answered with status 200 and told none': () => ({ status: 200, headers: { 'endpoint-load-metrics': 'TEXT cpu_utilization=0.5' } }),
      'it answered with status 503 and told none': () => ({ ...told(0, 1), status: 503 }),
      'it answered with status 429 and told none': () => ({ ...told(0, 1), status: 429 }),
    }
    for (const [complaint, tell] of Object.entries(useless)) {
      let answer = tell
      const { balancer, clock, ask } = make({ perCall: 100, atOnce: 100 }, { choices: 16, pool: 0 }, () => answer())
      const endpoints = fakeEndpoints(2)
      balancer.asking!(ask)
      balancer(endpoints)
      learns(balancer, endpoints[0]!, clock, { ms: 10, status: 200 })
      learns(balancer, endpoints[1]!, clock, { ms: 20, status: 200 })
      await clock.advance(200)
      picks(balancer, endpoints, 1)
      await clock.advance(0)
      assert.equal(balancer(endpoints).explain!(endpoints[1]!), `asked for its load at /load, ${complaint}`)
      assert.deepEqual(new Set(picks(balancer, endpoints, 20)), new Set([endpoints[0]]))
      answer = () => told(1, 20)
      await clock.advance(200)
      picks(balancer, endpoints, 1)
      await clock.advance(0)
      assert.equal(balancer(endpoints).explain!(endpoints[1]!), undefined)
    }
  })

  test('are handed on by balancers that hold others', () => {
    const of = { type: 'prequal', probes: { path: '/load' } } as const
    for (const config of [{ type: 'zone-aware', zone: 'a', of }, { type: 'priority', of }, { type: 'aperture', of }, { type: 'subset', metadata: { zone: 'a' }, of }]) {
      const balancer = balancers.make(balancers.schema.parse(config as never), fakeRuntime())
      assert.equal(typeof balancer.asking, 'function', config.type)
    }
    assert.equal(balancers.make(balancers.schema.parse({ type: 'prequal' }), fakeRuntime()).asking, undefined)
  })

  test('need a path, and a sane pace', () => {
    for (const probes of [true, {}, { path: 'load' }, { path: '/a b' }, { path: '/a\r\nx: y' }, { path: '/', perCall: 0 }, { path: '/', quiet: 0 }, { path: '/', timeout: 0 }, { path: '/', atOnce: 0 }, { path: '/', rate: 3 }]) {
      assert.equal(prequal.config.safeParse({ probes }).success, false, JSON.stringify(probes))
    }
  })
})
