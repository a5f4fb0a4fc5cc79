import { cases, pathOf, type Case } from './cases.ts'
import { makeCertificates } from './certificates.ts'
import { coresHere } from './cores.ts'
import { togetherOn, type Planned } from './happy.ts'
import type { UpstreamHandlers } from './processes/upstream-process.ts'
import type { Stage } from './processes/stage.ts'
import { situationOf, type Situation } from './situation.ts'

/** The service that the comparison calls. */
export const pricing = 'pricing.shop.local'

const addresses = (ports: readonly number[]): readonly string[] => ports.map((port) => `127.0.0.1:${port}`)

const startUpstream = async (stage: Stage, ...files: readonly string[]): Promise<{ readonly pid: number, readonly addresses: readonly string[] }> => {
  const upstream = await stage.worker<UpstreamHandlers>('processes/upstream-process', ...files)
  return { pid: upstream.pid, addresses: addresses(await upstream.ask('ports')) }
}

const withTls = async (stage: Stage): Promise<Situation> => {
  const certificates = makeCertificates(stage.directory(), pricing)
  return situationOf(pricing, { versions: { v1: (await startUpstream(stage, certificates.ca, certificates.cert, certificates.key)).addresses } }, certificates)
}

/** What is there to learn what arrangements can express, before anything runs. */
export const exampleSituation = (): Situation => situationOf(pricing, { versions: { v1: ['127.0.0.1:9001', '127.0.0.1:9002', '127.0.0.1:9003'] } })

/** Starts services of our own for the cases asked for. A case that cannot be run is in `lacking`, with the reason. */
export const planCases = async (stage: Stage, asked: readonly Case[]): Promise<{ readonly planned: readonly Planned[], readonly lacking: readonly Planned[] }> => {
  const upstream = await startUpstream(stage)
  const plain = situationOf(pricing, { versions: { v1: upstream.addresses } })
  const cores = await coresHere()
  const planOf = (each: Case, situation: Situation): Planned => ({
    ...each, subject: 'client', path: pathOf(each), bytes: each.bodyBytes, situation,
    ...(each.inFlight === 1 && togetherOn(cores, [upstream.pid])),
  })
  const planned = asked.filter(({ mutualTls }) => !mutualTls).map((each) => planOf(each, plain))
  const secured = asked.filter(({ mutualTls }) => mutualTls)
  if (secured.length === 0) return { planned, lacking: [] }
  try {
    const situation = await withTls(stage)
    return { planned: [...planned, ...secured.map((each) => planOf(each, situation))], lacking: [] }
  } catch (error) {
    const notRun = error instanceof Error ? error.message : String(error)
    return { planned, lacking: secured.map((each) => ({ ...planOf(each, plain), notRun })) }
  }
}

/** The ids of all cases of a client and a service. */
export const caseIds: readonly string[] = cases.map(({ id }) => id)
