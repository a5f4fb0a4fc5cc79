// What a pick costs: nanoseconds for each balancer and size of set, for a first attempt and for a second one.
import { balancers } from '../src/balancers/index.ts'
import type { Balancer, Picker } from '../src/balancers/balancer.ts'
import type { Call } from '../src/core/call.ts'
import type { Endpoint } from '../src/core/endpoint.ts'
import type { Reply } from '../src/core/reply.ts'
import { systemRuntime } from '../src/runtime/runtime.ts'
import { fakeCall, fakeEndpoints } from '../src/testing/index.ts'

const smoke = process.argv.includes('--smoke')
const sizes = [10, 1_000, 10_000]
const rounds = 5

/** The best of several rounds, since anything slower is another process's doing. */
const nanoseconds = (pick: Picker, call: Call, picks: number): number => {
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < rounds; round++) {
    const begun = process.hrtime.bigint()
    for (let turn = 0; turn < picks; turn++) pick(call)
    best = Math.min(best, Number(process.hrtime.bigint() - begun) / picks)
  }
  return Math.round(best * 10) / 10
}

const runtime = systemRuntime()

/** An answer of an endpoint after so many milliseconds, as balancers learn of it. */
const answered = (endpoint: Endpoint, ms: number, { learn }: Balancer): void => {
  endpoint.latency.observe(ms, runtime.clock.now())
  const attempt = fakeCall([], 'key', runtime.clock).begin(endpoint, { active: 0, pending: 0 })
  attempt.status = 200
  attempt.headAt = attempt.startedAt + ms
  const report = `TEXT named_metrics.rif=${Math.round(ms)},named_metrics.latency=${ms},application_utilization=${ms / 21},rps_fractional=100`
  learn?.(attempt, { status: 200, headers: { 'endpoint-load-metrics': report }, attempt } as unknown as Reply)
}

const table: Record<string, Record<string, number>> = {}
for (const { type } of balancers.kinds) {
  const balancer = balancers.make(balancers.schema.parse({ type }), runtime)
  for (const weighted of [false, true]) {
    const row: Record<string, number> = {}
    for (const size of sizes) {
      const endpoints = fakeEndpoints(size, weighted ? Array.from({ length: size }, (_, index) => 1 + index % 5) : [])
      const pick = balancer(endpoints)
      for (const endpoint of endpoints) answered(endpoint, 1 + runtime.random() * 20, balancer)
      row[`${size}, first`] = nanoseconds(pick, fakeCall(), smoke ? 1_000 : 500_000)
      row[`${size}, second`] = nanoseconds(pick, fakeCall(endpoints.slice(0, 1)), smoke ? 10 : 500_000 / Math.sqrt(size))
    }
    table[weighted ? `${type}, weighted` : type] = row
  }
}
console.log(`ns per pick, best of ${rounds} rounds; columns: endpoints, first or second attempt of the call`)
console.table(table)
