/**
 * A caller, in a process that knows one arrangement. For each `Task` it opens the arrangement anew, so that nothing is known from before,
 * and answers with `Findings`. Requests go out when they are due, whatever became of those before, and count from then on:
 * a stall of the client or the proxy shows in all that were due meanwhile.
 */
import { performance } from 'node:perf_hooks'
import { openLoop } from '../../src/compare/load.ts'
import { arrangementOf, type ArrangementName, type Way } from './arrangements.ts'
import { arrivalsOf, pathOf, type Load } from './load.ts'

/** What is asked of a caller. */
export interface Task {
  readonly ports: readonly number[]
  readonly load: Load
  readonly seed: number
}

/** What became of one go. */
export interface Findings {
  /** Milliseconds from due to the end of the answer or to the failure, of each request that counts. */
  readonly took: readonly number[]
  readonly failed: { readonly settling: number, readonly counted: number }
  /** How often each failure came, by what it says. */
  readonly failures: Readonly<Record<string, number>>
  readonly calls: { readonly settling: number, readonly counted: number }
}

const failureOf = (error: unknown): string => error instanceof Error ? (error as { code?: string }).code ?? error.message : String(error)

const drive = async (way: Way, { load, seed }: Task): Promise<Findings> => {
  const took: number[] = []
  const failed = { settling: 0, counted: 0 }
  const calls = { settling: 0, counted: 0 }
  const failures: Record<string, number> = {}
  const arrivals = arrivalsOf(load, seed)
  await openLoop(arrivals.map(({ due }) => due), async (index, due) => {
    const arrival = arrivals[index]!
    const phase = arrival.counted ? 'counted' : 'settling'
    calls[phase]++
    const end = (failure: string | undefined): void => {
      if (arrival.counted) took.push(Math.round((performance.now() - due) * 100) / 100)
      if (failure === undefined) return
      failed[phase]++
      failures[failure] = (failures[failure] ?? 0) + 1
    }
    await way.send(pathOf(arrival)).then(
      (status) => end(status === 200 ? undefined : String(status)),
      (error: unknown) => end(failureOf(error)),
    )
  })
  return { took, failed, failures, calls }
}

const arrangement = arrangementOf(process.argv[2] as ArrangementName)

process.on('message', (task: Task) => {
  void (async () => {
    const way = await arrangement.open(task.ports)
    const findings = await drive(way, task)
    await way.close()
    process.send!(findings)
  })()
})
process.once('disconnect', () => process.exit())
process.send!('ready')
