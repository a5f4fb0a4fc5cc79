import type { Socket } from 'node:net'
import type { Balancer } from '../balancers/balancer.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { ClusterStatus } from '../cluster/status.ts'
import { clusterConfig } from '../cluster/config.ts'
import { Call, type Attempt, type CallPolicy } from '../core/call.ts'
import { MeshConfigError, MeshError, type AttemptRecord } from '../core/errors.ts'
import { knownEvents, publish, type MeshEvents } from '../core/events.ts'
import type { AnyKind } from '../core/family.ts'
import type { AnyMatcherKind } from '../matchers/matcher.ts'
import { currentPassport } from '../core/passport.ts'
import type { Reply } from '../core/reply.ts'
import type { RequestHead } from '../core/request.ts'
import type { Send } from '../core/send.ts'
import { UnderWay } from '../core/under-way.ts'
import type { Registry } from '../registries/registry.ts'
import { systemRuntime, type Runtime } from '../runtime/runtime.ts'
import { LogFiles } from '../tracing/access-log/file.ts'
import { MeshMetrics } from '../tracing/metrics.ts'
import { MeshDispatcher, type Dispatcher } from '../transport/dispatcher/dispatcher.ts'
import { meshFetch, type FetchInit } from '../transport/fetch/fetch.ts'
import type { Origin } from '../transport/dispatcher/origin.ts'
import { callOf } from '../transport/fetch/response.ts'
import { healthProbe, type HealthProbe } from '../transport/probes/probe.ts'
import { httpTransport } from '../transport/send.ts'
import {
  builtIn, callPolicy, meshConfig, routeShape,
  type BuiltInBalancer, type BuiltInMatcher, type BuiltInRegistry, type CallPolicyInput, type Families, type MeshConfig, type MeshInput,
  type RouteConfig,
} from './config.ts'
import { connectTo, type ConnectDoor, type ConnectOptions } from './connect.ts'
import { explain, type Explanation } from './explain.ts'
import { didYouMean, isPlain, parse } from './faults.ts'
import { located } from './sources.ts'
import { figuresOf } from './figures.ts'
import { build, changes, findService, inUse, type Changes, type Shorthand, type Snapshot, type Surroundings } from './snapshot.ts'
import type { OwnLayers } from './stack.ts'

/** What a mesh is made with beside its configuration. */
export interface MeshOptions<
  R extends AnyKind<Registry> = BuiltInRegistry,
  B extends AnyKind<Balancer> = BuiltInBalancer,
  M extends AnyMatcherKind = BuiltInMatcher,
>
  extends Partial<Families<R, B, M>> {
  /** `'fetch'` rejects just as the platform does (`TypeError: fetch failed`), with the `MeshError` as its cause. `'mesh'` by default. */
  readonly errors?: 'mesh' | 'fetch'
  /** Layers of your own, around calls and around attempts. */
  readonly layers?: OwnLayers
  /** Time, chance and where to report to; what is left out is the machine's own. */
  readonly runtime?: Partial<Runtime>
  /** Takes the place of the network, in tests. What balancers ask beside the traffic comes here too: calls without a service and a cluster. */
  readonly transport?: Send<Attempt>
  /** Takes the place of the network for health checks, in tests. Without it none are made where `transport` is given. */
  readonly probe?: HealthProbe
}

/** What happened to one call. Times in milliseconds. */
export interface Trail {
  readonly service: string
  readonly route: string
  readonly cluster: string | undefined
  /** The `x-request-id` that its attempts carried; absent where request ids are off. */
  readonly requestId?: string
  /** Address of the endpoint that answered or failed last. */
  readonly endpoint: string | undefined
  readonly attempts: readonly AttemptRecord[]
  /** From the caller's door to the end of the body; absent while it runs. */
  readonly took?: number
  /** Why there was no further retry, where one would have been in place. */
  readonly stopped?: string
  /** The calls before this one, when it came about by redirects. */
  readonly redirects: readonly Trail[]
}

/** One route as it is in effect, as plain data. */
export interface RouteStatus {
  readonly name: string
  /** Its clusters with their weights. */
  readonly to: Readonly<Record<string, number>>
  /** Its conditions and policies, every default written out. */
  readonly config: RouteConfig
}

/** Everything about a mesh at one moment, as plain data. */
export interface MeshStatus {
  /** The effective configuration with every default written out; keys and passphrases are left out. */
  readonly config: MeshConfig
  readonly services: Readonly<Record<string, { readonly routes: readonly RouteStatus[] }>>
  readonly clusters: Readonly<Record<string, ClusterStatus>>
  /** Calls under way, bodies included. */
  readonly calls: number
  readonly closed: boolean
}

/** A service mesh in this process. Made by `createMesh`. */
export interface Mesh<
  R extends AnyKind<Registry> = BuiltInRegistry,
  B extends AnyKind<Balancer> = BuiltInBalancer,
  M extends AnyMatcherKind = BuiltInMatcher,
> extends AsyncDisposable {
  /**
   * The platform's `fetch`, through the mesh. Bound: can be passed wherever a `fetch` is taken. `init.mesh` is policy of this call.
   * Rejects with a `MeshError` when there is no service's answer to give, and with the signal's reason when aborted.
   */
  readonly fetch: (input: string | URL | Request, init?: FetchInit<CallPolicyInput>) => Promise<Response>
  /**
   * A connection (`Socket` of `node:net` or `node:tls`) to an endpoint of a service, with TLS where its cluster has it, to speak any protocol over: routed by host and port,
   * limited, observed and tried again as calls are until it is made. Counts as an attempt until it closes; `mesh.close()` cuts it after `drain`.
   * When it breaks it says so by `error`, if somebody listens, and by `close`.
   * Rejects with a `MeshError`, with the signal's reason when aborted, and with a `TypeError` for what is no service's name.
   */
  connect(service: string, options?: ConnectOptions): Promise<Socket>
  /** The mesh as an undici dispatcher. */
  readonly dispatcher: Dispatcher
  /**
   * Resolves when every cluster has had its first endpoint set, and of those with health checks an endpoint has passed, or all were checked.
   * Rejects with the signal's reason, or ENMESH_CLOSED.
   */
  ready(signal?: AbortSignal): Promise<void>
  /** Takes a new configuration over in one step. On any fault throws a `MeshConfigError`, and the old one stays. */
  update(config: MeshInput<R, B, M>): Changes
  /** Everything about the mesh at this moment, as plain JSON. */
  status(): MeshStatus
  /** Without sending: which service, route, cluster and endpoints would be used, and why not the others. */
  explain(url: string | URL, init?: { readonly method?: string, readonly headers?: ConstructorParameters<typeof Headers>[0] }): Explanation
  /** What happened to the call that led to a response or an error of this mesh; `undefined` for any other object. */
  trail(outcome: unknown): Trail | undefined
  /** Hears what the mesh does; the returned function stops it. */
  on<E extends keyof MeshEvents>(event: E, listener: (detail: MeshEvents[E]) => void): () => void
  /** Lets calls under way end within `drain`, then aborts them; closes every connection. New calls fail with ENMESH_CLOSED. */
  close(): Promise<void>
}

/**
 * Makes a mesh from its configuration and starts to watch the registries; never waits for them.
 * Throws a `MeshConfigError` that names every fault with its place.
 */
export const createMesh = <
  R extends AnyKind<Registry> = BuiltInRegistry,
  B extends AnyKind<Balancer> = BuiltInBalancer,
  M extends AnyMatcherKind = BuiltInMatcher,
>(
  config: MeshInput<R, B, M>,
  options: MeshOptions<R, B, M> = {},
): Mesh<R, B, M> => {
  const unknown = Object.keys(options).find((name) => !optionNames.includes(name))
  if (unknown !== undefined) throw new TypeError(`createMesh has no option '${unknown}': ${didYouMean(unknown, optionNames)}`)
  return new RunningMesh(config, options)
}

const optionNames: readonly string[] = ['errors', 'layers', 'runtime', 'transport', 'probe', 'registries', 'balancers', 'matchers'] satisfies (keyof MeshOptions)[]

/** What stands beside a mesh needs of it: its clock and channels, its plug-ins, its way for calls, and the signal that it closes. */
export interface Inside {
  readonly runtime: Runtime
  readonly families: Families<AnyKind<Registry>, AnyKind<Balancer>, AnyMatcherKind>
  /** Aborted when the mesh begins to close. */
  readonly closing: AbortSignal
  /** The configuration in use as it was parsed, to compare with. It may hold keys and passphrases: never shown. */
  readonly parsed: () => MeshConfig
  /** The names that may be dialled. */
  readonly services: () => readonly string[]
  /** Whether a host and port are a service. */
  readonly serves: (host: string, port: number) => boolean
  readonly call: (request: RequestHead) => Call
  /** Sends a call to the service that its request names, and nowhere else. */
  readonly send: Send<Call>
  /** Bytes of a streamed request body that are kept for another attempt. */
  readonly replayLimit: () => number
}

const insides = new WeakMap<object, Inside>()

/** What a mesh lets its neighbours inside the library see. Throws a `TypeError` for what `createMesh` did not make. */
export const insideOf = (mesh: object): Inside => {
  const inside = insides.get(mesh)
  if (!inside) throw new TypeError('this is no mesh that createMesh made')
  return inside
}

class RunningMesh<R extends AnyKind<Registry>, B extends AnyKind<Balancer>, M extends AnyMatcherKind> implements Mesh<R, B, M> {
  readonly fetch: Mesh['fetch']
  readonly dispatcher: MeshDispatcher
  readonly #runtime: Runtime
  readonly #metrics: MeshMetrics
  readonly #logs: LogFiles
  readonly #schema: ReturnType<typeof meshConfig<R, B, M>>
  readonly #shorthand: Shorthand
  readonly #surroundings: Surroundings
  readonly #calls = new UnderWay<Call>()
  readonly #connecting: ConnectDoor
  readonly #trails = new WeakMap<object, readonly Call[]>()
  readonly #retiring = new Set<Promise<void>>()
  readonly #closes = new AbortController()
  #snapshot: Snapshot
  #closing: Promise<void> | undefined
  #drained: (() => void) | undefined

  constructor(input: MeshInput<R, B, M>, options: MeshOptions<R, B, M>) {
    const families = { ...builtIn, ...options } as unknown as Families<R, B, M>
    this.#runtime = { ...systemRuntime(), ...options.runtime }
    this.#metrics = new MeshMetrics(this.#runtime.channels)
    this.#logs = new LogFiles(this.#runtime.clock)
    this.#schema = meshConfig(families)
    const route = routeShape(families.matchers)
    this.#shorthand = {
      route: (fields) => route.parse(fields),
      cluster: clusterConfig(families.registries, families.balancers),
    }
    this.#surroundings = {
      runtime: this.#runtime,
      families: {
        registry: (config) => families.registries.make(config as never, this.#runtime),
        balancer: (config) => families.balancers.make(config as never, this.#runtime),
        probe: options.probe ? () => options.probe! : options.transport ? undefined
          : (check, cluster) => healthProbe(check, cluster, this.#runtime.clock),
        transport: options.transport ? () => options.transport! : httpTransport,
      },
      matchers: families.matchers,
      metrics: this.#metrics,
      logs: this.#logs,
      own: options.layers ?? {},
    }
    this.#snapshot = this.#build(input, new Map())
    this.#adopt(undefined, this.#snapshot)
    const call = (request: RequestHead, policy?: CallPolicy): Call => new Call(request, this.#runtime.clock, policy, currentPassport())
    const send: Send<Call> = (call) => this.#send(call)
    const serves = (host: string, port: number): boolean => findService(this.#snapshot, host, port) !== undefined
    const replayLimit = (): number => this.#snapshot.config.replayLimit
    this.dispatcher = new MeshDispatcher({
      locate: (origin, method) => this.#locate(origin, method),
      call,
      send,
      replayLimit,
      closed: () => this.#closing !== undefined,
      close: () => this.close(),
    })
    this.#connecting = {
      locate: (origin, method) => this.#locate(origin, method),
      policy: readPolicy,
      call,
      send: (call) => this.#send(call),
      remember: (outcome, calls) => this.#trails.set(outcome, calls),
    }
    this.fetch = meshFetch<CallPolicyInput>({
      dispatcher: this.dispatcher,
      serves,
      policy: readPolicy,
      call,
      send,
      owner: this,
      remember: (outcome, calls) => this.#trails.set(outcome, calls),
      platformErrors: options.errors === 'fetch',
    })
    insides.set(this, {
      runtime: this.#runtime, families, closing: this.#closes.signal, parsed: () => this.#snapshot.parsed,
      services: () => [...this.#snapshot.services.values()].map(({ name }) => name), serves,
      call, send, replayLimit,
    })
  }

  #build(input: unknown, before: ReadonlyMap<string, Cluster>): Snapshot {
    // Any object would do for a configuration in which everything is left out, and an update by it would take all services away.
    if (typeof input === 'object' && input !== null && !isPlain(input)) throw new MeshConfigError([{ path: '', message: notPlain(input) }])
    const { value, faults } = parse(this.#schema, input)
    if (value === undefined) throw new MeshConfigError(located(faults, input))
    try {
      return build(value as unknown as MeshConfig, this.#shorthand, before, this.#surroundings)
    } catch (error) {
      throw error instanceof MeshConfigError ? new MeshConfigError(located(error.faults, input)) : error
    }
  }

  #adopt(before: Snapshot | undefined, after: Snapshot): void {
    for (const [name, cluster] of after.clusters) cluster.adopt(after.parts.get(name)!)
    for (const [name, cluster] of before?.clusters ?? []) {
      if (after.clusters.get(name) === cluster) continue
      const retired: Promise<void> = this.#settled().then(() => cluster.close()).finally(() => this.#retiring.delete(retired))
      this.#retiring.add(retired)
    }
    this.#metrics.observe(after.config.telemetry.metrics, () => [...after.clusters.values()].map(figuresOf))
  }

  /** Resolves when the calls now under way are over, at the latest when `drain` is: until then they may need what an update removed. */
  #settled(): Promise<void> {
    const calls = this.#calls.all()
    if (calls.length === 0) return Promise.resolve()
    return new Promise((resolve) => {
      const cancel = this.#runtime.clock.background(this.#snapshot.config.drain, resolve)
      let left = calls.length
      const ended = (): void => {
        if (--left > 0) return
        cancel()
        resolve()
      }
      for (const call of calls) call.onEnd(ended)
    })
  }

  connect(service: string, options: ConnectOptions = {}): Promise<Socket> {
    return connectTo(this.#connecting, service, options)
  }

  update(input: MeshInput<R, B, M>): Changes {
    if (this.#closing) throw closed('update()')
    const before = this.#snapshot
    let after: Snapshot
    try {
      after = this.#build(input, before.clusters)
    } catch (error) {
      publish(this.#runtime, 'config-rejected', { error })
      throw error
    }
    // Before clusters of the old one become those of the new.
    const changed = changes(before, after)
    this.#adopt(before, after)
    this.#snapshot = after
    publish(this.#runtime, 'config-applied', changed)
    return changed
  }

  #locate({ host, port }: Origin, method: string): 'mesh' | 'past' {
    if (findService(this.#snapshot, host, port)) return 'mesh'
    const asked = `${method.toUpperCase()} ${host}:${port}`
    if (this.#closing) throw closed(asked)
    if (this.#snapshot.mayLeave(host, port)) return 'past'
    throw new MeshError('ENMESH_EGRESS_DENIED', `${asked}: the host is no service of this mesh, and its egress policy does not allow it. ` +
      'Add it to `services`, or to `egress.allow`.')
  }

  async #send(call: Call): Promise<Reply> {
    const place = this.#calls.enter(call)
    try {
      const reply = await this.#route(call)
      reply.attempt.onEnd((_, ending) => this.#end(call, place, ending))
      return reply
    } catch (error) {
      this.#end(call, place, error instanceof MeshError ? error : 'cancelled')
      if (error instanceof Error && !this.#trails.has(error)) this.#trails.set(error, [call])
      throw error
    }
  }

  #end(call: Call, place: number, ending: Parameters<Call['end']>[0]): void {
    call.end(ending)
    this.#calls.leave(place)
    if (this.#calls.size === 0) this.#drained?.()
  }

  #route(call: Call): Promise<Reply> {
    const { request, policy } = call
    if (this.#closing) throw closedTo(call)
    const service = findService(this.#snapshot, request.host, request.port)
    if (!service) throw call.error('ENMESH_NO_ROUTE', `${call}: there is no service '${request.host}' any more. Add it to \`services\`.`)
    call.service = service.name
    const route = service.table.find(request)
    if (!route) return service.unrouted(call)
    call.route = route.name
    call.attemptTimeout = policy?.attemptTimeout ?? route.config.attemptTimeout
    call.idleTimeout = policy?.idleTimeout ?? route.config.idleTimeout
    return route.send(call)
  }

  async ready(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    const all = this.#everySet()
    let stop = (): void => {}
    const aborted = signal && new Promise<never>((_, reject) => {
      const listener = (): void => reject(signal.reason as Error)
      signal.addEventListener('abort', listener)
      stop = () => signal.removeEventListener('abort', listener)
    })
    // A registry rests in the background, and may be all that goes on: the process must not end under whoever waits here.
    const release = this.#runtime.clock.after(Number.MAX_SAFE_INTEGER, () => {})
    try {
      await (aborted ? Promise.race([all, aborted]) : all)
    } finally {
      release()
      stop()
    }
  }

  async #everySet(): Promise<void> {
    await Promise.all([...this.#snapshot.clusters.values()].map((cluster) => cluster.ready))
    if (this.#closing) throw closed('ready()')
  }

  status(): MeshStatus {
    const { services, clusters } = this.#snapshot
    return {
      config: inUse(this.#snapshot),
      services: Object.fromEntries([...services.values()].map(({ name, routes }) => [name, {
        routes: routes.map(({ name, config }) => ({ name, to: typeof config.to === 'string' ? { [config.to]: 1 } : config.to, config })),
      }])),
      clusters: Object.fromEntries([...clusters].map(([name, cluster]) => [name, cluster.status()])),
      calls: this.#calls.size,
      closed: this.#closing !== undefined,
    }
  }

  explain(url: string | URL, init: { readonly method?: string, readonly headers?: ConstructorParameters<typeof Headers>[0] } = {}): Explanation {
    return explain(this.#snapshot, new URL(url), init)
  }

  trail(outcome: unknown): Trail | undefined {
    if (typeof outcome !== 'object' || outcome === null) return undefined
    const only = callOf(outcome, this)
    if (only) return trailOf(only)
    const calls = this.#trails.get(outcome)
    const last = calls?.at(-1)
    if (!calls || !last) return undefined
    return { ...trailOf(last), redirects: calls.slice(0, -1).map(trailOf) }
  }

  on<E extends keyof MeshEvents>(event: E, listener: (detail: MeshEvents[E]) => void): () => void {
    if (!knownEvents.includes(event)) throw new TypeError(`there is no event '${event}': ${didYouMean(event, knownEvents)}`)
    return this.#runtime.channels.on(event, listener as (detail: object) => void)
  }

  close(): Promise<void> {
    return this.#closing ??= this.#close()
  }

  async #close(): Promise<void> {
    const { config, clusters } = this.#snapshot
    this.#closes.abort()
    await Promise.resolve()
    if (this.#calls.size > 0) {
      await new Promise<void>((resolve) => {
        const cancel = this.#runtime.clock.after(config.drain, () => {
          for (const call of this.#calls.all()) call.abort(closedTo(call))
          resolve()
        })
        this.#drained = () => { cancel(); resolve() }
      })
    }
    await Promise.all([...[...clusters.values()].map((cluster) => cluster.close()), ...this.#retiring, this.dispatcher.closeOwn()])
    await this.#logs.flush()
    this.#metrics.close()
    this.#runtime.channels.clear()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

const nameOf = (input: object): string => (input.constructor as { readonly name?: string } | undefined)?.name ?? 'thing without a class'

const notPlain = (input: object): string => 'then' in input ? 'is a promise: await it first, as in createMesh(await loadConfig(path))'
  : `must be a plain object such as { services: { … } }, not a ${nameOf(input)}`

const closing = 'this mesh is closed and sends nothing more. Make a new one with createMesh().'

/** The error of whoever asks something of a mesh that is closed. */
export const closed = (asked: string): MeshError => new MeshError('ENMESH_CLOSED', `${asked}: ${closing}`)

const closedTo = (call: Call): MeshError => call.error('ENMESH_CLOSED', `${call}: ${closing}`)

const readPolicy = (input: CallPolicyInput | undefined): CallPolicy | undefined => {
  if (input === undefined) return undefined
  const { value, faults } = parse(callPolicy, input)
  if (value === undefined) throw new MeshConfigError(faults.map(({ path, message }) => ({ path: path ? `init.mesh.${path}` : 'init.mesh', message })))
  return value
}

const trailOf = (call: Call): Trail => ({
  service: call.service,
  route: call.route,
  cluster: call.cluster?.name,
  ...(call.requestId !== '' && { requestId: call.requestId }),
  endpoint: call.attempts.at(-1)?.endpoint.address,
  attempts: call.attempts.map((attempt) => attempt.record()),
  ...(call.endedAt > 0 && { took: Math.round((call.endedAt - call.startedAt) * 1000) / 1000 }),
  ...(call.stopped !== undefined && { stopped: call.stopped }),
  redirects: [],
})
