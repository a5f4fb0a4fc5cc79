import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { refusedBy } from '../../bench/proxy-process.ts'
import type { MeshInput } from '../../src/index.ts'
import { ProxyConfigError, toEnvoy, toHaproxy, toNginx, type ProxyOptions } from '../../src/proxies/index.ts'
import { single } from './definitions.ts'
import { messageFaults } from './envoy-messages.ts'
import { runnable, throughProxy, Upstream, without, writers } from './support.ts'

const registry = { type: 'static', endpoints: ['10.0.0.1:8080'] } as const
const numbered = <Item>(count: number, item: (index: number) => Item): readonly Item[] => Array.from({ length: count }, (_, index) => item(index))
const most = Number.MAX_SAFE_INTEGER

const manyClusters = (count: number): MeshInput => ({
  services: { 'a.test': { routes: [{ to: Object.fromEntries(numbered(count, (index) => [`c${index}`, 1])) }] } },
  clusters: Object.fromEntries(numbered(count, (index) => [`c${index}`, { registry }])),
})

/** Definitions of a size that proxies have bounds for. */
const large: Readonly<Record<string, MeshInput>> = {
  'a split of 800 clusters': manyClusters(800),
  '1000 services': { services: Object.fromEntries(numbered(1_000, (index) => [`service-${index}.with.a.name.that.is.long.enough.test`, { cluster: 'c' }])), clusters: { c: { registry } } },
  '3000 endpoints': single({ registry: { type: 'static', endpoints: numbered(3_000, (index) => `10.0.${index >> 8}.${index & 255}:80`) } }),
  'counts': single({
    requests: most, connections: most, pending: most, budget: { perSecond: most }, healthCheck: { protocol: 'http', healthyThreshold: most, unhealthyThreshold: most },
    outlier: { failures: most, gatewayFailures: most, localFailures: most, successRate: { endpoints: most, volume: most }, failurePercentage: { endpoints: most, volume: most } },
  }),
  'times': single({ timeout: '9000h', idleTimeout: '9000h', connectTimeout: '9000h', keepAlive: '9000h', slowStart: '9000h' }, { timeout: '9000h', attemptTimeout: '9000h' }),
  'no time': { ...single({ timeout: 0, idleTimeout: 0, keepAlive: 0 }, { timeout: 0, attemptTimeout: 0, idleTimeout: 0 }), drain: 0 },
  'a body of any length': { ...single(), replayLimit: most },
  'statuses': single({ healthCheck: { protocol: 'http', statuses: numbered(400, (index) => 200 + index) } }),
  'hosts': single({}, { match: { host: numbered(100, (index) => `h${index}.test`) } }),
  'a long text': single({}, { match: { headers: { 'x-a': 'a'.repeat(3_000) }, query: { a: 'a'.repeat(300) } } }),
}

describe('what is large fits', () => {
  for (const [name, config] of Object.entries(large)) {
    for (const proxy of runnable) {
      test(`${name}, for ${proxy}`, { skip: without[proxy] }, async () => assert.equal(await refusedBy(proxy, writers[proxy](config).text), undefined))
    }
    test(`${name}, for Envoy`, () => assert.deepEqual(messageFaults(JSON.parse(toEnvoy(config).text) as never, 'envoy.config.bootstrap.v3.Bootstrap', ''), []))
  }

  const letters = (index: number): string => String.fromCodePoint(65 + Math.floor(index / 26), 65 + index % 26)

  for (const proxy of runnable) {
    test(`hundreds of routes and conditions are asked in their order by ${proxy}`, { skip: without[proxy] }, async (t) => {
      const upstream = await Upstream.start(t, 'shop')
      // HAProxy takes no request with more than a hundred.
      const headers = Object.fromEntries(numbered(proxy === 'haproxy' ? 90 : 130, (index) => [`x-${index}`, 'a']))
      const way = await throughProxy(t, proxy, {
        services: {
          'shop.test': {
            routes: [
              { match: { headers }, to: 'shop', rewrite: { host: 'headers.test' }, priority: 0 },
              { match: { method: numbered(100, letters) }, to: 'shop', rewrite: { host: 'methods.test' }, priority: 1 },
              ...numbered(400, (index) => ({ match: { path: { exact: `/r${index % 390}` }, headers: { 'x-a': index < 390 ? 'v' : 'w' } }, to: 'shop', rewrite: { host: `r${index}.test` }, retry: { methods: numbered(100, letters) } })),
            ],
          },
        },
        clusters: { shop: { registry: { type: 'static', endpoints: [upstream.address] } } },
      })
      const hostOf = async (path: string, headers: Readonly<Record<string, string>> = {}, method = 'GET'): Promise<string | number> => {
        const { asked, status } = await way({ url: `http://shop.test${path}`, headers, method })
        return asked?.host ?? status
      }
      for (const index of [0, 49, 50, 99, 199, 200, 388, 389]) assert.equal(await hostOf(`/r${index}`, { 'x-a': 'v' }), `r${index}.test`)
      assert.equal(await hostOf('/r3', { 'x-a': 'w' }), 'r393.test')
      assert.equal(await hostOf('/r390', { 'x-a': 'v' }), 404)
      assert.equal(await hostOf('/r3', { ...headers, 'x-a': 'v' }), 'headers.test')
      assert.equal(await hostOf('/r3', { ...headers, 'x-89': 'b', 'x-a': 'v' }), 'r3.test')
    })
  }

  test('what does not fit is refused, with what to do', () => {
    const text = 'a'.repeat(14_000)
    for (const write of [toHaproxy, toNginx]) assert.throws(() => write(single({}, { match: { query: { a: text } } })), /^ProxyConfigError: services\["shop\.test"\]\.routes\[0\]\.match\.query\.a: takes \d+ characters, and at most/)
    const routes = numbered(4_600, (index) => ({ match: { path: { exact: `/${index}` } }, to: 'shop' }))
    assert.throws(() => toNginx({ services: { 'a.test': { routes } }, clusters: { shop: { registry } } }), /^ProxyConfigError: services\["a\.test"\]: has 4600 conditions in all its routes, and at most 4500 fit into the configuration of nginx: split the service/)
  })

  test('nginx says that it counts no further than it can', () => {
    const remarks = (requests: number): readonly string[] => toNginx(single({ requests })).unexpressed.filter(({ policy }) => policy === 'cluster.requests').map(({ path }) => path)
    assert.deepEqual(remarks(65_535), [])
    assert.deepEqual(remarks(65_536), ['clusters.shop.requests'])
  })
})

describe('where a proxy listens', () => {
  const two: MeshInput = { services: { 'a.test': ['10.0.0.1:1'], 'b.test': ['10.0.0.2:1'] } }
  const shared: readonly (readonly [ProxyOptions, RegExp])[] = [
    [{ ports: { 'a.test': '127.0.0.1:9001', 'b.test': '127.0.0.1:9001' } }, /options\.ports\["b\.test"\]: 127\.0\.0\.1:9001 is taken by options\.ports\["a\.test"\]/],
    [{ ports: { 'a.test': '127.0.0.1:15001' } }, /options\.ports\["a\.test"\]: 127\.0\.0\.1:15001 is taken by options\.listen/],
    [{ listen: '0.0.0.0:9001', ports: { 'a.test': '127.0.0.1:9001' } }, /options\.ports\["a\.test"\]: 127\.0\.0\.1:9001 is taken by options\.listen \(0\.0\.0\.0:9001\)/],
    [{ admin: '127.0.0.1:15001' }, /options\.admin: 127\.0\.0\.1:15001 is taken by options\.listen/],
    [{ listen: '[::::]:9001' }, /options\.listen: '\[::::\]:9001' is not where one could listen/],
  ]
  for (const [options, message] of shared) {
    test(`is refused: ${JSON.stringify(options)}`, () => {
      for (const write of [toHaproxy, toNginx, toEnvoy]) assert.throws(() => write(two, options), (error) => error instanceof ProxyConfigError && message.test(error.message))
    })
  }

  test('is an address for Envoy', () => {
    assert.throws(() => toEnvoy(two, { listen: 'localhost:9001' }), /options\.listen: 'localhost' is a name, and Envoy listens at IP addresses/)
    assert.throws(() => toEnvoy(two, { admin: 'localhost:9001' }), /options\.admin: 'localhost' is a name/)
    toEnvoy(two, { listen: '[::1]:9001' })
  })

  test('is said by options of that name alone', () => {
    const { text } = toHaproxy({ services: { constructor: { cluster: 'constructor' } }, clusters: { constructor: { registry, tls: true } } }, { ports: {}, certificates: {}, endpoints: {} })
    assert.equal([...text.matchAll(/^frontend /gm)].length, 1)
  })

  test('hosts with nothing between two dots are refused', () => {
    assert.throws(() => toNginx({ services: { 'a..b': ['10.0.0.1:1'] } }), /services\["a\.\.b"\]: has a dot with nothing before it/)
  })
})

describe('regular expressions are refused where PCRE would read them otherwise than RE2', () => {
  for (const part of ['\\Qa', '\\pL', '\\PL', '\\v', '\\x{10FFFF}', '[\\x{100}]', '[\\pL]', '[[.a.]]', '[[=a=]]', '[:alpha:]', '[\\d-z]', '[[:digit:]-z]']) {
    test(part, () => {
      for (const write of [toHaproxy, toNginx]) assert.throws(() => write(single({}, { match: { path: { regex: `/${part}` } } })), /in its regular expression, which proxies read otherwise/)
    })
  }

  for (const proxy of runnable) {
    test(`and taken by ${proxy} otherwise`, { skip: without[proxy] }, async () => {
      const fine = ['\\\\Qa', '\\\\pL', '[\\\\Q]', '\\x{41}', '[\\x{0fF}]', '[[:alpha:]:]', '[]a-]', '[^]]', '[\\d-]', '[.=:]', '(?P<uri>a)(?P<identity>b)', '(?i:a)|(?s).', 'a{2,}?', '\\[:a:\\]']
      const config = single({}, { match: { headers: Object.fromEntries(fine.map((regex, index) => [`x-${index}`, { regex }])) } })
      assert.equal(await refusedBy(proxy, writers[proxy](config).text), undefined)
    })
  }
})

test('Envoy offers HTTP/2 where it speaks it', () => {
  assert.match(toEnvoy(single({ tls: true, http2: true })).text, /"alpn_protocols": \[\s*"h2"\s*\]/)
  assert.match(toEnvoy(single({ tls: true })).text, /"alpn_protocols": \[\s*"http\/1\.1"\s*\]/)
})

test('HAProxy says that it retries no streams that were refused, unless it retries what was lost', () => {
  const remarks = (http2: boolean, on: readonly ('refused-stream' | 'reset')[]): readonly string[] =>
    toHaproxy(single({ http2 }, { retry: { on } })).unexpressed.filter(({ policy }) => policy === 'route.retry.on: refused-stream').map(({ path }) => path)
  assert.deepEqual(remarks(true, ['refused-stream']), ['services["shop.test"].routes[0].retry.on'])
  assert.deepEqual(remarks(true, ['refused-stream', 'reset']), [])
  assert.deepEqual(remarks(false, ['refused-stream']), [])
})

test('what is empty is refused, whether it would be used or not', () => {
  for (const write of [toHaproxy, toNginx, toEnvoy]) {
    assert.throws(() => write(single(), { admin: '' }), /options\.admin: is empty/)
    assert.throws(() => write(single(), { certificates: { shop: { ca: '' } } }), /options\.certificates\.shop\.ca: is empty/)
  }
})
