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
import { aligned, circumstances, machine, spread } from './report.ts'
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

/** The longest turn while each of ten sets takes the place of the one before, none of its endpoints staying. */
const replacing = async (balancer: string): Promise<number> => {
  const fake = new FakeRegistry()
  const mesh = createMesh({
    services: { 'large.local': { cluster: 'large' } },
    clusters: { large: { registry: { type: 'fake' }, balancer: { type: balancer as 'random' } } },
  }, { registries: registries.with(fake.kind) })
  fake.push(...addresses(largest, 0))
  await mesh.ready()
  let longest = 0
  for (let net = 1; net <= 10; net++) {
    const next = addresses(largest, net)
    longest = Math.max(longest, await longestTurn(() => fake.push(...next)))
  }
  await mesh.close()
  return longest
}

/** Runs one of the jobs above in a process of its own. */
const elsewhere = async <T>(job: string): Promise<T> => {
  const child = fork(new URL(import.meta.url), [], { execArgv: ['--expose-gc'], env: { ...process.env, ENMESH_BENCH_JOB: job } })
  const [answer] = await once(child, 'message') as [T]
  return answer
}

const work = (job: string): Promise<unknown> => job === 'nothing' ? inUse() : job === '50 × 50' ? fiftyByFifty() : replacing(job)

const rounds = 5

const memory = async (): Promise<readonly Finding[]> => {
  const heap: number[] = []
  const rss: number[] = []
  for (let round = 0; round < rounds; round++) {
    const empty = await elsewhere<Awaited<ReturnType<typeof inUse>>>('nothing')
    const full = await elsewhere<typeof empty>('50 × 50')
    heap.push(full.heap - empty.heap)
    rss.push(full.rss - empty.rss)
  }
  const what = '50 services of 50 endpoints before traffic'
  return [{ what: `${what}, heap`, unit: 'MiB', target: 5, ...spread(heap) }, { what: `${what}, RSS`, unit: 'MiB', target: 5, ...spread(rss) }]
}

const eventLoop = async (): Promise<readonly Finding[]> => {
  const findings: Finding[] = []
  for (const { type } of balancers.kinds) {
    const longest: number[] = []
    for (let round = 0; round < rounds; round++) longest.push(await elsewhere<number>(type))
    findings.push({ what: `${largest} endpoints replaced by others, ${type}: longest turn`, unit: 'ms', target: 20, ...spread(longest) })
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
