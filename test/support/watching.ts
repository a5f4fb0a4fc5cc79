import type { EndpointSpec } from '../../src/core/endpoint.ts'
import { follow, type Following } from '../../src/registries/follow.ts'
import type { Registry } from '../../src/registries/registry.ts'
import type { Runtime } from '../../src/runtime/runtime.ts'
import { fakeRuntime, type FakeClock } from '../../src/testing/index.ts'
import { Queue } from './queue.ts'

/** A registry followed on virtual time, with what came of it in order. */
export class Watching {
  readonly clock: FakeClock
  readonly following: Following
  /** All failures so far. */
  readonly failures: Error[] = []
  readonly #came = new Queue<readonly EndpointSpec[] | Error>()

  constructor(make: (runtime: Runtime) => Registry) {
    const runtime = fakeRuntime()
    this.clock = runtime.clock
    this.following = follow(make(runtime), {
      runtime,
      onSet: (specs) => this.#came.put(specs),
      onFailure: (error) => {
        this.failures.push(error as Error)
        this.#came.put(error as Error)
      },
      onRecovered: () => {},
    })
  }

  /** The next set or failure. */
  next(): Promise<readonly EndpointSpec[] | Error> {
    return this.#came.take()
  }

  /** The next set, whatever failed before. */
  async set(): Promise<readonly EndpointSpec[]> {
    const came = await this.next()
    return came instanceof Error ? this.set() : came
  }

  /** The addresses of the next set, sorted. */
  async addresses(): Promise<readonly string[]> {
    return addressesOf(await this.set())
  }

  /** The next failure, whatever was said before. */
  async failure(): Promise<Error> {
    const came = await this.next()
    return came instanceof Error ? came : this.failure()
  }

  wake(): void {
    this.following.wake()
  }

  close(): void {
    this.following.close()
  }
}

/** The addresses of a set, sorted. */
export const addressesOf = (specs: readonly EndpointSpec[]): readonly string[] => specs.map(({ address }) => address).sort()
