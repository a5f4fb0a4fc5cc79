/** Measures one mode, in a process that does nothing else. Gets its `Task` as JSON, sends a `Measurement` to its parent. */
import { performance } from 'node:perf_hooks'
import { openMode, type Mode, type ModeName } from './modes.ts'

/** What one client process is asked to do. */
export interface Task {
  readonly mode: ModeName
  readonly ports: readonly number[]
  readonly inFlight: number
  /** Requests sent before anything is measured: sockets open and code compiled. */
  readonly warmUp: number
  readonly requests: number
}

/** What it found. */
export interface Measurement {
  /** CPU of the client process per request, all its threads (garbage collection too), microseconds. */
  readonly cpu: number
  /** Requests per second. */
  readonly throughput: number
  /** Milliseconds from call to the end of the body. */
  readonly p50: number
  readonly p99: number
}

/** Keeps `inFlight` requests under way until `requests` are done; returns what each took, in milliseconds. */
const drive = async (mode: Mode, inFlight: number, requests: number): Promise<Float64Array> => {
  const took = new Float64Array(requests)
  let begun = 0
  const worker = async (): Promise<void> => {
    while (begun < requests) {
      const index = begun++
      const start = performance.now()
      const text = await mode.get()
      took[index] = performance.now() - start
      if (text.length === 0) throw new Error('The upstream answered with an empty body')
    }
  }
  await Promise.all(Array.from({ length: inFlight }, worker))
  return took
}

const measure = async ({ mode: name, ports, inFlight, warmUp, requests }: Task): Promise<Measurement> => {
  const mode = await openMode(name, ports)
  await drive(mode, inFlight, warmUp)
  globalThis.gc?.()
  const start = performance.now()
  const cpuBefore = process.cpuUsage()
  const took = await drive(mode, inFlight, requests)
  const { user, system } = process.cpuUsage(cpuBefore)
  const seconds = (performance.now() - start) / 1000
  await mode.close()
  took.sort()
  const at = (share: number): number => took[Math.min(requests - 1, Math.floor(requests * share))]!
  return { cpu: (user + system) / requests, throughput: requests / seconds, p50: at(0.5), p99: at(0.99) }
}

process.send!(await measure(JSON.parse(process.argv[2]!) as Task), () => process.exit())
