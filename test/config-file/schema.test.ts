import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import fc from 'fast-check'
import { z } from 'zod'
import { configSchema, createMesh, kind, loadConfig, registries, type MeshInput } from '../../src/index.ts'
import { fakeRuntime } from '../../src/testing/index.ts'
import { fileOf } from './support.ts'

const compiled = (schema: object): ValidateFunction => new Ajv2020({ strict: true, allErrors: true, allowUnionTypes: true }).compile(schema)
const check = compiled(configSchema())

const accepts = (value: unknown): boolean => check(JSON.parse(JSON.stringify(value)))

const a = { registry: { type: 'static', endpoints: ['10.0.0.1:80'] } } as const
const cluster = (more: object): object => ({ clusters: { a: { ...a, ...more } } })
const registry = (more: object): object => ({ clusters: { a: { registry: more } } })
const route = (more: object): object => ({ services: { 'a.local': { routes: [{ to: 'a', ...more }] } }, clusters: { a } })
const dns = { type: 'dns', hostname: 'a.b', port: 80 }

const good: Readonly<Record<string, object>> = {
  'nothing': {},
  'endpoints alone': { services: { 'a.local': ['10.0.0.1:80', { address: '10.0.0.2:80', id: 'b', weight: 2, tls: false, metadata: { zone: 'x' } }] } },
  'a cluster with policies': { services: { 'a.local:80': { cluster: 'a', timeout: '2s', retry: false, sticky: { header: 'x-user' } } }, clusters: { a } },
  'a route with every condition': route({
    name: 'r', priority: 0, timeout: 0, attemptTimeout: '250ms', idleTimeout: '1.5m', rewrite: { host: 'b', prefix: '/x' },
    match: {
      path: { prefix: '/a' }, method: ['GET', 'post'], scheme: 'https', port: 443, host: '*.local',
      headers: { 'a': '1', 'b': { range: { start: 1, end: 2 } }, 'c': { present: false }, 'd': { regex: 'x+', invert: true } }, query: { q: { suffix: 'x' } },
    },
  }),
  'retries': route({
    retry: { attempts: 10, on: ['5xx', 404], methods: ['GET'], backoff: { base: '1ms', max: 2 }, retryAfter: { max: '1h' } },
  }),
  'weights': { services: { b: { routes: [{ to: { a: 0.5, c: 0 } }] } }, clusters: { a, c: a } },
  'every option of a cluster': cluster({
    balancer: { type: 'least-request', choices: 3 }, breaker: { calls: 1, failures: 0.5, window: '1s', open: 1 }, budget: { percent: 0, perSecond: 0, window: '1s' },
    outlier: { failures: 1, gatewayFailures: 2, localFailures: false, successRate: false, failurePercentage: {}, latency: { gap: '5ms' }, interval: '1s', return: 'sweep', ejection: '1s', maxEjection: '1m', maxEjected: 100 }, panic: 0, slowStart: '30s', connections: 1, pending: 1, requests: 1,
    connectTimeout: '1s', keepAlive: '1s', tls: { servername: 'b', verify: true, alpn: ['http/1.1'] },
  }),
  'policies switched off': cluster({ breaker: false, outlier: false, tls: true, balancer: { type: 'peak-ewma', decay: '1s' } }),
  'a registry by name': registry({ ...dns, family: 6, minTtl: '1s', maxTtl: 2000, resolver: 'dns', servers: ['10.0.0.2:53'], tls: true }),
  'registries of registries': registry({
    type: 'first-of', patience: '5s', of: [{ type: 'subset', of: { type: 'merge', of: [dns, { type: 'static', endpoints: ['a:1'] }] }, metadata: { a: 'b' } }, dns],
  }),
  'a registry of Consul': registry({
    type: 'consul', service: 'a', servers: ['https://consul.internal'], tags: ['v2'], token: { env: 'CONSUL_TOKEN' },
    serverTls: { ca: { file: 'ca.pem' }, servername: 'b' }, wait: '2m',
  }),
  'a registry of etcd': registry({ type: 'etcd', prefix: '/a/', servers: ['http://10.0.0.1:2379'], user: 'a', password: { file: 'b' }, refresh: '1m', timeout: 100 }),
  'a registry of Kubernetes': registry({ type: 'kubernetes', service: 'a', namespace: 'b', port: 8080, kubeconfig: true, context: 'c' }),
  'a registry of Eureka': registry({ type: 'eureka', servers: ['http://a/eureka'], vip: 'a', secure: true, address: 'ip', interval: '10s' }),
  'telemetry by group': { telemetry: { tracing: false, metrics: { duration: true, mesh: false }, requestId: false, deadline: false } },
  'no metrics': { telemetry: { metrics: false } },
  'egress by list': { egress: { allow: ['*.example.com'] }, replayLimit: 0, drain: '0s' },
}

/** What a file may say beyond that: with these variables it is a configuration. */
const env = { N: '1', B: 'false', W: 'any', S: '2', H: 'a.b', E: 'deny', F: '4' }
const inFiles: Readonly<Record<string, object>> = {
  'a schema': { $schema: './schema.json' },
  'a number': cluster({ connections: '${N}', panic: '${N:-5}', budget: { percent: '${N}' } }),
  'a boolean': cluster({ tls: '${B}' }),
  'false for options': cluster({ breaker: '${B}', outlier: '${B:-false}' }),
  'a port': registry({ ...dns, port: '${P:-80}', tls: '${B}', family: '${F}' }),
  'words': { egress: '${E}', ...route({ retry: { methods: '${W}', on: ['${R:-reset}', '${R:-503}'] }, match: { scheme: '${S5:-http}' } }) },
  'durations': { drain: '${S}s', ...route({ timeout: '${S}', attemptTimeout: '${T:-1s}' }) },
  'text with a rule': route({ match: { path: { prefix: '/${H}' }, method: '${M:-GET}' }, sticky: { header: 'x-${H}' }, name: '${H}' }),
  'weights': { services: { b: { routes: [{ to: { a: '${N}' } }] } }, clusters: { a } },
  'a registry in another': registry({ type: 'merge', of: [{ ...dns, port: '${P:-80}' }], patience: '${S}s' }),
  'endpoints': { services: { 'a.local': ['${H}:${N}', { address: '${H}:2', weight: '${N}', id: '${H}' }] } },
}

const bad: Readonly<Record<string, unknown>> = {
  'no object': [],
  'an unknown name at the top': { clustres: {} },
  'an unknown name in a cluster': cluster({ connection: 1 }),
  'an unknown name in a route': route({ timeot: 1 }),
  'an unknown name in a condition': route({ match: { pth: {} } }),
  'an unknown name in options': cluster({ breaker: { call: 1 } }),
  'an unknown name in a registry': registry({ ...dns, host: 'x' }),
  'a schema deeper inside': { clusters: { a: { ...a, $schema: 'x' } } },
  'a schema that is no text': { $schema: 1 },
  'a registry that is missing': { clusters: { a: {} } },
  'a registry without a type': registry({ hostname: 'a.b', port: 80 }),
  'an unknown registry': registry({ type: 'dsn' }),
  'an unknown balancer': cluster({ balancer: { type: 'fastest' } }),
  'an option of another balancer': cluster({ balancer: { type: 'random', choices: 2 } }),
  'something needed that is missing': registry({ type: 'dns', port: 80 }),
  'an unknown registry in another': registry({ type: 'first-of', of: [{ type: 'dsn' }] }),
  'an unknown name in a registry in others': registry({ type: 'first-of', of: [{ type: 'merge', of: [{ ...dns, host: 'x' }] }] }),
  'a registry of none': registry({ type: 'first-of', of: [] }),
  'a secret as text': registry({ type: 'consul', service: 'a', token: 'text' }),
  'no endpoint': registry({ type: 'static', endpoints: [] }),
  'no route': { services: { a: { routes: [] } } },
  'a route to nowhere': { services: { a: { routes: [{}] } } },
  'a service that is neither': { services: { a: {} } },
  'a service that is both': { services: { a: { cluster: 'a', routes: [{ to: 'a' }] } } },
  'text for a number': cluster({ connections: '5' }),
  'text for a boolean': cluster({ tls: 'yes' }),
  'a number in part': cluster({ connections: '1${N}' }),
  'a variable of another form': cluster({ connections: '${N-5}' }),
  'an escaped variable for a number': cluster({ connections: '$${N}' }),
  'a number too small': cluster({ connections: 0 }),
  'a number too large': cluster({ panic: 101 }),
  'a fraction': cluster({ pending: 1.5 }),
  'true for options': cluster({ breaker: true }),
  'a negative weight': route({ to: { a: -1 } }),
  'a duration that is none': { drain: 'soon' },
  'a duration without a unit': { drain: '5' },
  'a negative duration': { drain: -1 },
  'an unknown word': { egress: 'never' },
  'an unknown condition for retries': route({ retry: { on: ['gateway-eror'] } }),
  'a status that is no failure': route({ retry: { on: [200] } }),
  'a path without a slash': route({ match: { path: { prefix: 'a' } } }),
  'null for an object': { services: null },
}

describe('the schema accepts', () => {
  for (const [title, config] of Object.entries(good)) {
    test(`${title}, as createMesh does`, async () => {
      assert.equal(accepts(config), true, JSON.stringify(check.errors))
      await createMesh(config, { runtime: fakeRuntime() }).close()
    })
  }
  for (const [title, config] of Object.entries(inFiles)) {
    test(`${title} in a file, as loadConfig does`, async (t) => {
      assert.equal(accepts(config), true, JSON.stringify(check.errors))
      await createMesh(await loadConfig(fileOf(t, 'mesh.json', JSON.stringify(config)), { env }), { runtime: fakeRuntime() }).close()
    })
  }
})

describe('the schema refuses', () => {
  for (const [title, config] of Object.entries(bad)) {
    test(`${title}, as createMesh does`, () => {
      assert.equal(accepts(config), false)
      assert.throws(() => createMesh(config as MeshInput, { runtime: fakeRuntime() }), { code: 'ENMESH_CONFIG_INVALID' })
    })
  }
})

test('whatever createMesh accepts, the schema accepts', async () => {
  /** Everything in the good ones, by the name that it stands under: what may well fit somewhere else too. */
  const parts = new Map<string, unknown[]>()
  const collect = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return
    for (const [name, inner] of Object.entries(value)) {
      parts.set(name, [...parts.get(name) ?? [], inner])
      collect(inner)
    }
  }
  for (const config of Object.values(good)) collect(config)
  const scalars = [0, 1, 50, 1.5, '1s', 'a', '/a', '', true, false, null, 'a:1', 'deny', [], {}]
  const changed = (value: unknown, choose: (count: number) => number): unknown => {
    if (choose(30) === 0) return scalars[choose(scalars.length)]
    if (typeof value !== 'object' || value === null) return value
    if (Array.isArray(value)) return value.map((item) => changed(item, choose))
    return Object.fromEntries(Object.entries(value).flatMap(([name, inner]) => {
      const others = parts.get(name) ?? []
      if (choose(30) === 0) return []
      return [[name, changed(choose(6) === 0 && others.length > 0 ? others[choose(others.length)] : inner, choose)]]
    }))
  }
  let accepted = 0
  for (const [base, choices] of fc.sample(fc.tuple(fc.constantFrom(...Object.values(good)), fc.infiniteStream(fc.nat())), { numRuns: 800, seed: 7 })) {
    const config = changed(base, (count) => choices.next().value! % count) as MeshInput
    try {
      await createMesh(config, { runtime: fakeRuntime() }).close()
    } catch {
      continue
    }
    accepted++
    assert.equal(accepts(config), true, `${JSON.stringify(config)} ${JSON.stringify(check.errors)}`)
  }
  assert.ok(accepted > 200, `only ${accepted} were accepted`)
})

test('kinds of your own have their place in a schema of your own', () => {
  const flat = kind('flat-file', z.strictObject({ lines: z.int().describe('How many.'), client: z.custom<object>().optional() }),
    () => async function* () { yield [] })
  const own = compiled(configSchema({ registries: registries.with(flat) }))
  const file = registry({ type: 'flat-file', lines: '${LINES}' })
  assert.equal(own(file), true)
  assert.equal(own(registry({ type: 'flat-file', lines: 'x' })), false)
  assert.equal(accepts(file), false)
})

test('descriptions and defaults are in it for editors to show', () => {
  const { properties } = configSchema()
  assert.deepEqual([properties?.['drain']?.default, properties?.['drain']?.description],
    [10_000, 'How long close() lets calls under way end before it aborts them.'])
})
