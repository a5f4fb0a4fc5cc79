import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { configSchema, createMesh, MeshConfigError, MeshError, type EndpointSpec, type MeshInput, type MeshOptions } from '../../src/index.ts'
import type { Script } from '../../src/testing/index.ts'
import { virtual } from './support.ts'

type Balancer = NonNullable<NonNullable<MeshInput['clusters']>[string]['balancer']>
type ClusterInput = NonNullable<MeshInput['clusters']>[string]

const over = (
  t: TestContext, balancer: Balancer, endpoints: readonly EndpointSpec[],
  { script = {}, cluster = {}, ...options }: { script?: Script, cluster?: Partial<ClusterInput> } & MeshOptions = {},
) => {
  const made = virtual({
    services: { 's.local': { cluster: 's', retry: { attempts: 3, backoff: { base: 0 } } } },
    clusters: { s: { registry: { type: 'static', endpoints: [...endpoints] }, balancer, breaker: false, ...cluster } },
  }, script, options)
  t.after(() => made.mesh.close())
  /** Which endpoints a number of requests went to, in order. */
  const went = async (requests: number, init: (index: number) => Parameters<typeof made.mesh.fetch>[1] = () => ({})): Promise<string[]> => {
    const before = made.upstream.attempts.length
    for (let index = 0; index < requests; index++) {
      const answered = made.mesh.fetch('http://s.local/', init(index)).then((response) => response.text())
      // Where it is tried again, it waits for the clock.
      await made.clock.advance(1)
      await answered
    }
    return made.upstream.attempts.slice(before).map(({ endpoint }) => endpoint.address)
  }
  return { ...made, went, why: (address: string) => made.mesh.status().clusters['s']!.endpoints.find((one) => one.address === address)!.why }
}

const hosts = (count: number, metadata: Readonly<Record<string, string>> = {}, net = 0): EndpointSpec[] =>
  Array.from({ length: count }, (_, index) => ({ address: `10.0.${net}.${index + 1}:80`, metadata }))

describe('session affinity', () => {
  const byCookie = { type: 'ring-hash', key: [{ cookie: 'session' }, { header: 'x-user' }] } as const

  test('one session stays at one endpoint, and sessions spread over all', async (t) => {
    const { went } = over(t, byCookie, hosts(5))
    const all = new Set<string>()
    for (let user = 0; user < 60; user++) {
      const places = new Set(await went(3, () => ({ headers: { cookie: `theme=dark; session=s${user}` } })))
      assert.equal(places.size, 1)
      all.add([...places][0]!)
    }
    assert.equal(all.size, 5)
  })

  test('only the sessions of an endpoint that is gone move', async (t) => {
    const sessions = (index: number) => ({ headers: { 'x-user': `user-${index}` } })
    const before = await over(t, byCookie, hosts(5)).went(100, sessions)
    const after = await over(t, byCookie, hosts(4)).went(100, sessions)
    for (const [index, place] of before.entries()) {
      if (place !== '10.0.0.5:80') assert.equal(after[index], place)
      else assert.notEqual(after[index], place)
    }
  })

  test("a call's own key, and one that a layer makes of the request, go before the cookie", async (t) => {
    const { went } = over(t, byCookie, hosts(5))
    const cookies = (index: number) => ({ cookie: `session=s${index}` })
    assert.equal(new Set(await went(20, (index) => ({ headers: cookies(index), mesh: { hashKey: 'tenant-1' } }))).size, 1)
    const byTenant = over(t, byCookie, hosts(5), {
      layers: { call: [(next) => (call) => { call.hashKey = call.request.header('x-user')?.split('@')[1]; return next(call) }] },
    })
    assert.equal(new Set(await byTenant.went(20, (index) => ({ headers: { 'x-user': `user-${index}@acme`, ...cookies(index) } }))).size, 1)
  })

  test('a session whose endpoint fails is answered by another one', async (t) => {
    const { went } = over(t, byCookie, hosts(3), { script: [{ status: 503 }, {}] })
    const [first, second] = await went(1, () => ({ headers: { 'x-user': 'ada' } }))
    assert.ok(first && second && first !== second)
  })
})

describe('failover between levels', () => {
  test('a level that is ejected as a whole leaves its traffic to the next, panic or not', async (t) => {
    const main = hosts(4, { priority: '0' })
    const backup = hosts(2, { priority: '1' }, 1)
    const { mesh, went, why } = over(t, { type: 'priority', of: { type: 'round-robin' } }, [...main, ...backup], {
      script: ({ endpoint }) => ({ status: endpoint.address.startsWith('10.0.0.') ? 503 : 200 }),
      cluster: { outlier: { failures: 1, maxEjected: 100 } },
    })
    await mesh.ready()
    assert.match(why('10.0.1.1:80'), /of level 1, which gets 0 % of the traffic$/)
    await went(6)
    const after = await went(20)
    assert.ok(after.every((address) => address.startsWith('10.0.1.')), String(after))
    assert.match(why('10.0.1.1:80'), /of level 1, which gets 100 % of the traffic$/)
    assert.match(why('10.0.0.1:80'), /^ejected: .*of level 0, which gets 0 % of the traffic$/)
  })
})

describe('failover of a part', () => {
  for (const slowStart of [0, '30s'] as const) {
    test(`a level of which half is ejected keeps what the other half can bear, with a slow start of ${slowStart}`, async (t) => {
      const endpoints = [...hosts(4, { priority: '0' }), ...hosts(4, { priority: '1' }, 1)]
      const { mesh, went, why, clock, upstream } = over(t, { type: 'priority', of: { type: 'round-robin' } }, endpoints, {
        script: ({ endpoint }) => ({ status: ['10.0.0.1:80', '10.0.0.2:80'].includes(endpoint.address) && !recovered ? 503 : 200 }),
        cluster: { outlier: { failures: 1 }, slowStart },
      })
      let recovered = false
      await went(6)
      assert.match(why('10.0.0.3:80'), /of level 0, which gets 70 % of the traffic$/)
      assert.match(why('10.0.1.3:80'), /of level 1, which gets 30 % of the traffic$/)
      recovered = true
      await clock.advance(10_000)
      // One probe brings back the first, so three of four can bear everything.
      await went(1)
      assert.match(why('10.0.0.3:80'), /of level 0, which gets 100 % of the traffic$/)
      assert.ok(upstream.attempts.length > 0 && !mesh.status().clusters['s']!.panic)
    })
  }
})

describe('zones', () => {
  test('status and explain say what each zone gets', async (t) => {
    const { mesh, went, why } = over(t, { type: 'zone-aware', zone: 'a', of: { type: 'random' } },
      [...hosts(4, { zone: 'a' }), ...hosts(4, { zone: 'b' }, 1)])
    const places = await went(40)
    assert.ok(places.every((address) => address.startsWith('10.0.0.')))
    assert.equal(why('10.0.1.1:80'), "available; in zone 'b', which gets 0 % of the traffic from 'a'")
    const [cluster] = mesh.explain('http://s.local/').clusters
    assert.equal(cluster!.endpoints[0]!.why, "available; in zone 'a', which gets 100 % of the traffic from 'a'")
  })

  test('slow start works around it, and leaves its words', async (t) => {
    let down = true
    const { went, why, clock } = over(t, { type: 'zone-aware', zone: 'a', minEndpoints: 1, of: { type: 'random' } }, hosts(4, { zone: 'a' }), {
      script: ({ endpoint }) => ({ status: down && endpoint.address === '10.0.0.1:80' ? 503 : 200 }),
      cluster: { slowStart: '60s', outlier: { failures: 1 } },
    })
    await went(20)
    assert.match(why('10.0.0.1:80'), /^ejected: 1 failure/)
    down = false
    await clock.advance(10_000)
    await went(1)
    assert.match(why('10.0.0.1:80'), /^available, in slow start for \d+ ms; in zone 'a', which gets 100 % of the traffic from 'a'$/)
    const counts = (await went(200)).filter((address) => address === '10.0.0.1:80').length
    assert.ok(counts > 0 && counts < 20, `${counts} of 200 in the first second`)
  })
})

describe('subsets', () => {
  test('a request that no endpoint is for is refused, and the error says by whom', async (t) => {
    const { mesh } = over(t, { type: 'subset', metadata: { version: { header: 'x-version' } }, fallback: 'none' }, hosts(3, { version: '1' }))
    await mesh.ready()
    const error = await mesh.fetch('http://s.local/', { headers: { 'x-version': '2' } }).then(() => undefined, (one: unknown) => one)
    assert.ok(error instanceof MeshError)
    assert.equal(error.code, 'ENMESH_NO_ENDPOINT')
    assert.match(error.message, /none of the 3 endpoints of cluster 's' that may be picked is for this request, says its balancer \(subset\)/)
    assert.equal((await mesh.fetch('http://s.local/', { headers: { 'x-version': '1' } })).status, 200)
  })
})

describe('balancers that hold others', () => {
  const holding = (balancer: object): MeshInput => ({
    services: { s: { cluster: 's' } }, clusters: { s: { registry: { type: 'static', endpoints: ['a:1'] }, balancer: balancer as Balancer } },
  })

  test('have every default written out in status', async () => {
    const mesh = createMesh(holding({ type: 'priority', of: { type: 'aperture' } }))
    assert.deepEqual(mesh.status().clusters['s']!.config.balancer, {
      type: 'priority', by: 'priority', overprovisioning: 1.4, of: { type: 'aperture', size: 12, of: { type: 'prequal', choices: 2, pool: 4, quantile: 0.6, age: 5_000, probes: false } },
    })
    await mesh.close()
  })

  test('name the place of a fault inside', () => {
    for (const [balancer, place, message] of [
      [{ type: 'priority', of: { type: 'peak-ewna' } }, 'clusters.s.balancer.of.type', /did you mean 'peak-ewma'/],
      [{ type: 'priority', of: { type: 'maglev', tableSize: 100 } }, 'clusters.s.balancer.of.tableSize', /must be a prime/],
      [{ type: 'ring-hash', key: { cookie: 'a', header: 'b' } }, 'clusters.s.balancer.key', /needs exactly one of header, cookie, query, path/],
      [{ type: 'ring-hash', key: [{ heder: 'b' }] }, 'clusters.s.balancer.key[0].heder', /did you mean 'header'/],
      [{ type: 'zone-aware' }, 'clusters.s.balancer.zone', /is missing/],
      [{ type: 'zone-aware', zone: 'a', callers: { b: 1 } }, 'clusters.s.balancer.callers', /must count the callers of the own zone/],
      [{ type: 'subset', metadata: { v: '1' }, fallback: 'al' }, 'clusters.s.balancer.fallback', /must be 'any', 'none', or metadata/],
    ] as const) {
      assert.throws(() => createMesh(holding(balancer)), (error) => {
        assert.ok(error instanceof MeshConfigError)
        assert.equal(error.faults[0]!.path, place, error.message)
        assert.match(error.faults[0]!.message, message)
        return true
      })
    }
  })

  test('stand in the schema of configuration files', () => {
    const text = JSON.stringify(configSchema())
    for (const type of ['ring-hash', 'maglev', 'aperture', 'zone-aware', 'priority', 'subset', 'weighted']) assert.ok(text.includes(`"const":"${type}"`), type)
  })
})
