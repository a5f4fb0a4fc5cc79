/**
 * What a request costs: CPU, throughput, latency and memory of each way of sending one.
 * Each mode runs in its own process, since order and neighbours inside one process change the result by half,
 * and the upstream in another. Rounds are interleaved, their order shuffled from a seed.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { seededRandom } from '../src/testing/random.ts'
import { caseNames, cases, requestsOf, type CaseName, type Pace } from './cases.ts'
import type { Measurement, Task } from './client.ts'
import { modeNames, type ModeName } from './modes.ts'
import { circumstances, loadOf, machine, summarize, tables, type Results, type Round, type Rows } from './report.ts'
import { aligned } from '../src/compare/table.ts'
import { saveRun } from './save.ts'


const help = `npm run bench -- [options]
  --case <name>     only this case; may be repeated (${caseNames.join(', ')})
  --mode <name>     only this mode; may be repeated (${modeNames.join(', ')})
  --requests <n>    requests measured per mode and round in the base case, fewer where a case's are dearer (20000)
  --rounds <n>      rounds, each every mode once (7)
  --seed <n>        seed of the order in each round (1)
  --quick           a minute or two: the base case, 3 rounds of 3000 requests
  --smoke           one tiny round that only shows that every mode works
  --save            write bench/results/latest.json and latest.svg, and the tables of docs/performance.md
  --note <text>     kept with what is saved
All cases with 7 rounds take about an hour.`

const { values } = parseArgs({
  options: {
    case: { type: 'string', multiple: true },
    mode: { type: 'string', multiple: true },
    requests: { type: 'string' },
    rounds: { type: 'string' },
    seed: { type: 'string', default: '1' },
    quick: { type: 'boolean', default: false },
    smoke: { type: 'boolean', default: false },
    save: { type: 'boolean', default: false },
    note: { type: 'string', default: '' },
    help: { type: 'boolean', default: false },
  },
})

/** What is run when nothing else is said. The cases of a smoke run read in both ways that there are. */
const preset: { readonly requests: number, readonly rounds: number, readonly warmUp: number, readonly cases: readonly CaseName[] } =
  values.smoke ? { requests: 500, rounds: 1, warmUp: 100, cases: ['base', '10 MiB streamed'] }
    : values.quick ? { requests: 5_000, rounds: 3, warmUp: 10_000, cases: ['base'] }
      : { requests: 20_000, rounds: 7, warmUp: 40_000, cases: caseNames }

const positive = (name: 'requests' | 'rounds'): number => {
  const number = Number(values[name] ?? preset[name])
  if (Number.isSafeInteger(number) && number > 0) return number
  throw new RangeError(`--${name} takes a whole number above 0, not '${values[name]}'`)
}

/** Those of the names that were asked for, in their own order; all that `unasked` has when none was. */
const chosen = <Name extends string>(option: 'case' | 'mode', names: readonly Name[], unasked: readonly Name[]): readonly Name[] => {
  const asked = values[option]
  const unknown = asked?.find((name) => !names.includes(name as Name))
  if (unknown !== undefined) throw new RangeError(`There is no ${option} '${unknown}'; there are ${names.join(', ')}`)
  return asked ? names.filter((name) => asked.includes(name)) : unasked
}

/** The first message of a child process; rejects when it ends without one. */
const answerOf = <T>(child: ChildProcess): Promise<T> => new Promise((resolve, reject) => {
  child.once('message', (message) => resolve(message as T))
  child.once('error', reject)
  child.once('exit', (code) => reject(new Error(`${child.spawnargs.slice(1).join(' ')} ended with ${code} before it answered`)))
})

const measure = async (task: Task): Promise<Measurement> => {
  const child = fork(new URL('client.ts', import.meta.url), [JSON.stringify(task)])
  const exit = once(child, 'exit')
  const measurement = await answerOf<Measurement>(child)
  await exit
  return measurement
}

const shuffle = <T>(items: readonly T[], random: () => number): T[] => {
  const shuffled = [...items]
  for (let last = shuffled.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1))
    ;[shuffled[last], shuffled[other]] = [shuffled[other]!, shuffled[last]!]
  }
  return shuffled
}

const load = { requests: positive('requests'), rounds: positive('rounds'), seed: Number(values.seed) }

const runCase = async (name: CaseName, modes: readonly ModeName[], ports: readonly number[]): Promise<Rows> => {
  const random = seededRandom(load.seed)
  const requests = requestsOf(name, load.requests)
  const warmUp = requestsOf(name, preset.warmUp)
  const rounds: Round[] = []
  for (let number = 1; number <= load.rounds; number++) {
    const round: Partial<Record<ModeName, Measurement>> = {}
    for (const mode of shuffle(modes, random)) round[mode] = await measure({ mode, case: name, ports, warmUp, requests })
    rounds.push(round)
    if (process.stderr.isTTY) process.stderr.write(`${name}: round ${number} of ${load.rounds}\n`)
  }
  return summarize(rounds, modes)
}

const overUpstream = async <T>(pace: Pace, task: (ports: readonly number[]) => Promise<T>): Promise<T> => {
  const upstream = fork(new URL('upstream.ts', import.meta.url), [pace])
  try {
    return await task(await answerOf<number[]>(upstream))
  } finally {
    upstream.disconnect()
  }
}

const run = async (): Promise<void> => {
  const modes = chosen('mode', modeNames, modeNames)
  const names = chosen('case', caseNames, preset.cases)
  const measured: Partial<Record<CaseName, Rows>> = {}
  const results: Results = { date: new Date().toISOString(), note: values.note, machine: machine(), load, cases: measured }
  console.log(`${circumstances(results)}\nmedian (min–max) of the rounds; × is the ratio to another mode, paired by round`)
  for (const name of names) {
    const rows = await overUpstream(cases[name].pace, (ports) => runCase(name, modes, ports))
    measured[name] = rows
    console.log([`\n${name}: ${loadOf(name, load)}`, ...tables(name, rows).map(aligned)].join('\n\n'))
  }
  if (values.save) await saveRun(results)
}

if (values.help) console.log(help)
else await run()
