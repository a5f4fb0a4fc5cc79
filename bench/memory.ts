/**
 * What a mesh takes before any traffic, and how long a large set of endpoints holds up the event loop.
 * Each figure comes from processes that do nothing else: `node bench/memory.ts [--save] [--note <text>]`.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { performance } from 'node:perf_hooks'
import { setImmediate } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { balancers, createMesh, registries, type EndpointSpec } from '../src/index.ts'
import { FakeRegistry } from '../src/testing/index.ts'
import { memoryTable, type Finding, type MemoryResults } from './findings.ts'
import { aligned, circumstances, machine, spread, type Spread } from './report.ts'
import { saveMemory } from './save.ts'

const largest = 10_000
const addresses = (count: number, net: number): readonly EndpointSpec[] => Array.from({ length: count }, (_, index) =>
  ({ address: `10.${net}.${index >> 8}.${index & 255}:8080`, id: `i-${net}-${index}`, metadata: { zone: `zone-${index % 3}` } }))

/** MiB in use once what is garbage is gone. */
const inUse = async (): Promise<{ readonly heap: number, readonly rss: number }> => {
  for (let turn = 0; turn < 5; turn++) {
    await setImmediate()
    globalThis.gc!()
  }
  const { heapUsed, rss } = process.memoryUsage()
  return { heap: heapUsed / 1024 ** 2, rss: rss / 1024 ** 2 }
}

const fiftyByFifty = async (): Promise<object> => {
  const names = Array.from({ length: 50 }, (_, index) => `service-${index}`)
  const mesh = createMesh({
    services: Object.fromEntries(names.map((name) => [`${name}.local`, { cluster: name }])),
    clusters: Object.fromEntries(names.map((name, index) =>
      [name, { registry: { type: 'static', endpoints: addresses(50, index).map(({ address }) => address) } }])),
  })
  await mesh.ready()
  const found = await inUse()
  await mesh.close()
  return found
}

/** Milliseconds of the longest turn of the event loop from now until all that a task sets off is done. */
const longestTurn = async (task: () => void): Promise<number> => {
  let longest = 0
  let last = performance.now()
  task()
  for (let turn = 0; turn < 50; turn++) {
    await setImmediate()
    const now = performance.now()
    longest = Math.max(longest, now - last)
    last = now
  }
  return longest
}

/** Milliseconds of CPU that this thread has had so far. */
const threadCpu = (): number => {
  const { user, system } = (process as unknown as { threadCpuUsage(): NodeJS.CpuUsage }).threadCpuUsage()
  return (user + system) / 1000
}

interface Replacing {
  /** Milliseconds of the longest turn, for each set. */
  readonly turns: readonly number[]
  /** Milliseconds of the thread's CPU for a set, on average: what a turn would take if nothing else wanted the core. */
  readonly cpu: number
}

/** What kinds need beside their type. */
const needed: Readonly<Record<string, object>> = { 'zone-aware': { zone: 'a' }, 'subset': { metadata: { version: '1' } } }

/** Ten sets, each of which takes the place of the one before, none of its endpoints staying. */
const replacing = async (balancer: string): Promise<Replacing> => {
  const fake = new FakeRegistry()
  const mesh = createMesh({
    services: { 'large.local': { cluster: 'large' } },
    clusters: { large: { registry: { type: 'fake' }, balancer: { type: balancer as 'random', ...needed[balancer] } } },
  }, { registries: registries.with(fake.kind) })
  fake.push(...addresses(largest, 0))
  await mesh.ready()
  const turns: number[] = []
  let cpu = 0
  for (let net = 1; net <= 10; net++) {
    // Made when it is needed, as a registry would: sets made in advance would be work for the collector in each turn.
    const next = addresses(largest, net)
    const before = threadCpu()
    turns.push(await longestTurn(() => fake.push(...next)))
    cpu += threadCpu() - before
  }
  await mesh.close()
  return { turns, cpu: cpu / turns.length }
}

/** Runs one of the jobs above in a process of its own. */
const elsewhere = async <T>(job: string, options: readonly string[] = []): Promise<T> => {
  const child = fork(new URL(import.meta.url), [], { execArgv: ['--expose-gc', ...options], env: { ...process.env, ENMESH_BENCH_JOB: job } })
  const [answer] = await once(child, 'message') as [T]
  return answer
}

const work = (job: string): Promise<unknown> => job === 'nothing' ? inUse() : job === '50 × 50' ? fiftyByFifty() : replacing(job)

const rounds = 5

type InUse = Awaited<ReturnType<typeof inUse>>

/** MiB that the mesh of fifty by fifty adds to a process that has imported enmesh. */
const added = async (options: readonly string[]): Promise<Readonly<Record<keyof InUse, Spread>>> => {
  const pairs: (readonly [empty: InUse, full: InUse])[] = []
  for (let round = 0; round < rounds; round++) pairs.push([await elsewhere('nothing', options), await elsewhere('50 × 50', options)])
  const of = (field: keyof InUse): Spread => spread(pairs.map(([empty, full]) => full[field] - empty[field]))
  return { heap: of('heap'), rss: of('rss') }
}

const memory = async (): Promise<readonly Finding[]> => {
  const usual = await added([])
  // V8 lets the young generation grow with what is allocated, by configuration as by traffic, and keeps its pages while they are empty.
  const small = await added(['--max-semi-space-size=1'])
  const what = '50 services of 50 endpoints before traffic'
  return [
    { what: `${what}, heap`, unit: 'MiB', target: 5, ...usual.heap },
    { what: `${what}, RSS`, unit: 'MiB', target: 5, ...usual.rss },
    { what: `${what}, RSS with --max-semi-space-size=1`, unit: 'MiB', target: 5, ...small.rss },
  ]
}

const eventLoop = async (): Promise<readonly Finding[]> => {
  const findings: Finding[] = []
  for (const { type } of balancers.kinds) {
    const found: Replacing[] = []
    for (let round = 0; round < rounds; round++) found.push(await elsewhere<Replacing>(type))
    const add = (what: string, of: (replacing: Replacing) => number): void => {
      findings.push({ what: `${largest} endpoints replaced by others, ${type}: ${what}`, unit: 'ms', target: 20, ...spread(found.map(of)) })
    }
    add('first time in a process', ({ turns: [first] }) => first!)
    add('median of ten times', ({ turns }) => spread(turns).median)
    add("the thread's CPU, mean of ten times", ({ cpu }) => cpu)
  }
  return findings
}

const main = async (): Promise<void> => {
  const { values: { save, note } } = parseArgs({ options: { save: { type: 'boolean', default: false }, note: { type: 'string', default: '' } } })
  const results: MemoryResults = {
    date: new Date().toISOString(), note, machine: machine(), findings: [...await memory(), ...await eventLoop()],
  }
  console.log(`${circumstances(results)}\n\n${aligned(memoryTable(results.findings))}`)
  if (save) await saveMemory(results)
}

const job = process.env['ENMESH_BENCH_JOB']
if (job !== undefined) process.send!(await work(job), () => process.exit())
else await main()
