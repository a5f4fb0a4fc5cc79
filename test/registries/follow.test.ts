import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { describe, test } from 'node:test'
import type { EndpointSpec } from '../../src/core/endpoint.ts'
import { follow, type DiscoveryConfig, type Following } from '../../src/registries/follow.ts'
import { polling } from '../../src/registries/polling.ts'
import { noSuchService, ThrottledError, type Registry } from '../../src/registries/registry.ts'
import { FakeRegistry, fakeRuntime, scriptedRandom, settle } from '../../src/testing/index.ts'

/** Follows a registry and writes down what it hears. */
const listen = (registry: Registry, random = scriptedRandom(0), guard?: DiscoveryConfig) => {
  const runtime = fakeRuntime(random)
  const heard: string[] = []
  const following: Following = follow(registry, {
    runtime,
    ...(guard && { guard: () => guard }),
    onHeld: ({ listed, inUse, grace }) => { heard.push(`held ${listed} of ${inUse} for ${grace}`) },
    onEnd: () => { heard.push('ended') },
    onSet: (specs) => { heard.push(`set ${specs.map(({ address }) => address).join(' ')}`.trim()) },
    onFailure: (error, retryIn) => { heard.push(`${(error as Error).message}, again in ${retryIn}`) },
    onRecovered: () => { heard.push('recovered') },
  })
  return { following, heard, clock: runtime.clock }
}

const down = new Error('down')
const set = (...all: string[]): EndpointSpec[] => all.map((address) => ({ address }))

describe('follow', () => {
  test('hands on each set, the empty one too', async () => {
    const fake = new FakeRegistry()
    const { following, heard } = listen(fake.registry)
    fake.push('a:1', 'b:1')
    await following.first
    fake.push()
    await settle()
    fake.push('c:1')
    await settle()
    assert.deepEqual(heard, ['set a:1 b:1', 'set', 'set c:1'])
    assert.deepEqual(following.status(), { sets: 3, failures: 0, failuresInARow: 0, age: 0 })
    following.close()
  })

  test('takes an end after a set for all there is to say', async () => {
    const { following, heard, clock } = listen(async function* () { yield set('a:1') })
    await following.first
    await clock.advance(600_000)
    assert.deepEqual(heard, ['set a:1', 'ended'])
    assert.equal(clock.pending, 0)
    following.close()
  })

  test('takes an end without any set for a failure', async () => {
    const fake = new FakeRegistry()
    const { following, heard, clock } = listen(fake.registry)
    fake.end()
    await settle()
    fake.push('a:1')
    await clock.advance(250)
    assert.deepEqual(heard, ['the registry ended without naming a set of endpoints, again in 250', 'set a:1', 'recovered'])
    following.close()
  })

  test('doubles its back-off up to 30 s, and begins at 250 ms again after a set', async () => {
    const fake = new FakeRegistry()
    const { following, heard, clock } = listen(fake.registry)
    fake.fail(down)
    await settle()
    await clock.advance(120_000)
    const rests = heard.map((line) => Number(/\d+$/.exec(line)![0]))
    assert.deepEqual(rests, [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000])
    assert.equal(following.status().failuresInARow, 10)
    fake.push('a:1')
    await clock.advance(30_000)
    fake.fail(down)
    await settle()
    assert.deepEqual(heard.slice(10), ['set a:1', 'recovered', 'down, again in 250'])
    assert.deepEqual(following.status(), { sets: 1, failures: 11, failuresInARow: 1, lastError: 'down', age: 28_250 })
    following.close()
  })

  test('draws each back-off between half of its bound and all of it', async () => {
    const fake = new FakeRegistry()
    const { following, heard, clock } = listen(fake.registry, scriptedRandom(0, 0.5, 0.75))
    fake.fail(down)
    await clock.advance(2_000)
    assert.deepEqual(heard.slice(0, 3), ['down, again in 250', 'down, again in 375', 'down, again in 625'])
    following.close()
  })

  test('rests no longer than the registry itself does between two looks, but for a second', async () => {
    for (const [again, longest] of [[5_000, 5_000], [60_000, 30_000], [10, 1_000]] as const) {
      let well = true
      const { following, heard, clock } = listen(polling(async () => {
        if (!well) throw down
        return { endpoints: set('a:1'), again }
      }))
      await following.first
      well = false
      await clock.advance(again + 120_000)
      assert.match(heard.at(-1)!, new RegExp(`again in ${longest}$`))
      well = true
      const { sets } = following.status()
      await clock.advance(longest)
      assert.ok(following.status().sets > sets)
      following.close()
    }
  })

  test('goes by the pace even before the first look has worked', async () => {
    const { following, heard, clock } = listen(polling(() => Promise.reject(down), 5_000))
    await clock.advance(120_000)
    assert.equal(heard.at(-1), 'down, again in 5000')
    following.close()
  })

  test('leaves a source that is asked too often alone for longer than its pace, twice as long each time', async () => {
    for (const [pace, expected] of [[5_000, [5_000, 10_000, 20_000, 30_000, 30_000]], [60_000, [60_000, 60_000]], [undefined, [250, 500, 1_000]]] as const) {
      let error: Error = new ThrottledError('too often')
      const { following, heard, clock } = listen(polling(() => Promise.reject(error), pace))
      await clock.advance(expected.reduce((sum, rest) => sum + rest, 0))
      assert.deepEqual(heard.slice(0, expected.length), expected.map((rest) => `too often, again in ${rest}`))
      error = down
      await clock.advance(120_000)
      assert.equal(heard.at(-1), `down, again in ${Math.min(30_000, pace ?? 30_000)}`)
      following.close()
    }
  })

  test('does not believe a pace that is no time', async () => {
    for (const pace of [Number.NaN, -1]) {
      const { following, heard, clock } = listen(async function* (watch) {
        watch.pace?.(pace)
        throw down
      })
      await clock.advance(120_000)
      assert.equal(heard.at(-1), 'down, again in 30000')
      following.close()
    }
  })

  test('asks ever more rarely where the list works and the watch after it never does', async () => {
    let lists = 0
    const { following, heard, clock } = listen(async function* ({ wake }) {
      lists++
      yield set('a:1')
      await wake.wait(1_000)
      throw down
    })
    await clock.advance(600_000)
    const rests = heard.flatMap((line) => /again in (\d+)$/.exec(line)?.[1] ?? []).map(Number)
    assert.deepEqual(rests.slice(0, 9), [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000])
    assert.ok(lists < 30, `${lists} lists in ten minutes`)
    assert.ok(following.status().failuresInARow <= 1, 'what is in use is as the list said')
    following.close()
  })

  test('begins its back-off anew after a watch of 10 s, and not before', async () => {
    for (const [held, rest] of [[9_999, 1_000], [10_000, 250]] as const) {
      let watch = 1_000
      const { following, heard, clock } = listen(async function* ({ wake }) {
        yield set('a:1')
        await wake.wait(watch)
        throw down
      })
      await clock.advance(2_250)
      watch = held
      await clock.advance(500 + held)
      assert.match(heard.at(-1)!, new RegExp(`again in ${rest}$`))
      following.close()
    }
  })

  test('keeps what there is while the registry fails: no set is reported', async () => {
    const fake = new FakeRegistry()
    const { following, heard, clock } = listen(fake.registry)
    fake.push('a:1')
    await following.first
    fake.fail(down)
    await clock.advance(3_600_000)
    assert.equal(heard.filter((line) => line.startsWith('set')).length, 1)
    assert.equal(following.age(), 3_600_000)
    following.close()
  })

  test('reports recovery once, at the first set after failures', async () => {
    const fake = new FakeRegistry()
    const { following, heard, clock } = listen(fake.registry)
    fake.fail(down)
    await clock.advance(250)
    fake.push('a:1')
    await clock.advance(500)
    fake.push('b:1')
    await settle()
    assert.deepEqual(heard, ['down, again in 250', 'down, again in 500', 'set a:1', 'recovered', 'set b:1'])
    following.close()
  })

  test('survives a registry that cannot even start', async () => {
    let starts = 0
    const { following, heard, clock } = listen(() => { starts++; throw down })
    await clock.advance(250)
    assert.equal(starts, 2)
    assert.deepEqual(heard, ['down, again in 250', 'down, again in 500'])
    following.close()
  })

  test('takes a set that is refused for a failure, and lets go of the registry that said it', async () => {
    const fake = new FakeRegistry()
    const runtime = fakeRuntime(scriptedRandom(0))
    const errors: unknown[] = []
    let refuse = true
    const following = follow(fake.registry, {
      runtime,
      onSet: () => { if (refuse) throw down },
      onFailure: (error) => { errors.push(error) },
      onRecovered: () => { errors.push('recovered') },
    })
    fake.push('a:1')
    await settle()
    assert.deepEqual([errors, fake.open, following.status().sets], [[down], 0, 0])
    refuse = false
    await runtime.clock.advance(250)
    assert.deepEqual([errors, fake.open, fake.watches, following.status().sets], [[down, 'recovered'], 1, 2, 1])
    following.close()
  })

  test('aborts the signal of a watch that failed, so that it lets go of what it holds', async () => {
    const signals: AbortSignal[] = []
    const { following, clock } = listen(async function* ({ signal }) {
      signals.push(signal)
      yield set('a:1')
      throw down
    })
    await clock.advance(250)
    assert.deepEqual(signals.map(({ aborted }) => aborted), [true, true])
    following.close()
  })

  test('wakes a registry that rests between two looks', async () => {
    let looks = 0
    const { following, clock } = listen(polling(async () => ({ endpoints: set(`a:${++looks}`), again: 10_000 })))
    await following.first
    await clock.advance(9_999)
    assert.equal(looks, 1)
    following.wake()
    await settle()
    assert.equal(looks, 2)
    await clock.advance(9_999)
    assert.equal(looks, 2)
    await clock.advance(1)
    assert.equal(looks, 3)
    following.close()
    assert.equal(clock.pending, 0)
  })

  test('a look asked for during a look is had once, after it', async () => {
    const answers: (() => void)[] = []
    const { following, clock } = listen(polling(async () => {
      await new Promise<void>((resolve) => answers.push(resolve))
      return { endpoints: set('a:1'), again: 10_000 }
    }))
    await settle()
    following.wake()
    following.wake()
    answers[0]!()
    await settle()
    assert.equal(answers.length, 2)
    answers[1]!()
    await clock.advance(9_999)
    assert.equal(answers.length, 2)
    following.close()
  })

  test('a look asked for cuts a back-off short, and no more than one', async () => {
    const fake = new FakeRegistry()
    const { following, clock } = listen(fake.registry)
    fake.fail(down)
    await clock.advance(100_000)
    const { watches } = fake
    following.wake()
    await settle()
    assert.equal(fake.watches, watches + 1)
    await clock.advance(14_999)
    assert.equal(fake.watches, watches + 1)
    following.close()
  })

  test('a look asked for before a failure does not cut the back-off after it', async () => {
    const fails: (() => void)[] = []
    const { following, clock } = listen(polling(() => new Promise((_, reject) => fails.push(() => reject(down)))))
    await settle()
    following.wake()
    fails[0]!()
    await clock.advance(249)
    assert.equal(fails.length, 1)
    await clock.advance(1)
    assert.equal(fails.length, 2)
    following.close()
  })

  test('tells its age and status before the first set', () => {
    const { following } = listen(new FakeRegistry().registry)
    assert.equal(following.age(), Number.POSITIVE_INFINITY)
    assert.deepEqual(following.status(), { sets: 0, failures: 0, failuresInARow: 0 })
    following.close()
  })

  test('works for no request: the registry does not see the async context of whoever followed it', async () => {
    const context = new AsyncLocalStorage<string>()
    const seen: unknown[] = []
    const { following, clock } = context.run('a request', () => listen(polling(async () => {
      seen.push(context.getStore())
      return { endpoints: [], again: 1_000 }
    })))
    await clock.advance(1_000)
    assert.deepEqual(seen, [undefined, undefined])
    following.close()
  })
})

describe('an answer that would take away too many', () => {
  const guard = { grace: 30_000, maxLoss: 50 }
  const guarded = (registry: Registry, config = guard) => listen(registry, scriptedRandom(0), config)

  /** A registry that polls every 5 s and says what stands here by then: `undefined` is a failure. */
  const polled = (config = guard) => {
    const source: { now: readonly EndpointSpec[] | undefined, looks: number } = { now: set('a:1', 'b:1', 'c:1', 'd:1'), looks: 0 }
    return {
      source,
      ...guarded(polling(async () => {
        source.looks++
        if (!source.now) throw down
        return { endpoints: source.now, again: 5_000 }
      }), config),
    }
  }

  test('is held, and asked again at once', async () => {
    const { source, following, heard, clock } = polled()
    await following.first
    source.now = []
    await clock.advance(5_000)
    assert.deepEqual([source.looks, heard.slice(1)], [3, ['held 0 of 4 for 120000']])
    assert.deepEqual(following.status(), { sets: 1, failures: 0, failuresInARow: 0, age: 5_000, held: 0 })
    following.close()
    assert.equal(clock.pending, 0)
  })

  test('is believed when it still holds after the grace, and not before', async () => {
    const { source, following, heard, clock } = polled()
    await following.first
    source.now = []
    await clock.advance(124_999)
    assert.equal(heard.length, 2)
    await clock.advance(1)
    assert.deepEqual(heard.slice(1), ['held 0 of 4 for 120000', 'set'])
    assert.deepEqual(following.status(), { sets: 2, failures: 0, failuresInARow: 0, age: 0 })
    following.close()
  })

  test('is forgotten when the look after it lists them again', async () => {
    const { source, following, heard, clock } = polled()
    await following.first
    source.now = []
    await clock.advance(5_000)
    source.now = set('a:1', 'b:1', 'c:1', 'd:1')
    await clock.advance(5_000)
    assert.deepEqual(heard.slice(1), ['held 0 of 4 for 120000', 'set a:1 b:1 c:1 d:1'])
    source.now = []
    await clock.advance(119_999)
    assert.deepEqual(heard.slice(3), ['held 0 of 4 for 120000'], 'the second slip has a grace of its own')
    following.close()
  })

  test('is believed after the grace where it lists some, which costs more the longer it is waited for', async () => {
    const { source, following, heard, clock } = polled()
    await following.first
    source.now = set('a:1')
    await clock.advance(34_999)
    assert.deepEqual(heard.slice(1), ['held 1 of 4 for 30000'])
    await clock.advance(1)
    assert.deepEqual(heard.slice(2), ['set a:1'])
    following.close()
  })

  test('has one grace from its beginning when some turn into none', async () => {
    const { source, following, heard, clock } = polled()
    await following.first
    source.now = set('a:1')
    await clock.advance(5_000)
    source.now = []
    await clock.advance(119_999)
    assert.deepEqual(heard.slice(1), ['held 1 of 4 for 30000'])
    await clock.advance(1)
    assert.deepEqual(heard.slice(2), ['set'])
    following.close()
  })

  test('begins a grace of its own when none turn into some: a list that fills up is not taken half-way', async () => {
    const { source, following, heard, clock } = polled()
    await following.first
    source.now = []
    await clock.advance(100_000)
    source.now = set('a:1')
    await clock.advance(29_999)
    source.now = set('a:1', 'b:1', 'c:1')
    await clock.advance(5_000)
    assert.deepEqual(heard.slice(1), ['held 0 of 4 for 120000', 'held 1 of 4 for 30000', 'set a:1 b:1 c:1'])
    await clock.advance(1_000_000)
    assert.equal(heard.length, 4 + 200, 'no timer of the first doubt is left')
    following.close()
    assert.equal(clock.pending, 0)
  })

  test('is one that leaves fewer than the share that may be lost; what counts is how many, not which', async () => {
    const { source, following, heard, clock } = polled()
    await following.first
    for (const [endpoints, taken] of [
      [set('a:1', 'b:1'), true],
      [set('x:1', 'y:1', 'z:1', 'w:1', 'v:1'), true],
      [set('x:1', 'y:1'), false],
    ] as const) {
      source.now = endpoints
      const before = following.status().sets
      await clock.advance(5_000)
      assert.equal(following.status().sets > before, taken, JSON.stringify(endpoints))
    }
    assert.equal(heard.at(-1), 'held 2 of 5 for 30000')
    following.close()
  })

  test('is none where the registry knows for certain that there is no such service', async () => {
    const { source, following, heard, clock } = polled()
    await following.first
    source.now = noSuchService
    await clock.advance(5_000)
    assert.deepEqual(heard.slice(1), ['set'])
    following.close()
  })

  test('is none where nothing is in use yet, or the grace is 0', async () => {
    for (const [first, config] of [[[], guard], [set('a:1', 'b:1'), { grace: 0, maxLoss: 50 }]] as const) {
      const fake = new FakeRegistry()
      const { following, heard } = guarded(fake.registry, config)
      fake.push(...first)
      await following.first
      fake.push()
      await settle()
      assert.deepEqual(heard.slice(1), ['set'])
      following.close()
    }
  })

  test('an empty one is held whatever may be lost', async () => {
    const { source, following, heard, clock } = polled({ grace: 30_000, maxLoss: 100 })
    await following.first
    source.now = set('a:1')
    await clock.advance(5_000)
    source.now = []
    await clock.advance(5_000)
    assert.deepEqual(heard.slice(1), ['set a:1', 'held 0 of 1 for 120000'])
    following.close()
  })

  test('outlasts failures: what comes after the grace is believed, failing is not', async () => {
    const { source, following, heard, clock } = polled()
    await following.first
    source.now = []
    await clock.advance(5_000)
    source.now = undefined
    await clock.advance(120_000)
    assert.ok(heard.slice(2).every((line) => line.startsWith('down')), heard.join())
    source.now = []
    await clock.advance(5_000)
    assert.deepEqual(heard.slice(-2), ['set', 'recovered'])
    following.close()
  })

  test('is taken after the grace from a registry that had no more to say', async () => {
    const { following, heard, clock } = guarded(async function* () {
      yield set('a:1')
      yield []
    })
    await clock.advance(119_999)
    assert.deepEqual(heard, ['set a:1', 'held 0 of 1 for 120000'])
    await clock.advance(1)
    assert.deepEqual(heard.slice(2), ['set', 'ended'])
    assert.equal(clock.pending, 0)
    following.close()
  })

  test('is refused after the grace like any other, and held once more', async () => {
    const runtime = fakeRuntime(scriptedRandom(0))
    const heard: unknown[] = []
    const following = follow(polling(async () => ({ endpoints: heard.length === 0 ? set('a:1') : [], again: 5_000 })), {
      runtime,
      guard: () => guard,
      onSet: (specs) => { if (specs.length === 0) throw down; heard.push('set') },
      onFailure: (error) => { heard.push(error) },
      onRecovered: () => {},
      onHeld: () => { heard.push('held') },
    })
    await runtime.clock.advance(130_000)
    assert.deepEqual(heard, ['set', 'held', down, 'held'])
    following.close()
    assert.equal(runtime.clock.pending, 0)
  })
})

describe('failures that a registry survives by itself', () => {
  test('are told and counted, and do not end the watch', async () => {
    const { following, heard, clock } = listen(async function* ({ failed, wake }) {
      yield set('a:1')
      failed?.(down, 500)
      await wake.wait(1_000)
      yield set('b:1')
    })
    await clock.advance(1_000)
    assert.deepEqual(heard, ['set a:1', 'down, again in 500', 'set b:1', 'ended'])
    assert.deepEqual(following.status(), { sets: 2, failures: 1, failuresInARow: 0, lastError: 'down', age: 0 })
    following.close()
  })

  test('are no news of a watch that is over', async () => {
    let late = (): void => {}
    const { following, heard, clock } = listen(async function* ({ failed }) {
      late = () => failed?.(new Error('late'), 1)
      throw down
    })
    await settle()
    late()
    await clock.advance(100)
    following.close()
    late()
    assert.deepEqual(heard, ['down, again in 250'])
  })
})

describe('closing what follows', () => {
  const silence = async (following: Following, heard: readonly string[], clock: ReturnType<typeof listen>['clock']): Promise<void> => {
    const before = [...heard]
    following.close()
    following.close()
    following.wake()
    assert.equal(clock.pending, 0)
    await clock.advance(3_600_000)
    assert.deepEqual(heard, before)
    assert.equal(clock.pending, 0)
  }

  test('before it has begun', async () => {
    const fake = new FakeRegistry()
    const { following, heard, clock } = listen(fake.registry)
    fake.push('a:1')
    await silence(following, heard, clock)
    assert.equal(fake.open, 0)
  })

  test('during a rest', async () => {
    const { following, heard, clock } = listen(polling(async () => ({ endpoints: set('a:1'), again: 1_000 })))
    await following.first
    await settle()
    assert.equal(clock.pending, 1)
    await silence(following, heard, clock)
  })

  test('during a back-off', async () => {
    const fake = new FakeRegistry()
    const { following, heard, clock } = listen(fake.registry)
    fake.fail(down)
    await settle()
    assert.equal(clock.pending, 1)
    await silence(following, heard, clock)
    assert.deepEqual([fake.watches, fake.open], [1, 0])
  })

  test('from within the report of a failure', async () => {
    const runtime = fakeRuntime()
    const fake = new FakeRegistry()
    const following = follow(fake.registry, { runtime, onSet: () => {}, onFailure: () => following.close(), onRecovered: () => {} })
    fake.fail(down)
    await runtime.clock.advance(600_000)
    assert.deepEqual([fake.watches, fake.open, runtime.clock.pending], [1, 0, 0])
  })

  test('from within the report of a set', async () => {
    const runtime = fakeRuntime()
    const fake = new FakeRegistry()
    const sets: unknown[] = []
    const following = follow(fake.registry, {
      runtime,
      onSet: (specs) => { sets.push(specs); following.close() },
      onFailure: (error) => { throw error },
      onRecovered: () => {},
    })
    fake.push('a:1')
    await settle()
    fake.push('b:1')
    await runtime.clock.advance(600_000)
    assert.deepEqual([sets.length, fake.open, runtime.clock.pending], [1, 0, 0])
  })

  test('during a look that heeds no signal: its late set is dropped', async () => {
    let answer = (): void => {}
    const { following, heard, clock } = listen(polling(() => new Promise((resolve) => {
      answer = () => resolve({ endpoints: set('a:1'), again: 1_000 })
    })))
    await settle()
    following.close()
    answer()
    await clock.advance(10_000)
    assert.deepEqual([heard, clock.pending], [[], 0])
  })

  test('during a look that fails late: nobody hears of it, not even the process', async (t) => {
    const unhandled: unknown[] = []
    const note = (reason: unknown): void => { unhandled.push(reason) }
    process.on('unhandledRejection', note)
    t.after(() => { process.off('unhandledRejection', note) })
    const { following, heard, clock } = listen(polling((signal) => new Promise((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error))
    })))
    await settle()
    await silence(following, heard, clock)
    assert.deepEqual(unhandled, [])
  })

  test('during the silence of a registry: its signal is aborted', async () => {
    const fake = new FakeRegistry()
    const { following, heard, clock } = listen(fake.registry)
    await settle()
    assert.equal(fake.open, 1)
    await silence(following, heard, clock)
    assert.equal(fake.open, 0)
  })

  test('after a watch that failed with a rest still under way', async () => {
    const { following, heard, clock } = listen(async function* ({ wake }) {
      yield set('a:1')
      void wake.wait(60_000)
      throw down
    })
    await following.first
    await settle()
    assert.equal(clock.pending, 1)
    await silence(following, heard, clock)
  })

  test('during a rest that the registry has gone on from', async (t) => {
    const unhandled: unknown[] = []
    const note = (reason: unknown): void => { unhandled.push(reason) }
    process.on('unhandledRejection', note)
    t.after(() => { process.off('unhandledRejection', note) })
    const { following, heard, clock } = listen(async function* ({ wake }) {
      void wake.wait(1_000)
      yield set('a:1')
    })
    await following.first
    await silence(following, heard, clock)
    assert.deepEqual(unhandled, [])
  })

  test('a registry that fails on its way out', async (t) => {
    const unhandled: unknown[] = []
    const note = (reason: unknown): void => { unhandled.push(reason) }
    process.on('unhandledRejection', note)
    t.after(() => { process.off('unhandledRejection', note) })
    const stubborn: Registry[] = [
      async function* ({ wake }) {
        try {
          yield set('a:1')
          await wake.wait(1_000)
        } finally {
          throw down
        }
      },
      () => ({
        [Symbol.asyncIterator]: () => ({
          next: () => new Promise(() => {}),
          return: () => { throw down },
        }),
      }),
    ]
    for (const registry of stubborn) {
      const { following, heard, clock } = listen(registry)
      await settle()
      await silence(following, heard, clock)
    }
    assert.deepEqual(unhandled, [])
  })
})
