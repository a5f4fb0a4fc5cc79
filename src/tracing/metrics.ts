import { channel } from 'node:diagnostics_channel'
import { verdict, type Attempt } from '../core/call.ts'
import type { Endpoint } from '../core/endpoint.ts'
import type { MeshEvents } from '../core/events.ts'
import type { Ending } from '../core/reply.ts'
import type { Layer } from '../core/send.ts'
import type { Channels } from '../runtime/channels.ts'
import type { MetricsConfig } from './config.ts'
import { ClusterCounts } from './counts.ts'
import { currentInstruments, observe, type Figured, type Observed, type Tell } from './meter.ts'
import { shielded } from './shielded.ts'
import type { HttpVersion } from './version.ts'

/** How a cluster stands at one moment. */
export interface ClusterFigures {
  readonly name: string
  /** Retries that its budget would allow now. */
  readonly budget: number
  /** State of its breaker; absent where it is switched off. */
  readonly breaker?: 'closed' | 'open' | 'half-open' | undefined
  readonly endpoints: readonly Pick<Endpoint, 'state'>[]
  /** Whether it has health checks. */
  readonly checked: boolean
  /** Milliseconds since its registry's last answer; absent before the first, and for a list that is written down. */
  readonly age?: number | undefined
  /** The certificates that it dials with. */
  readonly certificates: readonly { readonly use: 'own' | 'authority', readonly expiresIn: number }[]
  /** Its open connections. */
  connections(): { readonly active: number, readonly idle: number }
}

const created = channel('undici:request:create')
const trailers = channel('undici:request:trailers')

/**
 * Whether OpenTelemetry's instrumentation of undici measures requests at present: it has to hear of beginnings and of ends.
 * Others hear only the one (tracers that know no metrics) or the other (`NODE_DEBUG=undici`).
 */
const isMeasuredBelow = (): boolean => created.hasSubscribers && trailers.hasSubscribers

/** The counts of one mesh, by cluster. Apart from it, so that they can be told once more when it is gone. */
class MeshCounts implements Figured {
  readonly #counts = new Map<string, ClusterCounts>()
  /** Whether they are told. */
  told = false

  /** Those of a cluster. */
  of(cluster: string): ClusterCounts {
    let counts = this.#counts.get(cluster)
    if (!counts) {
      counts = new ClusterCounts(cluster)
      this.#counts.set(cluster, counts)
    }
    return counts
  }

  /** Those of all clusters. */
  all(): Iterable<ClusterCounts> {
    return this.#counts.values()
  }

  tell(tell: Tell): void {
    if (!this.told) return
    for (const [cluster, counts] of this.#counts) tellCounts(tell, cluster, counts)
  }
}

/** What one mesh tells OpenTelemetry's metrics. Counts whether or not somebody collects, so that nothing is missing once somebody does. */
export class MeshMetrics implements Observed {
  readonly #channels: Channels
  readonly counters = new MeshCounts()
  #groups: MetricsConfig | false = false
  #clusters: () => readonly ClusterFigures[] = () => []
  #close: (() => void) | undefined

  constructor(channels: Channels) {
    this.#channels = channels
  }

  /** Has the mesh observed from now on, in these groups and with these clusters. */
  observe(groups: MetricsConfig | false, clusters: () => readonly ClusterFigures[]): void {
    this.#groups = groups
    this.counters.told = groups !== false && groups.mesh
    this.#clusters = clusters
    if (groups === false) return
    this.#close ??= this.#open()
    currentInstruments()
  }

  #open(): () => void {
    const unsubscribe = this.#channels.on('endpoint-ejected', (detail) => {
      this.counters.of((detail as MeshEvents['endpoint-ejected']).cluster).ejections++
    })
    const unsubscribeChecks = this.#channels.on('endpoint-checked', (detail) => {
      const { cluster, result } = detail as MeshEvents['endpoint-checked']
      const { checks } = this.counters.of(cluster)
      checks.set(result, (checks.get(result) ?? 0) + 1)
    })
    const stop = observe(this)
    return () => {
      unsubscribe()
      unsubscribeChecks()
      stop()
    }
  }

  /** Ends it: what is counted so far is still told once, and nothing of the mesh is held any more. */
  close(): void {
    this.#close?.()
    this.#close = () => {}
  }

  /** Around each attempt at a cluster: counts it, and measures how long it takes to the end of its body. */
  measure(cluster: string, version: HttpVersion, { duration }: MetricsConfig): Layer<Attempt> {
    const counts = this.counters.of(cluster)
    // Only HTTP/1.1 is sent by undici.
    const timed = duration === 'auto' ? () => version !== '1.1' || !isMeasuredBelow() : () => duration
    const onEnd = (attempt: Attempt, ending: Ending): void => {
      const requests = counts.of(attempt.call.request)
      requests.active--
      counts.attempts[verdict(attempt, ending) ?? 'none']++
      const instruments = currentInstruments()
      if (instruments && timed()) {
        const seconds = (attempt.endedAt - attempt.startedAt) / 1_000
        shielded('recording a duration', () => instruments.duration.record(seconds, requests.outcome(version, attempt.status, ending)))
      }
    }
    return (next) => (attempt) => {
      // Whoever registers an SDK does not tell; it is noticed here.
      currentInstruments()
      counts.of(attempt.call.request).active++
      if (attempt.number > 1) counts.retried(attempt.why)
      attempt.onEnd(onEnd)
      return next(attempt)
    }
  }

  tell(tell: Tell): void {
    if (this.#groups === false) return
    const { requests, connections, mesh } = this.#groups
    const clusters = this.#clusters()
    if (requests) this.#tellRequests(tell)
    if (connections) for (const cluster of clusters) tellConnections(tell, cluster)
    if (mesh) for (const cluster of clusters) tellState(tell, cluster)
  }

  #tellRequests(tell: Tell): void {
    for (const counts of this.counters.all()) {
      for (const { active, attributes } of counts.requests()) tell('requests', active, attributes)
    }
  }
}

const tellConnections = (tell: Tell, cluster: ClusterFigures): void => {
  const { active, idle } = cluster.connections()
  for (const [state, count] of [['active', active], ['idle', idle]] as const) {
    tell('connections', count, { 'http.connection.state': state, 'enmesh.cluster': cluster.name })
  }
}

const tellCounts = (tell: Tell, cluster: string, { attempts, retries, ejections, checks }: ClusterCounts): void => {
  for (const [said, count] of Object.entries(attempts)) {
    tell('attempts', count, { 'enmesh.cluster': cluster, 'enmesh.attempt.verdict': said })
  }
  for (const [reason, count] of retries) tell('retries', count, { 'enmesh.cluster': cluster, 'enmesh.retry.reason': reason })
  tell('ejections', ejections, { 'enmesh.cluster': cluster })
  for (const [result, count] of checks) tell('checks', count, { 'enmesh.cluster': cluster, 'enmesh.check.result': result })
}

const tellState = (tell: Tell, { name, budget, breaker, endpoints, checked, age, certificates }: ClusterFigures): void => {
  tell('budget', budget, { 'enmesh.cluster': name })
  if (breaker) {
    for (const state of ['closed', 'open', 'half-open']) {
      tell('breaker', state === breaker ? 1 : 0, { 'enmesh.cluster': name, 'enmesh.breaker.state': state })
    }
  }
  for (const state of ['available', 'ejected', 'probation', ...checked ? ['unchecked', 'unhealthy'] : []]) {
    const count = endpoints.filter((endpoint) => endpoint.state === state).length
    tell('endpoints', count, { 'enmesh.cluster': name, 'enmesh.endpoint.state': state })
  }
  if (age !== undefined) tell('age', age / 1_000, { 'enmesh.cluster': name })
  for (const { use, expiresIn } of certificates) tell('expiry', expiresIn / 1_000, { 'enmesh.cluster': name, 'enmesh.certificate.use': use })
}
