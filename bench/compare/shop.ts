import { settingOf, wayOf, type Arrangement, type Running } from '../../src/compare/arrangement.ts'
import { coresHere } from '../../src/compare/cores.ts'
import { measure, resultOf, shuffled, togetherOn, type Lengths, type Planned, type Progress } from '../../src/compare/happy.ts'
import { familyOf } from '../../src/compare/proc.ts'
import type { ClientHandlers } from '../../src/compare/processes/client-process.ts'
import type { Stage, Worker } from '../../src/compare/processes/stage.ts'
import type { CaseResult, Round } from '../../src/compare/results.ts'
import { startSidecar, type RunningSidecar } from '../../src/compare/sidecars/running.ts'
import { situationOf, type Situation } from '../../src/compare/situation.ts'
import type { Random } from '../../src/runtime/random.ts'
import type { ShopHandlers } from './shop-process.ts'

/** The whole shop at work: a caller of its gateway, and all that the gateway needs. */
interface Shop extends Pick<Running, 'client' | 'pids'> {
  stop(): Promise<void>
}

const addresses = (ports: readonly number[]): readonly string[] => ports.map((port) => `127.0.0.1:${port}`)

/** Starts gateway, order and pricing, the first two with what the arrangement puts between services. */
const startShop = async (stage: Stage, arrangement: Arrangement): Promise<Shop> => {
  const sidecars: RunningSidecar[] = []
  const module = new URL(`shop-process${import.meta.url.slice(import.meta.url.lastIndexOf('.'))}`, import.meta.url).href
  const start = (): Promise<Worker<ShopHandlers>> => stage.worker<ShopHandlers>(module, arrangement.way)
  const [pricing, order, gateway] = [await start(), await start(), await start()]
  const connect = async (from: Worker<ShopHandlers>, to: Worker<ShopHandlers>, host: string): Promise<void> => {
    const situation = situationOf(host, { versions: { v1: addresses(await to.ask('ports')) } })
    const sidecar = arrangement.sidecar && await startSidecar(stage, arrangement.sidecar, situation)
    if (sidecar) sidecars.push(sidecar)
    await from.ask('open', settingOf(arrangement, situation, sidecar))
  }
  await connect(order, pricing, 'pricing.shop.local')
  await connect(gateway, order, 'order.shop.local')
  const client = await stage.worker<ClientHandlers>('processes/client-process', wayOf('plain-request'))
  const [door] = addresses(await gateway.ask('ports'))
  await client.ask('open', { setting: { definition: {}, service: '', origins: [`http://${door}`] }, path: '/' })
  const services = [gateway, order, pricing]
  return {
    client,
    pids: () => ({ application: services.map(({ pid }) => pid), proxy: familyOf(sidecars.map(({ pid }) => pid)) }),
    stop: async () => {
      await Promise.all([client, ...services].map((each) => each.stop()))
      await Promise.all(sidecars.map((each) => each.stop()))
    },
  }
}

const nowhere: Situation = { definition: {}, host: '', addresses: [] }

/** The shop's cases. */
export const shopCases: readonly Planned[] = ([[16, 'The shop, 16 in flight'], [1, 'The shop, 1 in flight']] as const).map(([inFlight, title]) => ({
  id: `shop-${inFlight}`, title, subject: 'shop', inFlight, bodyBytes: 1_024, mutualTls: false, path: '/', situation: nowhere,
}))

/** Measures the whole shop in every arrangement, round by round. */
export const measureShop = async (
  stage: Stage, arrangements: readonly Arrangement[], asked: readonly Planned[], lengths: Lengths, random: Random, progress: Progress,
): Promise<{ readonly cases: readonly CaseResult[], readonly broken: ReadonlyMap<string, string> }> => {
  const rounds = new Map(asked.map(({ id }) => [id, new Map<string, Round[]>()]))
  const broken = new Map<string, string>()
  const cores = await coresHere()
  const placed = (planned: Planned, others: readonly number[]): Planned =>
    planned.inFlight === 1 ? { ...planned, ...togetherOn(cores, others) } : planned
  const once = async (arrangement: Arrangement, round: number): Promise<void> => {
    progress(`shop, round ${round} of ${lengths.rounds}: ${arrangement.title}`)
    const shop = await startShop(stage, arrangement)
    try {
      await shop.client.ask('drive', { path: '/', inFlight: 16, bound: lengths.warmUp })
      for (const planned of asked) {
        const ofCase = rounds.get(planned.id)!
        ofCase.set(arrangement.id, [...ofCase.get(arrangement.id) ?? [], await measure(shop, placed(planned, [shop.client.pid]), round, lengths)])
      }
    } finally {
      await shop.stop()
    }
  }
  if (asked.length > 0) {
    for (let round = 1; round <= lengths.rounds; round++) {
      for (const arrangement of shuffled(arrangements.filter(({ id }) => !broken.has(id)), random)) {
        await once(arrangement, round).catch((error: unknown) => broken.set(arrangement.id, error instanceof Error ? error.message.split('\n')[0]! : String(error)))
      }
    }
  }
  return {
    broken,
    cases: asked.map((planned) => resultOf(placed(planned, []), arrangements.flatMap(({ id }) => {
      const ofCase = rounds.get(planned.id)!.get(id)
      return ofCase ? [{ arrangement: id, rounds: ofCase }] : []
    }))),
  }
}
