/**
 * Ten real servers, one of them at fault, and what stands between them and a caller: the mesh's balancers, undici's pools, HAProxy.
 * Rounds are interleaved, their order shuffled from a seed, so that what disturbs the machine for a while disturbs all alike;
 * the caller and the servers of an arrangement are processes of their own, and all arrangements get the same requests at the same times.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { getPriority, loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { seededRandom } from '../../src/testing/random.ts'
import { machine } from '../report.ts'
import { aligned } from '../../src/compare/table.ts'
import { arrangementNames, arrangementOf, type ArrangementName } from './arrangements.ts'
import type { Findings, Task } from './client.ts'
import { faultNames, faults, type Fault } from './faults.ts'
import { figuresOf, type Figures, type Go } from './figures.ts'
import { haproxyVersion } from '../haproxy.ts'
import type { Load } from './load.ts'
import { conditionsOf, missing, tableOf, type Results } from './page.ts'
import { save } from './save.ts'
import type { Conditions, Tally } from './upstream.ts'

const help = `node bench/tails/run.ts [options]
  --fault <name>        only this fault, and none; may be repeated (${faultNames.join(', ')})
  --arrangement <name>  only this arrangement; may be repeated (${arrangementNames.join(', ')})
  --rounds <n>          rounds, each every arrangement under every fault (3)
  --seed <n>            seed of the load and of the order (1)
  --smoke               a few seconds that show that everything runs
  --save                write bench/results/tails.json and docs/tails.md; of a whole run only
  --note <text>         kept with what is saved
All of it takes about four minutes. On a machine that does other things too, prefer it: nice -n -10 (as root).`

const { values } = parseArgs({
  options: {
    fault: { type: 'string', multiple: true },
    arrangement: { type: 'string', multiple: true },
    rounds: { type: 'string', default: '3' },
    seed: { type: 'string', default: '1' },
    smoke: { type: 'boolean', default: false },
    save: { type: 'boolean', default: false },
    note: { type: 'string', default: '' },
    help: { type: 'boolean', default: false },
  },
})

const whole = (name: 'rounds' | 'seed'): number => {
  const number = Number(values[name])
  if (Number.isSafeInteger(number) && number > 0) return number
  throw new RangeError(`--${name} takes a whole number above 0, not '${values[name]}'`)
}

/** Those of the names that were asked for, in their own order; all when none was. */
const chosen = <Name extends string>(option: 'fault' | 'arrangement', names: readonly Name[]): readonly Name[] => {
  const asked = values[option]
  const unknown = asked?.find((name) => !names.includes(name as Name))
  if (unknown !== undefined) throw new RangeError(`There is no ${option} '${unknown}'; there are ${names.join(', ')}`)
  return asked ? names.filter((name) => asked.includes(name)) : names
}

const load = values.smoke
  ? { rate: 200, settling: 0.1, counting: 0.2, rounds: 1, seed: whole('seed'), lanes: 4 }
  : { rate: 300, settling: 1, counting: 2, rounds: whole('rounds'), seed: whole('seed'), lanes: 3 }

/** The next message of a child process; rejects when it ends without one. */
const answerOf = <T>(child: ChildProcess): Promise<T> => new Promise((resolve, reject) => {
  const gone = (code: number | null): void => reject(new Error(`${child.spawnargs.slice(1).join(' ')} ended with ${code} before it answered`))
  child.once('exit', gone)
  child.once('message', (message) => {
    child.off('exit', gone)
    resolve(message as T)
  })
})

const ask = <T>(child: ChildProcess, message: Task | Conditions | 'tally'): Promise<T> => {
  const answer = answerOf<T>(child)
  child.send(message)
  return answer
}

const start = async (file: string, ...args: readonly string[]): Promise<ChildProcess> => {
  const child = fork(new URL(file, import.meta.url), args)
  await answerOf(child)
  return child
}

const shuffled = <T>(items: readonly T[], random: () => number): readonly T[] =>
  items.map((item) => ({ item, at: random() })).sort((a, b) => a.at - b.at).map(({ item }) => item)

type Goes = Readonly<Record<Fault, Go[]>>

/** An arrangement at work: its caller, and what was found of it so far, by fault and round. */
interface Runner {
  readonly name: ArrangementName
  readonly client: ChildProcess
  readonly goes: Goes
}

const startRunner = async (name: ArrangementName): Promise<Runner> => ({
  name,
  client: await start('client.ts', name),
  goes: Object.fromEntries(faultNames.map((fault): [Fault, Go[]] => [fault, []])) as Goes,
})

const go = async (upstream: ChildProcess, { name, client }: Runner, fault: Fault, asked: Load, seed: number): Promise<Go> => {
  const ports = await ask<number[]>(upstream, { fault, reports: arrangementOf(name).reports ?? false })
  const findings = await ask<Findings>(client, { ports, load: asked, seed })
  return { findings, tally: await ask<Tally>(upstream, 'tally') }
}

/** Each set of servers takes the next item as soon as it is free. */
const shareOut = async <T>(upstreams: readonly ChildProcess[], items: readonly T[], each: (upstream: ChildProcess, item: T) => Promise<void>): Promise<void> => {
  const waiting = items.values()
  await Promise.all(upstreams.map(async (upstream) => {
    for (const item of waiting) await each(upstream, item)
  }))
}

const play = async (upstreams: readonly ChildProcess[], runners: readonly Runner[], asked: readonly Fault[]): Promise<void> => {
  const random = seededRandom(load.seed)
  // Code is compiled by the time that counts.
  await shareOut(upstreams, runners, async (upstream, runner) => void await go(upstream, runner, 'none', { ...load, counting: 0 }, load.seed))
  for (let round = 1; round <= load.rounds; round++) {
    // All faults in a row, so that an arrangement is compared with itself a few seconds earlier or later.
    const order = shuffled(runners, random).map((runner) => ({ runner, inTurn: shuffled(asked, random) }))
    await shareOut(upstreams, order, async (upstream, { runner, inTurn }) => {
      for (const fault of inTurn) runner.goes[fault].push(await go(upstream, runner, fault, load, load.seed * 1_000 + round))
    })
    if (process.stderr.isTTY) process.stderr.write(`round ${round} of ${load.rounds}\n`)
  }
}

/** An arrangement that answers nothing when all is well is broken, and nothing it shows says anything. */
const checkWell = ({ name, goes }: Runner): void => {
  for (const { findings: { failed, calls, failures } } of goes.none) {
    if (failed.counted === calls.counted) throw new Error(`${name} failed every call although all servers were well: ${JSON.stringify(failures)}`)
  }
}

const rowsOf = (runners: readonly Runner[], fault: Fault): Readonly<Partial<Record<ArrangementName, Figures>>> =>
  Object.fromEntries(runners.map(({ name, goes }) => [name, figuresOf(goes[fault], goes.none)]))

const run = async (): Promise<void> => {
  if (values.save && (values.smoke || values.fault || values.arrangement)) throw new RangeError('--save keeps a whole run: leave out --smoke, --fault and --arrangement')
  const haproxy = haproxyVersion()
  const names = chosen('arrangement', arrangementNames)
  const lacking = names.filter((name) => arrangementOf(name).needs === 'haproxy' && haproxy === undefined)
  // Without the first, nothing tells what a fault changes.
  const asked = faultNames.filter((fault) => fault === 'none' || chosen('fault', faultNames).includes(fault))
  const { versions, ...place } = machine()
  const circumstances = {
    date: new Date().toISOString(),
    note: values.note,
    machine: { ...place, versions: { undici: versions['undici']!, ...(haproxy !== undefined && { HAProxy: haproxy }) } },
    load,
    priority: getPriority(),
    busy: loadavg()[0]!,
    notRun: Object.fromEntries(lacking.map((name) => [name, 'there is no haproxy (apt-get install haproxy)'])),
  }
  const runners = await Promise.all(names.filter((name) => !lacking.includes(name)).map(startRunner))
  const upstreams = await Promise.all(Array.from({ length: load.lanes }, () => start('upstream.ts')))
  try {
    await play(upstreams, runners, asked)
  } finally {
    for (const child of [...upstreams, ...runners.map(({ client }) => client)]) if (child.connected) child.disconnect()
  }
  runners.forEach(checkWell)
  const results: Results = { ...circumstances, rows: Object.fromEntries(asked.map((fault) => [fault, rowsOf(runners, fault)])) }
  console.log([conditionsOf(results), ...missing(results)].join('\n'))
  for (const fault of asked) console.log(`\n${faults[fault].title}. ${faults[fault].text}\n\n${aligned(tableOf(results, fault))}`)
  if (values.save) await save(results)
}

if (values.help) console.log(help)
else await run()
