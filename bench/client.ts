/** Measures one mode, in a process that does nothing else. Gets its `Task` as JSON, sends a `Measurement` to its parent. */
import { performance } from 'node:perf_hooks'
import { GCProfiler, getHeapStatistics } from 'node:v8'
import { cases, type Case, type CaseName } from './cases.ts'
import { openMode, type Mode, type ModeName } from './modes.ts'

/** What one client process is asked to do. */
export interface Task {
  readonly mode: ModeName
  readonly case: CaseName
  readonly ports: readonly number[]
  /** Requests sent before anything is measured: sockets open and code compiled. */
  readonly warmUp: number
  readonly requests: number
}

/** What it found. */
export interface Measurement {
  /** CPU of the client process per request, user and system, all its threads (garbage collection too), microseconds. */
  readonly cpu: number
  /** Requests per second. */
  readonly throughput: number
  /** Milliseconds from call to the end of the body. */
  readonly p50: number
  readonly p99: number
  readonly p999: number
  /** KiB allocated per request on the JavaScript heap; buffers outside of it show in `rss` only. */
  readonly allocated: number
  /** MiB of memory that the process has at the end. */
  readonly rss: number
}

const reader = (mode: Mode, { path, bytes, read }: Case): (() => Promise<void>) => async () => {
  const length = read === 'stream' ? await mode.stream(path) : (await mode.text(path)).length
  if (length !== bytes) throw new Error(`The body of ${path} had ${length} bytes where ${bytes} were expected`)
}

/** Keeps `inFlight` requests under way until `requests` are done; returns what each took, in milliseconds. */
const drive = async (get: () => Promise<void>, inFlight: number, requests: number): Promise<Float64Array> => {
  const took = new Float64Array(requests)
  let begun = 0
  const worker = async (): Promise<void> => {
    while (begun < requests) {
      const index = begun++
      const start = performance.now()
      await get()
      took[index] = performance.now() - start
    }
  }
  await Promise.all(Array.from({ length: inFlight }, worker))
  return took
}

/**
 * Bytes that a task allocates on the JavaScript heap. The heap's size before and after says little, since collections come in
 * between; but between the end of one and the beginning of the next it only grows, by what is allocated. V8's profiler of
 * collections has its size at both, so the growths add up to everything. It costs time at each collection: a pass of its own.
 */
const allocatedBy = async (task: () => Promise<unknown>): Promise<number> => {
  const profiler = new GCProfiler()
  profiler.start()
  let level = getHeapStatistics().used_heap_size
  let sum = 0
  await task()
  const end = getHeapStatistics().used_heap_size
  for (const { beforeGC, afterGC } of profiler.stop().statistics) {
    sum += beforeGC.heapStatistics.usedHeapSize - level
    level = afterGC.heapStatistics.usedHeapSize
  }
  return sum + end - level
}

const measure = async (mode: Mode, { case: caseName, warmUp, requests }: Task): Promise<Measurement> => {
  const { inFlight } = cases[caseName]
  const get = reader(mode, cases[caseName])
  await drive(get, inFlight, warmUp)
  const start = performance.now()
  const cpuBefore = process.cpuUsage()
  const took = await drive(get, inFlight, requests)
  const { user, system } = process.cpuUsage(cpuBefore)
  const seconds = (performance.now() - start) / 1000
  const rss = process.memoryUsage.rss()
  const counted = Math.max(inFlight, requests >> 2)
  const allocated = await allocatedBy(() => drive(get, inFlight, counted))
  took.sort()
  const at = (share: number): number => took[Math.min(requests - 1, Math.floor(requests * share))]!
  return {
    cpu: (user + system) / requests,
    throughput: requests / seconds,
    p50: at(0.5),
    p99: at(0.99),
    p999: at(0.999),
    allocated: allocated / counted / 1024,
    rss: rss / 1024 ** 2,
  }
}

const task = JSON.parse(process.argv[2]!) as Task
const mode = await openMode(task.mode, task.ports)
const measured = await (mode.within?.(() => measure(mode, task)) ?? measure(mode, task))
await mode.close()
process.send!(measured, () => process.exit())
