/**
 * Side by side with the sidecar: the same calls without a mesh, with one in the process, through a proxy, and with what people put together by hand;
 * on good days and on bad ones.
 */
import { parseArgs } from 'node:util'
import { wayOf, type Arrangement } from '../../src/compare/arrangement.ts'
import { arrangements as everywhere } from '../../src/compare/arrangements.ts'
import { cases } from '../../src/compare/cases.ts'
import { compare, writeResults } from '../../src/compare/compare.ts'
import { measureClients, type Lengths } from '../../src/compare/happy.ts'
import { exampleSituation, planCases } from '../../src/compare/services.ts'
import { seededRandom } from '../../src/testing/random.ts'

const { values } = parseArgs({ options: { only: { type: 'string', multiple: true }, case: { type: 'string', multiple: true }, out: { type: 'string', default: 'compare-report' } } })
const arrangements: readonly Arrangement[] = [...everywhere, { id: 'by-hand', title: 'by hand', kind: 'by-hand', client: 'fetch', way: new URL('by-hand.ts', import.meta.url).href, addresses: 'all', how: 'x', underFaults: true }]
const lengths: Lengths = { rounds: 1, warmUp: { requests: 2_000, milliseconds: 500 }, settling: 50, counted: 300 }
void wayOf
const results = await compare({
  command: 'npm run compare', rounds: 1, seed: 1, situation: exampleSituation(), packages: ['opossum', 'p-retry'], progress: (text) => process.stderr.write(`${text}\n`),
  arrangements: arrangements.filter(({ id }) => !values.only || values.only.includes(id)),
  measure: async (stage, runnable) => {
    const { planned } = await planCases(stage, cases.filter(({ id }) => !values.case || values.case.includes(id)))
    return { ...await measureClients(stage, runnable, planned, lengths, seededRandom(1), (text) => process.stderr.write(`${text}\n`)), faults: [] }
  },
})
console.log(writeResults(results, values.out))
for (const c of results.cases) for (const { arrangement, rounds: [r] } of c.measured) console.log(c.id, arrangement, r!.requests, r!.failed, r!.throughput.toFixed(0), r!.latency.p50, r!.latency.p99, JSON.stringify(r!.cpu), JSON.stringify(r!.memory), JSON.stringify(r!.sockets))
console.log(JSON.stringify(results.arrangements.filter((a) => a.notRun)), JSON.stringify(results.starts))
