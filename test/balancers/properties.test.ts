import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { Balancer } from '../../src/balancers/balancer.ts'
import { balancers } from '../../src/balancers/index.ts'
import { Call } from '../../src/core/call.ts'
import { Endpoint, type EndpointState } from '../../src/core/endpoint.ts'
import type { Reply } from '../../src/core/reply.ts'
import { RequestHead } from '../../src/core/request.ts'
import { slowStart } from '../../src/cluster/slow-start.ts'
import { fakeRuntime, seededRandom } from '../../src/testing/index.ts'

const odd = fc.constantFrom('', '__proto__', 'constructor', 'toString', '0', '1', '-1', '1e3', 'a', 'b', 'x'.repeat(10_000), '\u{1F4A9}', '["a","b"]')
const metadata = fc.dictionary(fc.constantFrom('zone', 'priority', 'stage', '__proto__', 'constructor'), odd, { maxKeys: 3 })
const weight = fc.oneof(fc.constant(1), fc.constantFrom(Number.MIN_VALUE, 1e-300, 0.1, 1 / 3, 1_000_000), fc.double({ min: 1e-6, max: 1e6, noNaN: true }))
const state = fc.constantFrom<EndpointState>('available', 'available', 'available', 'unchecked', 'ejected', 'probation', 'unhealthy')

const endpoint = fc.record({ metadata, weight, state, active: fc.nat(50), warming: fc.boolean() })
const fleet = fc.array(endpoint, { minLength: 1, maxLength: 40 }).map((some) => some.map(({ metadata, weight, state, active, warming }, index) =>
  Object.assign(new Endpoint({ id: `${'aA'[index % 2]!}${index >> 1}`, address: '10.0.0.1:80', weight, metadata }),
    { state, active, warmingSince: warming ? 1_000 : undefined })))

const key = fc.constantFrom({ header: 'x-key' }, { cookie: 'id' }, { query: 'q' }, { path: true as const })
const leaf = fc.oneof(
  fc.constantFrom('round-robin', 'random', 'least-request', 'peak-ewma', 'prequal', 'orca-wrr').map((type) => ({ type })),
  fc.record({ type: fc.constant('weighted'), bias: fc.constantFrom(0, 1, 10) }),
  fc.record({ type: fc.constant('ring-hash'), key, points: fc.constantFrom(1, 128) }),
  fc.record({ type: fc.constant('maglev'), key, tableSize: fc.constantFrom(2, 251), maxLoad: fc.constantFrom(1, 1.25) }),
)
const name = fc.constantFrom('zone', 'priority', 'stage', '__proto__', 'constructor')
/** Any balancer, and any that holds another, to a few levels. `subset` stands for itself: it may leave endpoints out. */
const { balancer } = fc.letrec<{ balancer: object }>((tie) => ({
  balancer: fc.oneof({ maxDepth: 3, withCrossShrink: true }, leaf,
    fc.record({ type: fc.constant('priority'), by: name, overprovisioning: fc.constantFrom(1, 1.4), of: tie('balancer') }),
    fc.record({ type: fc.constant('zone-aware'), zone: fc.constantFrom('a', 'nowhere'), by: name, minEndpoints: fc.constantFrom(1, 6), of: tie('balancer') }),
    fc.record({ type: fc.constant('aperture'), size: fc.constantFrom(1, 3, 12), of: tie('balancer') }),
    fc.record({ type: fc.constant('aperture'), size: fc.constantFrom(1, 3), peer: fc.constantFrom({ index: 0, count: 1 }, { index: 2, count: 7 }), of: tie('balancer') })),
}))
const holding = fc.oneof(balancer, fc.record({
  type: fc.constant('subset'), of: balancer, fallback: fc.constantFrom('any', 'none', { stage: 'a' }),
  metadata: fc.constantFrom({ stage: { header: 'x-key' } }, { stage: { query: 'q' }, zone: { cookie: 'id' } }),
}))

const request = fc.record({ value: odd, repeated: odd }).map(({ value, repeated }) => new RequestHead({
  method: 'GET', scheme: 'http', host: 'a.local', port: 80, path: `/?q=${encodeURIComponent(value)}&q=${encodeURIComponent(repeated)}&%`,
  headers: ['x-key', value, 'x-key', repeated, 'cookie', `id=${encodeURIComponent(value)}; id=; =;;`], body: undefined,
}))

const answer = fc.record({
  status: fc.constantFrom(undefined, 101, 200, 429, 500, 503),
  ms: fc.constantFrom(0, 1e-9, 10, 1e9),
  headers: fc.record({
    'retry-after': fc.constantFrom('0', '9'.repeat(400), 'Thu, 01 Jan 1970 00:00:00 GMT', '-1', 'NaN', ''),
    'endpoint-load-metrics': fc.constantFrom('', 'TEXT ', 'TEXT rps_fractional=1e308,cpu_utilization=1e-320', 'TEXT cpu_utilization=0,rps_fractional=0,eps=9e8',
      'TEXT named_metrics.rif=9e8,named_metrics.latency=9e8', 'TEXT named_metrics.rif=0,named_metrics.latency=0', `JSON ${'['.repeat(2_000)}`,
      'JSON {"__proto__":{"named_metrics":{"rif":1}},"named_metrics":null}', 'JSON {"cpu_utilization":0.5,"rps_fractional":100,"named_metrics":{"rif":1,"latency":1}}', `TEXT ${'eps='.repeat(500)}`),
  }),
})

const made = (config: object, window: number) => {
  const runtime = fakeRuntime(seededRandom(1))
  const plain = balancers.make(balancers.schema.parse(config as never), runtime)
  return { balancer: window > 0 ? slowStart(window, runtime)(plain) : plain, clock: runtime.clock }
}

/** All calls that a set can have: one attempt after another, each learnt from, until twice as many as there are endpoints. */
const callsThrough = (
  { balancer, clock }: ReturnType<typeof made>, endpoints: readonly Endpoint[], all: readonly Endpoint[],
  request: RequestHead, answers: readonly { status: number | undefined, ms: number, headers: object }[], check: (picked: Endpoint | undefined, call: Call) => void,
): void => {
  const pick = (balancer as Balancer)(endpoints, all)
  for (let turn = 0; turn < 4; turn++) {
    const call = new Call(request, clock)
    for (let attempt = 0; attempt <= endpoints.length; attempt++) {
      const picked = pick(call)
      check(picked, call)
      if (picked === undefined) break
      const begun = call.begin(picked, { active: 0, pending: 0 })
      const { status, ms, headers } = answers[(turn + attempt) % answers.length]!
      Object.assign(begun, { startedAt: clock.now() - ms, headAt: status === undefined ? 0 : clock.now(), status: status ?? 0 })
      if (status === undefined) begun.end(call.error('ENMESH_CONNECTION_RESET', 'scripted'))
      balancer.learn?.(begun, status === undefined ? undefined : { status, headers, attempt: begun } as unknown as Reply)
      for (const endpoint of all) assert.ok(typeof (pick.explain?.(endpoint, request) ?? '') === 'string')
    }
  }
}

const cases = { numRuns: 300, seed: 6 }

describe('whatever a registry lists, a request asks and an endpoint answers, a picker', () => {
  test('chooses from the set, and what a call has not tried as long as there is any', { timeout: 120_000 }, () => {
    fc.assert(fc.property(balancer, fleet, request, fc.array(answer, { minLength: 1, maxLength: 5 }), fc.constantFrom(0, 60_000), (config, all, request, answers, window) => {
      const available = all.filter(({ state }) => state === 'available')
      const endpoints = available.length > 0 ? available : all
      callsThrough(made(config, window), endpoints, all, request, answers, (picked, call) => {
        assert.ok(picked !== undefined && endpoints.includes(picked), 'not of the set')
        assert.ok(!call.hasTried(picked) || endpoints.every((one) => call.hasTried(one)), 'tried already')
      })
    }), cases)
  })

  test('that leaves endpoints out chooses from the others alone', { timeout: 120_000 }, () => {
    fc.assert(fc.property(holding, fleet, request, fc.array(answer, { minLength: 1, maxLength: 5 }), (config, all, request, answers) => {
      callsThrough(made(config, 0), all, all, request, answers, (picked) => assert.ok(picked === undefined || all.includes(picked)))
    }), cases)
  })
})
