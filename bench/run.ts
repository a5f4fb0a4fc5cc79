/**
 * What a request costs: CPU, throughput and latency of each way of sending one.
 * Each mode runs in its own process, since order and neighbours inside one process change the result by half,
 * and the upstream in another. Rounds are interleaved, their order shuffled from a seed.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { seededRandom } from '../src/testing/random.ts'
import type { Measurement, Task } from './client.ts'
import { modeNames, type ModeName } from './modes.ts'
import { machine, print, summarize, type Round } from './report.ts'

const help = `npm run bench -- [options]
  --in-flight <n>   requests under way at once (32)
  --requests <n>    requests measured per mode and round (20000)
  --rounds <n>      rounds, each every mode once (7)
  --mode <name>     only this mode; may be repeated (${modeNames.join(', ')})
  --seed <n>        seed of the order in each round (1)
  --smoke           one tiny round that only shows that every mode works
  --save            write bench/results/latest.json`

const { values } = parseArgs({
  options: {
    'in-flight': { type: 'string', default: '32' },
    requests: { type: 'string', default: '20000' },
    rounds: { type: 'string', default: '7' },
    mode: { type: 'string', multiple: true },
    seed: { type: 'string', default: '1' },
    smoke: { type: 'boolean', default: false },
    save: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

const positive = (name: 'in-flight' | 'requests' | 'rounds'): number => {
  const number = Number(values[name])
  if (Number.isSafeInteger(number) && number > 0) return number
  throw new RangeError(`--${name} takes a whole number above 0, not '${values[name]}'`)
}

const chosenModes = (): readonly ModeName[] => {
  const unknown = values.mode?.find((name) => !modeNames.includes(name as ModeName))
  if (unknown) throw new RangeError(`There is no mode '${unknown}'; there are ${modeNames.join(', ')}`)
  return modeNames.filter((name) => values.mode?.includes(name) ?? true)
}

/** The first message of a child process; rejects when it ends without one. */
const answerOf = <T>(child: ChildProcess): Promise<T> => new Promise((resolve, reject) => {
  child.once('message', (message) => resolve(message as T))
  child.once('error', reject)
  child.once('exit', (code) => reject(new Error(`${child.spawnargs.slice(1).join(' ')} ended with ${code} before it answered`)))
})

const measure = async (task: Task): Promise<Measurement> => {
  const child = fork(new URL('client.ts', import.meta.url), [JSON.stringify(task)], { execArgv: ['--expose-gc'] })
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

const run = async (): Promise<void> => {
  const inFlight = positive('in-flight')
  const requests = values.smoke ? 500 : positive('requests')
  const warmUp = values.smoke ? 100 : Math.max(2_000, requests >> 1)
  const count = values.smoke ? 1 : positive('rounds')
  const modes = chosenModes()
  const random = seededRandom(Number(values.seed))
  const upstream = fork(new URL('upstream.ts', import.meta.url))
  try {
    const ports = await answerOf<number[]>(upstream)
    const rounds: Round[] = []
    for (let number = 1; number <= count; number++) {
      const round: Record<string, Measurement> = {}
      for (const mode of shuffle(modes, random)) round[mode] = await measure({ mode, ports, inFlight, warmUp, requests })
      rounds.push(round)
      if (process.stderr.isTTY) process.stderr.write(`round ${number} of ${count}\n`)
    }
    const rows = summarize(rounds, modes)
    console.log(`${inFlight} in flight, ${requests} requests × ${count} rounds, small JSON; median (min–max)\n\n${print(rows)}`)
    const load = { inFlight, requests, warmUp, rounds: count, seed: Number(values.seed) }
    if (values.save) await save({ machine: machine(), load, modes: rows })
  } finally {
    upstream.disconnect()
  }
}

const save = async (results: object): Promise<void> => {
  const folder = new URL('results/', import.meta.url)
  await mkdir(folder, { recursive: true })
  await writeFile(new URL('latest.json', folder), `${JSON.stringify(results, undefined, 2)}\n`)
}

if (values.help) console.log(help)
else await run()
