import { systemClock } from '../runtime/clock.ts'
import { pause } from './load.ts'
import { familyOf, heldBy } from './proc.ts'
import type { ClientHandlers } from './processes/client-process.ts'
import { moduleOf, type Stage, type Worker } from './processes/stage.ts'
import type { ArrangementInfo, Both } from './results.ts'
import { startSidecar, type RunningSidecar } from './sidecars/running.ts'
import { whyMissing, type Sidecar } from './sidecars/sidecar.ts'
import type { Situation } from './situation.ts'
import type { Setting } from './ways/way.ts'

/** One way between a client and the services, as it can be run. */
export interface Arrangement extends Pick<ArrangementInfo, 'id' | 'title' | 'kind' | 'client' | 'how'> {
  /** URL of the module that opens it in the client's process. */
  readonly way: string
  /** What is run beside each client. */
  readonly sidecar?: Sidecar
  /** How many of the instances its client addresses itself; of no matter to a mesh, which has them from the definition. */
  readonly addresses: 'one' | 'all'
  /** Why it cannot be run here. */
  readonly lacks?: string
  /** Whether it stands for its kind when things break: a proxy doesn't know which client called it. */
  readonly underFaults?: true
}

/** The URL of a way of this package by its file's name. */
export const wayOf = (name: string): string => moduleOf(`ways/${name}`)

/** Why an arrangement cannot be run here; undefined where it can. */
export const lackOf = ({ lacks, sidecar }: Arrangement): string | undefined =>
  lacks ?? (sidecar && whyMissing(sidecar))

/** What of the definition an arrangement cannot express, a line each. */
export const unexpressedBy = ({ sidecar }: Arrangement, { definition, host, certificates = {}, endpoints = {} }: Situation): readonly string[] =>
  sidecar === undefined ? [] : [...new Set(sidecar.write(definition, { ports: { [host]: '127.0.0.1:15002' }, certificates, endpoints }).unexpressed
    .map(({ policy, instead }) => `${policy}: ${instead}`))]

/** An arrangement at work: a client, and its proxy. */
export interface Running {
  readonly arrangement: Arrangement
  readonly client: Worker<ClientHandlers>
  /** The process ids of each side; proxies have workers. */
  pids(): { readonly application: readonly number[], readonly proxy: readonly number[] }
  /** Milliseconds of each side from its start to the first answer, and memory then. */
  readonly start: { readonly milliseconds: Both, readonly idleMemory: Both }
  /** Goes on with another situation, the proxy started anew. */
  reopen(situation: Situation, path: string): Promise<void>
  /** Pushes another situation to it, as a registry or an operator would. Resolves with what it says against it. */
  push(situation: Situation): Promise<string | undefined>
  /** Pushes something broken. */
  pushBroken(situation: Situation): Promise<string | undefined>
  stop(): Promise<void>
}

/** Where instances are for a client that dials them itself, as what is told to it. */
export const settingOf = ({ addresses }: Arrangement, situation: Situation, sidecar: RunningSidecar | undefined): Setting => {
  const { definition, host, origin: service = `http://${host}`, tls } = situation
  if (sidecar) return { definition, service, origins: [sidecar.origin] }
  const origins = situation.addresses.map((address) => `${tls ? 'https' : 'http'}://${address}`)
  return { definition, service, origins: addresses === 'one' ? origins.slice(0, 1) : origins, ...(tls && { tls }) }
}

/** What a client gets that nothing checks: a list whose addresses have no port, and a definition that leads to a cluster that is not there. */
const brokenSetting = (setting: Setting): Setting => {
  const { definition } = setting
  return {
    ...setting,
    definition: { ...definition, services: Object.fromEntries(Object.keys(definition.services ?? {}).map((name) => [name, { cluster: 'nowhere' }])) },
    origins: setting.origins.map((origin) => origin.replace(/:\d+$/, ':undefined')),
  }
}

const openClient = async (stage: Stage, { way }: Arrangement, setting: Setting, path: string): Promise<Worker<ClientHandlers>> => {
  const client = await stage.worker<ClientHandlers>('processes/client-process', way)
  try {
    await client.ask('open', { setting, path })
    return client
  } catch (error) {
    await client.stop()
    throw error
  }
}

/** Starts an arrangement; resolves once a first answer came. */
export const startArrangement = async (stage: Stage, arrangement: Arrangement, first: Situation, path: string): Promise<Running> => {
  let sidecar = arrangement.sidecar && await startSidecar(stage, arrangement.sidecar, first)
  const began = systemClock.now()
  // What did not come up is not left beside those that are measured next.
  const client = await openClient(stage, arrangement, settingOf(arrangement, first, sidecar), path).catch(async (error: unknown) => {
    await sidecar?.stop()
    throw error
  })
  const application = systemClock.now() - began
  const pids = (): { readonly application: readonly number[], readonly proxy: readonly number[] } =>
    ({ application: familyOf([client.pid]), proxy: sidecar ? familyOf([sidecar.pid]) : [] })
  // What is thrown away at a start is not what is kept.
  await client.ask('collect')
  await pause(200)
  const { application: ours, proxy } = pids()
  return {
    arrangement, client, pids,
    start: {
      milliseconds: { application, proxy: sidecar?.milliseconds ?? 0 },
      idleMemory: { application: heldBy(ours).memory, proxy: heldBy(proxy).memory },
    },
    async reopen(situation, path) {
      await sidecar?.stop()
      sidecar = arrangement.sidecar && await startSidecar(stage, arrangement.sidecar, situation)
      await client.ask('open', { setting: settingOf(arrangement, situation, sidecar), path })
    },
    push: (situation) => sidecar ? sidecar.push(situation) : client.ask('apply', settingOf(arrangement, situation, undefined)),
    pushBroken: (situation) => sidecar ? sidecar.pushBroken() : client.ask('apply', brokenSetting(settingOf(arrangement, situation, undefined))),
    async stop() {
      await client.stop()
      await sidecar?.stop()
    },
  }
}
