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
  readonly sets = new Queue<readonly EndpointSpec[]>()
  readonly failures = new Queue<Error>()

  constructor(make: (runtime: Runtime) => Registry) {
    const runtime = fakeRuntime()
    this.clock = runtime.clock
    this.following = follow(make(runtime), {
      runtime,
      onSet: (specs) => this.sets.put(specs),
      onFailure: (error) => this.failures.put(error as Error),
      onRecovered: () => {},
    })
  }

  /** The next set. */
  set(): Promise<readonly EndpointSpec[]> {
    return this.sets.take()
  }

  /** The addresses of the next set, in order. */
  async addresses(): Promise<readonly string[]> {
    return (await this.set()).map(({ address }) => address).sort()
  }

  /** The next failure. */
  failure(): Promise<Error> {
    return this.failures.take()
  }

  wake(): void {
    this.following.wake()
  }

  close(): void {
    this.following.close()
  }
}
