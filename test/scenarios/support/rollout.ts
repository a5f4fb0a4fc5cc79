import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { createMesh, type Mesh, type MeshInput } from '../../../src/index.ts'
import { announce, type AnnounceOptions } from '../../../src/server/index.ts'
import { CloudMapServer } from '../../support/cloud-map-server.ts'
import { cloudMapWayTo } from '../../support/cloud-map-way.ts'
import { Agent } from '../../support/consul-agent.ts'
import { Etcd } from '../../support/etcd.ts'
import { EurekaServer } from '../../support/eureka-server.ts'

type ReadSide = NonNullable<MeshInput['clusters']>[string]['registry']

/** A registry that runs, by how it is read and how it is written. */
export interface Running {
  readonly read: ReadSide
  readonly write: AnnounceOptions['registry']
  /** Milliseconds after which the mesh has heard of a change, and what it sent before has arrived, on a machine that is busy. */
  readonly propagation: number
  close(): void | Promise<void>
}

/** Every registry that instances can be registered with. */
export const registries: Readonly<Record<string, () => Promise<Running>>> = {
  etcd: async () => {
    const member = await Etcd.start()
    const where = { type: 'etcd' as const, servers: [member.url], prefix: '/pricing/' }
    return { read: where, write: where, propagation: 1_500, close: () => member.close() }
  },
  file: async () => {
    const directory = mkdtempSync(join(tmpdir(), 'enmesh-rollout-'))
    const where = { type: 'file', path: join(directory, 'pricing.yaml') } as const
    return { read: where, write: where, propagation: 2_000, close: () => rmSync(directory, { recursive: true }) }
  },
  consul: async () => {
    const agent = await Agent.start()
    agent.instances = []
    return {
      read: { type: 'consul', servers: [agent.server.url], service: 'shop-pricing' },
      write: { type: 'consul', server: agent.server.url },
      // A question that was answered within a second is followed by the next one when that is over.
      propagation: 2_500,
      close: () => agent.server.close(),
    }
  },
  eureka: async () => {
    const { server } = await EurekaServer.start()
    const servers = [`${server.url}/eureka`]
    return {
      read: { type: 'eureka', servers, app: 'shop-pricing', interval: '1s' },
      write: { type: 'eureka', servers },
      propagation: 3_000,
      close: () => server.close(),
    }
  },
  'cloud-map': async () => {
    const server = await CloudMapServer.start()
    const way = cloudMapWayTo(server)
    const serviceId = server.addService('shop.local', 'pricing', { customHealth: true })
    return {
      read: { type: 'cloud-map', namespace: 'shop.local', service: 'pricing', interval: '1s', ...way },
      write: { type: 'cloud-map', serviceId, customHealth: true, ...way },
      propagation: 3_000,
      close: () => server.close(),
    }
  },
}

/** One instance of the service. */
export interface Instance {
  readonly address: string
  /** Leaves, and resolves to how many of its connections were cut. */
  leave(): Promise<number>
}

/** Starts an instance that announces itself, and hands on the body of each POST that arrives. */
export type StartInstance = (running: Running, arrived: (body: string) => void) => Promise<Instance>

/** An instance in this process. */
export const inProcess: StartInstance = async ({ write, propagation }, arrived) => {
  const server = createServer(async (request, response) => {
    if (request.method === 'POST') arrived(await text(request))
    // So that something is under way whenever an instance leaves.
    setTimeout(() => response.end('ok'), 5)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const announcement = announce(server, { service: 'shop-pricing', signals: [], propagation, registry: write })
  let cut = 0
  announcement.on('instance-left', (left) => { cut = left.cut })
  await announcement.registered
  return {
    address: announcement.status().address!,
    leave: async () => {
      await announcement.leave()
      return cut
    },
  }
}

/** What came of a rolling restart under load. */
export interface Outcome {
  readonly requests: number
  readonly failures: readonly unknown[]
  /** Bodies of POSTs that were sent, and those that arrived: each as often as it did. */
  readonly sent: readonly string[]
  readonly arrived: readonly string[]
  /** Connections that were cut at the end of a drain. */
  readonly cut: number
}

/** Instances of a service that announce themselves, a mesh that finds them, and a steady load of GETs and POSTs through it. */
export class Rollout {
  readonly mesh: Mesh
  readonly #running: Running
  readonly #startInstance: StartInstance
  readonly #arrived: string[] = []
  readonly #instances: Instance[] = []
  #cut = 0
  #over = false

  constructor(running: Running, startInstance: StartInstance) {
    this.#running = running
    this.#startInstance = startInstance
    this.mesh = createMesh({
      services: { 'pricing.local': { cluster: 'pricing', timeout: '30s' } },
      clusters: { pricing: { registry: running.read } },
    })
  }

  /** Starts so many instances, and waits until the mesh knows them all. */
  async start(count: number): Promise<void> {
    for (let at = 0; at < count; at++) await this.#startOne()
  }

  async #startOne(): Promise<void> {
    const instance = await this.#startInstance(this.#running, (body) => this.#arrived.push(body))
    this.#instances.push(instance)
    await this.#untilKnown(instance.address)
  }

  async #untilKnown(address: string): Promise<void> {
    const knows = (): boolean => this.mesh.status().clusters['pricing']!.endpoints.some((endpoint) => endpoint.address === address)
    while (!knows()) {
      await new Promise<void>((resolve) => {
        const stop = this.mesh.on('endpoint-added', () => {
          stop()
          resolve()
        })
      })
    }
  }

  /** Replaces each instance in turn: it leaves, and when it is gone its successor starts. */
  async roll(): Promise<void> {
    const { length } = this.#instances
    for (let at = 0; at < length; at++) {
      this.#cut += await this.#instances.shift()!.leave()
      await this.#startOne()
    }
  }

  /** Sends requests, so many at once, while something goes on. */
  async under(atOnce: number, task: () => Promise<void>): Promise<Outcome> {
    const [failures, sent]: [unknown[], string[]] = [[], []]
    let requests = 0
    const worker = async (): Promise<void> => {
      while (!this.#over) {
        const number = requests++
        const body = number % 2 === 0 ? undefined : `order-${number}`
        if (body !== undefined) sent.push(body)
        try {
          const response = await this.mesh.fetch('http://pricing.local/', body === undefined ? {} : { method: 'POST', body })
          if (response.status !== 200 || await response.text() !== 'ok') failures.push(response.status)
        } catch (error) {
          failures.push(error)
        }
      }
    }
    const workers = Array.from({ length: atOnce }, worker)
    try {
      await task()
    } finally {
      this.#over = true
      await Promise.all(workers)
    }
    return { requests, failures, sent, arrived: this.#arrived, cut: this.#cut }
  }

  async close(): Promise<void> {
    await this.mesh.close()
    await Promise.all(this.#instances.map((instance) => instance.leave()))
    await this.#running.close()
  }
}
