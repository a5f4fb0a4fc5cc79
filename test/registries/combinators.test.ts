import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { z } from 'zod'
import { combinator, configSchema, createMesh, kind, registries, type EndpointSpec, type MeshInput, type Registry } from '../../src/index.ts'
import { discoveryConfig, follow } from '../../src/registries/follow.ts'
import { noSuchService } from '../../src/registries/registry.ts'
import { aRegistry, FakeRegistry, fakeRuntime, scriptedRandom, settle } from '../../src/testing/index.ts'

/** A table with the registries of a test as kinds of their own: `{ type: 'a' }` and so on. */
const withFakes = (fakes: Readonly<Record<string, Registry>>) => {
  let table = registries as unknown as { schema: z.ZodType, make: typeof registries.make, with: (added: unknown) => unknown }
  for (const [name, registry] of Object.entries(fakes)) table = table.with(kind(name, z.strictObject({}), () => registry)) as typeof table
  return table
}

const madeOf = (fakes: Readonly<Record<string, Registry>>, config: object, runtime = fakeRuntime()): Registry => {
  const table = withFakes(fakes)
  return table.make(table.schema.parse(config) as never, runtime)
}

/** Follows a combinator of the fakes a, b and c under the default guard, and writes down what it says. */
const combined = (t: TestContext, config: object) => {
  const fakes = { a: new FakeRegistry(), b: new FakeRegistry(), c: new FakeRegistry() }
  const runtime = fakeRuntime(scriptedRandom(0))
  const heard: string[] = []
  const registry = madeOf({ a: fakes.a.registry, b: fakes.b.registry, c: fakes.c.registry }, config, runtime)
  const following = follow(registry, {
    runtime,
    guard: () => discoveryConfig.parse({}),
    onSet: (specs) => { heard.push(specs === noSuchService ? 'none for sure' : specs.map(({ address }) => address).join(' ')) },
    onFailure: (error, retryIn) => { heard.push(`${(error as Error).message}, again in ${retryIn}`) },
    onRecovered: () => { heard.push('recovered') },
    onHeld: ({ listed }) => { heard.push(`held ${listed}`) },
    onEnd: () => { heard.push('ended') },
  })
  t.after(async () => {
    following.close()
    await settle()
    assert.equal(runtime.clock.pending, 0)
    for (const { open } of Object.values(fakes)) assert.equal(open, 0)
  })
  /** What was heard since the last time. */
  const news = async (ms = 0): Promise<string[]> => {
    await runtime.clock.advance(ms)
    await settle()
    return heard.splice(0)
  }
  return { ...fakes, following, news }
}

const down = new Error('down')

/** Whether a line is about how the registries are, and not about endpoints. */
const isAbout = (line: string): boolean => line.startsWith('down') || line === 'recovered'
const of = [{ type: 'a' }, { type: 'b' }]

describe('first-of', () => {
  test('says what the first one says, and waits for it although another is there already', async (t) => {
    const { a, b, news } = combined(t, { type: 'first-of', of })
    b.push('b:1')
    assert.deepEqual(await news(9_999), [])
    a.push('a:1', 'a:2')
    assert.deepEqual(await news(), ['a:1 a:2'])
    b.push('b:2')
    assert.deepEqual((await news()).filter((line) => line !== 'a:1 a:2'), [])
  })

  test('falls back at once while the first has never had a set and fails, and comes back to it', async (t) => {
    const { a, b, news } = combined(t, { type: 'first-of', of })
    a.fail(down)
    b.push('b:1')
    assert.deepEqual((await news()).sort(), ['b:1', 'down, again in 250'])
    a.push('a:1')
    assert.deepEqual(await news(250), ['recovered', 'a:1'])
  })

  test('falls back when the first keeps silent for longer than the patience', async (t) => {
    const { b, news } = combined(t, { type: 'first-of', of, patience: '2s' })
    b.push('b:1')
    assert.deepEqual(await news(1_999), [])
    assert.deepEqual(await news(1), ['b:1'])
  })

  test('keeps what the first knew while it fails, and falls back when the patience is over, at once even to far fewer', async (t) => {
    const { a, b, news } = combined(t, { type: 'first-of', of })
    a.push('a:1', 'a:2', 'a:3', 'a:4')
    b.push('b:1')
    await news()
    a.fail(down)
    const meanwhile = await news(9_999)
    assert.ok(meanwhile.length > 0 && meanwhile.every((line) => isAbout(line)), meanwhile.join())
    assert.deepEqual((await news(1)).filter((line) => !isAbout(line)), ['b:1'])
    a.push('a:1')
    assert.deepEqual((await news(30_000)).filter((line) => !isAbout(line)), ['a:1'])
  })

  test('falls back when the first lists nothing for as long as that, and at once when it is sure', async (t) => {
    const { a, b, news } = combined(t, { type: 'first-of', of })
    a.push('a:1')
    b.push('b:1')
    await news()
    a.push()
    assert.deepEqual(await news(9_999), [])
    assert.deepEqual(await news(1), ['b:1'])
  })

  test('says what was known last when none has anything now', async (t) => {
    const { a, b, news } = combined(t, { type: 'first-of', of })
    a.push('a:1')
    b.push()
    await news()
    a.fail(down)
    assert.deepEqual((await news(60_000)).filter((line) => !isAbout(line) && line !== 'a:1'), [])
  })

  test('says that none exist only when each of them says so', async (t) => {
    const { a, b, news } = combined(t, { type: 'first-of', of })
    a.push()
    b.fail(down)
    assert.deepEqual((await news()).filter((line) => !isAbout(line)), [])
    b.push()
    assert.deepEqual((await news(250)).filter((line) => !isAbout(line)), [''])
  })

  test('hands a look that is asked for on to each of them', async (t) => {
    const { a, b, following, news } = combined(t, { type: 'first-of', of })
    a.push('a:1')
    b.push('b:1')
    await news()
    following.wake()
    const said = await news()
    assert.ok(said.length > 0 && said.every((line) => line === 'a:1'), said.join())
    assert.deepEqual([a.wakes, b.wakes], [1, 1])
  })

  test('ends when each of them has said all', async (t) => {
    const { news } = combined(t, { type: 'first-of', of: [{ type: 'static', endpoints: ['x:1'] }, { type: 'static', endpoints: ['y:1'] }] })
    assert.deepEqual(await news(), ['x:1', 'ended'])
  })
})

describe('merge', () => {
  test('lists the endpoints of all, those of one id once, of the first', async (t) => {
    const sets: (readonly EndpointSpec[])[] = []
    const registry = madeOf({}, {
      type: 'merge',
      of: [
        { type: 'static', endpoints: ['a:1', { address: 'b:1', weight: 2 }] },
        { type: 'static', endpoints: ['b:1', { address: 'a:1', id: 'other' }, 'c:1'] },
      ],
    })
    const following = follow(registry, { runtime: fakeRuntime(), onSet: (specs) => { sets.push(specs) }, onFailure: assert.fail, onRecovered: assert.fail })
    t.after(() => following.close())
    await following.first
    assert.deepEqual(sets, [[{ address: 'a:1' }, { address: 'b:1', weight: 2 }, { address: 'a:1', id: 'other' }, { address: 'c:1' }]])
  })

  test('waits for the first answer of each, not for one that fails, and for silence no longer than the patience', async (t) => {
    const { a, b, news } = combined(t, { type: 'merge', of: [...of, { type: 'c' }] })
    a.push('a:1')
    b.fail(down)
    assert.deepEqual((await news(9_999)).filter((line) => !isAbout(line)), [])
    assert.deepEqual((await news(1)).filter((line) => !isAbout(line)), ['a:1'])
    b.push('b:1')
    assert.deepEqual((await news(10_000)).filter((line) => !isAbout(line)), ['a:1 b:1'])
  })

  test('keeps what one that fails knew last, for as long as it takes', async (t) => {
    const { a, b, news } = combined(t, { type: 'merge', of })
    a.push('a:1')
    b.push('b:1')
    await news()
    b.fail(down)
    await news(600_000)
    a.push('a:2')
    assert.deepEqual(await news(), ['a:2 b:1'])
  })

  test('says that none exist only when each of them says so', async (t) => {
    const { a, b, news } = combined(t, { type: 'merge', of })
    a.push()
    b.fail(down)
    assert.deepEqual((await news()).filter((line) => !isAbout(line)), [])
    b.push()
    assert.deepEqual(await news(250), ['recovered', ''])
  })

  test('is sure that none exist when each of them is', async (t) => {
    const sure: Registry = async function* () { yield noSuchService }
    for (const type of ['merge', 'first-of']) {
      const runtime = fakeRuntime()
      const sets: unknown[] = []
      const following = follow(madeOf({ sure }, { type, of: [{ type: 'sure' }, { type: 'sure' }] }, runtime),
        { runtime, onSet: (specs) => { sets.push(specs) }, onFailure: assert.fail, onRecovered: assert.fail })
      t.after(() => following.close())
      await following.first
      assert.ok(sets[0] === noSuchService)
    }
  })
})

describe('subset', () => {
  test('lists those whose metadata fit, all of it', async (t) => {
    const { a, news } = combined(t, { type: 'subset', of: { type: 'a' }, metadata: { version: '2', zone: 'x' } })
    a.push({ address: 'a:1', metadata: { version: '2', zone: 'x', more: 'y' } }, { address: 'b:1', metadata: { version: '2' } }, 'c:1')
    assert.deepEqual(await news(), ['a:1'])
  })

  test('is sure that none exist when the other is, and fails when it does', async (t) => {
    const { a, news } = combined(t, { type: 'subset', of: { type: 'a' }, metadata: { version: '2' } })
    a.push({ address: 'a:1', metadata: { version: '2' } })
    await news()
    a.fail(down)
    assert.deepEqual(await news(), ['down, again in 250'])
    const registry = madeOf({ async *sure () { yield noSuchService } }, { type: 'subset', of: { type: 'sure' }, metadata: { a: 'b' } })
    const watch = { signal: new AbortController().signal, wake: { wait: () => Promise.resolve() } }
    assert.ok((await registry(watch)[Symbol.asyncIterator]().next()).value === noSuchService)
  })
})

describe('registries that hold others', () => {
  const nested = {
    type: 'subset',
    metadata: { zone: 'x' },
    of: { type: 'merge', of: [{ type: 'first-of', of: [{ type: 'dns', hostname: 'a.b', port: 80 }] }, { type: 'own', lines: 3 }] },
  } as const
  const own = kind('own', z.strictObject({ lines: z.int() }), () => async function* () { yield [] })

  test('may hold one another, and kinds of your own, in code, in status and in the schema of files', async () => {
    const table = registries.with(own)
    const mesh = createMesh({ clusters: { c: { registry: nested } } }, { registries: table, runtime: fakeRuntime() })
    const { registry } = mesh.status().config.clusters['c']!
    assert.deepEqual(registry, {
      ...nested,
      of: {
        type: 'merge',
        patience: 10_000,
        of: [
          {
            type: 'first-of', patience: 10_000, of: [{
              type: 'dns', hostname: 'a.b', port: 80, ...registryDefaults,
            }],
          },
          { type: 'own', lines: 3 },
        ],
      },
    })
    await mesh.close()
    assert.match(JSON.stringify(configSchema({ registries: table }).$defs), /"own"/)
  })

  test('name the place of a fault inside', () => {
    const faulty = (registry: object): unknown => createMesh({ clusters: { c: { registry } } } as unknown as MeshInput, { runtime: fakeRuntime() })
    assert.throws(() => faulty({ type: 'first-of', of: [{ type: 'static', endpoints: ['a:1'] }, { type: 'static', endpoints: ['a'] }] }),
      /clusters\.c\.registry\.of\[1\]\.endpoints\[0\]: 'a' has no port/)
    assert.throws(() => faulty({ type: 'subset', of: { type: 'own', lines: 3 }, metadata: { a: 'b' } }), /clusters\.c\.registry\.of\.type: unknown type/)
    assert.throws(() => faulty({ type: 'subset', of: { type: 'static', endpoints: ['a:1'] }, metadata: {} }), /clusters\.c\.registry\.metadata: names nothing/)
    assert.throws(() => faulty({ type: 'merge', of: [] }), /clusters\.c\.registry\.of: /)
  })

  test('types: what is held is checked like any other', () => {
    const input = { clusters: { c: { registry: { type: 'first-of', of: [{ type: 'merge', of: [{ type: 'static', endpoints: ['a:1'] }] }] } } } } satisfies MeshInput
    // @ts-expect-error -- an option that the kind does not have, two levels down
    const wrong = { clusters: { c: { registry: { type: 'first-of', of: [{ type: 'subset', of: { type: 'static', ends: [] } }] } } } } satisfies MeshInput
    assert.ok(input.clusters !== wrong.clusters as unknown)
  })

  test('may be of your own', async (t) => {
    const twice = combinator('twice', (member) => z.strictObject({ of: member }), ({ of }, _, make): Registry => async function* (watch) {
      for await (const set of make(of)(watch)) yield set.flatMap((spec) => [spec, { ...spec, id: `${spec.address} again` }])
    })
    const mesh = createMesh({ clusters: { c: { registry: { type: 'twice', of: { type: 'subset', of: { type: 'static', endpoints: [{ address: 'a:1', metadata: { a: 'b' } }] }, metadata: { a: 'b' } } } } } },
      { registries: registries.with(twice), runtime: fakeRuntime() })
    t.after(() => mesh.close())
    await mesh.ready()
    assert.equal(mesh.status().clusters['c']!.endpoints.length, 2)
    const orphan = twice.make({ of: undefined as never }, fakeRuntime())({ signal: new AbortController().signal, wake: { wait: async () => {} } })
    await assert.rejects(async () => orphan[Symbol.asyncIterator]().next(), /made by its family/)
  })
})

const registryDefaults = { record: 'address', family: 'any', responseType: 'endpoints', maxTtl: 30_000, minTtl: 1_000, timeout: 2_000, resolver: 'dns' }

for (const config of [
  { type: 'first-of', of },
  { type: 'merge', of },
  { type: 'subset', of: { type: 'a' }, metadata: { zone: 'x' } },
]) {
  aRegistry(config.type, () => {
    const a = new FakeRegistry()
    const b = new FakeRegistry()
    const heal = (): void => {
      a.push({ address: 'a:1', metadata: { zone: 'x' } })
      b.push({ address: 'a:1', metadata: { zone: 'x' } })
    }
    heal()
    return {
      registry: madeOf({ a: a.registry, b: b.registry }, config),
      expected: ['a:1'],
      fail: () => { a.fail(down); b.fail(down) },
      heal,
    }
  })
}
