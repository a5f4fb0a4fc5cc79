import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { z } from 'zod'
import { createMesh, MeshConfigError, type MeshInput } from '../../src/index.ts'
import { didYouMean, parse, placeOf } from '../../src/mesh/faults.ts'
import { fakeRuntime, scriptedUpstream } from '../../src/testing/index.ts'
import { virtual } from './support.ts'

const whole = {
  services: {
    'a.local': { cluster: 'a', timeout: '2s', retry: { attempts: 2, on: ['reset', 503], backoff: { base: 1 } }, sticky: { header: 'x' } },
    'b.local': ['10.0.0.1:80', { address: '10.0.0.2:80', id: 'two', weight: 2, metadata: { zone: 'x' } }],
    'c.local': {
      routes: [
        { match: { path: { prefix: '/a' }, headers: { 'x-a': { regex: 'a+' } }, method: ['GET'], query: { q: '1' } }, to: 'a', priority: 1 },
        { name: 'rest', to: { 'a': 9, 'b.local': 1 }, rewrite: { host: 'x' } },
      ],
    },
  },
  clusters: {
    a: {
      registry: { type: 'static', endpoints: ['10.0.0.3:80'] },
      balancer: { type: 'least-request', choices: 2 },
      breaker: { calls: 5, failures: 10, window: '5s', open: 1000 },
      outlier: { failures: 2, ejection: '1s', maxEjection: 2000, maxEjected: 10 },
      budget: { percent: 1, perSecond: 1, window: 1000 },
      tls: { servername: 'x' },
      connections: 1,
      slowStart: '1s',
    },
  },
  egress: { allow: ['*.example.com', '10.0.0.1:80'] },
  drain: 0,
  replayLimit: 10,
} as const satisfies MeshInput

type Path = readonly (string | number)[]

/** Every place inside a value, the whole included. */
const placesIn = (value: unknown, path: Path = []): Path[] => [path, ...(typeof value === 'object' && value !== null
  ? Object.entries(value).flatMap(([key, inner]) => placesIn(inner, [...path, Array.isArray(value) ? Number(key) : key])) : [])]

/** A copy with something else at one place. */
const replaced = (value: unknown, [key, ...rest]: Path, by: unknown): unknown => {
  if (key === undefined) return by
  const copy = (Array.isArray(value) ? [...value as unknown[]] : { ...value as object }) as Record<string | number, unknown>
  copy[key] = replaced(copy[key], rest, by)
  return copy
}

const awkward = fc.constantFrom<unknown>(
  undefined, null, '', '__proto__', 'constructor', 'toString', 0, -0, -1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, 10n, Symbol('x'),
  true, [], [[]], {}, { type: 'static' }, { type: '__proto__' }, Object.create(null), new Map([['a', 1]]), new Date(0), () => 1, /x/,
  JSON.parse('{"__proto__":{"cluster":"a"}}'), { length: 1e9 }, '('.repeat(1000), '(a*)*'.repeat(50), 'a{1000}{1000}', '9'.repeat(400),
  '\ud800', 'x'.repeat(10_000),
)
const anything = fc.anything({ maxDepth: 3, withBigInt: true, withDate: true, withMap: true, withNullPrototype: true, withSparseArray: true })
const junk = fc.oneof(awkward, anything)
const aKey = fc.option(fc.string(), { nil: undefined })
const junkInside = fc.tuple(fc.constantFrom(...placesIn(whole)), junk, aKey).map(([path, value, key]) => {
  if (key === undefined) return replaced(whole, path, value)
  // As one more key of what stands there.
  const at = path.reduce<unknown>((inner, step) => (inner as Record<string | number, unknown>)[step], whole)
  return typeof at === 'object' && !Array.isArray(at) ? replaced(whole, [...path, key], value) : replaced(whole, path, value)
})

/** Whether it was refused; anything but a `MeshConfigError` with places and words is a bug. */
const refused = (apply: () => unknown): boolean => {
  try {
    apply()
    return false
  } catch (error) {
    assert.ok(error instanceof MeshConfigError, `threw ${(error as Error).stack}`)
    assert.ok(error.faults.length > 0)
    for (const { path, message } of error.faults) {
      assert.ok(typeof path === 'string' && message !== '' && message !== 'Invalid input', `${path}: ${message}`)
    }
    return true
  }
}

const faultsOf = (config: unknown): MeshConfigError['faults'] => {
  try {
    void virtual(config as MeshInput).mesh.close()
    return []
  } catch (error) {
    return (error as MeshConfigError).faults
  }
}

const runs = { seed: 1, numRuns: 600, interruptAfterTimeLimit: 20_000, markInterruptAsFailure: true }

describe('whatever it is given', () => {
  test('createMesh takes it or throws a MeshConfigError', async () => {
    await fc.assert(fc.asyncProperty(fc.oneof(junk, junkInside), async (config) => {
      const runtime = fakeRuntime()
      let mesh: ReturnType<typeof createMesh> | undefined
      refused(() => { mesh = createMesh(config as MeshInput, { runtime, transport: scriptedUpstream({}).send }) })
      if (mesh) assert.doesNotThrow(() => JSON.stringify(mesh!.status()))
      await mesh?.close()
      assert.equal(runtime.clock.pending, 0)
    }), runs)
  })

  test('update takes it, or throws a MeshConfigError and changes nothing', async () => {
    const { mesh } = virtual(whole)
    await mesh.ready()
    fc.assert(fc.property(fc.oneof(junk, junkInside), (config) => {
      const before = JSON.stringify(mesh.status())
      if (refused(() => mesh.update(config as MeshInput))) assert.equal(JSON.stringify(mesh.status()), before)
      else mesh.update(whole)
    }), runs)
    await mesh.close()
  })

  test('a fault lies where the junk was put, or above or below it', () => {
    const wrong = fc.constantFrom<unknown>(Symbol('x'), () => 1, 10n)
    fc.assert(fc.property(fc.constantFrom(...placesIn(whole)), wrong, (path, value) => {
      const faults = faultsOf(replaced(whole, path, value))
      const place = placeOf(path)
      const near = faults.filter((fault) => fault.path.startsWith(place) || place.startsWith(fault.path))
      assert.ok(near.length > 0, `${place}: ${JSON.stringify(faults)}`)
    }), runs)
  })

  test('a policy of one call takes it or rejects with a MeshConfigError', async () => {
    const { mesh } = virtual({ services: { a: ['b:1'] } })
    await fc.assert(fc.asyncProperty(junk, async (policy) => {
      const error: unknown = await mesh.fetch('http://a/', { mesh: policy as object }).then(() => undefined, (error: unknown) => error)
      assert.ok(error === undefined || error instanceof MeshConfigError, String(error))
    }), { ...runs, numRuns: 200 })
    await mesh.close()
  })
})

test('a place is written as JavaScript would have it', () => {
  assert.equal(placeOf(['services', 'a.local', 'routes', 0, 'to', 'b-1']), 'services["a.local"].routes[0].to["b-1"]')
  assert.equal(placeOf(['a"b']), '["a\\"b"]')
  assert.equal(placeOf([]), '')
  assert.equal(placeOf(['services', 'http://user:hunter2@a/']), 'services["http://a/"]')
})

test('a hint names the nearest known word, or all if none is near', () => {
  assert.equal(didYouMean('timout', ['timeout', 'retry']), "did you mean 'timeout'?")
  assert.equal(didYouMean('Retry', ['timeout', 'retry']), "did you mean 'retry'?")
  assert.equal(didYouMean('c', ['a', 'b']), 'known here: a, b')
  assert.equal(didYouMean('x', []), 'none is known here')
})

test('of the branches of a union that fail at their top one sentence is made', () => {
  const message = (schema: z.ZodType, input: unknown) => parse(schema, input).faults.map((fault) => fault.message)
  assert.deepEqual(message(z.union([z.string(), z.number()]), true), ['must be a string or a number, not true'])
  assert.deepEqual(message(z.union([z.string(), z.number()]), undefined), ['is missing: write a string or a number'])
  assert.deepEqual(message(z.union([z.literal('a'), z.literal(5)]), 'b'), ['must be "a" or 5, not another string'])
  assert.deepEqual(message(z.union([z.string().regex(/^\d$/, 'is no digit').transform(Number), z.number()]), 'x'), ['is no digit'])
})
