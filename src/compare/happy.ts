import type { Random } from '../runtime/random.ts'
import { startArrangement, type Arrangement, type Running } from './arrangement.ts'
import { onOneCore, type Cores } from './cores.ts'
import type { Bound } from './load.ts'
import { cpuBetween, heldBy, readCpu } from './proc.ts'
import type { Load } from './processes/client-process.ts'
import type { Stage } from './processes/stage.ts'
import type { CaseResult, Round, Start } from './results.ts'
import type { Situation } from './situation.ts'

/** How long is measured, and what comes before. */
export interface Lengths {
  readonly rounds: number
  /** Requests before anything counts: code is compiled and connections are open by then. */
  readonly warmUp: Bound
  /** Requests before a case whose bodies or transport are none of those before it: what they need is compiled by then. Left out where all cases carry the same. */
  readonly anew?: Bound
  /** What comes before each case and doesn't count. */
  readonly settling: Bound
  /** What counts of each case; an open loop knows milliseconds only. */
  readonly counted: Bound
}

/** A case, and what is called in it. */
export interface Planned extends Omit<CaseResult, 'measured'> {
  readonly path: string
  /** Length of the answers' bodies, where it is known beforehand. */
  readonly bytes?: number
  readonly situation: Situation
  /** Where all that take part are kept on one core while it is measured: application, proxy and these. */
  readonly together?: { readonly cores: Cores, readonly others: readonly number[] }
}

/** Tells a person how far it is. */
export type Progress = (text: string) => void

/** Items in an order by chance. */
export const shuffled = <T>(items: readonly T[], random: Random): readonly T[] =>
  items.map((item) => ({ item, at: random() })).sort((a, b) => a.at - b.at).map(({ item }) => item)

const loadOf = ({ path, bytes, inFlight, rate }: Planned, bound: Bound): Load =>
  ({ path, bound, ...(bytes !== undefined && { bytes }), ...(inFlight !== undefined && { inFlight }), ...(rate !== undefined && { rate }) })

const perThousand = (seconds: number, requests: number): number => requests === 0 ? 0 : seconds * 1_000 / requests

/** Measures what is driven, of the processes on both sides. */
const measured = async ({ client }: Pick<Running, 'client'>, pids: ReturnType<Running['pids']>, round: number, load: Load): Promise<Round> => {
  const read = () => ({ application: readCpu(pids.application), proxy: readCpu(pids.proxy) })
  const before = read()
  await client.ask('drive', load)
  const after = read()
  const [application, proxy] = [heldBy(pids.application), heldBy(pids.proxy)]
  const { requests, failed, seconds, latency, distribution, failure } = await client.ask('found')
  if (requests === failed) throw new Error(`every request failed although the services were well: ${failure ?? ''}`)
  return {
    round, requests, failed, seconds, latency, distribution,
    throughput: (requests - failed) / seconds,
    cpu: {
      application: perThousand(cpuBetween(before.application, after.application), requests),
      proxy: perThousand(cpuBetween(before.proxy, after.proxy), requests),
    },
    memory: { application: application.memory, proxy: proxy.memory },
    sockets: { application: application.sockets, proxy: proxy.sockets },
  }
}

/** Drives a case after its settling, and measures it; by the client itself, or by one that calls what it is asked to measure. */
export const measure = async (running: Pick<Running, 'client' | 'pids'>, planned: Planned, round: number, { settling, counted }: Lengths): Promise<Round> => {
  const pids = running.pids()
  const go = async (): Promise<Round> => {
    await running.client.ask('drive', loadOf(planned, settling))
    return measured(running, pids, round, loadOf(planned, counted))
  }
  const { together } = planned
  return together ? onOneCore(together.cores, [...pids.application, ...pids.proxy, ...together.others], go) : go()
}

/**
 * What a planned case with one request in flight has more: all that take part are kept on one core. Nobody works while another does then, so nothing is
 * lost by that; and where the system puts whom, on a core that has to be woken or not, would otherwise decide more than the arrangement does.
 */
export const togetherOn = (cores: Cores | string, others: readonly number[]): Pick<Planned, 'together' | 'cores'> => typeof cores === 'string'
  ? { cores: `Not kept on one core, so that it depends on where the system puts whom: ${cores}.` }
  : { cores: 'All that take part are kept on one core.', together: { cores, others } }

/** What the cases of one subject came to. */
export interface Happy {
  readonly cases: readonly CaseResult[]
  readonly starts: readonly Start[]
  /** Arrangements that broke, and how: they are not measured from then on. */
  readonly broken: ReadonlyMap<string, string>
}

/** What is shown of a planned case. */
export const resultOf = ({ path: _path, bytes: _bytes, situation: _situation, together: _together, ...facts }: Planned, measured: CaseResult['measured'] = []): CaseResult => ({ ...facts, measured })

const wordsOf = (error: unknown): string => error instanceof Error ? error.message.split('\n')[0]! : String(error)

/** All cases of a client and a service, round by round, each round with every arrangement started anew and in an order by chance. */
export const measureClients = async (
  stage: Stage, arrangements: readonly Arrangement[], planned: readonly Planned[], lengths: Lengths, random: Random, progress: Progress,
): Promise<Happy> => {
  const rounds = new Map(planned.map(({ id }) => [id, new Map<string, Round[]>()]))
  const starts = new Map<string, Running['start'][]>()
  const broken = new Map<string, string>()
  const [first] = planned
  if (!first) return { cases: [], starts: [], broken }
  const once = async (arrangement: Arrangement, round: number): Promise<void> => {
    const running = await startArrangement(stage, arrangement, first.situation, first.path)
    try {
      starts.set(arrangement.id, [...starts.get(arrangement.id) ?? [], running.start])
      let { situation } = first
      const known = new Set([first.path])
      await running.client.ask('drive', { ...loadOf(first, lengths.warmUp), inFlight: first.inFlight ?? 16 })
      for (const each of planned) {
        if (each.situation !== situation) {
          await running.reopen(each.situation, each.path)
          known.clear()
        }
        ;({ situation } = each)
        progress(`round ${round} of ${lengths.rounds}, ${arrangement.title}: ${each.title}`)
        if (lengths.anew && !known.has(each.path)) await running.client.ask('drive', loadOf(each, lengths.anew))
        known.add(each.path)
        const ofCase = rounds.get(each.id)!
        ofCase.set(arrangement.id, [...ofCase.get(arrangement.id) ?? [], await measure(running, each, round, lengths)])
      }
    } finally {
      await running.stop()
    }
  }
  for (let round = 1; round <= lengths.rounds; round++) {
    for (const arrangement of shuffled(arrangements.filter(({ id }) => !broken.has(id)), random)) {
      await once(arrangement, round).catch((error: unknown) => broken.set(arrangement.id, wordsOf(error)))
    }
  }
  const inOrder = arrangements.map(({ id }) => id)
  return {
    broken,
    cases: planned.map((each) => resultOf(each, inOrder.filter((id) => rounds.get(each.id)!.has(id))
      .map((id) => ({ arrangement: id, rounds: rounds.get(each.id)!.get(id)! })))),
    starts: inOrder.filter((id) => starts.has(id)).map((id): Start => {
      const all = starts.get(id)!
      return { arrangement: id, milliseconds: all.map(({ milliseconds }) => milliseconds), idleMemory: all.map(({ idleMemory }) => idleMemory) }
    }),
  }
}
