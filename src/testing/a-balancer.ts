import assert from 'node:assert/strict'
import type { Balancer, Picker } from '../balancers/balancer.ts'
import { balancers } from '../balancers/index.ts'
import { Call } from '../core/call.ts'
import { Endpoint } from '../core/endpoint.ts'
import type { AnyKind, Family } from '../core/family.ts'
import { RequestHead } from '../core/request.ts'
import type { Clock } from '../runtime/clock.ts'
import { FakeClock } from './fake-clock.ts'
import { fakeRuntime } from './fake-runtime.ts'
import { seededRandom } from './random.ts'
import { limit, nodeRunner, type Runner } from './runner.ts'

/** Makes endpoints without a history: `10.0.0.1:80` and on, or with these weights. */
export const fakeEndpoints = (count: number, weights: readonly number[] = []): Endpoint[] =>
  Array.from({ length: count }, (_, index) => new Endpoint({
    address: `10.${index >> 16}.${(index >> 8) & 255}.${(index & 255) + 1}:80`,
    ...(weights[index] !== undefined && { weight: weights[index] }),
  }))

/** Makes a call to give to a picker, with attempts at these endpoints behind it, and a key of its own for hashing. */
export const fakeCall = (tried: readonly Endpoint[] = [], hashKey = 'key', clock: Clock = new FakeClock()): Call => {
  const request = new RequestHead({ method: 'GET', scheme: 'http', host: 'a.local', port: 80, path: '/', headers: [], body: undefined })
  const call = new Call(request, clock, { hashKey })
  for (const endpoint of tried) call.begin(endpoint, { active: 0, pending: 0 })
  return call
}

const sizes = [1, 2, 3, 1_000]

/**
 * What every balancer must do, as tests.
 * `options` is what a user would write beside `type`; kinds that hold others may hold those that come with the mesh, and themselves.
 * The runner is `node:test` by default; under Vitest pass `{ describe, test }` of `vitest`.
 */
export const aBalancer = (kind: AnyKind<Balancer>, options: object = {}, { describe, test }: Runner = nodeRunner()): void => {
  // By a table, since a kind that holds others is made by the one that knows them.
  const table = balancers.with(kind) as unknown as Family<Balancer, AnyKind<Balancer>>
  const config = table.schema.parse({ ...options, type: kind.type })
  const make = (seed = 1): Balancer => table.make(config, fakeRuntime(seededRandom(seed)))
  describe(`${kind.type} ${JSON.stringify(options)} is a balancer:`, () => {
    test('it finds nothing in an empty set', limit, () => {
      const pick = make()([])
      assert.equal(pick(fakeCall()), undefined)
      assert.equal(pick(fakeCall(fakeEndpoints(1))), undefined)
    })
    test('it picks the only endpoint, tried or not', limit, () => {
      const [only] = fakeEndpoints(1)
      const pick = make()([only!])
      assert.equal(pick(fakeCall()), only)
      assert.equal(pick(fakeCall([only!])), only)
    })
    for (const size of sizes) {
      test(`it picks members of a set of ${size}`, limit, () => {
        const endpoints = fakeEndpoints(size)
        const members = new Set(endpoints)
        const pick = make()(endpoints)
        for (let turn = 0; turn < 200; turn++) assert.ok(members.has(pick(fakeCall([], `key ${turn}`))!))
      })
    }
    test('it never picks a tried endpoint while another is there', limit, () => {
      for (const size of [2, 3, 10]) {
        const endpoints = fakeEndpoints(size)
        const pick = make()(endpoints)
        for (let turn = 0; turn < 200; turn++) avoidsTried(pick, endpoints, turn)
      }
    })
    test('it never picks a tried endpoint when the others look worse', limit, () => {
      const endpoints = fakeEndpoints(3)
      const pick = make()(endpoints)
      for (const endpoint of endpoints) endpoint.latency.observe(5_000, 1_000)
      for (const endpoint of endpoints) endpoint.active = 100
      const best = endpoints[1]!
      best.active = 0
      best.latency.observe(0, 1_000_000)
      for (let turn = 0; turn < 200; turn++) assert.notEqual(pick(fakeCall([best], `key ${turn}`)), best)
    })
    test('it picks again from all once all are tried, or when those tried are gone', limit, () => {
      const endpoints = fakeEndpoints(3)
      const pick = make()(endpoints)
      for (let turn = 0; turn < 50; turn++) {
        assert.ok(endpoints.includes(pick(fakeCall(endpoints, `key ${turn}`))!))
        assert.ok(endpoints.includes(pick(fakeCall([new Endpoint({ address: 'gone.local:80' })], `key ${turn}`))!))
      }
    })
    test('it reaches every endpoint', limit, () => {
      const endpoints = fakeEndpoints(10)
      const pick = make()(endpoints)
      const seen = new Set<Endpoint | undefined>()
      for (let turn = 0; turn < 2_000; turn++) seen.add(pick(fakeCall([], `key ${turn}`)))
      assert.equal(seen.size, endpoints.length)
    })
    test('a second attempt reaches every other endpoint', limit, () => {
      const endpoints = fakeEndpoints(5)
      const pick = make()(endpoints)
      const seen = new Set<Endpoint | undefined>()
      for (let turn = 0; turn < 2_000; turn++) seen.add(pick(fakeCall([endpoints[0]!], `key ${turn}`)))
      assert.equal(seen.size, endpoints.length - 1)
    })
    test('two pickers share nothing: what one does leaves the other as it was', limit, () => {
      const endpoints = fakeEndpoints(7)
      const picks = (between: () => void): (string | undefined)[] => {
        const pick = make(3)(endpoints)
        return Array.from({ length: 100 }, (_, turn) => {
          between()
          return pick(fakeCall([], `key ${turn}`))?.id
        })
      }
      const alone = picks(() => {})
      const neighbour = make(4)(fakeEndpoints(7))
      assert.deepEqual(picks(() => { neighbour(fakeCall()) }), alone)
    })
    test('prepared for another set, it picks from that one, and leaves the set it was given alone', limit, () => {
      const balancer = make()
      const endpoints = fakeEndpoints(5)
      balancer(endpoints)(fakeCall())
      for (const left of [endpoints.slice(0, 2), endpoints.slice(3), [...endpoints, ...fakeEndpoints(9).slice(5)]]) {
        const order = [...left]
        const pick = balancer(Object.freeze(left))
        const seen = new Set<Endpoint | undefined>()
        for (let turn = 0; turn < 1_000; turn++) seen.add(pick(fakeCall([], `key ${turn}`)))
        assert.deepEqual(seen, new Set(left))
        assert.deepEqual(left, order)
      }
    })
  })
}

/** Picks for one call until it has tried all, and checks that none comes twice. */
const avoidsTried = (pick: Picker, endpoints: readonly Endpoint[], turn: number): void => {
  const tried: Endpoint[] = []
  while (tried.length < endpoints.length) {
    const picked = pick(fakeCall(tried, `key ${turn}`))
    assert.ok(picked && !tried.includes(picked), `${picked?.id ?? 'nothing'} is picked again although others are left`)
    tried.push(picked)
  }
}
