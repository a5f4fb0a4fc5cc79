import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { z } from 'zod'
import { kind, registries, type EndpointSpec, type MeshInput } from '../../src/index.ts'
import { dnsWith, type DnsClient } from '../../src/registries/dns.ts'
import { Looks } from '../../src/registries/looks.ts'
import { polling } from '../../src/registries/polling.ts'
import type { Registry } from '../../src/registries/registry.ts'
import type { Runtime } from '../../src/runtime/runtime.ts'
import { deferred } from '../../src/testing/deferred.ts'
import { virtual } from '../mesh/support.ts'

type Fault = 'killed' | 'garbage' | 'empty' | 'late' | 'flapping'

const outage = 60_000
const longestBackOff = 30_000
const before = ['10.0.0.1:80', '10.0.0.2:80', '10.0.0.3:80']
const after = ['10.0.0.1:80', '10.0.0.2:80', '10.0.0.4:80']

/** What stands behind a registry: a list of addresses that can have every fault, on virtual time. */
class Source {
  fault: Exclude<Fault, 'flapping'> | undefined
  #addresses: readonly string[] = before
  #told = deferred()
  #cut = deferred<never>()

  get addresses(): readonly string[] {
    return this.fault === 'empty' ? [] : this.#addresses
  }

  list(addresses: readonly string[]): void {
    this.#addresses = addresses
    this.#tell()
  }

  /** A fault begins or ends: those who wait for news are cut off, but by one that only empties the list. */
  become(fault: Source['fault']): void {
    const quiet = fault === 'empty' || this.fault === 'empty'
    this.fault = fault
    if (quiet) return this.#tell()
    this.#cut.reject(new Error('the connection broke'))
    this.#cut = deferred<never>()
  }

  #tell(): void {
    this.#told.resolve()
    this.#told = deferred()
  }

  /** Answers a question as a registry's client would see it: the set, or a failure; a late answer is one once the timeout is over. */
  async ask({ clock }: Runtime, timeout: number): Promise<readonly EndpointSpec[]> {
    if (this.fault === 'killed') throw new Error('refused')
    if (this.fault === 'garbage') throw new Error('not understood')
    if (this.fault === 'late') {
      await new Promise<void>((resolve) => { clock.background(timeout, resolve) })
      throw new Error('timed out')
    }
    return this.addresses.map((address) => ({ address }))
  }

  /** The sets to come, until the connection breaks or nobody listens. */
  async* news(signal: AbortSignal): AsyncGenerator<readonly EndpointSpec[]> {
    const gone = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
    for (;;) {
      await Promise.race([this.#told.promise, this.#cut.promise, gone])
      if (signal.aborted) return
      yield this.addresses.map((address) => ({ address }))
    }
  }
}

/** A registry of each shape that there is, over a source. */
interface Shape {
  readonly make: (source: Source) => (runtime: Runtime) => Registry
  readonly faults?: readonly Fault[]
  /** Longest time in which it is asked again, and in which one question is given up. */
  readonly interval: number
  readonly timeout: number
}

const polled = (interval: number, timeout: number): Shape => ({
  interval, timeout,
  make: (source) => (runtime) => polling(async () => ({ endpoints: await source.ask(runtime, timeout), again: interval })),
})

/** A list, and then the changes, as etcd and Kubernetes have it. */
const watched: Shape = {
  interval: longestBackOff, timeout: 10_000,
  make: (source) => (runtime) => async function* (watch) {
    const looks = new Looks(watch, runtime.clock)
    while (!watch.signal.aborted) {
      looks.take()
      yield await source.ask(runtime, 10_000)
      yield* looks.until((signal) => source.news(signal))
    }
  },
}

/** One answer after another, each held back until there is something new, as Consul has it. */
const blocking: Shape = {
  interval: longestBackOff, timeout: 10_000,
  make: (source) => (runtime) => async function* (watch) {
    const looks = new Looks(watch, runtime.clock)
    yield await source.ask(runtime, 10_000)
    while (!watch.signal.aborted) {
      if (looks.take()) yield await source.ask(runtime, 10_000)
      yield* looks.until(async function* (signal) {
        for await (const _ of source.news(signal)) return void (yield await source.ask(runtime, 10_000))
      })
    }
  },
}

/** The registry itself, with a client that tells what node:dns would. That a name has no addresses is known for certain, and no fault. */
const named: Shape = {
  interval: 5_000, timeout: 4_000, faults: ['killed', 'garbage', 'late', 'flapping'],
  make: (source) => (runtime) => {
    const client: DnsClient = {
      addresses: async () => (await source.ask(runtime, 4_000)).map(({ address }) => ({ address: address.split(':')[0]!, ttl: 5 })),
      services: async () => { throw new TypeError('is not asked') },
    }
    const dns = dnsWith(() => (_, look) => look(client))
    return dns.make(dns.config.parse({ hostname: 'shop.test', port: 80, family: 4 }), runtime)
  },
}

const shapes: Readonly<Record<string, Shape>> = {
  'dns': named,
  'a poll of 30 s (eureka)': polled(30_000, 10_000),
  'a poll of 10 s (file)': polled(10_000, 100),
  'a list and a watch (etcd, kubernetes)': watched,
  'blocking queries (consul)': blocking,
}

const discovering = async (t: TestContext, { make }: Shape, wrap: (registry: object) => object) => {
  const source = new Source()
  const shaped = kind('shaped', z.strictObject({}), (_, runtime) => make(source)(runtime))
  const { mesh, clock } = virtual({
    services: { 'shop.test': { cluster: 'c' } },
    clusters: { c: { registry: wrap({ type: 'shaped' }) } },
  } as unknown as MeshInput, {}, { registries: registries.with(shaped) as never })
  const heard: string[] = []
  for (const event of ['endpoint-added', 'endpoint-removed'] as const) mesh.on(event, ({ endpoint }) => { heard.push(`${event} ${endpoint}`) })
  await mesh.ready()
  heard.length = 0
  t.after(async () => {
    await mesh.close()
    assert.equal(clock.pending, 0)
  })
  /** Lets time pass with a call each half second, every one of which must be answered. */
  const underLoad = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 500) {
      assert.equal((await mesh.fetch('http://shop.test/')).status, 200)
      await clock.advance(Math.min(500, ms - passed))
    }
  }
  return { source, heard, underLoad }
}

const live = async (t: TestContext, shape: Shape, fault: Fault, wrap: (registry: object) => object = (registry) => registry): Promise<void> => {
  const { source, heard, underLoad } = await discovering(t, shape, wrap)
  if (fault === 'flapping') {
    for (let flap = 0; flap < 6; flap++) {
      source.become('killed')
      await underLoad(6_000)
      if (flap === 5) source.list(after)
      source.become(undefined)
      if (flap < 5) await underLoad(4_000)
    }
  } else {
    source.become(fault)
    await underLoad(outage / 2)
    source.list(after)
    await underLoad(outage / 2)
  }
  assert.deepEqual(heard, [], 'what changed while it could not tell')
  source.become(undefined)
  await underLoad(shape.interval + shape.timeout)
  assert.deepEqual(heard, ['endpoint-added 10.0.0.4:80', 'endpoint-removed 10.0.0.3:80'])
}

for (const [name, shape] of Object.entries(shapes)) {
  describe(`${name}: no call fails, and a change is found within the interval and the timeout, when the registry`, () => {
    for (const fault of shape.faults ?? ['killed', 'garbage', 'empty', 'late', 'flapping']) {
      test(`is ${fault}`, (t) => live(t, shape, fault))
    }
  })
}

describe('the same inside of', () => {
  const wraps: Readonly<Record<string, (registry: object) => object>> = {
    'first-of': (registry) => ({ type: 'first-of', of: [registry, registry], patience: '3m' }),
    'merge': (registry) => ({ type: 'merge', of: [registry, registry] }),
  }
  for (const [name, wrap] of Object.entries(wraps)) {
    for (const fault of ['killed', 'garbage', 'late', 'flapping'] as const) {
      test(`${name}: is ${fault}`, (t) => live(t, shapes['a poll of 30 s (eureka)']!, fault, wrap))
    }
  }
})
