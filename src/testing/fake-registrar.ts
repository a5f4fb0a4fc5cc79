import { z } from 'zod'
import { kind } from '../core/family.ts'
import type { Instance, Registrar } from '../registrars/registrar.ts'
import type { FakeRegistry } from './fake-registry.ts'

/** How an instance stands in a fake registry. */
export interface FakeRegistration extends Instance {
  readonly healthy: boolean
}

/** The writing side of a fake registry: it knows what was announced, and fails when a test says so. */
export class FakeRegistrar {
  /** What is registered now, by id. */
  readonly instances = new Map<string, FakeRegistration>()
  /** What was asked so far, in order: `register a`, `renew a`, `renew a unhealthy`, `deregister a`. */
  readonly log: string[] = []
  /** Milliseconds between two signs of life. */
  every = 10_000
  /** Milliseconds that an instance goes on answering after it was taken away. */
  propagation = 5_000
  readonly #registry: FakeRegistry | undefined
  #failure: { readonly error: unknown } | undefined
  #held: Promise<void> | undefined

  /** With a fake registry, that one says at once what is registered and well. */
  constructor(registry?: FakeRegistry) {
    this.#registry = registry
  }

  /** To be used in an announcement: `registrars.with(fake.kind)`, then `{ type: 'fake' }`. */
  readonly kind = kind('fake', z.strictObject({}), () => this.registrar)

  readonly registrar: Registrar = (instance) => {
    const { id } = instance
    const put = async (healthy: boolean, what: string): Promise<void> => {
      await this.#ask(`${what} ${id}${healthy ? '' : ' unhealthy'}`)
      this.#change(() => this.instances.set(id, { ...instance, healthy }))
    }
    return {
      every: this.every,
      propagation: this.propagation,
      register: (healthy) => put(healthy, 'register'),
      renew: async (healthy) => {
        if (this.instances.has(id)) {
          await put(healthy, 'renew')
          return true
        }
        await this.#ask(`renew ${id}`)
        return false
      },
      deregister: async () => {
        await this.#ask(`deregister ${id}`)
        this.#change(() => this.instances.delete(id))
      },
    }
  }

  /** Fails from here on, whatever it is asked. */
  fail(error: unknown = new Error('the registry is down')): void {
    this.#failure = { error }
  }

  /** Works again. */
  heal(): void {
    this.#failure = undefined
  }

  /** Loses what is registered, as a registry that was restored from nothing. */
  forget(): void {
    this.#change(() => this.instances.clear())
  }

  /** Answers nothing until the promise resolves. */
  hold(until: Promise<void>): void {
    this.#held = until
  }

  async #ask(what: string): Promise<void> {
    this.log.push(what)
    await this.#held
    if (this.#failure) throw this.#failure.error
  }

  #change(change: () => void): void {
    change()
    const well = [...this.instances.values()].filter(({ healthy }) => healthy)
    this.#registry?.push(...well.map(({ id, address, metadata }) => ({ id, address, metadata })))
  }
}
