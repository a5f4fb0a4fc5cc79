import type { TestContext } from 'node:test'
import { eureka } from '../../src/registries/eureka.ts'
import type { Registry } from '../../src/registries/registry.ts'
import type { Runtime } from '../../src/runtime/runtime.ts'
import { json, RegistryServer, status, type Asked } from './registry-server.ts'

interface Instance { readonly app: string, readonly id: string, readonly status: string, readonly more: object }

const written = ({ app, id, status, more }: Instance): object => ({
  instanceId: id, hostName: `${id}.internal`, app, ipAddr: '10.0.0.1', overriddenstatus: 'UNKNOWN',
  port: { '$': 8080, '@enabled': 'true' }, securePort: { '$': 8443, '@enabled': 'false' },
  dataCenterInfo: { '@class': 'com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo', 'name': 'MyOwn' },
  metadata: { '@class': 'java.util.Collections$EmptyMap' }, vipAddress: app.toLowerCase(), ...more, status,
})

/** Eureka with its changes of late, and the hash of all statuses. Instances can be registered with it; none is forgotten by itself. */
export class EurekaServer {
  readonly server: RegistryServer
  readonly #instances = new Map<string, Instance>()
  readonly #changes: object[] = []
  /** Whether a list of one is written as the one, as old servers do. */
  terse = false
  /** In place of the true hash. */
  wrongHash: string | undefined
  /** Whether the changes are switched off. */
  withoutChanges = false

  private constructor(server: RegistryServer) {
    this.server = server
  }

  static async start(t?: TestContext): Promise<EurekaServer> {
    const server: RegistryServer = await RegistryServer.start((asked) => eureka.#take(asked))
    const eureka = new EurekaServer(server)
    t?.after(() => server.close())
    eureka.set('PRICING', 'a')
    eureka.set('PRICING', 'b')
    eureka.set('PRICING', 'down', 'DOWN')
    eureka.set('ORDER', 'o')
    return eureka
  }

  #take(asked: Asked): void {
    if (asked.method !== 'GET') return status(asked, this.#tell(asked))
    const all = [...this.#instances.values()]
    const [, , what, name] = asked.path.split('/')
    if (asked.path === '/eureka/apps') return this.#answer(asked, all.map(written))
    if (asked.path === '/eureka/apps/delta') return this.withoutChanges ? status(asked, 403) : this.#answer(asked, this.#changes)
    const found = what === 'vips' || what === 'svips' ? all.filter(({ app }) => app.toLowerCase() === decodeURIComponent(name!)) : []
    if (found.length === 0) return status(asked, 404)
    this.#answer(asked, found.map(written))
  }

  /** The status that a server answers with when it is told something. */
  #tell({ method, path, body }: Asked): number {
    const [app, id] = path.replace('/eureka/apps/', '').split('/').map(decodeURIComponent) as [string, string | undefined]
    if (method === 'POST') {
      const { instance } = JSON.parse(body) as { instance: { instanceId: string, status: string } }
      const before = this.#instances.get(`${app}/${instance.instanceId}`)?.status
      // Eureka's rule: a server has its way where it says one of these.
      this.set(app, instance.instanceId, instance.status === 'OUT_OF_SERVICE' && before === 'UP' ? before : instance.status, instance)
      return 204
    }
    if (!this.#instances.has(`${app}/${id}`)) return 404
    if (method === 'DELETE') this.remove(app, id!)
    return 200
  }

  /** What was registered of an instance. */
  registered(app: string, id: string): Instance | undefined {
    return this.#instances.get(`${app}/${id}`)
  }

  #answer(asked: Asked, instances: readonly object[]): void {
    const apps = [...new Set(instances.map((one) => (one as Instance).app))]
    const application = apps.map((name) => {
      const instance = instances.filter((one) => (one as Instance).app === name)
      return { name, instance: this.terse && instance.length === 1 ? instance[0] : instance }
    })
    const statuses = [...this.#instances.values()].map(({ status }) => status)
    const hash = [...new Set(statuses)].sort().map((status) => `${status}_${statuses.filter((one) => one === status).length}_`).join('')
    json(asked, {
      applications: {
        versions__delta: '1', apps__hashcode: this.wrongHash ?? hash,
        application: this.terse && application.length === 1 ? application[0] : application,
      },
    })
  }

  set(app: string, id: string, status = 'UP', more: object = {}): void {
    const one = { app, id, status, more }
    const known = this.#instances.has(`${app}/${id}`)
    this.#instances.set(`${app}/${id}`, one)
    this.#changes.push({ ...written(one), actionType: known ? 'MODIFIED' : 'ADDED' })
  }

  remove(app: string, id: string): void {
    const one = this.#instances.get(`${app}/${id}`)!
    this.#instances.delete(`${app}/${id}`)
    this.#changes.push({ ...written(one), actionType: 'DELETED' })
  }

  /** Changes older than three minutes are told no more. */
  forget(): void {
    this.#changes.length = 0
  }

  /** What was asked for, without the path in front. */
  get log(): readonly string[] {
    return this.server.log.map((path) => path.replace('/eureka', ''))
  }

  registry(config: object = { app: 'pricing' }): (runtime: Runtime) => Registry {
    return (runtime) => eureka.make(eureka.config.parse({ servers: [`${this.server.url}/eureka/`], ...config }), runtime)
  }
}
