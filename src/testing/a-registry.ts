import assert from 'node:assert/strict'
import type { EndpointSpec } from '../core/endpoint.ts'
import { parseEndpointAddress } from '../registries/address.ts'
import { follow } from '../registries/follow.ts'
import type { Registry } from '../registries/registry.ts'
import { deferred, type Deferred } from './deferred.ts'
import { settle, type FakeClock } from './fake-clock.ts'
import { fakeRuntime } from './fake-runtime.ts'
import { limit, nodeRunner, type Runner } from './runner.ts'

/** A registry with what its tests need to know and to do. */
export interface RegistryUnderTest {
  readonly registry: Registry
  /** The addresses that it lists at first, in any order. */
  readonly expected: readonly string[]
  /** Makes its source unusable: the next look must throw. Leave out where nothing can fail. */
  fail?(): void | Promise<void>
  /** Makes its source usable again. */
  heal?(): void | Promise<void>
  /** Stops what the test started. */
  close?(): void | Promise<void>
}

type Made = RegistryUnderTest | Promise<RegistryUnderTest>
type Answer = IteratorResult<readonly EndpointSpec[], unknown> | 'thrown'

/**
 * What every registry must do, as tests; `make` is called for each anew.
 * Real sockets are fine. Time is virtual: rests between two looks end by being woken.
 * The runner is `node:test` by default; under Vitest pass `{ describe, test }` of `vitest`.
 */
export const aRegistry = (name: string, make: () => Made, { describe, test }: Runner = nodeRunner()): void => {
  const using = (run: (made: RegistryUnderTest) => Promise<void>) => async (): Promise<void> => {
    const made = await make()
    try {
      await run(made)
    } finally {
      await made.close?.()
    }
  }
  describe(`${name} is a registry:`, () => {
    test('it lists the whole set at first', limit, using(async ({ registry, expected }) => {
      const watch = new HandWatch(registry)
      assert.deepEqual(addresses(await watch.set()), [...expected].sort())
      await watch.abort()
    }))
    test('its endpoints have addresses that can be dialled, and ids of their own', limit, using(async ({ registry }) => {
      const watch = new HandWatch(registry)
      const specs = await watch.set()
      for (const { address } of specs) assert.equal(parseEndpointAddress(address).address, address)
      assert.equal(new Set(specs.map(({ id, address }) => id ?? address)).size, specs.length)
      await watch.abort()
    }))
    test('each watch of it stands alone', limit, using(async ({ registry, expected }) => {
      const [one, other] = [new HandWatch(registry), new HandWatch(registry)]
      const sets = await Promise.all([one.set(), other.set()])
      for (const set of sets) assert.deepEqual(addresses(set), [...expected].sort())
      await one.abort()
      await other.abort()
    }))
    test('a look asked for brings the set again, unless it has said all', limit, using(async ({ registry, expected }) => {
      const watch = new HandWatch(registry)
      await watch.set()
      const next = watch.next()
      await settle()
      watch.wake()
      const answer = await next
      assert.notEqual(answer, 'thrown')
      if (answer !== 'thrown' && !answer.done) assert.deepEqual(addresses(answer.value), [...expected].sort())
      await watch.abort()
    }))
    test('it ends at once when its signal is aborted while it looks', limit, using(async ({ registry }) => {
      const watch = new HandWatch(registry)
      const look = watch.next()
      await watch.abort()
      await look
      const last = await watch.next()
      assert.ok(last === 'thrown' || last.done, 'it goes on after its signal was aborted')
    }))
    test('it ends at once when its signal is aborted while it rests', limit, using(async ({ registry }) => {
      const watch = new HandWatch(registry)
      await watch.set()
      const rest = watch.next()
      await settle()
      await watch.abort()
      const last = await rest
      assert.ok(last === 'thrown' || last.done, 'it says another set after its signal was aborted')
    }))
    test('closed under follow, it leaves no timer and says nothing more', limit, using(async ({ registry }) => {
      const followed = new Followed(registry)
      await followed.following.first
      await settle()
      followed.following.close()
      followed.following.wake()
      await followed.clock.advance(3_600_000)
      assert.equal(followed.sets.length, 1)
      assert.equal(followed.clock.pending, 0)
    }))
    test('a failure is survived under follow: what was there stays, and it comes back', limit, using(async (made) => {
      const followed = new Followed(made.registry)
      await followed.following.first
      if (made.fail) {
        const failed = followed.failed.promise
        await made.fail()
        await settle()
        followed.following.wake()
        await failed
        assert.equal(followed.sets.length, 1)
        await made.heal?.()
        followed.following.wake()
        await followed.recovered.promise
        assert.deepEqual(addresses(followed.sets.at(-1)!), [...made.expected].sort())
      }
      followed.following.close()
      await settle()
      assert.equal(followed.clock.pending, 0)
    }))
  })
}

const addresses = (specs: readonly EndpointSpec[]): string[] => specs.map(({ address }) => address).sort()

/** A watch whose rests end only by hand. */
class HandWatch {
  readonly #abort = new AbortController()
  readonly #iterator: AsyncIterator<readonly EndpointSpec[], unknown>
  readonly #rests = new Set<Deferred<void>>()
  #asked = false

  constructor(registry: Registry) {
    this.#iterator = registry({ signal: this.#abort.signal, wake: { wait: () => this.#wait() } })[Symbol.asyncIterator]()
  }

  #wait(): Promise<void> {
    const rest = deferred()
    if (this.#abort.signal.aborted) rest.reject(this.#abort.signal.reason)
    else if (this.#asked) rest.resolve()
    else this.#rests.add(rest)
    this.#asked = false
    return rest.promise
  }

  async next(): Promise<Answer> {
    try {
      return await this.#iterator.next()
    } catch {
      return 'thrown'
    }
  }

  async set(): Promise<readonly EndpointSpec[]> {
    const { done, value } = await this.#iterator.next()
    assert.ok(!done, 'it ended without naming a set')
    return value
  }

  wake(): void {
    // One that is still looking rests later, and finds that it was asked for.
    this.#asked = this.#rests.size === 0
    for (const rest of this.#rests) rest.resolve()
    this.#rests.clear()
  }

  async abort(): Promise<void> {
    this.#abort.abort()
    for (const rest of this.#rests) rest.reject(this.#abort.signal.reason)
    this.#rests.clear()
    await settle()
  }
}

class Followed {
  readonly sets: (readonly EndpointSpec[])[] = []
  readonly failed = deferred()
  readonly recovered = deferred()
  readonly clock: FakeClock
  readonly following

  constructor(registry: Registry) {
    const runtime = fakeRuntime()
    this.clock = runtime.clock
    this.following = follow(registry, {
      runtime,
      onSet: (specs) => { this.sets.push(specs) },
      onFailure: () => this.failed.resolve(),
      onRecovered: () => this.recovered.resolve(),
    })
  }
}
