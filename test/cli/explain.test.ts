import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { enmesh, folder, shop } from './support.ts'

const trimmed = (text: string, path: string): string => text.replaceAll(path, 'mesh.json')

describe('enmesh explain', () => {
  const asked = async (t: Parameters<typeof folder>[0], ...args: readonly string[]) => {
    const path = folder(t, { 'mesh.json': shop() })('mesh.json')
    const { code, stdout, stderr } = await enmesh(['explain', path, ...args])
    return { code, stdout: trimmed(stdout, path), stderr }
  }

  test('says which route and clusters, with where they are defined, and why not the others', async (t) => {
    const { code, stdout } = await asked(t, '--as', 'gateway-node', 'GET', 'http://pricing.shop.local/x', '-H', 'x-tenant: globex')
    assert.equal(code, 0)
    assert.equal(stdout, `GET http://pricing.shop.local/x
  service  pricing.shop.local
  route    all  (route all in mesh.json)
           deadline 15s
           up to 3 attempts, again after connect-failure, refused-stream, reset, 503
  to       pricing-v1, 90 %: dns pricing-v1.internal:8080  (virtualNode pricing-v1 in mesh.json)
  to       pricing-v2, 10 %: dns pricing-v2.internal:8080  (virtualNode pricing-v2 in mesh.json)
  why not another
    canary  header 'x-tenant' must be present and be 'acme'; it is something else  (route canary in mesh.json)
`)
  })

  test('says of a route that matches too which one comes before it', async (t) => {
    const { stdout } = await asked(t, 'http://pricing.shop.local/x', '-H', 'X-Tenant:acme')
    assert.match(stdout, /route {4}canary/)
    assert.match(stdout, /all {2}it matches too, but route 'canary' comes before it/)
  })

  test('says of a host that it is no service, and which was meant', async (t) => {
    const { code, stdout } = await asked(t, 'http://pricng.shop.local/')
    assert.equal(code, 0)
    assert.match(stdout, /'pricng\.shop\.local' is no service of this mesh; the egress policy denies it; did you mean 'pricing\.shop\.local'\?/)
  })

  test('says of a virtual service that it is no backend', async (t) => {
    const { stdout } = await asked(t, '--as', 'gateway-node', 'http://stock.shop.local/')
    assert.match(stdout, /it is a virtual service, but no backend of 'gateway-node': add it to the backends there/)
  })

  test('says what to ask for where a virtual gateway is meant', async (t) => {
    const inside = { meshName: 'shop', virtualGatewayName: 'edge' }
    const mesh = {
      ...shop(),
      virtualGateways: [{ ...inside, spec: { listeners: [{ portMapping: { port: 80, protocol: 'http' } }] } }],
      gatewayRoutes: [{ ...inside, gatewayRouteName: 'all', spec: { httpRoute: { match: { prefix: '/' }, action: { target: { virtualService: { virtualServiceName: 'stock.shop.local' } } } } } }],
    }
    const { stdout } = await enmesh(['explain', folder(t, { 'mesh.json': mesh })('mesh.json'), '--as', 'edge', 'http://api.example.com/'])
    assert.match(stdout, /'edge' is a virtual gateway, and what its own routes \('all'\) make of requests from outside is not told here: ask for what they send on, by 'stock\.shop\.local'$/m)
  })

  test('says where no route matches', async (t) => {
    const config = { services: { 'a.local': { routes: [{ name: 'x', match: { path: { exact: '/x' } }, to: 'a' }] } }, clusters: { a: { registry: { type: 'none' } } } }
    const { code, stdout } = await enmesh(['explain', folder(t, { 'mesh.json': config })('mesh.json'), 'POST', 'http://a.local/y'])
    assert.equal(code, 0)
    assert.equal(stdout, "POST http://a.local/y\n  service  a.local\n  no route of it matches\n  why not\n    x  path '/y' is not '/x'\n")
  })

  test('tells all of it as JSON', async (t) => {
    const { stdout } = await asked(t, '--json', 'PUT', 'http://pricing.shop.local/')
    const { ok, faults, request, service, route, clusters, routes, policy, summary } = JSON.parse(stdout)
    assert.deepEqual({ ok, faults, request, service, route, policy, summary }, {
      ok: true, faults: [], request: { method: 'PUT', url: 'http://pricing.shop.local/' }, service: 'pricing.shop.local', route: 'all',
      policy: ['deadline 15s', 'up to 3 attempts, again after connect-failure, refused-stream, reset, 503'],
      summary: "service 'pricing.shop.local', route 'all', to 'pricing-v1' or 'pricing-v2'",
    })
    assert.deepEqual(clusters[0], { name: 'pricing-v1', share: 90, registry: 'dns pricing-v1.internal:8080', from: { file: 'mesh.json', resource: 'virtualNode pricing-v1' } })
    assert.deepEqual(routes.map((one: { name: string, chosen: boolean }) => [one.name, one.chosen]), [['canary', false], ['all', true]])
  })

  test('shows neither credentials of a URL nor what variables stand for', async (t) => {
    const config = 'services:\n  a.local:\n    routes: [{ match: { headers: { x-key: "${API_KEY}" } }, to: a }]\nclusters:\n  a: { registry: { type: static, endpoints: ["${HOST}:80"] } }\n'
    const path = folder(t, { 'mesh.yaml': config })('mesh.yaml')
    for (const json of [[], ['--json']]) {
      const { stdout, stderr } = await enmesh(['explain', path, 'http://me:pass@a.local/', ...json], { env: { API_KEY: 'topsecret', HOST: 'inner.host' } })
      assert.doesNotMatch(stdout + stderr, /topsecret|inner\.host|pass@/)
      assert.match(stdout, /\$\{API_KEY\}/)
    }
  })

  test('only counts warnings: check tells them', async (t) => {
    const mesh = { ...shop(), mesh: undefined }
    const path = folder(t, { 'mesh.json': mesh })('mesh.json')
    const { code, stderr } = await enmesh(['explain', path, 'http://pricing.shop.local/'])
    assert.deepEqual([code, stderr], [0, '1 warning: `enmesh check` tells it\n'])
  })

  for (const [args, said] of [
    [['GET', 'http://a.local/'], /no file is given/],
    [['mesh.yaml', 'GET', '/x'], /the last word is the URL that is asked about/],
    [['mesh.yaml', 'ftp://a.local/'], /the last word is the URL/],
    [['mesh.yaml', 'http://a.local/', '-H', 'x'], /It is written 'name: value'/],
    [['mesh.yaml', 'http://a.local/', '-H', 'a b: c'], /It is written 'name: value'/],
    [['mesh.yaml', 'http://a.local/', '-H', 'a: €'], /in Latin letters/],
  ] as const) {
    test(`refuses ${args.join(' ')}`, async () => {
      const { code, stderr } = await enmesh(['explain', ...args])
      assert.equal(code, 2)
      assert.match(stderr, said)
    })
  }

  test('wants one definition', async (t) => {
    const at = folder(t, { 'a.yaml': 'services: {}\n', 'b.json': shop() })
    const { code, stderr } = await enmesh(['explain', at('a.yaml'), at('b.json'), 'http://a.local/'])
    assert.equal(code, 2)
    assert.match(stderr, /one definition is wanted, and these are 2/)
  })
})
