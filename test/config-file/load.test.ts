import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { z } from 'zod'
import { createMesh, kind, loadConfig, matcherKind, matchers, MeshConfigError, registries, type MeshInput } from '../../src/index.ts'
import { fakeRuntime } from '../../src/testing/index.ts'
import { directory, faultsOf, fileOf } from './support.ts'

const shop: MeshInput = {
  services: { 'order.local': ['10.0.0.1:8080'], 'pricing.local': { routes: [{ to: { v1: 90, v2: 10 }, timeout: '2s' }] } },
  clusters: {
    v1: { registry: { type: 'static', endpoints: ['10.0.0.2:8080'] } },
    v2: { registry: { type: 'static', endpoints: ['10.0.0.3:8080'] } },
  },
}

const shopInYaml = `
# yaml-language-server: $schema=./node_modules/enmesh/dist/schema.json
$schema: enmesh/schema.json
services:
  order.local: ['10.0.0.1:8080']
  pricing.local:
    routes:
      - to: { v1: 90, v2: 10 }
        timeout: 2s
clusters:
  v1: { registry: { type: static, endpoints: ['10.0.0.2:8080'] } }
  v2: { registry: { type: static, endpoints: ['10.0.0.3:8080'] } }
`

const asModule = (before: string, after = ''): string => `${before}${JSON.stringify(shop)}${after}\n`

describe('a configuration is loaded from', () => {
  const files: Readonly<Record<string, string>> = {
    'mesh.json': JSON.stringify({ $schema: 'enmesh/schema.json', ...shop }),
    'bom.json': `\ufeff${JSON.stringify(shop, undefined, '\t')}`,
    'mesh.yaml': shopInYaml,
    'windows.yml': `\ufeff${shopInYaml.replaceAll('\n', '\r\n')}`,
    'UPPER.YAML': JSON.stringify(shop),
    'typed.ts': asModule('const config: object = ', '\nexport default config'),
    'named.mts': asModule('export const config: object = '),
    'called.mjs': asModule('export default () => (', ')'),
    'awaited.mjs': asModule('export const config = async () => (', ')'),
    'common.cjs': asModule('module.exports = '),
    'named.cjs': asModule('exports.config = '),
    'compiled.cjs': asModule('Object.defineProperty(exports, "__esModule", { value: true })\nexports.default = '),
    'mesh.js': asModule('export default '),
  }
  for (const [name, text] of Object.entries(files)) {
    test(name, async (t) => {
      const path = fileOf(t, name, text)
      assert.deepEqual(await loadConfig(path), shop)
      assert.deepEqual(await loadConfig(pathToFileURL(path)), shop)
    })
  }
})

test('YAML has its own types, and names are always text', async (t) => {
  const path = fileOf(t, 'mesh.yaml', 'services:\n  10:\n    routes:\n    - { to: { 1: 1, 0x2: 3.5e1 }, match: { headers: { on: yes, a: !!str 5 } } }\ndrain: 1_000\n')
  const found = await loadConfig(path).catch((error: unknown) => error)
  assert.deepEqual((found as MeshConfigError).faults.map(({ path }) => path), ['drain'])
  writeFileSync(path, 'services:\n  "10":\n    routes:\n    - { to: { 1: 1, 0x2: 3.5e1 }, match: { headers: { on: yes, a: !!str 5 } } }\n')
  assert.deepEqual(await loadConfig(path), {
    services: { 10: { routes: [{ to: { '1': 1, '0x2': 35 }, match: { headers: { on: 'yes', a: '5' } } }] } },
  })
})

test('an anchor is written out wherever its alias stands, and a later anchor of that name is another one', async (t) => {
  const path = fileOf(t, 'mesh.yaml', [
    'clusters:',
    '  a: { registry: &r { type: static, endpoints: [&x "a:1"] } }',
    '  b: { registry: *r }',
    '  c: { registry: { type: static, endpoints: [*x, &x "c:1"] } }',
    '  d: { registry: { type: static, endpoints: [*x] } }',
    '  e: { registry: *r }',
  ].join('\n'))
  const { clusters } = await loadConfig(path)
  assert.deepEqual(Object.values(clusters ?? {}).map(({ registry }) => (registry as { endpoints: unknown }).endpoints),
    [['a:1'], ['a:1'], ['a:1', 'c:1'], ['c:1'], ['a:1']])
})

describe('variables', () => {
  const env = {
    PORT: '8080', TEXT: 'v', FALSE: 'false', EMPTY: '', EXPONENT: '1e3', HOST: 'a.internal', SECONDS: '5', LIMIT: '4', YAML: '{a: b}', DOLLAR: '$${X} ${Y}',
  }
  const load = async (t: Parameters<typeof fileOf>[0], value: unknown): Promise<unknown> =>
    loadConfig(fileOf(t, 'mesh.json', JSON.stringify(value)), { env })

  const cluster = (more: object, registry: object = {}): object =>
    ({ clusters: { a: { registry: { type: 'dns', hostname: 'a.b', port: 1, ...registry }, ...more } } })
  const route = (more: object): object => ({ services: { a: { routes: [{ to: 'a', ...more }] } } })

  const read: Readonly<Record<string, readonly [written: object, read: object]>> = {
    'a whole number': [cluster({}, { port: '${PORT}' }), cluster({}, { port: 8080 })],
    'a number as JSON writes it': [cluster({ budget: { perSecond: '${EXPONENT}' } }), cluster({ budget: { perSecond: 1000 } })],
    'a boolean': [cluster({ tls: '${FALSE}' }), cluster({ tls: false })],
    'false in place of options': [cluster({ breaker: '${FALSE}' }), cluster({ breaker: false })],
    'a number deep in options': [cluster({ breaker: { calls: '${LIMIT}' } }), cluster({ breaker: { calls: 4 } })],
    'one of some numbers': [cluster({}, { family: '${LIMIT}' }), cluster({}, { family: 4 })],
    'a word': [cluster({}, { resolver: '${R:-system}' }), cluster({}, { resolver: 'system' })],
    'a text in part': [cluster({}, { hostname: 'x.${HOST}' }), cluster({}, { hostname: 'x.a.internal' })],
    'a duration in part': [{ drain: '${SECONDS}s' }, { drain: '5s' }],
    'a duration in milliseconds': [{ drain: '${SECONDS}' }, { drain: 5 }],
    'a weight': [route({ to: { a: '${LIMIT}', b: 1 } }), route({ to: { a: 4, b: 1 } })],
    'a status among words': [route({ retry: { on: ['reset', '${S:-503}'] } }), route({ retry: { on: ['reset', 503] } })],
    'text that looks like a number where text will do': [
      route({ match: { headers: { version: '${LIMIT}', flag: { exact: '${FALSE}' } } } }),
      route({ match: { headers: { version: '4', flag: { exact: 'false' } } } }),
    ],
    'a default where it is not set': [{ drain: '${NONE:-2s}' }, { drain: '2s' }],
    'a default where it is empty': [{ drain: '${EMPTY:-2s}' }, { drain: '2s' }],
    'a default with a colon in it': [route({ rewrite: { host: '${NONE:-a:80}' } }), route({ rewrite: { host: 'a:80' } })],
    'an empty default': [route({ match: { headers: { a: '${NONE:-}' } } }), route({ match: { headers: { a: '' } } })],
    'an empty variable': [route({ match: { headers: { a: '${EMPTY}' } } }), route({ match: { headers: { a: '' } } })],
    'several in one text': [route({ rewrite: { host: '${HOST}:${PORT}' } }), route({ rewrite: { host: 'a.internal:8080' } })],
    'the characters themselves': [route({ match: { headers: { a: '$${HOST}', b: '$HOST', c: '$$', d: '$$${X}' } } }),
      route({ match: { headers: { a: '${HOST}', b: '$HOST', c: '$$', d: '$${X}' } } })],
    'nothing inside what they bring in': [route({ match: { headers: { a: '${DOLLAR}', b: '${YAML}' } } }),
      route({ match: { headers: { a: '$${X} ${Y}', b: '{a: b}' } } })],
    'nothing in names': [{ services: { a: { routes: [{ to: { '${HOST}': 1 } }] } } }, { services: { a: { routes: [{ to: { '${HOST}': 1 } }] } } }],
  }
  for (const [title, [written, expected]] of Object.entries(read)) {
    test(`are read as ${title}`, async (t) => {
      assert.deepEqual(await load(t, written), expected)
    })
  }

  test('are read beside many others, each as its own place wants it', async (t) => {
    const routes = (weight: unknown, version: unknown): object => ({
      services: { a: { routes: Array.from({ length: 40 }, (_, n) => ({ to: { a: weight }, priority: n, match: { headers: { version } } })) } },
    })
    assert.deepEqual(await load(t, routes('${LIMIT}', '${LIMIT}')), routes(4, '4'))
  })

  test('written without quotes in YAML are the same', async (t) => {
    const path = fileOf(t, 'mesh.yaml', 'clusters:\n  a:\n    registry:\n      type: dns\n      hostname: ${HOST}\n      port: ${PORT}\ndrain: ${D:-3s}\n')
    assert.deepEqual(await loadConfig(path, { env }), { clusters: { a: { registry: { type: 'dns', hostname: 'a.internal', port: 8080 } } }, drain: '3s' })
  })

  test('come from the process by default', async (t) => {
    const path = fileOf(t, 'mesh.yaml', 'egress: ${ENMESH_TEST_EGRESS}\n')
    process.env['ENMESH_TEST_EGRESS'] = 'deny'
    t.after(() => { delete process.env['ENMESH_TEST_EGRESS'] })
    assert.deepEqual(await loadConfig(path), { egress: 'deny' })
  })

  test('are left alone in modules', async (t) => {
    const path = fileOf(t, 'mesh.mjs', "export default { services: { a: { routes: [{ to: 'a', match: { headers: { a: '${HOST}' } } }] } } }")
    assert.deepEqual(await loadConfig(path, { env }), route({ match: { headers: { a: '${HOST}' } } }))
  })

  test('are in no message, whatever is wrong with what they stand for', async (t) => {
    const secret = 'hunter2'
    const values: readonly string[] = [
      secret, `${secret}:99999999`, `http://${secret}@x`, `https://${secret}/x?y#z`, `[${secret}]:80`, `*.${secret}*`, `(${secret}`, `${secret}'s`,
      `/${secret}//`, `${secret}\n`, `${secret} `, `-${secret}`, `${secret}(?=x)`, `a'${secret}'b`, `"${secret}"`,
    ]
    const v = '${SECRET}'
    const places: readonly object[] = [
      { drain: v }, { replayLimit: v }, { egress: v }, { egress: { allow: [v] } },
      { services: { a: [v] } }, { services: { a: [{ address: v, id: v }] } }, { services: { a: v } },
      route({ match: { path: { prefix: v } } }), route({ match: { path: { regex: v } } }), route({ match: { host: v } }), route({ match: { method: v } }),
      route({ match: { headers: { a: { regex: v } } } }), route({ name: v, to: { a: v } }), route({ to: v }), route({ retry: { on: [v], methods: [v] } }),
      route({ rewrite: { host: v } }), route({ rewrite: { path: v } }), route({ sticky: { header: v } }), route({ priority: v, timeout: v }),
      { services: { a: { routes: [{ name: v, to: 'a' }, { name: v, to: 'a' }] } } },
      cluster({}, { hostname: v }), cluster({}, { servers: [v], resolver: v }), cluster({ balancer: { type: v } }), cluster({ registry: { type: v } }),
      cluster({ tls: { servername: v }, panic: v, breaker: v }), cluster({ registry: { type: 'static', endpoints: [v, { address: 'a:1', id: v }, v] } }),
    ]
    let refused = 0
    for (const [index, place] of places.entries()) {
      for (const SECRET of values) {
        const path = fileOf(t, `mesh${index}.json`, JSON.stringify(place))
        try {
          await createMesh(await loadConfig(path, { env: { SECRET } }), { runtime: fakeRuntime() }).close()
        } catch (error) {
          refused++
          assert.ok(error instanceof MeshConfigError, String(error))
          assert.ok(!error.message.includes(secret), error.message)
          assert.ok(error.faults.every(({ line }) => line === 1))
        }
      }
    }
    assert.ok(refused > 250, `only ${refused} were refused`)
  })
})

describe('faults that only the mesh can find say file and line', () => {
  const text = 'services:\n  a.local:\n    routes:\n      - to: pricing-v1\n      - to:\n          pricing-v2: 1\nclusters:\n  pricing-v1:\n    registry: { type: static, endpoints: [a:1] }\n'
  const options = () => ({ runtime: fakeRuntime() })

  test('from createMesh', async (t) => {
    const path = fileOf(t, 'mesh.yaml', text)
    assert.deepEqual(await faultsOf(async () => createMesh(await loadConfig(path), options())), [
      'mesh.yaml:5:9 services["a.local"].routes[1]: can never match: routes[0] has the same conditions and comes first',
      'mesh.yaml:6:11 services["a.local"].routes[1].to["pricing-v2"]: there is no cluster \'pricing-v2\': did you mean \'pricing-v1\'?',
    ])
  })

  test('from update, with the fields of the fault', async (t) => {
    const path = fileOf(t, 'mesh.yaml', text)
    const mesh = createMesh({}, options())
    t.after(() => mesh.close())
    const config = await loadConfig(path)
    assert.throws(() => mesh.update(config), (error: MeshConfigError) => {
      assert.deepEqual(error.faults[1], {
        path: 'services["a.local"].routes[1].to["pricing-v2"]',
        message: "there is no cluster 'pricing-v2': did you mean 'pricing-v1'?",
        file: path, line: 6, column: 11,
      })
      return true
    })
  })

  test('where a program put parts of several files together', async (t) => {
    const one = await loadConfig(fileOf(t, 'one.yaml', text))
    const two = await loadConfig(fileOf(t, 'two.json', '{ "clusters": {\n  "pricing-v2": { "registry": { "type": "static", "endpoints": ["b:1"] } } },\n  "services": {\n    "b.local": { "cluster": "c" } } }'))
    const merged = { services: { ...one.services, ...two.services, 'c.local': { cluster: 'd' } }, clusters: { ...one.clusters, ...two.clusters } }
    assert.deepEqual([...await faultsOf(() => createMesh(merged, options()))].sort(), [
      'one.yaml:5:9 services["a.local"].routes[1]: can never match: routes[0] has the same conditions and comes first',
      'services["c.local"].cluster: there is no cluster \'d\': known here: pricing-v1, pricing-v2',
      'two.json:4:18 services["b.local"].cluster: there is no cluster \'c\': known here: pricing-v1, pricing-v2',
    ])
  })

  test('from a kind of your own that refuses its options', async (t) => {
    const picky = kind('picky', z.strictObject({ zone: z.string() }), () => { throw new Error('no such zone') })
    const own = { registries: registries.with(picky), ...options() }
    const path = fileOf(t, 'mesh.yaml', 'clusters:\n  a:\n    registry: { type: picky, zone: "${ZONE}" }\n')
    const config = await loadConfig(path, { ...own, env: { ZONE: 'x' } })
    assert.deepEqual(await faultsOf(() => createMesh(config, own)), ['mesh.yaml:2:3 clusters.a: no such zone'])
  })

  test('and only the file for a module', async (t) => {
    const path = fileOf(t, 'mesh.mjs', "export default { services: { a: { cluster: 'b' } } }")
    assert.deepEqual(await faultsOf(async () => createMesh(await loadConfig(path), options())),
      ["mesh.mjs services.a.cluster: there is no cluster 'b': `clusters` has none"])
    const wrong = fileOf(t, 'wrong.mjs', 'export default { drain: true }')
    assert.match((await faultsOf(() => loadConfig(wrong))).join(), /^wrong\.mjs drain: is not a duration/)
  })
})

test('kinds of your own may be in a file', async (t) => {
  const flat = kind('flat-file', z.strictObject({ lines: z.int() }), ({ lines }) => async function* () { yield [{ address: `a:${lines}` }] })
  const tenant = matcherKind('tenant', z.string(), (wanted) => ({
    conditions: 1, matches: (request) => request.header('x-tenant') === wanted, explain: () => 'is another tenant',
  }))
  const own = { runtime: fakeRuntime(), registries: registries.with(flat), matchers: matchers.with(tenant) }
  const path = fileOf(t, 'mesh.yaml', 'services:\n  a:\n    routes:\n      - match: { tenant: "7" }\n        to: a\nclusters:\n  a:\n    registry: { type: flat-file, lines: "${LINES}" }\n')
  const mesh = createMesh(await loadConfig(path, { ...own, env: { LINES: '3' } }), own)
  t.after(() => mesh.close())
  await mesh.ready()
  assert.deepEqual(mesh.status().clusters['a']?.endpoints.map(({ address }) => address), ['a:3'])
  assert.deepEqual(await faultsOf(() => loadConfig(path, { env: { LINES: '3' } })), [
    'mesh.yaml:4:18 services.a.routes[0].match.tenant: unknown key: known here: path, method, scheme, port, host, headers, query',
    `mesh.yaml:8:17 clusters.a.registry.type: unknown type: known here: ${registries.kinds.map(({ type }) => type).join(', ')}`,
  ])
})

describe('a module', () => {
  test('is run afresh each time', async (t) => {
    for (const name of ['mesh.mjs', 'mesh.cjs', 'mesh.ts']) {
      const path = fileOf(t, name, '')
      for (const drain of [1, 2, 3]) {
        writeFileSync(path, `${name.endsWith('cjs') ? 'module.exports =' : 'export default'} { drain: ${drain} }`)
        assert.deepEqual(await loadConfig(path), { drain }, name)
      }
    }
  })

  const broken: Readonly<Record<string, readonly [text: string, fault: RegExp]>> = {
    'throws.mjs': ['\n\nthrow new Error("no luck")', /^throws\.mjs:3:7: failed as it was run: no luck$/],
    'function.ts': ['export default (): never => {\n  throw new Error("no luck")\n}', /^function\.ts:2:9: failed as it was run: no luck$/],
    'syntax.ts': ['export default {\n  a: 1,\n  b: : 2\n}', /^syntax\.ts:3:1: failed as it was run: /],
    'missing.mjs': ['import "./nope.mjs"\nexport default {}', /^missing\.mjs: failed as it was run: Cannot find module/],
    'nothing.mjs': ['export const mesh = {}', /^nothing\.mjs: exports no configuration: /],
    'nothing.cjs': ['', /^nothing\.cjs: exports no configuration: /],
    'text.mjs': ['export default "mesh"', /^text\.mjs: exports no configuration: /],
    'list.mjs': ['export default []', /^list\.mjs: exports no configuration: /],
    'null.mjs': ['export default () => null', /^null\.mjs: exports no configuration: /],
  }
  for (const [name, [text, fault]] of Object.entries(broken)) {
    test(`that fails is told with its place: ${name}`, async (t) => {
      assert.match((await faultsOf(() => loadConfig(fileOf(t, name, text)))).join(), fault)
    })
  }

  test('that throws is the cause of the error', async (t) => {
    const path = fileOf(t, 'mesh.mjs', 'throw new RangeError("no luck")')
    await assert.rejects(loadConfig(path), (error: MeshConfigError) => error.cause instanceof RangeError && error.faults[0]?.file === path)
  })
})

test('a file that is not there, or is a directory, is an error that names it', async (t) => {
  const at = directory(t)
  assert.deepEqual(await faultsOf(() => loadConfig(join(at, 'mesh.yaml'))), ['mesh.yaml: there is no such file'])
  const path = fileOf(t, 'mesh.yaml', '')
  assert.deepEqual(await faultsOf(() => loadConfig(join(path, 'x.yaml'))), ['mesh.yaml/x.yaml: cannot be read: ENOTDIR'])
})
