import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { enmesh, folder, route, shop } from './support.ts'

type Shop = ReturnType<typeof shop>
type Config = Record<string, never>

const split = (weights: Record<string, number>, more: object = {}) => ({ name: 'split', to: weights, ...more })

const config = (routes: readonly object[], more: object = {}) => ({
  services: { 'a.local': { routes } },
  clusters: { v1: { registry: { type: 'static', endpoints: ['10.0.0.1:80'] } }, v2: { registry: { type: 'dns', hostname: 'v2.internal', port: 80 } } },
  ...more,
}) as unknown as Config

const before = config([split({ v1: 90, v2: 10 })])

describe('enmesh diff', () => {
  for (const [what, after, expected] of [
    ['the weights of a route', config([split({ v1: 1, v2: 1 })]), `~ service a.local
    ~ route split
        goes 50 % to v1 and 50 % to v2; it went 90 % to v1 and 10 % to v2`],
    ['a whole split', config([{ name: 'split', to: 'v2' }]), `~ service a.local
    ~ route split
        goes to v2; it went 90 % to v1 and 10 % to v2`],
    ['policies of a route', config([split({ v1: 90, v2: 10 }, { timeout: '2s', retry: { attempts: 2 }, attemptTimeout: '500ms' })]), `~ service a.local
    ~ route split
        timeout is 2s; it was 15s
        attemptTimeout is 500ms; it was 0
        retry.attempts is 2; it was 3`],
    ['retries that are switched off', config([split({ v1: 90, v2: 10 }, { retry: false })]), /retry is false; it was \{"attempts":3/],
    ['a condition', config([split({ v1: 90, v2: 10 }, { match: { path: { prefix: '/x' } } })]), `~ service a.local
    ~ route split
        match.path.prefix is /x; there was none`],
    ['routes that come and go', config([{ name: 'beta', match: { headers: { 'x-beta': 'yes' } }, to: 'v2' }]), `~ service a.local
    - route split: everything, 90 % to v1 and 10 % to v2
    + route beta: where headers["x-beta"].exact is yes, to v2`],
    ['a service and a cluster', config([split({ v1: 90, v2: 10 })], { services: { 'b.local': ['10.0.0.9:80'] } }), `- service a.local: 90 % to v1 and 10 % to v2
+ service b.local: to b.local
+ cluster b.local: 10.0.0.9:80`],
    ['where endpoints come from', config([split({ v1: 90, v2: 10 })], {
      clusters: { v1: { registry: { type: 'dns', hostname: 'v1.internal', port: 80 } }, v2: { registry: { type: 'dns', hostname: 'v2.internal', port: 81 } } },
    }), `~ cluster v1
    endpoints come from dns v1.internal:80; they came from 10.0.0.1:80
~ cluster v2
    registry.port is 81; it was 80`],
    ['the egress policy', config([split({ v1: 90, v2: 10 })], { egress: 'deny', drain: '5s' }), `~ mesh egress
    egress is deny; it was allow
~ mesh drain
    drain is 5s; it was 10s`],
    ['certificates in other files', config([split({ v1: 90, v2: 10 })], { clusters: {
      v1: { registry: { type: 'static', endpoints: ['10.0.0.1:80'] }, tls: { ca: { file: '/nowhere/ca.pem' }, names: ['v1.internal'] } },
      v2: { registry: { type: 'dns', hostname: 'v2.internal', port: 80 } },
    } }), /~ cluster v1\n {4}tls is .*"ca":\{"file":"\/nowhere\/ca.pem"\}.*; it was false\n$/],
    ['nothing, however it is written', config([split({ v1: 90, v2: 10 }, { timeout: 15_000 })], { egress: 'allow' }), 'no difference: every service, route and cluster is the same'],
  ] as const) {
    test(`tells of ${what}`, async (t) => {
      const at = folder(t, { 'old.json': before, 'new.json': after })
      const { code, stdout, stderr } = await enmesh(['diff', at('old.json'), at('new.json')])
      assert.deepEqual([code, stderr], [0, ''])
      if (expected instanceof RegExp) assert.match(stdout, expected)
      else assert.equal(stdout, `${expected}\n`)
    })
  }

  test('tells every change of TLS whose certificates stand in files, which are not read', async (t) => {
    const secured = (tls: object) => ({ services: { 'a.local': { cluster: 'a' } }, clusters: { a: { registry: { type: 'static', endpoints: ['10.0.0.1:443'] }, tls } } })
    const own = { cert: { file: '/nowhere/a.pem' }, key: { file: '/nowhere/a-key.pem' } }
    const at = folder(t, {
      'old.json': secured({ ca: { file: '/nowhere/ca.pem' }, ...own, names: ['a.internal'] }),
      'new.json': secured({ ca: { file: '/nowhere/other.pem' }, cert: own.cert, key: { file: '/nowhere/b-key.pem' }, names: ['b.internal'], verify: false }),
      'inline.json': secured({ ca: { file: '/nowhere/ca.pem' }, ...own, key: '-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----', names: ['a.internal'] }),
    })
    assert.equal((await enmesh(['diff', at('old.json'), at('new.json')])).stdout, `~ cluster a
    tls.names is b.internal; it was a.internal
    tls.verify is false; it was true
    tls.ca.file is /nowhere/other.pem; it was /nowhere/ca.pem
    tls.key.file is /nowhere/b-key.pem; it was /nowhere/a-key.pem
`)
    assert.match((await enmesh(['diff', at('old.json'), at('inline.json')])).stdout, /tls\.key is \(private key\); it was \{"file":"\/nowhere\/a-key\.pem"\}/)
  })

  test('tells of routes that are asked in another order', async (t) => {
    const one = { name: 'one', match: { path: { prefix: '/a' } }, to: 'v1' }
    const other = { name: 'other', match: { headers: { x: 'y' } }, to: 'v2' }
    const at = folder(t, { 'old.json': config([one, other]), 'new.json': config([{ ...one, priority: 2 }, { ...other, priority: 1 }]) })
    assert.match((await enmesh(['diff', at('old.json'), at('new.json')])).stdout, /routes are asked in the order other, one; it was one, other/)
  })

  for (const [exitCode, after, expected] of [[[], shop2(), 0], [['--exit-code'], shop2(), 3], [['--exit-code'], shop(), 0]] as const) {
    test(`ends with ${expected} ${exitCode.join('')} where there ${after.routes.length === 3 ? 'are differences' : 'is none'}`, async (t) => {
      const at = folder(t, { 'old.json': shop(), 'new.json': after })
      assert.equal((await enmesh(['diff', at('old.json'), at('new.json'), ...exitCode])).code, expected)
    })
  }

  test('ends with 1 where there are faults', async (t) => {
    const at = folder(t, { 'old.json': shop(), 'new.json': { services: { 'a.local': { cluster: 'a' } } } })
    const { code, stdout, stderr } = await enmesh(['diff', '--exit-code', at('old.json'), at('new.json')])
    assert.deepEqual([code, stdout], [1, ''])
    assert.match(stderr, /there is no cluster 'a'/)
  })

  test('finds no difference between a definition and what was imported of it', async (t) => {
    const at = folder(t, { 'mesh.json': shop() })
    await enmesh(['import', at('mesh.json'), '--as', 'gateway-node', '-o', at('enmesh.yaml')])
    const { code, stdout } = await enmesh(['diff', '--exit-code', '--as', 'gateway-node', at('mesh.json'), at('enmesh.yaml')])
    assert.deepEqual([code, stdout], [0, 'no difference: every service, route and cluster is the same\n'])
  })

  test('tells all of it as JSON', async (t) => {
    const at = folder(t, { 'old.json': before, 'new.json': config([split({ v1: 90, v2: 10 }, { timeout: '2s' })]) })
    const { stdout } = await enmesh(['diff', '--json', '--exit-code', at('old.json'), at('new.json')])
    assert.deepEqual(JSON.parse(stdout), {
      ok: true, faults: [], same: false, changes: [
        { change: 'changed', what: 'service', name: 'a.local', details: [] },
        { change: 'changed', what: 'route', name: 'split', service: 'a.local', details: [{ path: 'timeout', before: 15_000, after: 2_000, words: 'timeout is 2s; it was 15s' }] },
      ],
    })
  })
})

function shop2(): Shop {
  const changed = shop()
  changed.routes.push(route('late', { stock: 1 }, { match: { prefix: '/late' } }))
  return changed
}
