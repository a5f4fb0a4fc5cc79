import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { CloudMapClient, CloudMapWay, NamedService } from '../../src/registries/cloud-map-client.ts'
import { cloudMapWith } from '../../src/registries/cloud-map.ts'
import { follow, type Following } from '../../src/registries/follow.ts'
import { ThrottledError } from '../../src/registries/registry.ts'
import { deferred } from '../../src/testing/deferred.ts'
import { fakeRuntime, seededRandom, settle, type FakeClock } from '../../src/testing/index.ts'
import { pageText } from '../docs/samples.ts'

/** Counts what is asked, and answers at once, or when it is let. */
class CountingClient implements CloudMapClient {
  readonly way: CloudMapWay
  lists = 0
  revisions = 0
  rests = 0
  /** What it answers as the revision. */
  current = '1'
  /** What answers wait for. */
  gate: Promise<void> = Promise.resolve()
  failure: Error | undefined
  readonly asked: string[] = []
  readonly signals: AbortSignal[] = []

  constructor(way: CloudMapWay) {
    this.way = way
  }

  async #answer(what: string, { service }: NamedService, signal: AbortSignal): Promise<void> {
    this.asked.push(`${what} ${service}`)
    this.signals.push(signal)
    await this.gate
    if (this.failure) throw this.failure
  }

  async list(service: NamedService, signal: AbortSignal) {
    this.lists++
    await this.#answer('list', service, signal)
    const instance = (id: string, version: string) => ({
      id, health: 'HEALTHY', attributes: { AWS_INSTANCE_IPV4: `10.0.0.${version}`, AWS_INSTANCE_PORT: '80', version },
    } as const)
    return { instances: [instance('a', '1'), instance('b', '2')], revision: this.current }
  }

  async revision(service: NamedService, signal: AbortSignal) {
    this.revisions++
    await this.#answer('revision', service, signal)
    return this.current
  }

  rest(): void {
    this.rests++
  }
}

/** A process: what watches services on one clock. */
class Process {
  readonly clock: FakeClock
  readonly clients: CountingClient[] = []
  readonly sets: Record<string, string[]> = {}
  readonly failures: string[] = []
  readonly #runtime
  readonly #kind = cloudMapWith((way) => {
    const client = new CountingClient(way)
    this.clients.push(client)
    return client
  })

  constructor(seed = 1) {
    this.#runtime = fakeRuntime(seededRandom(seed))
    this.clock = this.#runtime.clock
  }

  watch(name: string, config: object = {}): Following {
    const sets: string[] = this.sets[name] = []
    const parsed = this.#kind.config.parse({ namespace: 'shop.local', service: 'pricing', ...config })
    return follow(this.#kind.make(parsed, this.#runtime), {
      runtime: this.#runtime,
      onSet: (specs) => { sets.push(specs.map(({ address }) => address).join(' ')) },
      onFailure: (error) => { this.failures.push(`${name}: ${(error as Error).message}`) },
      onRecovered: () => {},
    })
  }
}

describe('what cloud-map asks for', () => {
  test('is asked once for all clusters that watch a service, whatever they choose of it', async () => {
    const process = new Process()
    const all = [process.watch('v1', { attributes: { version: '1' } }), process.watch('v2', { attributes: { version: '2' } })]
    await settle()
    await process.clock.advance(2_000)
    all.push(process.watch('late'))
    await settle()
    const [client] = process.clients
    assert.deepEqual([process.clients.length, client!.asked], [1, ['list pricing']])
    await process.clock.advance(57_000)
    assert.equal(client!.lists, 1)
    assert.ok(client!.revisions >= 10 && client!.revisions <= 13, `${client!.revisions} revisions in a minute`)
    client!.current = '2'
    await process.clock.advance(5_500)
    assert.equal(client!.lists, 2)
    assert.deepEqual(Object.values(process.sets).map((sets) => sets.at(-1)), ['10.0.0.1:80', '10.0.0.2:80', '10.0.0.1:80 10.0.0.2:80'])
    for (const one of all) one.close()
    await settle()
    assert.deepEqual([client!.rests, process.clock.pending], [1, 0])
  })

  test('is asked apart for other services, regions, accounts and limits, over one client for each way', async () => {
    const process = new Process()
    const all = [{}, { service: 'order' }, { ownerAccount: '123456789012' }, { region: 'eu-test-2' }, { timeout: '1s' }].map((config, at) => process.watch(`w${at}`, config))
    await settle()
    assert.deepEqual(process.clients.map(({ asked }) => asked), [['list pricing', 'list order', 'list pricing'], ['list pricing'], ['list pricing']])
    for (const one of all) one.close()
  })

  test('goes on for the others when one leaves, and is given up when the last one does', async () => {
    const process = new Process()
    const [one, other] = [process.watch('one'), process.watch('other')]
    await settle()
    const [client] = process.clients
    const gate = deferred()
    client!.gate = gate.promise
    one.wake()
    await settle()
    other.wake()
    one.close()
    await settle()
    assert.deepEqual([client!.lists, client!.signals.at(-1)!.aborted, client!.rests], [2, false, 0])
    gate.resolve()
    await settle()
    assert.deepEqual([process.sets['one']!.length, process.sets['other']!.length], [1, 2])
    client!.gate = deferred().promise
    other.wake()
    await settle()
    other.close()
    await settle()
    assert.deepEqual([client!.signals.at(-1)!.aborted, client!.rests], [true, 1])
    client!.gate = Promise.resolve()
    await process.clock.advance(60_000)
    const third = process.watch('third')
    await third.first
    third.close()
  })

  test('fails for all who wait for it, and each asks again in its own time', async () => {
    const process = new Process()
    const all = [process.watch('one'), process.watch('other')]
    await settle()
    const [client] = process.clients
    client!.failure = new Error('throttled')
    await process.clock.advance(5_500)
    assert.ok(process.failures.includes('one: throttled') && process.failures.includes('other: throttled'))
    assert.ok(client!.revisions <= process.failures.length)
    client!.failure = undefined
    await process.clock.advance(30_000)
    assert.deepEqual(all.map((one) => one.status().failuresInARow), [0, 0])
    assert.equal(client!.lists, 1, 'what was known before the failure is checked, not read again')
    for (const one of all) one.close()
  })

  test('is asked at least as often as otherwise after a failure, and ever more rarely when that is that it is asked too often', async () => {
    for (const [failure, least, most] of [[new Error('down'), 30, 60], [new ThrottledError('too often'), 4, 15]] as const) {
      const process = new Process()
      const watching = process.watch('one')
      await settle()
      const [client] = process.clients
      client!.failure = failure
      await process.clock.advance(30_000)
      const { length } = client!.asked
      await process.clock.advance(150_000)
      const asked = client!.asked.length - length
      assert.ok(asked >= least && asked <= most, `${asked} times in 150 s, at an interval of 5 s, while it fails: ${failure.message}`)
      client!.failure = undefined
      await process.clock.advance(30_000)
      assert.equal(watching.status().failuresInARow, 0)
      watching.close()
    }
  })

  test('a look that is asked for does not count what was asked before', async () => {
    const process = new Process()
    const [one, other] = [process.watch('one'), process.watch('other')]
    await settle()
    const [client] = process.clients
    const gate = deferred()
    client!.gate = gate.promise
    one.wake()
    await settle()
    other.wake()
    await settle()
    assert.equal(client!.lists, 2)
    gate.resolve()
    await settle()
    assert.equal(client!.lists, 3, 'asked for while one was under way')
    for (const watch of [one, other]) watch.close()
  })

  test('stays far below the quota with 50 services in each of 4 processes, as the guide says', async () => {
    const processes = [1, 2, 3, 4].map((seed) => new Process(seed))
    const watches = processes.flatMap((process) => Array.from({ length: 50 }, (_, at) => [
      process.watch(`v1 of ${at}`, { service: `s${at}`, attributes: { version: '1' } }),
      process.watch(`v2 of ${at}`, { service: `s${at}`, attributes: { version: '2' } }),
    ]).flat())
    await settle()
    const clients = processes.flatMap((process) => process.clients)
    const counted = () => [clients.reduce((sum, { revisions }) => sum + revisions, 0), clients.reduce((sum, { lists }) => sum + lists, 0)] as const
    assert.equal(clients.length, 4)
    // Five refreshes, each with the first look at the revision that comes after a minute.
    const [before, minutes] = [counted(), 5.5]
    for (const process of processes) await process.clock.advance(minutes * 60_000)
    const [revisions, lists] = counted().map((count, at) => Math.round((count - before[at]!) / minutes))
    for (const watch of watches) watch.close()
    // Per account and region there may be 3 000 revisions and 1 000 lists in a second.
    assert.deepEqual([Math.round(revisions! / 100) * 100, Math.round(lists! / 10) * 10], [2_300, 180])
    assert.match(pageText('docs/guides/registries.md'), /\| 2 300 a minute, 38 a second \| 1\.3 % \|\n.*\| 180 a minute, 3 a second/)
  })
})
