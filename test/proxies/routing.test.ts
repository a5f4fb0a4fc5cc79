import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import type { MeshInput } from '../../src/index.ts'
import { runnable, throughMesh, throughProxy, Upstream, without, type Question, type Way } from './support.ts'

const names = ['exact', 'prefix', 'plain', 'regex', 'method', 'header', 'listed', 'inverted', 'absent', 'query', 'encoded', 'queried', 'port', 'host', 'rest',
  'ported', 'rewritten', 'slashed', 'replaced', 'renamed', 'first', 'odd'] as const
type Name = typeof names[number]

const definition = (endpoint: (name: Name) => string): MeshInput => ({
  services: {
    'shop.test': {
      routes: [
        { match: { path: { exact: '/exact' } }, to: 'exact' },
        { match: { path: { prefix: '/prefix' } }, to: 'prefix' },
        { match: { path: { plainPrefix: '/plain' } }, to: 'plain' },
        { match: { path: { regex: '/re/[a-z]+\\.(?:json|xml)' } }, to: 'regex' },
        { match: { path: { prefix: '/m' }, method: ['POST', 'put'] }, to: 'method' },
        { match: { path: { prefix: '/h' }, headers: { 'x-tenant': 'acme "corp" {}; # $host %[src] \'' } }, to: 'odd' },
        { match: { path: { prefix: '/h' }, headers: { 'x-tenant': 'acme' } }, to: 'header' },
        { match: { path: { prefix: '/h' }, headers: { 'x-tenant': [{ prefix: 'a' }, { suffix: 'z' }] } }, to: 'listed' },
        { match: { path: { prefix: '/i' }, headers: { 'x-tenant': { regex: 'a+', invert: true } } }, to: 'inverted' },
        { match: { path: { prefix: '/i' }, headers: { 'x-tenant': { present: false } } }, to: 'absent' },
        { match: { path: { prefix: '/q' }, query: { kind: 'a b&c' } }, to: 'encoded' },
        { match: { path: { prefix: '/q' }, query: { kind: { prefix: 'x' }, 'sort.by': 'name' } }, to: 'query' },
        { match: { path: { prefix: '/q' }, query: { kind: { regex: '[0-9]+' } } }, to: 'queried' },
        { match: { path: { prefix: '/p' }, port: 8080 }, to: 'port' },
        { match: { path: { prefix: '/p' }, host: ['*.shop.test', 'shop.test:9090'] }, to: 'host' },
        { match: { path: { prefix: '/w/' } }, to: 'slashed', rewrite: { prefix: '/x' } },
        { match: { path: { prefix: '/old' } }, to: 'rewritten', rewrite: { prefix: '/' } },
        { match: { path: { exact: '/whole' } }, to: 'replaced', rewrite: { path: '/new/place' } },
        { match: { path: { prefix: '/named' } }, to: 'renamed', rewrite: { host: 'other.test:81' } },
        { match: { path: { prefix: '/first' } }, to: 'first', priority: 0 },
        { match: { path: { exact: '/first' } }, to: 'exact' },
        { match: { scheme: 'http' }, to: 'rest' },
      ],
    },
    'shop.test:7070': { cluster: 'ported' },
    'narrow.test': { routes: [{ match: { path: { exact: '/only' } }, to: 'exact' }] },
  },
  clusters: Object.fromEntries(names.map((name) => [name, { registry: { type: 'static', endpoints: [endpoint(name)] } }])),
  egress: 'deny',
})

const shop = (path: string, more: Omit<Question, 'url'> = {}, host = 'shop.test'): Question => ({ url: `http://${host}${path}`, ...more })
const tenant = (value: string): Omit<Question, 'url'> => ({ headers: { 'x-tenant': value } })

/** A request, who gets it, and what of it where something is changed; 'nobody' where nothing is sent. */
const table: readonly (readonly [question: Question, by: Name | 'nobody', sent?: { url?: string, host?: string }])[] = [
  [shop('/exact'), 'exact'],
  [shop('/exact?with=query'), 'exact', { url: '/exact?with=query' }],
  [shop('/exact/'), 'rest'],
  [shop('/exactly'), 'rest'],
  [shop('//exact'), 'exact', { url: '//exact' }],
  [shop('/prefix'), 'prefix'],
  [shop('/prefix/'), 'prefix'],
  [shop('/prefix/a/b?c'), 'prefix', { url: '/prefix/a/b?c' }],
  [shop('/prefixed'), 'rest'],
  [shop('/plainly'), 'plain'],
  [shop('/plai'), 'rest'],
  [shop('/re/abc.json'), 'regex'],
  [shop('/re/abc.jsonx'), 'rest'],
  [shop('/x/re/abc.json'), 'rest'],
  [shop('/re/ABC.json'), 'rest'],
  [shop('/m', { method: 'POST', body: 'a body' }), 'method'],
  [shop('/m', { method: 'PUT', body: 'b' }), 'method'],
  [shop('/m'), 'rest'],
  [shop('/h', tenant('acme')), 'header'],
  [shop('/h', { headers: { 'X-TENANT': 'acme' } }), 'header'],
  [shop('/h', tenant('ACME')), 'rest'],
  [shop('/h', tenant('abcz')), 'listed'],
  [shop('/h', tenant('abc')), 'rest'],
  [shop('/h', tenant('acme "corp" {}; # $host %[src] \'')), 'odd'],
  [shop('/h', tenant('acme "corp" {}; # $hosts %[src] \'')), 'rest'],
  [shop('/i', tenant('b')), 'inverted'],
  [shop('/i', tenant('aaa')), 'rest'],
  [shop('/i'), 'absent'],
  [shop('/q?kind=a%20b%26c'), 'encoded'],
  [shop('/q?kind=%61+b%26c&x=1'), 'encoded'],
  [shop('/q?kind=a+b&c'), 'rest'],
  [shop('/q?other=1&kind=a+b%26c'), 'encoded'],
  [shop('/q?kind=no&kind=a+b%26c'), 'rest'],
  [shop('/q?skind=a+b%26c'), 'rest'],
  [shop('/q?kind=xyz&sort.by=name'), 'query'],
  [shop('/q?kind=xyz&sort_by=name'), 'rest'],
  [shop('/q?kind=xyz&sort.by=names'), 'rest'],
  [shop('/q?kind=123'), 'queried'],
  [shop('/q?kind=123a'), 'rest'],
  [shop('/q?kind=12&3'), 'queried'],
  [shop('/p', {}, 'shop.test:8080'), 'port'],
  [shop('/p', {}, 'shop.test:9090'), 'host'],
  [shop('/p', {}, 'shop.test:9091'), 'rest'],
  [shop('/p'), 'rest'],
  [shop('/p', {}, 'shop.test.'), 'rest'],
  [shop('/p', {}, 'SHOP.test'), 'rest'],
  [shop('/p', {}, 'shop.test:7070'), 'ported'],
  [shop('/w/b'), 'slashed', { url: '/x/b' }],
  [shop('/w/?q=1'), 'slashed', { url: '/x?q=1' }],
  [shop('/w/'), 'slashed', { url: '/x' }],
  [shop('/old/a?b=c'), 'rewritten', { url: '/a?b=c' }],
  [shop('/old'), 'rewritten', { url: '/' }],
  [shop('/old?b'), 'rewritten', { url: '/?b' }],
  [shop('/whole?b=/c'), 'replaced', { url: '/new/place?b=/c' }],
  [shop('/named'), 'renamed', { host: 'other.test:81' }],
  [shop('/first'), 'first'],
  [shop('/~enmesh/x'), 'rest', { url: '/~enmesh/x' }],
  [shop('/a%2fb/%20%22;$x'), 'rest', { url: '/a%2fb/%20%22;$x' }],
  [shop('/only', {}, 'narrow.test'), 'exact'],
  [shop('/other', {}, 'narrow.test'), 'nobody'],
  [shop('/', {}, 'stranger.test'), 'nobody'],
]

const started = async (t: TestContext): Promise<MeshInput> => {
  const upstreams = new Map<Name, Upstream>()
  for (const name of names) upstreams.set(name, await Upstream.start(t, name))
  return definition((name) => upstreams.get(name)!.address)
}

/** Every row in which something else happens than the table says. */
const differences = async (way: Way): Promise<readonly object[]> => {
  const found: object[] = []
  for (const [question, by, sent = {}] of table) {
    const { status, asked } = await way(question)
    if (by === 'nobody') {
      if (asked !== undefined || (status !== 404 && status !== 0)) found.push({ question, status, asked })
      continue
    }
    const { method = 'GET', body = '' } = question
    const wanted = { by, method, body, ...sent }
    const same = Object.entries(wanted).every(([field, value]) => (asked as Record<string, string> | undefined)?.[field] === value)
    if (!same) found.push({ question, wanted, status, asked })
  }
  return found
}

const holds = async (way: Way): Promise<void> => assert.deepEqual(await differences(way), [])

describe('the same requests go to the same place', () => {
  test('through the mesh', async (t) => holds(throughMesh(t, await started(t))))
  for (const proxy of runnable) {
    test(`through ${proxy}`, { skip: without[proxy] }, async (t) => holds(await throughProxy(t, proxy, await started(t))))
  }
})
