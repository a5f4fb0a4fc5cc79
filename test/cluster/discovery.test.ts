import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { kind, registries, type EndpointSpec, type MeshEvents, type MeshInput } from '../../src/index.ts'
import { noSuchService } from '../../src/registries/registry.ts'
import { polling } from '../../src/registries/polling.ts'
import { settle, type Script } from '../../src/testing/index.ts'
import { z } from 'zod'
import { virtual } from '../mesh/support.ts'

const pollEvery = 5_000

type Answer = readonly EndpointSpec[] | 'down' | 'garbage'

const set = (...addresses: readonly string[]): readonly EndpointSpec[] => addresses.map((address) => ({ address }))
const four = set('10.0.0.1:80', '10.0.0.2:80', '10.0.0.3:80', '10.0.0.4:80')
const garbage = [{ address: 'no port' }, { address: 'x/y:1' }, { address: '' }] as const

/** A mesh whose registry polls every 5 s, and says what the test wants; each answer takes `late` milliseconds. */
const discovering = async (t: TestContext, script: Script = {}, cluster: object = {}) => {
  const source: { answer: Answer, late: number, looks: number } = { answer: four, late: 0, looks: 0 }
  const scripted = kind('scripted', z.strictObject({}), (_, { clock }) => polling(async () => {
    source.looks++
    const { answer, late } = source
    if (late > 0) await new Promise<void>((resolve) => { clock.background(late, resolve) })
    if (answer === 'down') throw new Error('down')
    return { endpoints: answer === 'garbage' ? garbage : answer, again: pollEvery }
  }))
  const { mesh, clock } = virtual({
    services: { 'svc.test': { cluster: 'c' } },
    clusters: { c: { registry: { type: 'scripted' }, ...cluster } },
  } as unknown as MeshInput, script, { registries: registries.with(scripted) as never })
  const heard: string[] = []
  for (const event of ['endpoint-added', 'endpoint-removed', 'registry-recovered', 'registry-doubted'] as const) {
    mesh.on(event, (detail) => { heard.push(`${event} ${'endpoint' in detail ? detail.endpoint : ''}`.trim()) })
  }
  await mesh.ready()
  heard.length = 0
  t.after(async () => {
    await mesh.close()
    assert.equal(clock.pending, 0)
  })
  const addresses = (): readonly string[] => mesh.status().clusters['c']!.endpoints.map(({ address }) => address)
  /** Lets time pass under load: a call each 100 ms, every one of which must be answered. */
  const underLoad = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 100) {
      assert.equal((await mesh.fetch('http://svc.test/')).status, 200)
      await clock.advance(100)
    }
  }
  return { mesh, clock, source, heard, addresses, underLoad }
}

describe('no endpoint is lost and no call fails while the registry', () => {
  for (const [story, answer, late] of [
    ['is down for 60 s', 'down', 0],
    ['answers garbage for 60 s', 'garbage', 0],
    ['answers 30 s late for 60 s', four, 30_000],
    ['answers garbage, 30 s late', 'garbage', 30_000],
  ] as const) {
    test(`${story}; a change is picked up once it is well again`, async (t) => {
      const { source, heard, addresses, underLoad } = await discovering(t)
      Object.assign(source, { answer, late })
      await underLoad(60_000)
      assert.deepEqual(addresses(), four.map(({ address }) => address))
      assert.deepEqual(heard.filter((line) => line.startsWith('endpoint')), [])
      Object.assign(source, { answer: set('10.0.0.1:80', '10.0.0.2:80', '10.0.0.3:80', '10.0.0.9:80'), late: 0 })
      // The longest back-off, or the late answer that is still under way.
      await underLoad(35_000)
      assert.deepEqual(heard.filter((line) => line.startsWith('endpoint')), ['endpoint-added 10.0.0.9:80', 'endpoint-removed 10.0.0.4:80'])
    })
  }

  test('answers empty for less than the grace', async (t) => {
    const { source, heard, addresses, underLoad } = await discovering(t)
    source.answer = []
    await underLoad(30_000)
    assert.deepEqual(heard, ['registry-doubted'])
    source.answer = four
    await underLoad(pollEvery)
    assert.deepEqual([heard, addresses().length], [['registry-doubted'], 4])
  })

  test('flaps between all, nothing and failing at each look for 5 minutes', async (t) => {
    const { source, heard, addresses, underLoad } = await discovering(t)
    for (let turn = 0; turn < 60; turn++) {
      source.answer = [[], 'down', four, set('10.0.0.1:80')][turn % 4] as Answer
      await underLoad(pollEvery)
    }
    assert.deepEqual(heard.filter((line) => line.startsWith('endpoint')), [])
    assert.equal(addresses().length, 4)
  })

})

describe('removal by the registry', () => {
  test('of all endpoints, known for certain, is believed at once', async (t) => {
    const { mesh, clock, source, addresses } = await discovering(t)
    source.answer = noSuchService
    await clock.advance(pollEvery)
    assert.deepEqual(addresses(), [])
    await assert.rejects(mesh.fetch('http://svc.test/'), { code: 'ENMESH_NO_ENDPOINT' })
  })

  test('wins over health: a well one goes, an ejected one too', async (t) => {
    const { clock, source, heard, underLoad, mesh } = await discovering(t, ({ endpoint }) => ({ status: endpoint.address === '10.0.0.4:80' ? 500 : 200 }), { outlier: { failures: 1 } })
    for (let call = 0; call < 40; call++) await mesh.fetch('http://svc.test/')
    assert.equal(mesh.status().clusters['c']!.endpoints.find(({ address }) => address === '10.0.0.4:80')?.state, 'ejected')
    source.answer = set('10.0.0.1:80', '10.0.0.2:80')
    await clock.advance(pollEvery)
    assert.deepEqual(heard, ['endpoint-removed 10.0.0.3:80', 'endpoint-removed 10.0.0.4:80'])
    await underLoad(1_000)
  })

  test('of too many is believed after the grace, and told of before', async (t) => {
    const { mesh, clock, source, addresses } = await discovering(t, {}, { discovery: { grace: '10s', maxLoss: 25 } })
    const doubted: MeshEvents['registry-doubted'][] = []
    mesh.on('registry-doubted', (event) => { doubted.push(event) })
    source.answer = set('10.0.0.1:80', '10.0.0.2:80')
    await clock.advance(pollEvery + 9_999)
    assert.deepEqual([doubted, addresses().length], [[{ cluster: 'c', listed: 2, inUse: 4, grace: 10_000 }], 4])
    assert.equal((mesh.status().clusters['c']!.registry as { held?: number }).held, 2)
    await clock.advance(1)
    assert.equal(addresses().length, 2)
  })

  test('the guard of a new configuration holds at once, and the registry is not watched anew', async (t) => {
    const { mesh, clock, source, addresses } = await discovering(t)
    const { looks } = source
    mesh.update({
      services: { 'svc.test': { cluster: 'c' } },
      clusters: { c: { registry: { type: 'scripted' }, discovery: { grace: 0 } } },
    } as unknown as MeshInput)
    assert.equal(source.looks, looks)
    source.answer = []
    await clock.advance(pollEvery)
    assert.deepEqual(addresses(), [])
  })
})

describe('a look right now', () => {
  const refusing = (...addresses: readonly string[]): Script => ({ endpoint }) =>
    addresses.includes(endpoint.address) ? { error: 'ENMESH_CONNECT_FAILED' } : {}
  const failing = { breaker: false, outlier: false }

  test('is asked for when every endpoint fails to connect, and the new ones are found', async (t) => {
    const { mesh, source, addresses } = await discovering(t, refusing('10.0.0.1:80', '10.0.0.2:80', '10.0.0.3:80', '10.0.0.4:80'), failing)
    const fetched = Promise.allSettled(Array.from({ length: 20 }, () => mesh.fetch('http://svc.test/', { mesh: { retry: false } })))
    source.answer = set('10.0.1.1:80', '10.0.1.2:80')
    await fetched
    await settle()
    assert.deepEqual([source.looks, addresses()], [2, ['10.0.1.1:80', '10.0.1.2:80']])
    assert.equal((await mesh.fetch('http://svc.test/')).status, 200)
  })

  test('is asked for once in 5 s, however many calls fail', async (t) => {
    const { mesh, clock, source } = await discovering(t, refusing('10.0.0.1:80', '10.0.0.2:80', '10.0.0.3:80', '10.0.0.4:80'), failing)
    const fail = async (): Promise<void> => {
      await Promise.allSettled(Array.from({ length: 40 }, () => mesh.fetch('http://svc.test/', { mesh: { retry: false } })))
      await settle()
    }
    await fail()
    await fail()
    assert.equal(source.looks, 2)
    await clock.advance(4_999)
    await fail()
    assert.equal(source.looks, 2)
    await clock.advance(1)
    assert.equal(source.looks, 3, 'the poll')
    await fail()
    assert.equal(source.looks, 4)
  })

  test('is not asked for while one endpoint can be connected to', async (t) => {
    const { mesh, source } = await discovering(t, refusing('10.0.0.1:80', '10.0.0.2:80', '10.0.0.3:80'), failing)
    await Promise.allSettled(Array.from({ length: 60 }, () => mesh.fetch('http://svc.test/', { mesh: { retry: false } })))
    await settle()
    assert.equal(source.looks, 1)
  })
})

describe('a set that is refused', () => {
  for (const [story, spec, message] of [
    ['an address that is none', { address: 'no port' }, /'no port' names no host that can be dialled/],
    ['a weight that is text', { address: '10.0.0.9:80', weight: '5' as never }, /has the weight '5': a weight is a number above 0/],
    ['a weight that is no number', { address: '10.0.0.9:80', weight: Number.NaN }, /has the weight NaN: a weight is a number above 0/],
    ['metadata that are none', { address: '10.0.0.9:80', metadata: null as never }, /has the metadata null: metadata are an object/],
  ] as const) {
    test(`for ${story} leaves all as it was: the endpoints that stay too`, async (t) => {
      const { mesh, clock, source, heard } = await discovering(t)
      const weights = (): readonly number[] => mesh.status().clusters['c']!.endpoints.map(({ weight }) => weight)
      source.answer = [...four.map((one) => ({ ...one, weight: 1e-300 })), spec]
      await clock.advance(pollEvery)
      assert.deepEqual([weights(), heard], [[1, 1, 1, 1], []])
      assert.match((mesh.status().clusters['c']!.registry as { readonly lastError: string }).lastError, message)
      source.answer = four.map((one) => ({ ...one, weight: 2 }))
      await clock.advance(35_000)
      assert.deepEqual(weights(), [2, 2, 2, 2])
    })
  }
})

describe('10 000 endpoints', () => {
  const address = (index: number): string => `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}:80`
  const many = (from: number): readonly EndpointSpec[] => Array.from({ length: 10_000 }, (_, index) => ({ address: address(100_000 + from + index) }))

  test('arrive at once, one changes, all are replaced: exactly what changed is added and removed', async (t) => {
    const { mesh, clock, source, heard, addresses } = await discovering(t)
    source.answer = many(0)
    await clock.advance(pollEvery)
    assert.deepEqual([addresses().length, heard.length], [10_000, 10_004])
    heard.length = 0
    source.answer = [...many(0).slice(1), { address: address(110_000) }]
    await clock.advance(pollEvery)
    assert.deepEqual(heard, [`endpoint-added ${address(110_000)}`, `endpoint-removed ${address(100_000)}`])
    heard.length = 0
    source.answer = many(20_000)
    await clock.advance(pollEvery)
    assert.deepEqual([addresses(), heard.length], [many(20_000).map((spec) => spec.address), 20_000])
    assert.equal((await mesh.fetch('http://svc.test/')).status, 200)
  })
})
