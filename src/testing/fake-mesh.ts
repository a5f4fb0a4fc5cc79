import type { Balancer } from '../balancers/balancer.ts'
import type { Attempt } from '../core/call.ts'
import type { AnyKind } from '../core/family.ts'
import { MeshError } from '../core/errors.ts'
import type { AnyMatcherKind } from '../matchers/matcher.ts'
import { serviceAddress, type BuiltInBalancer, type BuiltInMatcher, type BuiltInRegistry, type MeshInput } from '../mesh/config.ts'
import { didYouMean } from '../mesh/faults.ts'
import { createMesh, type Mesh, type MeshOptions } from '../mesh/mesh.ts'
import type { Registry } from '../registries/registry.ts'
import { Channels } from '../runtime/channels.ts'
import { systemClock, type Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'
import { fakeWire, type FakeAnswer, type FakeAttempt, type ReceivedRequest } from './fake-wire.ts'

/** Policy of a service, as a configuration has it beside `cluster`: `timeout`, `attemptTimeout`, `retry`, … */
export type FakePolicy = Omit<Extract<NonNullable<MeshInput['services']>[string], { readonly cluster: string }>, 'cluster'>

/**
 * A service of a fake mesh:
 * - a function: one endpoint
 * - a list of functions: an endpoint each, `10.0.0.1:80`, `10.0.0.2:80` and on, taken in turn
 * - `{ answer, …policy }`: either of the two as `answer`, with policy of the route
 */
export type FakeService = FakeAnswer | readonly FakeAnswer[] | FakePolicy & { readonly answer: FakeAnswer | readonly FakeAnswer[] }

/** What a fake mesh is made with beside its services. */
export interface FakeMeshOptions<
  R extends AnyKind<Registry> = BuiltInRegistry,
  B extends AnyKind<Balancer> = BuiltInBalancer,
  M extends AnyMatcherKind = BuiltInMatcher,
> extends Omit<MeshOptions<R, B, M>, 'runtime' | 'transport' | 'probe'> {
  /**
   * A configuration as `createMesh` takes it, the one that is used in production for instance. Of its services those count that
   * have a function; a function answers for all clusters that its service's routes lead to. Registries are not asked: clusters
   * without static endpoints have two, `10.0.0.1:80` and `10.0.0.2:80`. Health checks are not made, and probes of load find nobody. `egress` is always `deny`; `drain` is 0 by default.
   */
  readonly config?: MeshInput<R, B, M>
  /** Time; the machine's by default. A `FakeClock` makes it virtual. What is due at once never waits for the clock to be moved. */
  readonly clock?: Clock
  /** Chance; 0 by default: back-offs take no time, and splits draw their first cluster that has a weight. */
  readonly random?: Random
}

/** A mesh whose services are functions. */
export interface FakeMesh<
  R extends AnyKind<Registry> = BuiltInRegistry,
  B extends AnyKind<Balancer> = BuiltInBalancer,
  M extends AnyMatcherKind = BuiltInMatcher,
> extends Mesh<R, B, M> {
  /** What arrived at a service, or at all of them, attempt by attempt, the first first. Throws a `TypeError` for a name that is no service. */
  requests(service?: string): readonly ReceivedRequest[]
}

/** A service that refuses connections: the attempt fails with ENMESH_CONNECT_FAILED, and nothing was sent. */
export const connectFails: FakeAnswer = () => {
  throw new MeshError('ENMESH_CONNECT_FAILED', 'the service refuses connections')
}

/** A service that takes the request and never answers. */
export const neverAnswers: FakeAnswer = () => new Promise(() => {})

/**
 * Makes a mesh whose services are functions, for tests of a service that calls them: `mesh.fetch` goes where a `fetch` is taken.
 * Routing, retries, timeouts, breakers and all else are real; only the network is replaced, so nothing leaves the process.
 * Hosts that are not among the services are denied. A function that throws breaks the connection (ENMESH_CONNECTION_RESET), or fails
 * with the code of the `MeshError` it throws. Limits on connections have no meaning here.
 * Throws a `TypeError` for services that are none, and a `MeshConfigError` as `createMesh` does.
 */
export const fakeMesh = <
  R extends AnyKind<Registry> = BuiltInRegistry,
  B extends AnyKind<Balancer> = BuiltInBalancer,
  M extends AnyMatcherKind = BuiltInMatcher,
>(
  services: Readonly<Record<string, FakeService>>,
  { config = {}, clock = systemClock, random = () => 0, ...options }: FakeMeshOptions<R, B, M> = {},
): FakeMesh<R, B, M> => {
  const unknown = Object.keys(options).find((name) => !optionNames.includes(name))
  if (unknown !== undefined) throw new TypeError(`fakeMesh has no option '${unknown}': ${didYouMean(unknown, optionNames)}`)
  const fakes = new Map(Object.entries(services).map(([name, service]) => [name, fakeOf(name, service)]))
  const { send, received } = fakeWire((attempt) => answerOf(fakes, attempt))
  const faked = (config: object) => withoutNetwork(config, fakes) as MeshInput<R, B, M>
  const mesh = createMesh<R, B, M>(faked(config), {
    ...options, runtime: { clock: prompt(clock), random, channels: new Channels() },
    transport: (attempt) => attempt.call.cluster ? send(attempt) : Promise.reject(noAnswer(attempt)),
  })
  const update = mesh.update.bind(mesh)
  return Object.assign(mesh, {
    update: (config: MeshInput<R, B, M>) => update(faked(config)),
    requests: (service?: string) => {
      if (service === undefined) return [...received]
      if (!fakes.has(service)) throw new TypeError(`fakeMesh has no service '${service}': it has ${[...fakes.keys()].join(', ') || 'none'}`)
      return received.filter((request) => request.service === service)
    },
  })
}

/** Functions answer calls; what balancers ask beside these finds nobody. */
const noAnswer = ({ call }: Attempt): MeshError => call.error('ENMESH_CONNECT_FAILED', `${call}: a fake mesh answers no questions of balancers`)

const optionNames: readonly string[] = ['config', 'clock', 'random', 'errors', 'layers', 'registries', 'balancers', 'matchers'] satisfies (keyof FakeMeshOptions)[]

/** A service taken apart. */
interface Fake {
  readonly answer: FakeAnswer | readonly FakeAnswer[]
  readonly policy: FakePolicy
}

const fakeOf = (name: string, service: FakeService): Fake => {
  const { answer, ...policy } = service instanceof Object && 'answer' in service ? service : { answer: service }
  const answers: readonly unknown[] = Array.isArray(answer) ? answer : [answer]
  if (answers.length === 0 || !answers.every((one) => typeof one === 'function')) {
    throw new TypeError(`fakeMesh cannot use the service '${name}': write a function of a Request, a list of them, or { answer: function, … }`)
  }
  return { answer, policy }
}

const answerOf = (fakes: ReadonlyMap<string, Fake>, { service, endpoint }: FakeAttempt): FakeAnswer => {
  const { answer } = fakes.get(service)!
  return typeof answer === 'function' ? answer : answer[addresses(answer.length).indexOf(endpoint)]!
}

const addresses = (count: number): readonly string[] => Array.from({ length: count }, (_, index) => `10.0.0.${index + 1}:80`)

const endpoints = (count: number): object => ({ type: 'static', endpoints: addresses(count) })

/** As much of a configuration as is read here; what is wrong with the rest is found when it is parsed. */
interface Loose {
  readonly services?: Readonly<Record<string, unknown>>
  readonly clusters?: Readonly<Record<string, { readonly registry?: { readonly type?: unknown } }>>
}

/** A configuration in which the fakes are the only services, and nobody is asked for endpoints. */
const withoutNetwork = (config: Loose, fakes: ReadonlyMap<string, Fake>): object => {
  const services: Record<string, unknown> = {}
  const clusters: Record<string, unknown> = {}
  for (const [name, { answer, policy }] of fakes) {
    const written = configured(name, config)
    if (written === undefined) {
      services[name] = { ...policy, cluster: name }
      clusters[name] = { registry: endpoints(typeof answer === 'function' ? 1 : answer.length), balancer: { type: 'round-robin' } }
    } else if (typeof answer === 'function' && Object.keys(policy).length === 0) {
      services[name] = written
    } else {
      throw new TypeError(`fakeMesh has '${name}' in its configuration too, with policy and endpoints: write one function for it here`)
    }
  }
  for (const [name, cluster] of Object.entries(config.clusters ?? {})) {
    clusters[name] = cluster.registry?.type === 'static' ? cluster : { ...cluster, registry: endpoints(2) }
  }
  return { drain: 0, ...config, services, clusters, egress: 'deny' }
}

/** What a configuration says of a service, however its name is spelled there. */
const configured = (name: string, { services = {} }: Loose): unknown => {
  const spelled = (name: string): string => {
    const { host, port } = serviceAddress(name) ?? { host: name, port: undefined }
    return `${host}:${port ?? ''}`
  }
  return Object.entries(services).find(([other]) => spelled(other) === spelled(name))?.[1]
}

/** A clock that runs what is due at once by itself: a back-off of 0 ms needs nobody to move virtual time. */
const prompt = (clock: Clock): Clock => ({
  now: () => clock.now(),
  wall: () => clock.wall(),
  after: (ms, task) => {
    if (ms > 0) return clock.after(ms, task)
    let due = true
    queueMicrotask(() => { if (due) task() })
    return () => { due = false }
  },
  background: (ms, task) => clock.background(ms, task),
})
