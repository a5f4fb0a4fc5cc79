import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { keep, type Keeping, type KeepOptions } from '../../src/registrars/keep.ts'
import type { Instance, Registration } from '../../src/registrars/registrar.ts'
import { fakeRuntime, FakeRegistrar, settle } from '../../src/testing/index.ts'

const instance: Instance = { service: 'pricing', id: 'a', address: '10.0.0.1:80', host: '10.0.0.1', port: 80, metadata: {} }

class Kept {
  readonly runtime = fakeRuntime(() => 0)
  readonly clock = this.runtime.clock
  readonly registrar = new FakeRegistrar()
  readonly heard: string[] = []
  keeping!: Keeping

  start(find: (signal: AbortSignal) => Promise<Registration> = async () => this.registrar.registrar(instance), more: Partial<KeepOptions> = {}): this {
    this.keeping = keep(find, {
      runtime: this.runtime,
      healthy: true,
      onRegistered: () => this.heard.push('registered'),
      onLost: () => this.heard.push('lost'),
      onFailure: (_, doing, retryIn) => this.heard.push(`${doing} failed, again in ${retryIn}`),
      ...more,
    })
    return this
  }
}

const started = async (t: TestContext): Promise<Kept> => {
  const kept = new Kept().start()
  t.after(() => { void kept.keeping.leave(0) })
  await settle()
  return kept
}

describe('keeping an instance in its registry', () => {
  test('registers it once and gives a sign of life at each interval', async (t) => {
    const { clock, registrar, keeping, heard } = await started(t)
    await keeping.registered
    await clock.advance(30_000)
    assert.deepEqual(registrar.log, ['register a', 'renew a', 'renew a', 'renew a'])
    assert.deepEqual(heard, ['registered'])
    assert.deepEqual(keeping.status(), { registered: true, registrations: 1, failures: 0, failuresInARow: 0 })
  })

  test('signs of life come up to a fifth early, by chance, and never late', async (t) => {
    const kept = new Kept()
    const draws = [1, 0.5]
    Object.assign(kept.runtime, { random: () => draws.shift() ?? 0 })
    kept.start()
    t.after(() => { void kept.keeping.leave(0) })
    const times: number[] = []
    for (let ms = 0; ms < 30_000; ms += 1_000) {
      await kept.clock.advance(1_000)
      if (kept.registrar.log.length > times.length) times.push(ms + 1_000)
    }
    assert.deepEqual(times, [1_000, 8_000, 17_000, 27_000])
  })

  test('registers afresh, at once, what the registry has lost', async (t) => {
    const { clock, registrar, heard } = await started(t)
    registrar.forget()
    await clock.advance(10_000)
    assert.deepEqual([registrar.log.slice(1), heard], [['renew a', 'register a'], ['registered', 'lost', 'registered']])
    assert.ok(registrar.instances.has('a'))
  })

  test('rests longer after each failure, never longer than between two signs of life, and then registers afresh', async (t) => {
    const { clock, registrar, heard, keeping } = await started(t)
    registrar.fail()
    await clock.advance(10_000)
    await clock.advance(30_000)
    assert.deepEqual(heard.slice(1), ['renewing', ...Array<string>(7).fill('registering')]
      .map((doing, at) => `${doing} failed, again in ${[250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000][at]}`))
    const { lastError, ...status } = keeping.status()
    assert.deepEqual([lastError, status], ['the registry is down', { registered: false, registrations: 1, failures: 8, failuresInARow: 8 }])
    registrar.heal()
    await clock.advance(10_000)
    assert.deepEqual([heard.at(-1), registrar.log.at(-1), keeping.status().failuresInARow], ['registered', 'register a', 0])
  })

  test('back-offs are drawn between half and all of their length', async (t) => {
    const kept = new Kept()
    Object.assign(kept.runtime, { random: () => 0.999 })
    kept.registrar.fail()
    kept.start()
    t.after(() => { void kept.keeping.leave(0) })
    await settle()
    assert.match(kept.heard[0]!, /again in 125\.\d+$/)
  })

  test('where to register is asked until it is known', async (t) => {
    const kept = new Kept()
    let asked = 0
    kept.start(async () => {
      if (++asked < 3) throw new Error('no address yet')
      return kept.registrar.registrar(instance)
    })
    t.after(() => { void kept.keeping.leave(0) })
    await kept.clock.advance(800)
    assert.deepEqual([asked, kept.heard], [3, ['registering failed, again in 250', 'registering failed, again in 500', 'registered']])
  })

  test('what is new about its health is told at once, also when it comes while something else is told', async (t) => {
    const { registrar, keeping, clock } = await started(t)
    keeping.mark(false)
    await settle()
    assert.equal(registrar.log.at(-1), 'renew a unhealthy')
    let release = (): void => {}
    registrar.hold(new Promise((resolve) => { release = resolve }))
    keeping.mark(true)
    await settle()
    keeping.mark(false)
    release()
    await settle()
    assert.deepEqual(registrar.log.slice(-2), ['renew a', 'renew a unhealthy'])
    const { length } = registrar.log
    keeping.mark(false)
    await settle()
    assert.equal(registrar.log.length, length, 'nothing new')
    assert.equal(clock.pending, 1)
  })

  test('leaving says that it is not well and then takes it away, and leaves no timer', async (t) => {
    const { clock, registrar, keeping } = await started(t)
    assert.equal(await keeping.leave(5_000), true)
    assert.deepEqual(registrar.log, ['register a', 'renew a unhealthy', 'deregister a'])
    assert.equal(clock.pending, 0)
    await clock.advance(60_000)
    assert.equal(registrar.log.length, 3)
    assert.equal(keeping.status().registered, false)
  })

  test('leaving waits for a registration under way, which else would come after it', async (t) => {
    const kept = new Kept()
    let release = (): void => {}
    kept.registrar.hold(new Promise((resolve) => { release = resolve }))
    kept.start()
    t.after(() => { void kept.keeping.leave(0) })
    await settle()
    const left = kept.keeping.leave(5_000)
    await settle()
    assert.deepEqual(kept.registrar.log, ['register a'])
    release()
    assert.equal(await left, true)
    assert.deepEqual([kept.registrar.log.at(-1), kept.registrar.instances.size], ['deregister a', 0])
  })

  test('a registration that failed may have succeeded, so leaving takes it away as well', async () => {
    const kept = new Kept()
    kept.registrar.fail()
    kept.start()
    await settle()
    kept.registrar.heal()
    assert.equal(await kept.keeping.leave(5_000), true)
    assert.deepEqual(kept.registrar.log, ['register a', 'deregister a'])
    assert.equal(kept.keeping.propagation(), 5_000)
  })

  test('nothing is taken away where nothing was registered', async () => {
    const kept = new Kept()
    kept.start(() => Promise.reject(new Error('no address')))
    await settle()
    assert.equal(await kept.keeping.leave(5_000), true)
    assert.deepEqual([kept.registrar.log, kept.keeping.propagation(), kept.clock.pending], [[], undefined, 0])
  })

  test('taking it away is tried again, for as long as is allowed', async (t) => {
    const { clock, registrar, keeping, heard } = await started(t)
    registrar.fail()
    const left = keeping.leave(3_000)
    await clock.advance(2_999)
    assert.deepEqual(heard.slice(1), ['deregistering failed, again in 0', ...[500, 1_000, 2_000].map((ms) => `deregistering failed, again in ${ms}`)])
    await clock.advance(1)
    assert.equal(await left, false)
    await settle()
    assert.deepEqual([clock.pending, registrar.log.filter((what) => what.startsWith('deregister')).length], [0, 3])
  })

  test('a registry that comes back in time hears of it', async (t) => {
    const { clock, registrar, keeping } = await started(t)
    registrar.fail()
    const left = keeping.leave(3_000)
    await clock.advance(400)
    registrar.heal()
    await clock.advance(200)
    assert.equal(await left, true)
    assert.deepEqual([registrar.instances.size, clock.pending], [0, 0])
  })

  test('a registrar that never answers and hears no signal holds nothing up', async (t) => {
    const { clock, registrar, keeping } = await started(t)
    registrar.hold(new Promise(() => {}))
    const left = keeping.leave(3_000)
    await clock.advance(3_000)
    assert.equal(await left, false)
    assert.equal(clock.pending, 0)
  })

  test('only leaving keeps the process waiting', async (t) => {
    const { clock, registrar, keeping } = await started(t)
    registrar.fail()
    await clock.advance(10_000)
    assert.equal(clock.awaited, 0)
    const left = keeping.leave(1_000)
    await settle()
    assert.ok(clock.awaited > 0)
    await clock.advance(1_000)
    await left
  })
})
