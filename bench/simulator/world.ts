import { z } from 'zod'
import { balancers } from '../../src/balancers/index.ts'
import { kind } from '../../src/core/family.ts'
import type { EndpointSpec } from '../../src/core/endpoint.ts'
import { createMesh, type Mesh } from '../../src/mesh/mesh.ts'
import { registries } from '../../src/registries/index.ts'
import type { Registry } from '../../src/registries/registry.ts'
import { seededRandom } from '../../src/testing/random.ts'
import type { Algorithm, Client } from './algorithms.ts'
import { VirtualClock } from './clock.ts'
import { Sample, type Figures } from './measure.ts'
import { ModelServer, type ServerOptions } from './server.ts'
import { Wire } from './wire.ts'

/** A part of a scenario that is measured on its own: the calls that begin in it. Seconds from the start. */
export interface Phase {
  readonly name: string
  readonly from: number
  readonly to: number
}

/** Options of a cluster and of a route beside the balancer. */
export interface Policies {
  readonly cluster?: object
  readonly route?: object
}

const origin = 'http://service.local'
const path = '/'

/** How often the requests under way at each server are looked at, in milliseconds. */
const look = 100

/** Servers, clients with a mesh of their own each, and the calls between, on virtual time. */
export class World {
  readonly clock = new VirtualClock()
  /** Chance of the servers: their work and what befalls them. */
  readonly random
  /** Chance of the callers, of its own: so every algorithm gets the same calls at the same times. */
  readonly #arrivals
  readonly servers: ModelServer[] = []
  readonly #byAddress = new Map<string, ModelServer>()
  readonly #zones = new Map<string, string>()
  readonly #seed: number
  readonly #algorithm: Algorithm
  readonly #policies: Policies
  readonly #clients: Mesh[] = []
  readonly #wire: Wire
  readonly #listed: EndpointSpec[] = []
  #ejected = 0
  #changed: () => void = () => {}
  #news = Promise.resolve()

  constructor(algorithm: Algorithm, policies: Policies, seed: number) {
    this.#algorithm = algorithm
    this.#policies = policies
    this.#seed = seed
    this.random = seededRandom(seed)
    this.#arrivals = seededRandom(seed + 1_000_003)
    this.#wire = new Wire(this.#byAddress, this.clock, algorithm.reports ?? true)
    this.#renew()
  }

  /** Milliseconds since the start. */
  get time(): number {
    return this.clock.now() - 1_000
  }

  /** Runs something after so many seconds of the scenario. */
  at(seconds: number, task: () => void): void {
    this.clock.after(seconds * 1_000 - this.time, task)
  }

  /** Runs something again and again, after so many milliseconds each time. */
  every(ms: () => number, task: () => void): void {
    this.clock.after(ms(), () => {
      task()
      this.every(ms, task)
    })
  }

  /** Adds a server, which the registry lists once `publish` is called. */
  addServer(options: ServerOptions, zone?: string): ModelServer {
    const number = this.#byAddress.size
    const address = `10.${number >> 16}.${(number >> 8) & 255}.${number & 255}:80`
    const server = new ModelServer(address, options, this.clock, this.random)
    this.servers.push(server)
    this.#byAddress.set(address, server)
    if (zone !== undefined) this.#zones.set(address, zone)
    return server
  }

  /** Has the registry list these servers; clients hear of it at once. */
  publish(servers: readonly ModelServer[]): void {
    this.#listed.length = 0
    for (const { address } of servers) {
      const zone = this.#zones.get(address)
      this.#listed.push(zone === undefined ? { address } : { address, metadata: { zone } })
    }
    const tell = this.#changed
    this.#renew()
    tell()
  }

  #renew(): void {
    this.#news = new Promise((resolve) => { this.#changed = resolve })
  }

  /** Adds clients, each with a mesh of its own, in zones by turns. */
  async addClients(count: number, zones: readonly string[] = ['a']): Promise<void> {
    const registry = kind('listed', z.strictObject({}), () => this.#registry)
    for (let index = 0; index < count; index++) {
      const random = seededRandom(this.#seed * 7_919 + this.#clients.length)
      const mesh = createMesh({
        services: { 'service.local': { cluster: 'service', ...this.#policies.route } },
        clusters: { service: { registry: { type: 'listed' }, balancer: this.#balancerOf({ index, count, zone: zones[index % zones.length]! }), ...this.#policies.cluster } },
        telemetry: { tracing: false, metrics: false, requestId: false, deadline: false },
        egress: 'deny',
      }, {
        registries: registries.with(registry), balancers, runtime: { clock: this.clock, random, ids: random }, transport: this.#wire.send,
      }) as unknown as Mesh
      mesh.on('endpoint-ejected', () => { this.#ejected++ })
      this.#clients.push(mesh)
    }
    await Promise.all(this.#clients.slice(-count).map((client) => client.ready()))
  }

  /** The options of another kind would be refused when the mesh is made. */
  #balancerOf(client: Client): { readonly type: 'random' } {
    return this.#algorithm.balancer(client) as { readonly type: 'random' }
  }

  readonly #registry: Registry = async function* (this: World, { signal }: { signal: AbortSignal }) {
    while (!signal.aborted) {
      const news = this.#news
      yield [...this.#listed]
      await news
    }
  }.bind(this) as Registry

  /** Sends calls at random times, so many per second as `rate` says at each moment, from clients by chance; measures each phase. */
  async run(rate: (seconds: number) => number, phases: readonly Phase[], watched: readonly ModelServer[] = []): Promise<Figures[]> {
    const end = Math.max(...phases.map(({ to }) => to)) * 1_000
    const books = phases.map((phase) => new Book(phase))
    const bookOf = (): Book | undefined => books.find(({ phase }) => this.time >= phase.from * 1_000 && this.time < phase.to * 1_000)
    const arrive = (): void => {
      this.#call(bookOf())
      next()
    }
    const next = (): void => {
      const wait = -Math.log(1 - this.#arrivals()) * 1_000 / rate(this.time / 1_000)
      if (this.time + wait < end) this.clock.after(wait, arrive)
    }
    next()
    this.every(() => look, () => bookOf()?.look(this.servers))
    for (const book of books) {
      this.at(book.phase.from, () => book.open(this.servers, watched, this.#ejected))
      this.at(book.phase.to, () => book.close(this.servers, watched, this.#ejected, this.#wire.sockets))
    }
    await this.clock.run(1_000 + end)
    // The last calls end, at the latest by their deadline.
    await this.clock.run(1_000 + end + 20_000)
    return books.map((book) => book.figures)
  }

  #call(book: Book | undefined): void {
    const client = this.#clients[Math.floor(this.#arrivals() * this.#clients.length)]!
    const begun = this.clock.now()
    let status = 0
    const end = (failed: boolean): void => book?.note(this.clock.now() - begun, failed)
    client.dispatcher.dispatch({ origin, path, method: 'GET' }, {
      onRequestStart() {},
      onResponseStart(_controller, code) { status = code },
      onResponseData() {},
      onResponseEnd() { end(status >= 400) },
      onResponseError() { end(true) },
    })
  }

  async close(): Promise<void> {
    const closing = Promise.all(this.#clients.map((client) => client.close()))
    this.publish([])
    await this.clock.run(this.clock.now() + 40_000)
    await closing
  }
}

/** What is written down of one phase. */
class Book {
  readonly phase: Phase
  readonly #latencies = new Sample()
  readonly #rif = new Sample()
  #failed = 0
  #before: ReadonlyMap<ModelServer, number> = new Map()
  #arrived = 0
  #probed = 0
  #atWatched = 0
  #imbalance = 0
  #ejected = 0
  #sockets = 0

  constructor(phase: Phase) {
    this.phase = phase
  }

  note(took: number, failed: boolean): void {
    this.#latencies.add(took)
    if (failed) this.#failed++
  }

  look(servers: readonly ModelServer[]): void {
    for (const server of servers) if (server.fault !== 'refuse') this.#rif.add(server.active)
  }

  open(servers: readonly ModelServer[], watched: readonly ModelServer[], ejected: number): void {
    this.#ejected = -ejected
    this.#probed = -sum(servers.map(({ probed }) => probed))
    this.#before = new Map(servers.map((server) => [server, server.arrived]))
    this.#atWatched = -sum(watched.map(({ arrived }) => arrived))
  }

  close(servers: readonly ModelServer[], watched: readonly ModelServer[], ejected: number, sockets: number): void {
    this.#ejected += ejected
    this.#probed += sum(servers.map(({ probed }) => probed))
    const shares = servers.filter(({ fault }) => fault !== 'refuse')
      .map((server) => ({ got: server.arrived - (this.#before.get(server) ?? 0), capacity: server.allotted }))
    this.#arrived = sum(servers.map((server) => server.arrived - (this.#before.get(server) ?? 0)))
    this.#atWatched += sum(watched.map(({ arrived }) => arrived))
    const mean = sum(shares.map(({ got }) => got)) / sum(shares.map(({ capacity }) => capacity))
    this.#imbalance = Math.max(...shares.map(({ got, capacity }) => got / capacity)) / mean
    this.#sockets = sockets
  }

  get figures(): Figures {
    const calls = this.#latencies.count
    return {
      calls,
      failed: this.#failed,
      p50: this.#latencies.percentile(0.5),
      p99: this.#latencies.percentile(0.99),
      p999: this.#latencies.percentile(0.999),
      retries: calls === 0 ? 0 : Math.max(0, this.#arrived - calls) * 100 / calls,
      imbalance: this.#imbalance,
      rif: this.#rif.percentile(0.99),
      watched: this.#arrived === 0 ? 0 : this.#atWatched * 100 / this.#arrived,
      probes: calls === 0 ? 0 : this.#probed / calls,
      ejected: this.#ejected,
      sockets: this.#sockets,
    }
  }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)
