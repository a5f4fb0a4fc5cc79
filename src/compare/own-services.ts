import { systemClock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'
import { MeshError } from '../core/errors.ts'
import { createMesh, type Mesh } from '../mesh/mesh.ts'
import type { MeshInput } from '../mesh/config.ts'
import type { Arrangement } from './arrangement.ts'
import { compare } from './compare.ts'
import { measureClients, type Planned, type Progress } from './happy.ts'
import type { Results } from './results.ts'
import type { Situation } from './situation.ts'

/** How much is sent to somebody's services. */
export interface OwnLoad {
  readonly inFlight: number
  readonly rounds: number
  /** Requests that count of each arrangement at each URL in each round, at most; a fifth of them comes before, to warm up. */
  readonly requests: number
  /** Seconds that they may take, at most. */
  readonly seconds: number
}

/** What is asked of a comparison at somebody's own services. */
export interface OwnComparison {
  readonly command: string
  readonly definition: MeshInput
  /** What is called, each with GET. */
  readonly urls: readonly URL[]
  readonly arrangements: readonly Arrangement[]
  readonly load: OwnLoad
  readonly seed: number
  readonly random: Random
  readonly progress: Progress
}

/** Thrown where the definition does not know what is to be called, or nothing good answers there. */
export class NotComparable extends TypeError {}

const shownUrl = (url: URL): string => `${url.origin}${url.pathname}`

interface Target {
  readonly url: URL
  readonly host: string
  readonly clusters: readonly string[]
  /** Length of the answer's body. */
  readonly bytes: number
}

const patience = 10_000

/** A larger answer, or one without an end, would be read whole in every request. */
const largest = 64 * 1_024 ** 2

/** Refuses what takes longer than a person would wait for it: a definition may allow a call any time. */
const withinPatience = async <T>(begin: (signal: AbortSignal) => Promise<T>, late: string): Promise<T> => {
  const tooLong = new AbortController()
  const cancel = systemClock.after(patience, () => tooLong.abort())
  try {
    return await begin(tooLong.signal)
  } catch (error) {
    throw tooLong.signal.aborted ? new NotComparable(late) : error
  } finally {
    cancel()
  }
}

const whyNone = (error: unknown): string => error instanceof MeshError ? error.code : String(error)

/** What one call brings; whatever comes of it, it shows before hundreds are sent. Redirects lead to what nobody named, and are not followed. */
const bytesOf = (mesh: Mesh, url: URL): Promise<number> => withinPatience(async (signal) => {
  const refused = (why: string): NotComparable => new NotComparable(`${shownUrl(url)}: ${why}`)
  const response = await mesh.fetch(url.href, { signal, redirect: 'manual' }).catch((error: unknown) => {
    throw refused(`it gave no answer: ${whyNone(error)}`)
  })
  if (response.status !== 200) {
    await response.body?.cancel()
    throw refused(`it answered ${response.status} to a first call, and only answers of 200 can be compared`)
  }
  let bytes = 0
  try {
    for await (const chunk of response.body ?? []) {
      bytes += (chunk as Uint8Array).byteLength
      if (bytes > largest) throw refused(`its answer is larger than ${largest / 1_024 ** 2} MiB: name one that is smaller`)
    }
  } catch (error) {
    throw error instanceof NotComparable ? error : refused(`its answer broke off: ${whyNone(error)}`)
  }
  return bytes
}, `${shownUrl(url)}: a first call had no whole answer within ${patience / 1_000} s`)

/** Asks the registries, and finds out where each URL leads. Throws for one that leads nowhere. */
const targetsOf = async (definition: MeshInput, urls: readonly URL[]): Promise<{ readonly targets: readonly Target[], readonly endpoints: ReadonlyMap<string, readonly string[]>, readonly secured: ReadonlySet<string> }> => {
  const mesh = createMesh(definition)
  try {
    const leads = urls.map((url) => {
      const { service, route, clusters, summary } = mesh.explain(url.href)
      if (service === undefined || route === undefined) throw new NotComparable(`${shownUrl(url)}: ${summary}. Only what the definition knows is called.`)
      return { url, host: service, clusters: clusters.filter(({ share }) => share > 0).map(({ name }) => name) }
    })
    await withinPatience((signal) => mesh.ready(signal), `the registries of the definition gave no first answer within ${patience / 1_000} s`)
    const { clusters } = mesh.status()
    const targets: Target[] = []
    for (const lead of leads) targets.push({ ...lead, bytes: await bytesOf(mesh, lead.url) })
    return {
      targets,
      endpoints: new Map(Object.entries(clusters).map(([name, { endpoints }]) => [name, endpoints.map(({ address }) => address)])),
      secured: new Set(Object.entries(clusters).filter(([, { config: { tls } }]) => tls !== undefined && tls !== false).map(([name]) => name)),
    }
  } finally {
    await mesh.close()
  }
}

/** A client that dials addresses by itself has no word for the name that certificates are to carry. */
const orNot = (arrangement: Arrangement, secured: boolean): Arrangement =>
  secured && arrangement.kind === 'direct' ? { ...arrangement, lacks: 'the instances speak TLS, and a client that dials their addresses does not know the name in their certificates' } : arrangement

/**
 * Compares arrangements at services that run already, as the user's definition describes them: without faults, since they are not ours to break, and
 * with a load that has a bound. Rejects with an `NotComparable` where the definition doesn't know a URL.
 */
export const compareOwn = async ({ definition, urls, load, arrangements, random, progress, command, seed }: OwnComparison): Promise<Results> => {
  const { targets, endpoints, secured } = await targetsOf(definition, urls)
  const situations = new Map<string, Situation>()
  const situationOf = ({ url, host, clusters }: Target): Situation => {
    const key = `${url.origin} ${host} ${clusters.join(' ')}`
    const known = situations.get(key)
    if (known) return known
    const situation: Situation = {
      definition, host, origin: url.origin,
      addresses: [...new Set(clusters.flatMap((name) => endpoints.get(name) ?? []))],
      endpoints: Object.fromEntries([...endpoints].filter(([, addresses]) => addresses.length > 0)),
    }
    situations.set(key, situation)
    return situation
  }
  const planned = targets.map((target, index): Planned => ({
    id: `url-${index + 1}`, title: shownUrl(target.url), subject: 'client', inFlight: load.inFlight, bodyBytes: target.bytes,
    mutualTls: target.clusters.some((name) => secured.has(name)), path: `${target.url.pathname}${target.url.search}`, situation: situationOf(target),
  }))
  const empty = planned.find(({ situation }) => situation.addresses.length === 0)
  if (empty) throw new NotComparable(`${empty.title}: the registries know no endpoint of it: see \`enmesh explain\``)
  const milliseconds = load.seconds * 1_000
  const warmUp = { requests: Math.max(load.inFlight, Math.round(load.requests / 5)), milliseconds }
  return compare({
    command, seed, rounds: load.rounds, situation: planned[0]!.situation,
    arrangements: arrangements.map((arrangement) => orNot(arrangement, planned.some(({ mutualTls }) => mutualTls))),
    async measure(stage, runnable) {
      const lengths = { rounds: load.rounds, warmUp, settling: { requests: load.inFlight }, counted: { requests: load.requests, milliseconds } }
      return { ...await measureClients(stage, runnable, planned, lengths, random, progress), faults: [] }
    },
  })
}
