/**
 * What one request allocates on the JavaScript heap, and who allocates it: V8's sampling heap profiler over a load as the base case has it.
 * A function that V8 has compiled into its caller counts as the caller's.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { Session, type HeapProfiler } from 'node:inspector/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { cases } from './cases.ts'
import { modeNames, openMode, type ModeName } from './modes.ts'

const { values } = parseArgs({ options: { mode: { type: 'string', default: 'mesh.fetch' }, requests: { type: 'string', default: '40000' } } })
const name = modeNames.find((mode) => mode === values.mode)
if (name === undefined) throw new RangeError(`There is no mode '${values.mode}'; there are ${modeNames.join(', ')}`)
const requests = Number(values.requests)
const warmUp = 40_000
/** Bytes between two samples, on average. */
const interval = 4_096

const root = fileURLToPath(new URL('..', import.meta.url))

/** Whose a function is: a file of the mesh, or all of undici, of Node, of this benchmark, of V8's own. */
const ownerOf = (url: string): string => {
  const path = url.replace('file://', '')
  if (path.startsWith(`${root}src/`)) return path.slice(root.length)
  if (path.includes('/undici/')) return 'undici'
  if (path.startsWith(`${root}bench/`)) return 'the benchmark'
  return path.startsWith('node:') ? 'Node' : 'V8'
}

const bytesByOwner = (profile: HeapProfiler.SamplingHeapProfile): ReadonlyMap<string, number> => {
  const owners = new Map<string, number>()
  const visit = ({ callFrame, selfSize, children }: HeapProfiler.SamplingHeapProfileNode): void => {
    const owner = ownerOf(callFrame.url)
    owners.set(owner, (owners.get(owner) ?? 0) + selfSize)
    children.forEach(visit)
  }
  visit(profile.head)
  return owners
}

const profiled = async (task: () => Promise<unknown>): Promise<HeapProfiler.SamplingHeapProfile> => {
  const session = new Session()
  session.connect()
  await session.post('HeapProfiler.startSampling', {
    samplingInterval: interval, includeObjectsCollectedByMajorGC: true, includeObjectsCollectedByMinorGC: true,
  } as HeapProfiler.StartSamplingParameterType)
  await task()
  const { profile } = await session.post('HeapProfiler.stopSampling')
  session.disconnect()
  return profile
}

const profile = async (mode: ModeName, ports: readonly number[]): Promise<void> => {
  const opened = await openMode(mode, ports)
  const drive = async (count: number): Promise<void> => {
    let begun = 0
    const worker = async (): Promise<void> => { while (begun++ < count) await opened.text(cases.base.path) }
    await Promise.all(Array.from({ length: cases.base.inFlight }, worker))
  }
  const load = async (): Promise<HeapProfiler.SamplingHeapProfile> => {
    await drive(warmUp)
    return profiled(() => drive(requests))
  }
  const owners = bytesByOwner(await (opened.within?.(load) ?? load()))
  await opened.close()
  const total = [...owners.values()].reduce((sum, bytes) => sum + bytes, 0)
  console.log(`${mode}: ${Math.round(total / requests)} bytes a request`)
  for (const [owner, bytes] of [...owners].sort(([, a], [, b]) => b - a)) {
    if (bytes / requests >= 1) console.log(`${String(Math.round(bytes / requests)).padStart(7)}  ${owner}`)
  }
}

const upstream = fork(new URL('upstream.ts', import.meta.url), [cases.base.pace])
const [ports] = await once(upstream, 'message') as [number[]]
await profile(name, ports)
upstream.disconnect()
