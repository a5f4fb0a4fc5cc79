import { isDeepStrictEqual } from 'node:util'
import type { Picker } from '../balancers/balancer.ts'
import type { Attempt, Call } from '../core/call.ts'
import type { Endpoint, Load } from '../core/endpoint.ts'
import { publish } from '../core/events.ts'
import type { Reply } from '../core/reply.ts'
import type { RequestHead } from '../core/request.ts'
import type { Send } from '../core/send.ts'
import { follow, type Following } from '../registries/follow.ts'
import { parseEndpointAddress } from '../registries/address.ts'
import type { Registry } from '../registries/registry.ts'
import type { Cancel } from '../runtime/clock.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { connectionOptions } from '../transport/connections.ts'
import { available } from './availability.ts'
import type { ClusterConfig } from './config.ts'
import { Draining } from './draining.ts'
import { FirstSet } from './first-set.ts'
import { membership, refuseOddities } from './membership.ts'
import type { OutlierDetection } from './outlier.ts'
import { Paced } from './paced.ts'
import { prepareParts, type ClusterFamilies, type ClusterParts } from './parts.ts'
import { Reach } from './reach.ts'
import { endWarming, warmingEnds } from './slow-start.ts'
import { census, clusterStatus, type ClusterStatus } from './status.ts'

/**
 * One upstream version: its endpoints, and what was learnt of them. Outlives configurations.
 * Three speeds, three fields: `parts` by configuration, `endpoints` by the registry, the picker by health.
 */
export class Cluster {
  readonly name: string
  readonly load: Load = { active: 0, pending: 0 }
  readonly #runtime: Runtime
  readonly #families: ClusterFamilies
  #parts: ClusterParts | undefined
  #endpoints: readonly Endpoint[] = []
  #pick: Picker = () => undefined
  #offered: readonly Endpoint[] = []
  #panic = false
  /** Whether endpoints are used that were not checked yet. */
  #hopeful = false
  #following: Following | undefined
  #known = false
  #resolveReady: () => void = () => {}
  readonly #firstSet = new FirstSet()
  /**
   * Resolves when the first endpoint set is there, and with health checks one of its endpoints has passed or all were checked;
   * or when none will come any more because the cluster is closed.
   */
  readonly ready = new Promise<void>((resolve) => { this.#resolveReady = resolve })
  /** Calls off the next change that time alone will bring. */
  #cancelNext: Cancel = () => {}
  /** Makes the picker anew where it is a matter of what can be connected to. */
  readonly #reconsider: Paced
  readonly #draining: Draining
  /** Which endpoints can be connected to; when none can, the registry is asked right now whether they are still the right ones. */
  readonly reach: Reach

  constructor(name: string, families: ClusterFamilies, runtime: Runtime) {
    this.name = name
    this.#families = families
    this.#runtime = runtime
    this.#draining = new Draining(runtime.clock)
    this.#reconsider = new Paced(runtime.clock, () => this.changed())
    this.reach = new Reach(runtime.clock, {
      total: () => this.#endpoints.length,
      look: () => this.#following?.wake(),
      changed: () => { if (this.#panic) this.#reconsider.ask() },
    })
  }

  /** All endpoints that the registry lists. */
  get endpoints(): readonly Endpoint[] {
    return this.#endpoints
  }

  /** Whether its registry has said a set; until then calls wait. */
  get known(): boolean {
    return this.#known
  }

  /** How its registry fares, as plain data; empty before there is one. */
  get registry(): object {
    return this.#following?.status() ?? {}
  }

  /** Whether all endpoints are used, since too few are available. */
  get panic(): boolean {
    return this.#panic
  }

  /** How many endpoints its picker has to choose from. */
  get offered(): number {
    return this.#offered.length
  }

  /** Milliseconds since its registry's last answer; `undefined` before the first. */
  get age(): number | undefined {
    return this.#following?.status().age
  }

  /** Whether endpoints that are new or back start slowly; for outlier detection. */
  get slowStart(): boolean {
    return (this.#parts?.config.slowStart ?? 0) > 0
  }

  /** Its outlier detection, where it has one; for health checks. */
  get detection(): OutlierDetection | undefined {
    return this.#parts?.detection
  }

  /** What it consists of at present. */
  get parts(): ClusterParts {
    if (!this.#parts) throw new TypeError(`cluster '${this.name}' has no configuration yet`)
    return this.#parts
  }

  /**
   * Gets ready for a configuration without using it yet, and reads the files that it names; `host` is a service that sends to this cluster, if there is one.
   * May throw; then nothing has changed.
   */
  prepare(config: ClusterConfig, host?: string): ClusterParts {
    return prepareParts(this, config, host, { old: this.#parts, families: this.#families, runtime: this.#runtime })
  }

  /** Uses what was prepared, and lets go of what it replaces. */
  adopt(parts: ClusterParts): void {
    const old = this.#parts
    if (old === parts) return
    this.#parts = parts
    if (old?.breaker !== parts.breaker) old?.breaker?.close()
    if (old && old.detection !== parts.detection) this.#judgeAfresh(old)
    if (old?.checks !== parts.checks) this.#checkAfresh(old)
    if (old?.asking !== parts.asking) {
      old?.asking?.close()
      parts.asking?.start(parts.balancer)
    }
    if (old && !sameDialling(old.config, parts.config)) for (const endpoint of this.#endpoints) this.#draining.drain(endpoint)
    if (old?.credentials !== parts.credentials) {
      old?.credentials.close()
      parts.credentials.follow(() => this.#renew())
    }
    if (old?.registry !== parts.registry) this.#follow(parts.registry)
    this.changed()
  }

  /** From here on every request goes over a connection that was made with the renewed certificates; those under way end where they are, however long they take. */
  #renew(): void {
    const { parts } = this
    this.#parts = { ...parts, config: { ...parts.config, tls: parts.credentials.current.shown } }
    for (const endpoint of this.#endpoints) this.#draining.drainInItsTime(endpoint)
  }

  /** What the old detection had taken out gets another chance under the new one. */
  #judgeAfresh({ detection }: ClusterParts): void {
    detection?.close()
    for (const endpoint of this.#endpoints) {
      if (endpoint.state !== 'ejected' && endpoint.state !== 'probation') continue
      endpoint.state = 'available'
      endpoint.stateSince = this.#runtime.clock.now()
    }
  }

  /** New checks find the endpoints as the old ones left them; where there are none any more, nobody is left to hold one out. */
  #checkAfresh(old: ClusterParts | undefined): void {
    old?.checks?.close()
    const { checks } = this.parts
    if (checks) return checks.watch(this.#endpoints)
    for (const endpoint of this.#endpoints) {
      if (endpoint.state === 'unhealthy' || endpoint.state === 'unchecked') endpoint.state = 'available'
    }
  }

  #follow(registry: Registry): void {
    this.#following?.close()
    this.#following = follow(registry, {
      runtime: this.#runtime,
      guard: () => this.parts.config.discovery,
      onSet: (specs) => this.#replace(specs),
      onFailure: (error, retryIn) => publish(this.#runtime, 'registry-failed', { cluster: this.name, error, retryIn }),
      onRecovered: () => publish(this.#runtime, 'registry-recovered', { cluster: this.name }),
      onHeld: (held) => publish(this.#runtime, 'registry-doubted', { cluster: this.name, ...held }),
    })
  }

  #replace(specs: Parameters<typeof membership>[1]): void {
    this.#refuse(specs)
    const { endpoints, added, removed } = membership(this.#endpoints, specs)
    this.#endpoints = endpoints
    for (const endpoint of added) this.#welcome(endpoint)
    for (const endpoint of removed) this.#retire(endpoint)
    this.#parts?.checks?.watch(added)
    this.#known = true
    this.changed()
    this.#firstSet.arrive()
  }

  /** Whatever a registry says is dialled, so it must be an address and nothing else; refusing it counts as the registry's failure, and leaves all as it was. */
  #refuse(specs: Parameters<typeof membership>[1]): void {
    const known = new Set(this.#endpoints.map(({ address }) => address))
    for (const spec of specs) {
      refuseOddities(spec)
      if (!known.has(spec.address)) parseEndpointAddress(spec.address)
    }
  }

  #welcome(endpoint: Endpoint): void {
    // The first set starts as a whole: slow start would only make it wait for itself.
    if (this.slowStart && this.#known) endpoint.warmingSince = this.#runtime.clock.now()
    if (this.#parts?.checks) endpoint.state = 'unchecked'
    publish(this.#runtime, 'endpoint-added', { cluster: this.name, endpoint: endpoint.address })
  }

  #retire(endpoint: Endpoint): void {
    endpoint.state = 'retired'
    this.#parts?.detection?.forget(endpoint)
    this.#parts?.checks?.forget(endpoint)
    this.reach.forget(endpoint)
    this.#draining.drain(endpoint)
    publish(this.#runtime, 'endpoint-removed', { cluster: this.name, endpoint: endpoint.address })
  }

  /** Makes the picker anew: the endpoints, or what is known of their health, have changed. */
  changed(): void {
    const { balancer, config } = this.parts
    const now = this.#runtime.clock.now()
    endWarming(this.#endpoints, config.slowStart, now)
    const { endpoints, panic, unchecked } = available(this.#endpoints, config.panic, (endpoint) => this.reach.aloneUntil(endpoint) > now)
    this.#pick = balancer(endpoints, this.#endpoints)
    this.#offered = endpoints
    this.#hopeful = unchecked
    if (panic !== this.#panic) {
      this.#panic = panic
      const ready = this.#endpoints.filter(({ state }) => state === 'available').length
      publish(this.#runtime, panic ? 'panic-entered' : 'panic-left',
        { cluster: this.name, available: ready, total: this.#endpoints.length })
    }
    this.#cancelNext()
    const next = Math.min(warmingEnds(endpoints, config.slowStart) ?? Infinity, panic ? this.#solitudeEnds(now) : Infinity)
    this.#cancelNext = next === Infinity ? () => {} : this.#runtime.clock.background(Math.max(0, next - now), () => this.changed())
    if (this.#known && this.#judged) this.#resolveReady()
  }

  /** When the first of those that are left alone is worth another try. */
  #solitudeEnds(now: number): number {
    return Math.min(...this.#endpoints.map((endpoint) => this.reach.aloneUntil(endpoint)).filter((until) => until > now))
  }

  /** Whether it is known of an endpoint that it is well, or of all whether they are. */
  get #judged(): boolean {
    return this.#endpoints.some(({ state }) => state === 'available') || this.#endpoints.every(({ state }) => state !== 'unchecked')
  }

  /** Sends a call to an endpoint of this cluster: the hinge between what was asked and one try of it. */
  pickAndSend(send: Send<Attempt>): Send<Call> {
    const go = (call: Call): Promise<Reply> => {
      const endpoint = this.#parts?.detection?.probation.take(call) ?? this.#pick(call)
      if (!endpoint) return Promise.reject(this.#empty(call))
      // From here on there is something better to come than the answer that was kept.
      call.reserve?.discard()
      call.reserve = undefined
      return send(call.begin(endpoint, this.load))
    }
    return (call) => this.#known ? go(call) : this.#firstSet.wait(call).then(() => go(call))
  }

  #empty(call: Call): Error {
    if (this.#offered.length > 0) {
      return call.error('ENMESH_NO_ENDPOINT', `${call}: none of the ${this.#offered.length} endpoints of cluster '${this.name}' that may be picked is for this request, ` +
        `says its balancer (${this.parts.config.balancer.type}). Check what it goes by, and its fallback.`)
    }
    const last = this.#following?.status().lastError
    if (this.#endpoints.length > 0) {
      return call.error('ENMESH_NO_ENDPOINT', `${call}: of the endpoints of cluster '${this.name}' none is available (${census(this.#endpoints)}). ` +
        'Look at mesh.status() for the reasons; with `panic` above 0 they would be tried all the same.')
    }
    return call.error('ENMESH_NO_ENDPOINT', `${call}: cluster '${this.name}' has no endpoint; its registry ` +
      `(${String((this.parts.config.registry as { readonly type: string }).type)}) lists ${this.#endpoints.length}${last ? `, and last failed with: ${last}` : ''}. ` +
      'Check that instances are registered, and what the registry is asked for.')
  }

  /** In words: whether and why an endpoint may be picked, for one request if it is given. */
  explain(endpoint: Endpoint, request?: RequestHead): string {
    const part = this.#pick.explain?.(endpoint, request)
    return part === undefined ? this.#explainState(endpoint) : `${this.#explainState(endpoint)}; ${part}`
  }

  #explainState(endpoint: Endpoint): string {
    const state = this.#stateOf(endpoint)
    if (this.#panic && endpoint.state !== 'available') return `${state}${this.#explainPanic(endpoint)}`
    if (this.#hopeful && endpoint.state === 'unchecked') return `${state}; used all the same, since too few others are available`
    if (endpoint.warmingSince === undefined) return state
    return `${state}, in slow start for ${Math.round(this.#runtime.clock.now() - endpoint.warmingSince)} ms`
  }

  #explainPanic(endpoint: Endpoint): string {
    if (this.#offered.includes(endpoint)) return '; used all the same, since too few are available (panic)'
    return endpoint.state === 'probation' ? '' : '; left alone though too few are available (panic), since it could not be connected to'
  }

  #stateOf(endpoint: Endpoint): string {
    const { detection, checks } = this.parts
    const health = checks?.explain(endpoint)
    if (health !== undefined && (endpoint.state === 'unhealthy' || endpoint.state === 'unchecked')) return health
    const state = detection?.explain(endpoint) ?? endpoint.state
    return health === undefined ? state : `${state}; ${health}`
  }

  /** What it is doing, as plain data. */
  status(): ClusterStatus {
    return clusterStatus(this, this.#runtime.clock.now())
  }

  /** Stops watching, lets what is under way end within the limit, and closes every connection. */
  async close(): Promise<void> {
    this.#following?.close()
    this.#resolveReady()
    this.#firstSet.arrive()
    this.#cancelNext()
    this.#reconsider.close()
    this.#parts?.breaker?.close()
    this.#parts?.detection?.close()
    this.#parts?.checks?.close()
    this.#parts?.asking?.close()
    this.#parts?.credentials.close()
    for (const endpoint of this.#endpoints) this.#retire(endpoint)
    this.#endpoints = []
    this.#pick = () => undefined
    await this.#draining.finished()
  }
}

const sameDialling = (a: ClusterConfig, b: ClusterConfig): boolean =>
  connectionOptions.every((key) => isDeepStrictEqual(a[key], b[key]))
