import type { TestContext } from 'node:test'
import { consul } from '../../src/registries/consul.ts'
import type { Registry } from '../../src/registries/registry.ts'
import type { Runtime } from '../../src/runtime/runtime.ts'
import { Queue } from './queue.ts'
import { json, RegistryServer, status, type Asked } from './registry-server.ts'

/** An instance as an agent lists it. */
export const instance = (id: string, port: number, more: { node?: object, service?: object } = {}): object => ({
  Node: { Node: 'n1', Address: '10.0.0.1', Datacenter: 'dc1', Meta: { rack: '7' }, ...more.node },
  Service: { ID: id, Service: 'pricing', Address: '', Port: port, Tags: [], Meta: null, Weights: { Passing: 1, Warning: 1 }, ...more.service },
  Checks: [{ Status: 'passing' }],
})

/** What an agent was told of a service of its own. */
export interface Registered {
  readonly ID: string
  readonly Name: string
  readonly Address: string
  readonly Port: number
  readonly Meta: Readonly<Record<string, string>>
  readonly Tags?: readonly string[]
  readonly Weights?: object
  readonly Check: { readonly CheckID: string, readonly TTL: string, readonly DeregisterCriticalServiceAfter: string, Status: string }
}

/**
 * An agent with Consul's blocking: a question with the index of now is held until something changes, or the wait is over.
 * Services can be registered with it, and their checks told; nothing lapses by itself.
 */
export class Agent {
  readonly server: RegistryServer
  readonly held = new Queue<Asked>()
  index = 10
  instances: readonly object[] = [instance('a', 1), instance('b', 2)]
  /** Services that were registered, by id. */
  readonly registered = new Map<string, Registered>()
  readonly #waiting = new Set<Asked>()

  private constructor(server: RegistryServer) {
    this.server = server
  }

  static async start(t?: TestContext): Promise<Agent> {
    const server: RegistryServer = await RegistryServer.start((asked) => agent.#take(asked))
    const agent = new Agent(server)
    t?.after(() => server.close())
    return agent
  }

  #take(asked: Asked): void {
    if (asked.method === 'PUT') return status(asked, this.#tell(asked))
    if (asked.query.get('index') !== String(this.index)) return this.#answer(asked)
    this.#waiting.add(asked)
    void asked.over.then(() => this.#waiting.delete(asked))
    this.held.put(asked)
  }

  #answer(asked: Asked): void {
    const passing = [...this.registered.values()].filter(({ Check }) => Check.Status === 'passing')
    json(asked, [...this.instances, ...passing.map((one) => instance(one.ID, one.Port, { service: one }))], { 'x-consul-index': String(this.index) })
  }

  /** The status that an agent answers with when it is told something. */
  #tell({ path, body }: Asked): number {
    const [what, name = ''] = path.replace('/v1/agent/', '').split(/\/(?=[^/]*$)/)
    const id = decodeURIComponent(name)
    if (path === '/v1/agent/service/register') {
      const one = JSON.parse(body) as Registered
      this.registered.set(one.ID, one)
    } else if (what === 'service/deregister') {
      if (!this.registered.delete(id)) return 404
    } else {
      const one = [...this.registered.values()].find(({ Check }) => Check.CheckID === id)
      if (!one) return 404
      const { Status } = JSON.parse(body) as { Status: string }
      if (one.Check.Status === Status) return 200
      one.Check.Status = Status
    }
    this.change(...this.instances)
    return 200
  }

  get waiting(): number {
    return this.#waiting.size
  }

  change(...instances: readonly object[]): void {
    this.instances = instances
    this.index++
    this.endWait()
  }

  endWait(): void {
    for (const asked of this.#waiting) this.#answer(asked)
    this.#waiting.clear()
  }

  registry(config: object = {}): (runtime: Runtime) => Registry {
    return (runtime) => consul.make(consul.config.parse({ service: 'pricing', servers: [this.server.url], ...config }), runtime)
  }
}
