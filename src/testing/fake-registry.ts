import { z } from 'zod'
import type { EndpointSpec } from '../core/endpoint.ts'
import { kind } from '../core/family.ts'
import type { Registry, Watch } from '../registries/registry.ts'
import { deferred } from './deferred.ts'

/** An endpoint as a test writes it: its address, or all of it. */
export type FakeEndpoint = string | EndpointSpec

type State =
  | { readonly what: 'set', readonly endpoints: readonly EndpointSpec[] }
  | { readonly what: 'failing', readonly error: unknown }
  | { readonly what: 'silent' }
  | { readonly what: 'ended' }

/**
 * A registry that says what a test tells it to, at once, to everyone who watches.
 * Silent until the first `push`. What it was told last holds until it is told something else:
 * while failing, each new watch fails too, as with a registry that is down.
 */
export class FakeRegistry {
  /** Times that somebody began to watch. */
  watches = 0
  /** Times that it was looked at: each set said and each failure, whatever the reason. */
  looks = 0
  /** Times that a look was asked for and answered. */
  wakes = 0
  /** Watches not over yet. */
  open = 0
  #state: State = { what: 'silent' }
  #told = deferred()

  /** To be followed. */
  readonly registry: Registry = (watch) => this.#watch(watch)

  /** To be used in a configuration: `registries.with(fake.kind)`, then `{ type: 'fake' }`. */
  readonly kind = kind('fake', z.strictObject({}), () => this.registry)

  /** Says a whole set; none for `push()`. */
  push(...endpoints: readonly FakeEndpoint[]): void {
    this.#tell({
      what: 'set',
      endpoints: endpoints.map((endpoint) => typeof endpoint === 'string' ? { address: endpoint } : endpoint),
    })
  }

  /** Fails now, and again whenever it is watched anew. */
  fail(error: unknown = new Error('the registry is down')): void {
    this.#tell({ what: 'failing', error })
  }

  /** Says nothing any more, not even when a look is asked for. */
  goSilent(): void {
    this.#tell({ what: 'silent' })
  }

  /** Has nothing more to say: the watches end without a fault. */
  end(): void {
    this.#tell({ what: 'ended' })
  }

  #tell(state: State): void {
    this.#state = state
    this.#told.resolve()
    this.#told = deferred()
  }

  async* #watch({ signal, wake }: Watch): AsyncGenerator<readonly EndpointSpec[]> {
    this.watches++
    this.open++
    const aborted = deferred<never>()
    const stop = (): void => aborted.reject(signal.reason)
    signal.addEventListener('abort', stop, { once: true })
    try {
      while (!signal.aborted) {
        const told = this.#told.promise
        const state = this.#state
        if (state.what === 'ended') return
        if (state.what === 'silent') {
          await Promise.race([told, aborted.promise])
          continue
        }
        this.looks++
        if (state.what === 'failing') throw state.error
        yield state.endpoints
        const woken = wake.wait(Number.POSITIVE_INFINITY).then(() => 'woken' as const)
        if (await Promise.race([told, woken, aborted.promise]) === 'woken') this.wakes++
      }
    } finally {
      signal.removeEventListener('abort', stop)
      this.open--
    }
  }
}
