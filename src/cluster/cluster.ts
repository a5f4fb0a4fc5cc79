import { isIP } from 'node:net'
import { isDeepStrictEqual } from 'node:util'
import type { Balancer, Picker } from '../balancers/balancer.ts'
import type { Attempt, Call } from '../core/call.ts'
import type { Endpoint, EndpointSpec, Load } from '../core/endpoint.ts'
import { publish } from '../core/events.ts'
import type { Reply } from '../core/reply.ts'
import type { Send } from '../core/send.ts'
import { retryBudget, type RetryBudget } from '../policies/budget.ts'
import { Breaker } from '../policies/circuit-breaker.ts'
import { follow, type Following } from '../registries/follow.ts'
import { parseEndpointAddress } from '../registries/address.ts'
import type { Registry } from '../registries/registry.ts'
import type { Cancel } from '../runtime/clock.ts'
import type { Runtime } from '../runtime/runtime.ts'
import type { HealthProbe, ProbedCluster } from '../transport/probe.ts'
import type { CertificateStatus } from '../transport/expiry.ts'
import { available } from './availability.ts'
import type { ClusterConfig } from './config.ts'
import { Credentials } from './credentials.ts'
import { HealthChecks, type HealthCheckConfig } from './health-checks.ts'
import { membership } from './membership.ts'
import { OutlierDetection } from './outlier.ts'
import { Reach } from './reach.ts'
import { slowStart, warmingEnds } from './slow-start.ts'

/** Makes the plug-ins of a cluster from their configuration. */
export interface ClusterFamilies {
  readonly registry: (config: ClusterConfig['registry']) => Registry
  readonly balancer: (config: ClusterConfig['balancer']) => Balancer
  /** Absent where there is no network to ask over. */
  readonly probe?: ((check: HealthCheckConfig, cluster: ProbedCluster) => HealthProbe) | undefined
}

/** What one configuration of a cluster consists of. What a new one does not change is carried over, with all it has learnt. */
export interface ClusterParts {
  /** What is in effect, without keys and passphrases. */
  readonly config: ClusterConfig
  /** Authorities, certificate and key to dial with, where the configuration names any. */
  readonly credentials: Credentials
  readonly registry: Registry
  readonly balancer: Balancer
  readonly budget: RetryBudget
  readonly breaker: Breaker | undefined
  readonly detection: OutlierDetection | undefined
  /** What health checks name as `Host` where they don't say it themselves; absent where no service sends here. */
  readonly host: string | undefined
  readonly checks: HealthChecks | undefined
}

/** Longest time that connections of an endpoint which is gone may take to finish, in milliseconds. */
const drainLimit = 30_000

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
  /** How many endpoints the picker has to choose from. */
  #offered = 0
  #panic = false
  /** Whether endpoints are used that were not checked yet. */
  #hopeful = false
  #following: Following | undefined
  #known = false
  #resolveReady: () => void = () => {}
  /** Calls that wait for the first set. Those that give up take themselves out, so none piles up while a registry is silent. */
  readonly #waiting = new Set<() => void>()
  /**
   * Resolves when the first endpoint set is there, and with health checks one of its endpoints has passed or all were checked;
   * or when none will come any more because the cluster is closed.
   */
  readonly ready = new Promise<void>((resolve) => { this.#resolveReady = resolve })
  #cancelWarming: Cancel = () => {}
  /** Connections that end, and how to bound the time they have for it. */
  readonly #draining = new Map<Promise<void>, () => void>()
  /** Which endpoints can be connected to; when none can, the registry is asked right now whether they are still the right ones. */
  readonly reach: Reach

  constructor(name: string, families: ClusterFamilies, runtime: Runtime) {
    this.name = name
    this.#families = families
    this.#runtime = runtime
    this.reach = new Reach(runtime.clock, () => this.#endpoints.length, () => this.#following?.wake())
  }

  /** All endpoints that the registry lists. */
  get endpoints(): readonly Endpoint[] {
    return this.#endpoints
  }

  /** Whether its registry has said a set; until then calls wait. */
  get known(): boolean {
    return this.#known
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
    const old = this.#parts
    const same = (part: keyof ClusterConfig): boolean => old !== undefined && isDeepStrictEqual(old.config[part], config[part])
    const read = new Credentials(this.name, config.tls, this.#runtime)
    const { shown } = read.current
    const credentials = old && isDeepStrictEqual(old.config.tls, shown) ? old.credentials : read
    return {
      config: { ...config, tls: shown },
      credentials,
      registry: same('registry') ? old!.registry : this.#families.registry(config.registry),
      balancer: same('balancer') && same('slowStart') ? old!.balancer : this.#balancer(config),
      budget: same('budget') ? old!.budget : retryBudget(config.budget, this.#runtime.clock),
      breaker: same('breaker') ? old!.breaker : config.breaker === false ? undefined
        : new Breaker(this.name, config.breaker, this.#runtime),
      detection: same('outlier') ? old!.detection : config.outlier === false ? undefined
        : new OutlierDetection(this, config.outlier, this.#runtime),
      host,
      checks: same('healthCheck') && old!.host === host && old!.credentials === credentials ? old!.checks
        : this.#checks(config.healthCheck, {
          get tls() { return credentials.current.shown },
          get context() { return credentials.current.context },
          host,
        }),
    }
  }

  #checks(config: ClusterConfig['healthCheck'], cluster: ProbedCluster): HealthChecks | undefined {
    const { probe } = this.#families
    return config === false || !probe ? undefined : new HealthChecks(this, config, probe(config, cluster), this.#runtime)
  }

  #balancer(config: ClusterConfig): Balancer {
    const plain = this.#families.balancer(config.balancer)
    const balancer = config.slowStart > 0 ? slowStart(config.slowStart, this.#runtime)(plain) : plain
    // On trial: a picker that cannot be made fails here, where nothing has changed yet, and not half-way through an update.
    balancer(this.#endpoints)
    return balancer
  }

  /** Uses what was prepared, and lets go of what it replaces. */
  adopt(parts: ClusterParts): void {
    const old = this.#parts
    if (old === parts) return
    this.#parts = parts
    if (old?.breaker !== parts.breaker) old?.breaker?.close()
    if (old && old.detection !== parts.detection) this.#judgeAfresh(old)
    if (old?.checks !== parts.checks) this.#checkAfresh(old)
    if (old && !sameDialling(old.config, parts.config)) for (const endpoint of this.#endpoints) this.#drain(endpoint)
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
    for (const endpoint of this.#endpoints) this.#drain(endpoint, false)
  }

  /** What the old detection had taken out gets another chance under the new one. */
  #judgeAfresh({ detection }: ClusterParts): void {
    detection?.close()
    for (const endpoint of this.#endpoints) {
      endpoint.failuresInARow = 0
      if (endpoint.state === 'ejected' || endpoint.state === 'probation') endpoint.state = 'available'
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
    for (const spec of specs) refuseOddities(spec)
    const { endpoints, added, removed } = membership(this.#endpoints, specs)
    // Whatever a registry says is dialled, so it must be an address and nothing else; refusing it counts as the registry's failure.
    for (const { address } of added) parseEndpointAddress(address)
    this.#endpoints = endpoints
    for (const endpoint of added) this.#welcome(endpoint)
    for (const endpoint of removed) this.#retire(endpoint)
    this.#parts?.checks?.watch(added)
    this.#known = true
    this.changed()
    this.#arrive()
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
    this.#drain(endpoint)
    publish(this.#runtime, 'endpoint-removed', { cluster: this.name, endpoint: endpoint.address })
  }

  /** Lets what is under way on the endpoint's connections end, then closes them: within the limit, or where there is none when the cluster is closed at the latest. */
  #drain(endpoint: Endpoint, limited = true): void {
    if (!endpoint.dialled) return
    const pools = [...endpoint.pools.values()]
    endpoint.pools.clear()
    for (const pool of pools) {
      let cancel: Cancel = () => {}
      const limit = (): void => { cancel = this.#runtime.clock.background(drainLimit, () => { void pool.destroy() }) }
      if (limited) limit()
      const drained = pool.close().catch(() => {}).then(() => {
        cancel()
        this.#draining.delete(drained)
      })
      this.#draining.set(drained, limited ? () => {} : limit)
    }
  }

  /** Makes the picker anew: the endpoints, or what is known of their health, have changed. */
  changed(): void {
    const { balancer, config } = this.parts
    const { endpoints, panic, unchecked } = available(this.#endpoints, config.panic)
    this.#pick = balancer(endpoints, this.#endpoints)
    this.#offered = endpoints.length
    this.#hopeful = unchecked
    if (panic !== this.#panic) {
      this.#panic = panic
      const ready = this.#endpoints.filter(({ state }) => state === 'available').length
      publish(this.#runtime, panic ? 'panic-entered' : 'panic-left',
        { cluster: this.name, available: ready, total: this.#endpoints.length })
    }
    this.#cancelWarming()
    const end = warmingEnds(endpoints, config.slowStart)
    this.#cancelWarming = end === undefined ? () => {}
      : this.#runtime.clock.background(Math.max(0, end - this.#runtime.clock.now()), () => this.changed())
    if (this.#known && this.#judged) this.#resolveReady()
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
    return (call) => this.#known ? go(call) : this.#firstSet(call).then(() => go(call))
  }

  /** Lets go on whoever waits for the first set: it is there, or will never come. */
  #arrive(): void {
    for (const go of this.#waiting) go()
    this.#waiting.clear()
  }

  /** A call that is here before the first endpoint set waits for it, within its deadline. */
  #firstSet(call: Call): Promise<void> {
    return new Promise((resolve, reject) => {
      const go = (): void => {
        call.untrack(waiting)
        resolve()
      }
      const waiting = { abort: (reason: unknown) => { this.#waiting.delete(go); reject(reason) } }
      this.#waiting.add(go)
      call.track(waiting)
    })
  }

  #empty(call: Call): Error {
    if (this.#offered > 0) {
      return call.error('ENMESH_NO_ENDPOINT', `${call}: none of the ${this.#offered} endpoints of cluster '${this.name}' that may be picked is for this request, ` +
        `says its balancer (${this.parts.config.balancer.type}). Check what it goes by, and its fallback.`)
    }
    const last = this.#following?.status().lastError
    if (this.#endpoints.length > 0) {
      return call.error('ENMESH_NO_ENDPOINT', `${call}: of the endpoints of cluster '${this.name}' none is available (${this.#census()}). ` +
        'Look at mesh.status() for the reasons; with `panic` above 0 they would be tried all the same.')
    }
    return call.error('ENMESH_NO_ENDPOINT', `${call}: cluster '${this.name}' has no endpoint; its registry ` +
      `(${String((this.parts.config.registry as { readonly type: string }).type)}) lists ${this.#endpoints.length}${last ? `, and last failed with: ${last}` : ''}. ` +
      'Check that instances are registered, and what the registry is asked for.')
  }

  /** How many endpoints are in each state, in words. */
  #census(): string {
    const counts = new Map<string, number>()
    for (const { state } of this.#endpoints) counts.set(state, (counts.get(state) ?? 0) + 1)
    return [...counts].map(([state, count]) => `${count} ${state}`).join(', ')
  }

  /** In words: whether and why an endpoint may be picked. */
  explain(endpoint: Endpoint): string {
    const part = this.#pick.explain?.(endpoint)
    return part === undefined ? this.#explainState(endpoint) : `${this.#explainState(endpoint)}; ${part}`
  }

  #explainState(endpoint: Endpoint): string {
    const state = this.#stateOf(endpoint)
    if (this.#panic && endpoint.state !== 'available') return `${state}; used all the same, since too few are available (panic)`
    if (this.#hopeful && endpoint.state === 'unchecked') return `${state}; used all the same, since too few others are available`
    if (endpoint.warmingSince === undefined) return state
    return `${state}, in slow start for ${Math.round(this.#runtime.clock.now() - endpoint.warmingSince)} ms`
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
    const { clock } = this.#runtime
    const { config, breaker, budget } = this.parts
    return {
      active: this.load.active,
      pending: this.load.pending,
      panic: this.#panic,
      registry: this.#following?.status() ?? {},
      breaker: breaker?.status() ?? false,
      budget: budget.balance,
      certificates: this.parts.credentials.status(),
      endpoints: this.#endpoints.map((endpoint) => ({
        id: endpoint.id,
        address: endpoint.address,
        state: endpoint.state,
        why: this.explain(endpoint),
        weight: endpoint.weight,
        metadata: endpoint.metadata,
        active: endpoint.active,
        attempts: endpoint.attempts,
        failures: endpoint.failures,
        latency: Math.round(endpoint.latency.at(clock.now()) * 1000) / 1000,
      })),
      config,
    }
  }

  /** Stops watching, lets what is under way end within the limit, and closes every connection. */
  async close(): Promise<void> {
    this.#following?.close()
    this.#resolveReady()
    this.#arrive()
    this.#cancelWarming()
    this.#parts?.breaker?.close()
    this.#parts?.detection?.close()
    this.#parts?.checks?.close()
    this.#parts?.credentials.close()
    for (const endpoint of this.#endpoints) this.#retire(endpoint)
    this.#endpoints = []
    this.#pick = () => undefined
    for (const limit of this.#draining.values()) limit()
    await Promise.all(this.#draining.keys())
  }
}

/** State of one endpoint, as plain data. Times in milliseconds. */
export interface EndpointStatus {
  readonly id: string
  readonly address: string
  readonly state: string
  /** In words why it is or isn't picked. */
  readonly why: string
  readonly weight: number
  readonly metadata: Readonly<Record<string, string>>
  /** Attempts under way. */
  readonly active: number
  readonly attempts: number
  readonly failures: number
  /** Peak-sensitive moving average. */
  readonly latency: number
}

/** State of one cluster, as plain data. */
export interface ClusterStatus {
  readonly active: number
  readonly pending: number
  readonly panic: boolean
  readonly registry: object
  readonly breaker: object | false
  /** Retries that the budget would allow now. */
  readonly budget: number
  /** Certificates that it dials with, and when they expire: its own, and the last of its authorities that does; none where the configuration names none. */
  readonly certificates: readonly CertificateStatus[]
  readonly endpoints: readonly EndpointStatus[]
  /** The effective configuration, every default written out; keys and passphrases are left out. */
  readonly config: ClusterConfig
}

/** A balancer divides by weights and adds them up: one of nothing, or beyond counting, would leave it without an answer. */
const refuseOddities = ({ address, ip, weight }: EndpointSpec): void => {
  if (ip !== undefined && isIP(ip) === 0) throw new TypeError(`'${ip}' is not an IP address`)
  if (weight !== undefined && !(weight > 0 && weight <= 1_000_000)) {
    throw new TypeError(`endpoint '${address}' has the weight ${weight}: a weight is above 0 and at most 1000000`)
  }
}

const sameDialling = (a: ClusterConfig, b: ClusterConfig): boolean =>
  (['connections', 'connectTimeout', 'keepAlive', 'tls'] as const).every((key) => isDeepStrictEqual(a[key], b[key]))
