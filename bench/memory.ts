/**
 * What a mesh takes before any traffic, and how long a large set of endpoints holds up the event loop.
 * Each figure comes from processes that do nothing else: `node bench/memory.ts [--save] [--note <text>]`.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { performance } from 'node:perf_hooks'
import { setImmediate } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { getHeapSpaceStatistics } from 'node:v8'
import { membership } from '../src/cluster/membership.ts'
import { balancers, createMesh, registries, type EndpointSpec, type Mesh } from '../src/index.ts'
import { FakeRegistry } from '../src/testing/index.ts'
import { memoryTable, type Finding, type MemoryResults } from './findings.ts'
import { circumstances, machine } from './report.ts'
import { aligned } from '../src/compare/table.ts'
import { spreadOf } from '../src/compare/spread.ts'
import { saveMemory } from './save.ts'

const largest = 10_000
const addresses = (count: number, net: number): readonly EndpointSpec[] => Array.from({ length: count }, (_, index) =>
  ({ address: `10.${net}.${index >> 8}.${index & 255}:8080`, id: `i-${net}-${index}`, metadata: { zone: `zone-${index % 3}` } }))

interface InUse {
  readonly heap: number
  readonly rss: number
  /** What V8 holds for objects that are young, empty or not. */
  readonly young: number
}

/** MiB in use once what is garbage is gone. */
const inUse = async (): Promise<InUse> => {
  for (let turn = 0; turn < 5; turn++) {
    await setImmediate()
    globalThis.gc!()
  }
  const { heapUsed, rss } = process.memoryUsage()
  const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')!.physical_space_size
  return { heap: heapUsed / 1024 ** 2, rss: rss / 1024 ** 2, young: young / 1024 ** 2 }
}

/** A mesh of services with a cluster of endpoints each. */
const meshOf = async (services: number, endpoints: number): Promise<Mesh> => {
  const names = Array.from({ length: services }, (_, index) => `service-${index}`)
  const mesh = createMesh({
    services: Object.fromEntries(names.map((name) => [`${name}.local`, { cluster: name }])),
    clusters: Object.fromEntries(names.map((name, index) =>
      [name, { registry: { type: 'static', endpoints: addresses(endpoints, index).map(({ address }) => address) } }])),
  })
  await mesh.ready()
  return mesh
}

/** What is in use after importing enmesh, then with a mesh of one endpoint, which brings the code that any mesh needs, then with fifty by fifty. */
const growing = async (): Promise<readonly InUse[]> => {
  const steps = [await inUse()]
  const meshes: Mesh[] = []
  for (const size of [1, 50]) {
    meshes.push(await meshOf(size, size))
    steps.push(await inUse())
  }
  for (const mesh of meshes) await mesh.close()
  return steps
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
  /** Milliseconds of the longest turn while the first set arrives. */
  readonly arrival: number
  /** The same while one of them is another than before. */
  readonly one: number
  /** Milliseconds that the comparison of two sets takes by itself, one endpoint being another. */
  readonly compared: number
  /** Milliseconds of the longest turn, for each set that replaces the one before. */
  readonly turns: readonly number[]
  /** Milliseconds of the thread's CPU for a set, on average: what a turn would take if nothing else wanted the core. */
  readonly cpu: number
}

const withAnother = (set: readonly EndpointSpec[]): readonly EndpointSpec[] => [...set.slice(1), { address: '10.255.0.1:8080' }]

/** Milliseconds of comparing a set with itself but for one endpoint, the median of some. */
const comparing = (): number => {
  const set = addresses(largest, 0)
  const { endpoints } = membership([], set)
  return spreadOf(Array.from({ length: 9 }, () => {
    const next = withAnother(set)
    const begun = performance.now()
    membership(endpoints, next)
    return performance.now() - begun
  })).median
}

/** What kinds need beside their type. */
const needed: Readonly<Record<string, object>> = { 'zone-aware': { zone: 'a' }, 'subset': { metadata: { version: '1' } } }

/** A first set, the same with one other endpoint, and ten sets, each of which takes the place of the one before, none of its endpoints staying. */
const replacing = async (balancer: string): Promise<Replacing> => {
  const fake = new FakeRegistry()
  const mesh = createMesh({
    services: { 'large.local': { cluster: 'large' } },
    clusters: { large: { registry: { type: 'fake' }, balancer: { type: balancer as 'random', ...needed[balancer] } } },
  }, { registries: registries.with(fake.kind) })
  const first = addresses(largest, 0)
  const arrival = await longestTurn(() => fake.push(...first))
  const one = await longestTurn(() => fake.push(...withAnother(first)))
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
  return { arrival, one, compared: comparing(), turns, cpu: cpu / turns.length }
}

/** Runs one of the jobs above in a process of its own. */
const elsewhere = async <T>(job: string, options: readonly string[] = []): Promise<T> => {
  const child = fork(new URL(import.meta.url), [], { execArgv: ['--expose-gc', ...options], env: { ...process.env, ENMESH_BENCH_JOB: job } })
  const [answer] = await once(child, 'message') as [T]
  return answer
}

const work = (job: string): Promise<unknown> => job === 'growing' ? growing() : replacing(job)

const rounds = 5

const memory = async (): Promise<readonly Finding[]> => {
  const found = async (options: readonly string[]): Promise<readonly (readonly InUse[])[]> => {
    const processes: (readonly InUse[])[] = []
    for (let round = 0; round < rounds; round++) processes.push(await elsewhere<readonly InUse[]>('growing', options))
    return processes
  }
  const usual = await found([])
  // V8 lets the young generation grow with what is allocated, by configuration as by traffic, and keeps its pages while they are empty.
  const small = await found(['--max-semi-space-size=1'])
  const added = (what: string, processes: readonly (readonly InUse[])[], field: keyof InUse, from: number, to: number): Finding =>
    ({ what, unit: 'MiB', target: 5, ...spreadOf(processes.map((steps) => steps[to]![field] - steps[from]![field])) })
  const fifty = '50 services of 50 endpoints before traffic'
  return [
    added(`${fifty}, heap`, usual, 'heap', 0, 2),
    added(`${fifty}, RSS`, usual, 'rss', 0, 2),
    added('of which a first mesh of one endpoint brings', usual, 'rss', 0, 1),
    added('and the young generation grows by', usual, 'young', 0, 2),
    added(`${fifty}, RSS with --max-semi-space-size=1`, small, 'rss', 0, 2),
  ]
}

type Story = readonly [what: string, of: (replacing: Replacing) => number]

const eventLoop = async (): Promise<readonly Finding[]> => {
  const findings: Finding[] = []
  const compared: number[] = []
  for (const { type } of balancers.kinds) {
    const found: Replacing[] = []
    for (let round = 0; round < rounds; round++) found.push(await elsewhere<Replacing>(type))
    const add = (what: string, of: (replacing: Replacing) => number): void => {
      findings.push({ what: `${largest} endpoints replaced by others, ${type}: ${what}`, unit: 'ms', target: 20, ...spreadOf(found.map(of)) })
    }
    for (const [what, of] of [['arrive at once', ({ arrival }) => arrival], ['one of them changes', ({ one }) => one]] as const satisfies Story[]) {
      findings.push({ what: `${largest} endpoints, ${type}: ${what}`, unit: 'ms', target: 20, ...spreadOf(found.map(of)) })
    }
    add('first time in a process', ({ turns: [first] }) => first!)
    add('median of ten times', ({ turns }) => spreadOf(turns).median)
    add("the thread's CPU, mean of ten times", ({ cpu }) => cpu)
    compared.push(...found.map((one) => one.compared))
  }
  findings.push({ what: `${largest} endpoints compared with as many, one of them another`, unit: 'ms', target: 20, ...spreadOf(compared) })
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
