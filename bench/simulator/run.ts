/**
 * Every balancer through every scenario, on virtual time: `node bench/simulator/run.ts` writes what `docs/balancing.md` shows.
 * The same seeds give the same files.
 */
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { aligned } from '../../src/compare/table.ts'
import { tableOf } from './page.ts'
import { Players } from './players.ts'
import { save } from './save.ts'
import { scenarios } from './scenarios.ts'
import { study, type Result } from './study.ts'

const help = `node bench/simulator/run.ts [options]
  --scenario <name>   only this scenario; may be repeated (${scenarios.map(({ name }) => name).join(', ')})
  --algorithm <name>  only this algorithm; may be repeated
  --seed <n>          the first of the seeds, each of which is all the chance of a run (1)
  --seeds <n>         so many seeds in a row (5)
  --threads <n>       runs at once; figures do not depend on it (as many as the machine has cores: ${availableParallelism()})
  --smoke             a few seconds that show that every scenario but the large one runs; writes nothing
All of it takes about ten minutes of two cores, and is written to bench/results and docs/balancing.md; a part of it is only shown.`

const { values } = parseArgs({
  options: {
    scenario: { type: 'string', multiple: true },
    algorithm: { type: 'string', multiple: true },
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '5' },
    threads: { type: 'string', default: String(availableParallelism()) },
    smoke: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

const chosen = values.scenario
  ? scenarios.filter(({ name }) => values.scenario!.includes(name))
  : values.smoke ? scenarios.slice(0, -1) : scenarios

const whole = (name: 'seed' | 'seeds' | 'threads'): number => {
  const number = Number(values[name])
  if (Number.isSafeInteger(number) && number > 0) return number
  throw new RangeError(`--${name} takes a whole number above 0, not '${values[name]}'\n\n${help}`)
}

const run = async (): Promise<void> => {
  if (chosen.length === 0) throw new RangeError(`There is no scenario of that name.\n\n${help}`)
  const seeds = Array.from({ length: values.smoke ? 1 : whole('seeds') }, (_, index) => whole('seed') + index)
  const players = new Players(whole('threads'))
  try {
    const only = values.algorithm ?? (values.smoke ? ['prequal'] : undefined)
    const results: Result[] = []
    const show = (result: Result): void => console.log(`\n${result.name}: ${result.text}\n\n${aligned(tableOf(result))}`)
    // All are asked for at once, so that no thread waits for the last of a scenario; they are shown in their order.
    const asked = chosen.map((scenario) => study(scenario, seeds, players.play, only))
    for (const result of asked) {
      results.push(await result)
      show(results.at(-1)!)
    }
    if (chosen.length === scenarios.length && !values.algorithm) await save({ seeds, results })
  } finally {
    await players.close()
  }
}

if (values.help) console.log(help)
else await run()
