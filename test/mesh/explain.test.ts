import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { MeshInput } from '../../src/index.ts'
import { settle } from '../../src/testing/index.ts'
import { listing, virtual } from './support.ts'

const shop = {
  services: {
    'pricing.shop.local': {
      routes: [
        { name: 'rest', to: { v1: 90, v2: 10, v3: 0 } },
        { name: 'acme', match: { path: { prefix: '/' }, headers: { 'x-tenant': 'acme' } }, to: 'v2' },
        { name: 'admin', match: { path: { prefix: '/admin' }, method: 'POST' }, to: 'v1', priority: 0 },
      ],
    },
    'strict.local': { routes: [{ match: { query: { token: { present: true } } }, to: 'v1' }] },
  },
  clusters: { v1: listing('a:1', 'b:1'), v2: listing('c:1'), v3: listing('d:1') },
  egress: { allow: ['api.example.com:443'] },
} satisfies MeshInput

const explained = async (...asked: Parameters<ReturnType<typeof virtual>['mesh']['explain']>) => {
  const { mesh, upstream } = virtual(shop)
  await mesh.ready()
  const explanation = mesh.explain(...asked)
  assert.equal(upstream.attempts.length, 0, 'nothing may be sent')
  await mesh.close()
  assert.deepEqual(JSON.parse(JSON.stringify(explanation)), explanation, 'is not plain data')
  return explanation
}

describe('explain', () => {
  test('says that a call would wait while the registry has not answered yet', async () => {
    const { mesh } = virtual(shop)
    const { summary, clusters } = mesh.explain('http://strict.local/?token=1')
    assert.equal(summary, "service 'strict.local', route 'routes[0]', to 'v1'; the registry of 'v1' has not answered yet, so it would wait for that")
    assert.equal(clusters[0]?.awaited, true)
    await mesh.ready()
    assert.equal(mesh.explain('http://strict.local/?token=1').clusters[0]?.awaited, undefined)
    await mesh.close()
  })

  test('names service, route, and each cluster with its share and endpoints', async () => {
    const { routes: _, ...rest } = await explained('http://Pricing.shop.local./price/42')
    assert.deepEqual(rest, {
      summary: "service 'pricing.shop.local', route 'rest', to 'v1' or 'v2'",
      service: 'pricing.shop.local',
      route: 'rest',
      clusters: [
        {
          name: 'v1',
          share: 90,
          breaker: 'closed',
          endpoints: [
            { address: 'a:1', state: 'available', why: 'available' },
            { address: 'b:1', state: 'available', why: 'available' },
          ],
        },
        { name: 'v2', share: 10, breaker: 'closed', endpoints: [{ address: 'c:1', state: 'available', why: 'available' }] },
        { name: 'v3', share: 0, breaker: 'closed', endpoints: [{ address: 'd:1', state: 'available', why: 'available' }] },
      ],
    })
  })

  test('says of each route in the order tried why it is not the one', async () => {
    const { routes } = await explained('http://pricing.shop.local/price', { headers: { 'X-Tenant': 'globex' } })
    assert.deepEqual(routes, [
      { name: 'admin', matched: false, chosen: false, reason: "path '/price' is not under '/admin', method GET is not POST" },
      { name: 'acme', matched: false, chosen: false, reason: "header 'x-tenant' must be present and be 'acme'; it is something else" },
      { name: 'rest', matched: true, chosen: true },
    ])
  })

  test('says of a route that matches too which one comes before it', async () => {
    const { route, routes } = await explained('http://pricing.shop.local/admin/x', { method: 'post', headers: { 'x-tenant': 'acme' } })
    assert.equal(route, 'admin')
    assert.deepEqual(routes.slice(1), [
      { name: 'acme', matched: true, chosen: false, reason: "it matches too, but route 'admin' comes before it" },
      { name: 'rest', matched: true, chosen: false, reason: "it matches too, but route 'admin' comes before it" },
    ])
  })

  test('says why no route matches, without the values that the request brings', async () => {
    const explanation = await explained('http://strict.local/x?secret=hunter2')
    assert.equal(explanation.summary, "no route of service 'strict.local' matches")
    assert.equal(explanation.route, undefined)
    assert.deepEqual(explanation.routes, [
      { name: 'routes[0]', matched: false, chosen: false, reason: "query parameter 'token' must be present; it is absent" },
    ])
    assert.ok(!JSON.stringify(explanation).includes('hunter2'))
  })

  test('says what egress makes of a host that is no service', async () => {
    assert.match((await explained('https://api.example.com/')).summary, /'api\.example\.com' is no service .* lets it pass/)
    const denied = await explained('http://api.example.com/')
    assert.match(denied.summary, /'api\.example\.com' is no service .* denies it/)
    assert.deepEqual([denied.routes, denied.clusters], [[], []])
  })

  test('takes a URL as text or as a URL, and refuses what is none', async () => {
    assert.equal((await explained(new URL('http://pricing.shop.local/'))).route, 'rest')
    await assert.rejects(explained('pricing.shop.local/'), TypeError)
  })

  test('says which endpoints are out and why, and when too few are left', async () => {
    const { mesh } = virtual({
      services: { s: { cluster: 's', retry: false } },
      clusters: { s: { ...listing('a:1', 'b:1', 'c:1', 'd:1'), outlier: { failures: 2 }, balancer: { type: 'round-robin' }, panic: 75 } },
    }, (attempt) => ({ status: attempt.endpoint.address === 'a:1' ? 500 : 200 }))
    const send = async (times: number) => {
      for (let i = 0; i < times; i++) await (await mesh.fetch('http://s/')).text()
    }
    const whys = () => Object.fromEntries(mesh.explain('http://s/').clusters[0]!.endpoints.map(({ address, why }) => [address, why]))
    await send(4)
    assert.equal(whys()['a:1'], 'available: 1 failure, ejected at 2')
    await send(4)
    assert.equal(whys()['a:1'], 'ejected: 2 failures in a row, the last with status 500; on probation in 10000 ms')
    assert.equal(whys()['b:1'], 'available')
    mesh.update({
      services: { s: { cluster: 's', retry: false } },
      clusters: { s: { ...listing('a:1', 'b:1', 'c:1', 'd:1'), outlier: { failures: 2 }, balancer: { type: 'round-robin' }, panic: 80 } },
    })
    assert.match(whys()['a:1']!, /; used all the same, since too few are available \(panic\)$/)
    await mesh.close()
  })

  test('says that a call would be refused while nobody is available and there is no panic', async () => {
    const { mesh, clock } = virtual({
      services: { s: { cluster: 's', retry: false } },
      clusters: { s: { ...listing('a:1', 'b:1'), healthCheck: { protocol: 'tcp' }, panic: 0 } },
    }, {}, { probe: () => Promise.resolve({ result: 'failed', found: 'no' }) })
    await clock.advance(1_000)
    const { summary, clusters } = mesh.explain('http://s/')
    assert.equal(summary, "service 's', route 'routes[0]', to 's'; of the endpoints of 's' none is available (2 unhealthy), so it would be refused there")
    assert.equal(clusters[0]!.unavailable, '2 unhealthy')
    await assert.rejects(mesh.fetch('http://s/'), { code: 'ENMESH_NO_ENDPOINT' })
    await mesh.close()
  })

  test('says that the breaker of a cluster is open', async () => {
    const { mesh } = virtual({
      services: { s: { cluster: 's', retry: false } },
      clusters: { s: { ...listing('a:1'), breaker: { calls: 2 } }, off: { ...listing('b:1'), breaker: false } },
    }, { status: 500 })
    for (let i = 0; i < 2; i++) await (await mesh.fetch('http://s/')).text()
    await settle()
    const [cluster] = mesh.explain('http://s/').clusters
    assert.equal(cluster!.breaker, 'open')
    mesh.update({ services: { s: { cluster: 'off' } }, clusters: { off: { ...listing('b:1'), breaker: false } } })
    assert.equal(mesh.explain('http://s/').clusters[0]!.breaker, undefined)
    await mesh.close()
  })
})

test('explain says where the key of a request leads, as its route sends it, through balancers around the one that hashes', async () => {
  const { mesh, upstream } = virtual({
    services: { 's.local': { routes: [{ name: 'api', match: { path: { prefix: '/api/' } }, rewrite: { prefix: '/' }, to: 's' }] } },
    clusters: {
      s: {
        ...listing(...Array.from({ length: 8 }, (_, host) => ({ address: `10.0.0.${host + 1}:80`, metadata: { zone: 'a' } }))),
        balancer: { type: 'priority', of: { type: 'zone-aware', zone: 'a', of: { type: 'ring-hash', key: { path: true } } } },
        slowStart: '1s',
      },
    },
  })
  await mesh.ready()
  for (const path of ['one', 'two', 'three']) {
    const { endpoints } = mesh.explain(`http://s.local/api/${path}`).clusters[0]!
    await (await mesh.fetch(`http://s.local/api/${path}`)).text()
    const here = endpoints.filter(({ why }) => why.endsWith("; the request's key leads here")).map(({ address }) => address)
    assert.deepEqual(here, [upstream.attempts.at(-1)!.endpoint.address])
    assert.equal(endpoints.filter(({ why }) => why.endsWith('leads elsewhere')).length, 7)
  }
  assert.ok(mesh.status().clusters['s']!.endpoints.every(({ why }) => !why.includes('key')))
  await mesh.close()
})
