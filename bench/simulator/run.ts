/**
 * Every balancer through every scenario, on virtual time: `node bench/simulator/run.ts` writes what `docs/balancing.md` shows.
 * The same seed gives the same files.
 */
import { parseArgs } from 'node:util'
import { aligned } from '../report.ts'
import { tableOf } from './page.ts'
import { save } from './save.ts'
import { scenarios } from './scenarios.ts'
import { study, type Result } from './study.ts'

const help = `node bench/simulator/run.ts [options]
  --scenario <name>   only this scenario; may be repeated (${scenarios.map(({ name }) => name).join(', ')})
  --algorithm <name>  only this algorithm; may be repeated
  --seed <n>          seed of all chance (1)
  --smoke             a few seconds that show that every scenario but the large one runs; writes nothing
All of it takes a few minutes, and is written to bench/results and docs/balancing.md; a part of it is only shown.`

const { values } = parseArgs({
  options: {
    scenario: { type: 'string', multiple: true },
    algorithm: { type: 'string', multiple: true },
    seed: { type: 'string', default: '1' },
    smoke: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

const chosen = values.scenario
  ? scenarios.filter(({ name }) => values.scenario!.includes(name))
  : values.smoke ? scenarios.slice(0, -1) : scenarios
const seed = Number(values.seed)

const run = async (): Promise<void> => {
  if (chosen.length === 0 || !Number.isSafeInteger(seed)) throw new RangeError(help)
  const results: Result[] = []
  for (const scenario of chosen) {
    const result = await study(scenario, seed, values.algorithm ?? (values.smoke ? ['prequal'] : undefined))
    results.push(result)
    console.log(`\n${result.name}: ${result.text}\n\n${aligned(tableOf(result))}`)
  }
  if (chosen.length === scenarios.length && !values.algorithm) await save({ seed, results })
}

if (values.help) console.log(help)
else await run()
