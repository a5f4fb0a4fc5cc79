/**
 * Side by side with the sidecar: the same calls without a mesh, with one in the process, through a proxy beside it, and with what people put together
 * by hand; on good days and on bad ones. It is compiled before it runs, since TypeScript in a process costs time and memory that no service has.
 */
import { parseArgs } from 'node:util'
import type { Arrangement } from '../../src/compare/arrangement.ts'
import { arrangements as everywhere } from '../../src/compare/arrangements.ts'
import { cases } from '../../src/compare/cases.ts'
import { compare } from '../../src/compare/compare.ts'
import { faults } from '../../src/compare/faults/index.ts'
import { runFaults } from '../../src/compare/faults/run.ts'
import { measureClients, resultOf } from '../../src/compare/happy.ts'
import { whyUnwritable, writeReport } from '../../src/compare/report/report.ts'
import { exampleSituation, planCases } from '../../src/compare/services.ts'
import { summary } from '../../src/compare/summary.ts'
import { progressOf } from '../../src/compare/progress.ts'
import { seededRandom } from '../../src/testing/random.ts'
import { lengthsOf } from './lengths.ts'
import { save } from './save.ts'
import { measureShop, shopCases } from './shop.ts'

const arrangements: readonly Arrangement[] = [...everywhere, {
  id: 'by-hand', title: 'by hand', kind: 'by-hand', client: 'fetch', addresses: 'all', underFaults: true,
  way: new URL(`by-hand${import.meta.url.slice(import.meta.url.lastIndexOf('.'))}`, import.meta.url).href,
  how: "undici's fetch with a keep-alive agent to all instances by turns, opossum's breaker and timeout around each attempt, p-retry around both. One breaker for the service, as usual: when it opens, it refuses calls for 5 s; the mesh's is off here.",
}]
const allCases = [...cases, ...shopCases]

const idsOf = (all: readonly { readonly id: string }[]): string => all.map(({ id }) => id).join(', ')

const help = `npm run compare -- [options]
  --quick        a look within 3 minutes: one round, short windows, a registry that is less far behind; its figures are rough
  --only <id>    only this arrangement; may be repeated (${idsOf(arrangements)})
  --case <id>    only this case; may be repeated; none for none (${idsOf(allCases)})
  --fault <id>   only this fault; may be repeated; none for none (${idsOf(faults)})
  --rounds <n>   rounds of the cases, each with every arrangement (3); faults have two at most
  --seed <n>     seed of the order in each round (1)
  --out <dir>    where the report goes (compare-report)
  --json         the results on stdout in place of the summary
  --save         keep them: bench/results/compare.json and docs/comparison.md; of a whole run only
All of it takes less than 20 minutes on two cores.`

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true },
    case: { type: 'string', multiple: true },
    fault: { type: 'string', multiple: true },
    rounds: { type: 'string' },
    seed: { type: 'string', default: '1' },
    out: { type: 'string', default: 'compare-report' },
    json: { type: 'boolean', default: false },
    save: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

const whole = (name: 'rounds' | 'seed'): number => {
  const number = Number(values[name])
  if (Number.isSafeInteger(number) && number > 0) return number
  throw new RangeError(`--${name} takes a whole number above 0, not '${values[name]}'`)
}

/** Those that were asked for, in their own order; all when none was. */
const chosen = <Item extends { readonly id: string }>(option: 'only' | 'case' | 'fault', all: readonly Item[]): readonly Item[] => {
  const asked = values[option]
  if (!asked) return all
  const known = [...all.map(({ id }) => id), ...option === 'only' ? [] : ['none']]
  const unknown = asked.find((id) => !known.includes(id))
  if (unknown !== undefined) throw new RangeError(`--${option} knows no '${unknown}'; there are ${known.join(', ')}`)
  return all.filter(({ id }) => asked.includes(id))
}

const run = async (): Promise<void> => {
  if (values.save && (values.quick || values.only || values.case || values.fault)) throw new RangeError('--save keeps a whole run: leave out --quick, --only, --case and --fault')
  const lengths = lengthsOf(values.quick, values.rounds === undefined ? undefined : whole('rounds'))
  const seed = whole('seed')
  const asked = { arrangements: chosen('only', arrangements), cases: chosen('case', allCases), faults: chosen('fault', faults) }
  const random = seededRandom(seed)
  const why = await whyUnwritable(values.out)
  if (why !== undefined) throw new RangeError(`no report can be written to ${values.out} (${why}): name another directory after --out`)
  const progress = progressOf(process.stderr)
  const results = await compare({
    command: ['npm run compare', ...process.argv.length > 2 ? ['--', ...process.argv.slice(2)] : []].join(' '),
    rounds: lengths.cases.rounds, seed, situation: exampleSituation(), packages: ['opossum', 'p-retry'],
    arrangements: asked.arrangements,
    async measure(stage, runnable) {
      const { planned, lacking } = await planCases(stage, cases.filter((each) => asked.cases.includes(each)))
      const clients = await measureClients(stage, runnable, planned, lengths.cases, random, progress.say)
      const whole = runnable.filter(({ id }) => !clients.broken.has(id))
      const shop = await measureShop(stage, whole, shopCases.filter((each) => asked.cases.includes(each)), lengths.shop, random, progress.say)
      const faulted = await runFaults(stage, whole.filter(({ underFaults }) => underFaults), asked.faults, lengths.faults, random, progress.say)
      return {
        cases: [...clients.cases, ...lacking.map((each) => resultOf(each)), ...shop.cases],
        starts: clients.starts, faults: faulted.faults,
        broken: new Map([...clients.broken, ...shop.broken, ...faulted.broken]),
      }
    },
  })
  progress.end()
  await writeReport(results, values.out)
  if (values.save) await save(results)
  console.log(values.json ? JSON.stringify(results) : `${summary(results)}\n\nThe report is ${values.out}/index.html, the raw results ${values.out}/results.json.`)
}

if (values.help) console.log(help)
else await run()
