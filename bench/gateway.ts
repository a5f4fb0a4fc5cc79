/**
 * A gateway of enmesh against a local HAProxy that does the same (match by prefix, rewrite prefix and Host, add `x-forwarded-*` and a request id) and against the least that
 * a proxy by `node:http` does, all before the same service. Each is a process of its own; rounds are interleaved, their order shuffled from a seed.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { cpuBetween, readCpu } from '../src/compare/proc.ts'
import { seededRandom } from '../src/testing/random.ts'
import { gatewayCaseNames, gatewayCases, type GatewayCase, type GatewayCaseName } from './gateway/cases.ts'
import { load } from './gateway/load.ts'
import { keepPace } from './gateway/pace.ts'
import { gatewayLines, gatewaySection, type GatewayResults, type GatewayRound, type Measured } from './gateway/page.ts'
import { openWays, type Way } from './gateway/ways.ts'
import { haproxyVersion } from './haproxy.ts'
import { withSection } from './page.ts'
import { machine } from './report.ts'
import { aligned } from '../src/compare/table.ts'

const help = `node bench/gateway.ts [options]
  --seconds <n>   of load for each way, case and round (1)
  --rounds <n>    rounds, each every way once (5)
  --smoke         one tiny round that only shows that every way works
  --save          write bench/results/gateway.json, and the section of docs/performance.md
  --note <text>   kept with what is saved
Takes about two and a half minutes.`

const { values } = parseArgs({ options: {
  seconds: { type: 'string' }, rounds: { type: 'string' }, smoke: { type: 'boolean', default: false },
  save: { type: 'boolean', default: false }, note: { type: 'string', default: '' }, help: { type: 'boolean', default: false },
} })

const positive = (name: 'seconds' | 'rounds', preset: number): number => {
  const number = Number(values[name] ?? preset)
  if (Number.isFinite(number) && number > 0) return number
  throw new RangeError(`--${name} takes a number above 0, not '${values[name]}'`)
}

const at = (sorted: readonly number[], share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!

const measure = async ({ port, prefix, pid }: Way, wanted: GatewayCase, seconds: number): Promise<Measured> => {
  const cpu = () => readCpu(pid === undefined ? [] : [pid])
  const before = cpu()
  const begun = performance.now()
  const took = (await load(port, prefix, wanted, seconds)).toSorted((a, b) => a - b)
  const used = cpuBetween(before, cpu()) * 1e6
  return {
    cpu: pid === undefined ? null : used / took.length, perSecond: took.length / (performance.now() - begun) * 1000,
    p50: at(took, 0.5), p99: at(took, 0.99), p999: at(took, 0.999),
  }
}

const shuffled = <T>(items: readonly T[], random: () => number): readonly T[] =>
  items.map((item) => ({ item, place: random() })).sort((a, b) => a.place - b.place).map(({ item }) => item)

const run = async (): Promise<void> => {
  if (values.save && values.smoke) throw new RangeError('--save keeps a whole run: leave out --smoke')
  const seconds = positive('seconds', values.smoke ? 0.1 : 1)
  const rounds = positive('rounds', values.smoke ? 1 : 5)
  const haproxy = haproxyVersion()
  const { versions, ...place } = machine()
  const circumstances = {
    date: new Date().toISOString(), note: [values.note, haproxy === undefined && 'HAProxy is not installed'].filter(Boolean).join('. '),
    machine: { ...place, versions: { undici: versions['undici']!, ...haproxy !== undefined && { HAProxy: haproxy } } },
  }
  const random = seededRandom(1)
  const pace = keepPace()
  const found = Object.fromEntries(gatewayCaseNames.map((name) => [name, [] as GatewayRound[]])) as Record<GatewayCaseName, GatewayRound[]>
  const open = await openWays(haproxy !== undefined)
  try {
    // Twice: what V8 has compiled for a GET alone it compiles again for the rest.
    if (!values.smoke) for (const name of ['cost', 'upload', 'large', 'cost'] as const) for (const way of open.ways) await measure(way, { ...gatewayCases[name], pace: 'eager' }, 1)
    for (const name of gatewayCaseNames) {
      const wanted: GatewayCase = gatewayCases[name]
      await open.pace(wanted.pace)
      pace.is(wanted.pace)
      for (let round = 0; round < rounds; round++) {
        const measured: Partial<Record<Way['name'], Measured>> = {}
        for (const way of shuffled(open.ways, random)) measured[way.name] = await measure(way, wanted, seconds)
        found[name].push(Object.fromEntries(open.ways.map((way) => [way.name, measured[way.name]!])))
      }
      pace.is('eager')
    }
  } finally {
    pace.is('eager')
    await open.close()
  }
  const results: GatewayResults = { ...circumstances, seconds, rounds: found }
  console.log(gatewayLines(results, aligned))
  if (values.save) await save(results)
}

const save = async (results: GatewayResults): Promise<void> => {
  const folder = new URL('results/', import.meta.url)
  const page = new URL('../docs/performance.md', import.meta.url)
  await mkdir(folder, { recursive: true })
  await writeFile(new URL('gateway.json', folder), `${JSON.stringify(results, undefined, 1)}\n`)
  await writeFile(page, withSection(await readFile(page, 'utf8'), 'gateway', gatewaySection(results)))
}

if (values.help) console.log(help)
else await run()
