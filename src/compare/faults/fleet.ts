import type { InstanceHandlers } from '../processes/instance-process.ts'
import type { Stage, Worker } from '../processes/stage.ts'
import type { Fleet } from '../situation.ts'
import type { Behaviour } from './behaviour.ts'

/** One instance. */
interface Instance {
  readonly name: string
  readonly version: string
  readonly port: number
  readonly worker: Worker<InstanceHandlers>
}

/** The instances of one run of a fault, each a process. */
export class Instances {
  readonly #stage: Stage
  readonly #instances: Instance[] = []
  readonly #spares: Omit<Instance, 'port'>[] = []
  #got = 0
  #forked = 0

  constructor(stage: Stage) {
    this.#stage = stage
  }

  /** Makes processes that only have to listen: what their start costs the machine is over before anything is measured. */
  async prepare(version: string, count: number): Promise<void> {
    for (let index = 0; index < count; index++) {
      const name = `${version}-${++this.#forked}`
      this.#spares.push({ name, version, worker: await this.#stage.worker<InstanceHandlers>('processes/instance-process', name, version) })
    }
  }

  /** Lets the next prepared instance of a version take requests; at a port, where it is to be at the place of one that is gone. */
  async start(version: string, port = 0): Promise<void> {
    const [spare] = this.#spares.splice(this.#spares.findIndex((each) => each.version === version), 1)
    this.#instances.push({ ...spare!, port: await spare!.worker.ask('listen', port) })
  }

  /** Where instances are, by version. */
  get versions(): Fleet['versions'] {
    const versions: Record<string, string[]> = {}
    for (const { version, port } of this.#instances) (versions[version] ??= []).push(`127.0.0.1:${port}`)
    return versions
  }

  behave(index: number, behaviour: Behaviour): Promise<void> {
    return this.#instances[index]!.worker.ask('behave', behaviour)
  }

  async behaveAll(behaviour: Behaviour): Promise<void> {
    await Promise.all(this.#instances.map(({ worker }) => worker.ask('behave', behaviour)))
  }

  /** Kills the instance that is there longest, as a crash would. Returns where it was. */
  async killFirst(): Promise<{ readonly version: string, readonly port: number }> {
    const { worker, version, port } = await this.#takeFirst()
    await worker.kill()
    return { version, port }
  }

  /** Lets the instance that is there longest answer what it has, and end: what a deployment does. */
  async retireFirst(): Promise<void> {
    const { worker } = await this.#takeFirst()
    await worker.ask('drain')
    await worker.stop()
  }

  /** Requests that reached instances, those that are gone included. */
  async got(): Promise<number> {
    const counts = await Promise.all(this.#instances.map(({ worker }) => worker.ask('got')))
    return counts.reduce((sum, count) => sum + count, this.#got)
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#instances, ...this.#spares].map(({ worker }) => worker.stop()))
  }

  async #takeFirst(): Promise<Instance> {
    const instance = this.#instances.shift()!
    this.#got += await instance.worker.ask('got')
    return instance
  }
}
