// What a pick costs: nanoseconds for each balancer and size of set, for a first attempt and for a second one; and what preparing for a set costs.
import { balancers } from '../src/balancers/index.ts'
import type { Balancer, Picker } from '../src/balancers/balancer.ts'
import { Call } from '../src/core/call.ts'
import { Endpoint } from '../src/core/endpoint.ts'
import type { Reply } from '../src/core/reply.ts'
import { systemRuntime } from '../src/runtime/runtime.ts'
import { aRequest, fakeCall } from '../src/testing/index.ts'

const smoke = process.argv.includes('--smoke')
const sizes = [10, 1_000, 10_000]
const rounds = 5

/** The options that are measured for each kind; those that hold others hold the cheapest, so the difference is their own. */
const of = { type: 'random' }
const variants: Readonly<Record<string, readonly object[]>> = {
  'weighted': [{}, { bias: 1 }],
  'prequal': [{}, { probes: { path: '/load' } }],
  'ring-hash': [{}, { maxLoad: 1.25 }, { key: { header: 'x-user' } }, { key: { cookie: 'session' } }],
  'maglev': [{}, { maxLoad: 1.25 }],
  'aperture': [{ of }, { of, peer: { index: 7, count: 100 } }],
  'zone-aware': [{ of, zone: 'a' }, { of, zone: 'b' }],
  'priority': [{ of }],
  'subset': [{ of, metadata: { zone: { header: 'x-zone' } } }],
}

/** The best of several rounds, since anything slower is another process's doing. */
const best = (measure: () => number): number => Math.min(...Array.from({ length: rounds }, measure))

const since = (begun: bigint): number => Number(process.hrtime.bigint() - begun)

const nanoseconds = (pick: Picker, calls: readonly Call[], picks: number): number => Math.round(10 * best(() => {
  const begun = process.hrtime.bigint()
  for (let turn = 0; turn < picks; turn++) pick(calls[turn % calls.length]!)
  return since(begun) / picks
})) / 10

const milliseconds = (balancer: Balancer, endpoints: readonly Endpoint[]): number => Math.round(100 * best(() => {
  const begun = process.hrtime.bigint()
  balancer(endpoints)(fakeCall())
  return since(begun) / 1e6
})) / 100

const runtime = systemRuntime()

/** Endpoints with a history, in two zones of unequal size, all of one level. */
const endpointsOf = (size: number, isWeighted: boolean): Endpoint[] => Array.from({ length: size }, (_, index) => {
  const endpoint = new Endpoint({
    address: `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}:80`,
    weight: isWeighted ? 1 + index % 5 : 1,
    metadata: { zone: index % 3 === 0 ? 'b' : 'a' },
  })
  return endpoint
})

/** An answer of an endpoint after so many milliseconds, as balancers learn of it. */
const answer = (endpoint: Endpoint, ms: number, { learn }: Balancer): void => {
  endpoint.latency.observe(ms, runtime.clock.now())
  const attempt = fakeCall([], 'key', runtime.clock).begin(endpoint, { active: 0, pending: 0 })
  attempt.headAt = attempt.startedAt + ms
  const report = `TEXT named_metrics.rif=${Math.round(ms)},named_metrics.latency=${ms},application_utilization=${ms / 21},rps_fractional=100`
  learn?.(attempt, { status: 200, headers: { 'endpoint-load-metrics': report }, attempt } as unknown as Reply)
}

/** Calls with different keys, given or to be read from the request; as first attempts, or as second ones after an attempt at an endpoint. */
const callsOf = (tried: readonly Endpoint[], isKeyed: boolean): readonly Call[] => Array.from({ length: 64 }, (_, index) => {
  const user = `user-${index}`
  const request = aRequest({ headers: ['accept', '*/*', 'x-user', user, 'x-zone', 'a', 'cookie', `theme=dark; session=${user}`] })
  const call = new Call(request, runtime.clock, isKeyed ? { hashKey: user } : {})
  for (const endpoint of tried) call.begin(endpoint, { active: 0, pending: 0 })
  return call
})

const table: Record<string, Record<string, number>> = {}
for (const { type } of balancers.kinds) {
  for (const options of variants[type] ?? [{}]) {
    const balancer = balancers.make(balancers.schema.parse({ type, ...options } as never), runtime)
    // Whoever asks is answered never, so that the asking itself is not measured.
    balancer.asking?.(() => new Promise(() => {}))
    for (const isWeighted of [false, true]) {
      const row: Record<string, number> = {}
      for (const size of sizes) {
        const endpoints = endpointsOf(size, isWeighted)
        const pick = balancer(endpoints)
        // Once picked for: a balancer within another is prepared when it is first asked.
        pick(fakeCall())
        for (const endpoint of endpoints) answer(endpoint, 1 + runtime.random() * 20, balancer)
        row[`${size}, first`] = nanoseconds(pick, callsOf([], !('key' in options)), smoke ? 1_000 : 500_000)
        row[`${size}, second`] = nanoseconds(pick, callsOf(endpoints.slice(0, 1), !('key' in options)), smoke ? 10 : 500_000 / Math.sqrt(size))
      }
      row['ms to prepare 10000'] = milliseconds(balancer, endpointsOf(10_000, isWeighted))
      const { of: _, ...shown } = options as { of?: unknown }
      table[`${type}${Object.keys(shown).length > 0 ? ` ${JSON.stringify(shown).replaceAll('"', '')}` : ''}${isWeighted ? ', weighted' : ''}`] = row
    }
  }
}
console.log(`ns per pick, best of ${rounds} rounds; columns: endpoints, first or second attempt of the call`)
console.table(table)
