import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { balancers, createMesh, kind, MeshConfigError, MeshError, registries, type MeshInput } from '../../src/index.ts'
import { FakeRegistry, fakeRuntime, scriptedUpstream, settle, type ScriptedAnswer } from '../../src/testing/index.ts'
import { listing, outcomeOf, virtual } from './support.ts'

const code = (wanted: string) => (error: unknown): true => {
  assert.ok(error instanceof MeshError, String(error))
  assert.equal(error.code, wanted)
  return true
}

describe('a service is found', () => {
  const config = {
    services: {
      'Order.Shop.Local': { cluster: 'any-port' },
      'order.shop.local:8443': { cluster: 'one-port' },
      '[2001:DB8::1]': { cluster: 'v6' },
    },
    clusters: { 'any-port': listing('a:1'), 'one-port': listing('b:1'), 'v6': listing('c:1') },
  } satisfies MeshInput

  const found: Readonly<Record<string, string>> = {
    'http://order.shop.local/': 'any-port',
    'http://ORDER.shop.LOCAL/': 'any-port',
    'http://order.shop.local./': 'any-port',
    'http://order.shop.local:9000/': 'any-port',
    'https://order.shop.local/': 'any-port',
    'http://order.shop.local:8443/': 'one-port',
    'https://Order.Shop.Local.:8443/': 'one-port',
    'http://[2001:db8:0::1]:80/': 'v6',
  }
  for (const [url, cluster] of Object.entries(found)) {
    test(`${url} by ${cluster}`, async () => {
      const { mesh } = virtual(config)
      assert.equal(mesh.trail(await mesh.fetch(url))?.cluster, cluster)
      await mesh.close()
    })
  }

  test('not by a longer or a shorter name, which egress judges', async () => {
    const { mesh, upstream } = virtual({ ...config, egress: 'deny' })
    for (const url of ['http://x.order.shop.local/', 'http://shop.local/', 'http://order.shop.local.evil/']) {
      await assert.rejects(mesh.fetch(url), code('ENMESH_EGRESS_DENIED'))
    }
    assert.equal(upstream.attempts.length, 0)
    await mesh.close()
  })
})

test('fetch brings status, headers and body of the endpoint, sent under the name of the service', async () => {
  const { mesh, upstream } = virtual(
    { services: { order: ['a:1'] } },
    { status: 201, headers: { 'content-type': 'application/json', 'x-of': 'endpoint' }, body: '{"id":1}' },
  )
  const response = await mesh.fetch('http://order/orders?x=1', { method: 'POST', body: 'order', headers: { 'X-Own': 'yes' } })
  assert.ok(response instanceof Response)
  assert.equal(response.status, 201)
  assert.equal(response.headers.get('x-of'), 'endpoint')
  assert.deepEqual(await response.json(), { id: 1 })
  const { request } = upstream.attempts[0]!.call
  assert.deepEqual([request.method, request.authority, request.path, request.header('x-own')], ['POST', 'order', '/orders?x=1', 'yes'])
  await mesh.close()
})

test('the trail tells where a call went and what each attempt took', async () => {
  const answers: ScriptedAnswer[] = [{ status: 503, delay: 40 }, { delay: 60, bodyDelay: 100, body: 'x' }]
  const { mesh, clock } = virtual({
    services: { order: { routes: [{ name: 'all', to: 'order', retry: { backoff: { base: 0, max: 0 } } }] } },
    clusters: { order: { ...listing('a:1', 'b:1'), balancer: { type: 'round-robin' } } },
  }, answers)
  const fetched = mesh.fetch('http://order/')
  await clock.advance(120)
  const response = await fetched
  assert.equal(mesh.trail(response)?.took, undefined)
  await clock.advance(1_000)
  const { attempts, requestId, ...trail } = mesh.trail(response)!
  assert.match(requestId!, /^[0-9a-f-]{36}$/)
  assert.deepEqual(trail, { service: 'order', route: 'all', cluster: 'order', endpoint: attempts[1]!.endpoint, took: 200, redirects: [] })
  const [first, second] = attempts
  const common = { queued: 0, ending: 'complete' }
  assert.deepEqual(attempts, [
    { ...common, number: 1, endpoint: first!.endpoint, why: 'first', startedAt: 0, head: 40, took: 40, status: 503 },
    { ...common, number: 2, endpoint: second!.endpoint, why: 'retry after 503', startedAt: 40, head: 60, took: 160, status: 200 },
  ])
  assert.notEqual(first!.endpoint, second!.endpoint)
  await mesh.close()
})

test('the trail of a failed call hangs on its error, that of anything else is none', async () => {
  const { mesh } = virtual({ services: { order: ['a:1'] } }, { error: 'ENMESH_CONNECT_FAILED' })
  const error: unknown = await mesh.fetch('http://order/', { mesh: { retry: false } }).catch((error: unknown) => error)
  assert.equal(mesh.trail(error)?.attempts[0]?.ending, 'ENMESH_CONNECT_FAILED')
  for (const other of [undefined, null, 'x', {}, new Response(), new Error('x')]) assert.equal(mesh.trail(other), undefined)
  await mesh.close()
})

test('a request that no route matches is ENMESH_NO_ROUTE, with the way out', async () => {
  const { mesh, upstream } = virtual({
    services: { order: { routes: [{ match: { method: 'GET' }, to: 'order' }] } },
    clusters: { order: listing('a:1') },
  })
  await assert.rejects(mesh.fetch('http://order/x', { method: 'POST' }), (error: MeshError) => {
    assert.match(error.message, /POST order\/x: none of the 1 routes of service 'order' matches.*catch-all/)
    return code('ENMESH_NO_ROUTE')(error)
  })
  assert.equal(upstream.attempts.length, 0)
  assert.equal(mesh.status().calls, 0)
  await mesh.close()
})

test('policy of one call goes over that of its route', async () => {
  const { mesh, upstream, clock } = virtual(
    { services: { order: { cluster: 'order', timeout: '10s' } }, clusters: { order: listing('a:1') } },
    { delay: Number.POSITIVE_INFINITY },
  )
  const outcome = mesh.fetch('http://order/', { mesh: { timeout: '100ms' } })
  const rejected = assert.rejects(outcome, code('ENMESH_DEADLINE_EXCEEDED'))
  await clock.advance(100)
  await rejected
  assert.equal(upstream.attempts.length, 1)
  await mesh.close()
})

describe('before the first endpoint set', () => {
  const waiting = (timeout: string) => {
    const registry = new FakeRegistry()
    const runtime = fakeRuntime()
    const upstream = scriptedUpstream({ status: 204 })
    const mesh = createMesh(
      { services: { order: { cluster: 'order', timeout } }, clusters: { order: { registry: { type: 'fake' } } } },
      { runtime, transport: upstream.send, registries: registries.with(registry.kind) },
    )
    return { registry, clock: runtime.clock, upstream, mesh }
  }

  test('a call waits for it', async () => {
    const { registry, clock, mesh } = waiting('1s')
    const fetched = mesh.fetch('http://order/')
    await clock.advance(900)
    assert.equal(await outcomeOf(fetched), 'open')
    registry.push('a:1')
    assert.equal((await fetched).status, 204)
    await mesh.close()
    assert.equal(clock.pending, 0)
  })

  test('a call waits no longer than its deadline', async () => {
    const { registry, clock, upstream, mesh } = waiting('1s')
    const rejected = assert.rejects(mesh.fetch('http://order/'), code('ENMESH_DEADLINE_EXCEEDED'))
    await clock.advance(1_000)
    await rejected
    registry.push('a:1')
    await settle()
    assert.equal(upstream.attempts.length, 0, 'a call that is over must not be sent')
    await mesh.close()
    assert.equal(clock.pending, 0)
  })

  test('a call whose caller gives up rejects with the reason', async () => {
    const { mesh, clock } = waiting('1s')
    const abort = new AbortController()
    const fetched = mesh.fetch('http://order/', { signal: abort.signal })
    await settle()
    abort.abort(new Error('changed my mind'))
    await assert.rejects(fetched, { message: 'changed my mind' })
    assert.equal(mesh.status().calls, 0)
    await mesh.close()
    assert.equal(clock.pending, 0)
  })

  test('ready is open, and resolves with it', async () => {
    const { registry, mesh } = waiting('1s')
    const ready = mesh.ready()
    assert.equal(await outcomeOf(ready), 'open')
    registry.push('a:1')
    await ready
    await mesh.close()
  })

  test('ready rejects with the reason of its signal, before and after', async () => {
    const { mesh } = waiting('1s')
    const abort = new AbortController()
    const ready = mesh.ready(abort.signal)
    abort.abort(new Error('enough'))
    await assert.rejects(ready, { message: 'enough' })
    await assert.rejects(mesh.ready(abort.signal), { message: 'enough' })
    await mesh.close()
  })

  test('close ends a call that waits, after `drain`', async () => {
    const { mesh, clock } = waiting('1h')
    const rejected = assert.rejects(mesh.fetch('http://order/'), code('ENMESH_CLOSED'))
    await settle()
    const closed = mesh.close()
    await clock.advance(10_000)
    await Promise.all([rejected, closed])
    assert.equal(clock.pending, 0)
  })
})

describe('update', () => {
  const first = {
    services: { a: { cluster: 'a' }, b: { cluster: 'b' }, gone: ['x:1'] },
    clusters: { a: listing('a:1'), b: listing('b:1') },
  } satisfies MeshInput

  test('tells what it added, changed and removed', async () => {
    const { mesh } = virtual(first)
    assert.deepEqual(mesh.update(first), { added: [], changed: [], removed: [] })
    assert.deepEqual(mesh.update({
      services: { a: { cluster: 'a' }, b: { cluster: 'b', timeout: '1s' }, fresh: ['y:1'] },
      clusters: { a: { ...listing('a:1'), panic: 10 }, b: listing('b:1') },
      egress: 'deny',
    }), {
      added: ['services.fresh', 'clusters.fresh'],
      changed: ['services.b', 'clusters.a', 'egress'],
      removed: ['services.gone', 'clusters.gone'],
    })
    await mesh.close()
  })

  test('tells of the settings of the whole mesh too', async () => {
    const { mesh } = virtual(first)
    assert.deepEqual(mesh.update({ ...first, drain: '1s', replayLimit: 0 }).changed, ['replayLimit', 'drain'])
    await mesh.close()
  })

  test('holds for the next call; one under way keeps the configuration that it began with', async () => {
    const { mesh, clock } = virtual({ services: { s: { cluster: 'a' } }, clusters: { a: listing('a:1') } }, { delay: 100 })
    const before = mesh.fetch('http://s/')
    await settle()
    mesh.update({ services: { s: { cluster: 'b' } }, clusters: { b: listing('b:1') } })
    const after = mesh.fetch('http://s/')
    await clock.advance(100)
    assert.equal(mesh.trail(await before)?.endpoint, 'a:1')
    assert.equal(mesh.trail(await after)?.endpoint, 'b:1')
    await mesh.close()
    assert.equal(clock.pending, 0)
  })

  test('with a fault throws, tells so, and changes nothing', async () => {
    const { mesh } = virtual(first)
    const told: unknown[] = []
    mesh.on('config-rejected', ({ error }) => told.push(error))
    mesh.on('config-applied', () => told.push('applied'))
    const before = JSON.stringify(mesh.status())
    assert.throws(() => mesh.update({ services: { a: { cluster: 'nowhere' } } }), (error: unknown) => {
      assert.ok(error instanceof MeshConfigError)
      assert.deepEqual(told, [error])
      return true
    })
    assert.equal(JSON.stringify(mesh.status()), before)
    assert.equal((await mesh.fetch('http://a/')).status, 200)
    await mesh.close()
  })

  const failing = (status: number) => ({
    services: { s: { cluster: 's', retry: false } },
    clusters: { s: { ...listing('a:1', 'b:1'), breaker: { calls: 4 }, outlier: { failures: 2 }, panic: 0 }, other: listing(`x:${status}`) },
  } satisfies MeshInput)

  const fail = async (mesh: ReturnType<typeof virtual>['mesh'], times: number) => {
    for (let i = 0; i < times; i++) await mesh.fetch('http://s/').then((response) => response.text(), () => {})
  }

  test('that does not concern a cluster leaves its breaker open', async () => {
    const { mesh, upstream } = virtual(failing(1), { status: 500 })
    await fail(mesh, 4)
    assert.equal((mesh.status().clusters['s']!.breaker as { state: string }).state, 'open')
    mesh.update(failing(2))
    await assert.rejects(mesh.fetch('http://s/'), code('ENMESH_CIRCUIT_OPEN'))
    assert.equal(upstream.attempts.length, 4)
    await mesh.close()
  })

  test('of the breaker starts it afresh, and nothing else', async () => {
    const { mesh, clock } = virtual(failing(1), { status: 500 })
    await fail(mesh, 4)
    const changed = failing(1)
    mesh.update({ ...changed, clusters: { ...changed.clusters, s: { ...changed.clusters.s, breaker: { calls: 5 } } } })
    const { breaker, endpoints } = mesh.status().clusters['s']!
    assert.deepEqual(breaker, { state: 'closed', calls: 0, failures: 0 })
    assert.equal(endpoints.filter(({ state }) => state === 'ejected').length, 1)
    assert.equal((await mesh.fetch('http://s/')).status, 500)
    await mesh.close()
    assert.equal(clock.pending, 0)
  })

  test('leaves ejected endpoints out, and what was counted of them', async () => {
    const { mesh } = virtual(failing(1), { status: 500 })
    await fail(mesh, 4)
    const { endpoints } = mesh.status().clusters['s']!
    assert.equal(endpoints.filter(({ state }) => state === 'ejected').length, 1)
    assert.equal(endpoints.reduce((sum, { failures }) => sum + failures, 0), 4)
    mesh.update(failing(2))
    assert.deepEqual(mesh.status().clusters['s']!.endpoints, endpoints)
    await mesh.close()
  })

  test('of the endpoints keeps what is known of those that stay', async () => {
    const { mesh } = virtual({ services: { s: ['a:1', 'b:1'] } })
    for (let i = 0; i < 6; i++) await mesh.fetch('http://s/')
    const before = mesh.status().clusters['s']!.endpoints
    mesh.update({ services: { s: ['b:1', 'c:1'] } })
    await mesh.ready()
    await settle()
    const after = mesh.status().clusters['s']!.endpoints
    assert.deepEqual(after.map(({ address }) => address), ['b:1', 'c:1'])
    assert.equal(after[0]!.attempts, before[1]!.attempts)
    assert.equal(after[1]!.attempts, 0)
    await mesh.close()
  })

  test('that fails half-way leaves no timer and watches no registry', async () => {
    const registry = new FakeRegistry()
    const runtime = fakeRuntime()
    const mesh = createMesh({}, { runtime, transport: scriptedUpstream({}).send, registries: registries.with(registry.kind) })
    const { pending } = runtime.clock
    assert.throws(() => mesh.update({
      services: { s: { cluster: 'missing' } },
      clusters: { f: { registry: { type: 'fake' } } },
    }), MeshConfigError)
    await settle()
    assert.deepEqual([registry.watches, runtime.clock.pending], [0, pending])
    await mesh.close()
  })

  test('on a closed mesh is refused', async () => {
    const { mesh } = virtual(first)
    await mesh.close()
    assert.throws(() => mesh.update(first), code('ENMESH_CLOSED'))
  })
})

describe('close', () => {
  const config = { services: { s: ['a:1', 'b:1'] }, drain: '2s' } satisfies MeshInput

  test('lets calls under way end, their bodies included', async () => {
    const { mesh, clock } = virtual(config, { delay: 500, bodyDelay: 500, body: 'whole' })
    const fetched = mesh.fetch('http://s/').then((response) => response.text())
    await settle()
    const closed = mesh.close()
    assert.equal(await outcomeOf(closed), 'open')
    await clock.advance(1_000)
    assert.equal(await fetched, 'whole')
    await closed
    assert.equal(clock.pending, 0)
  })

  test('refuses new calls from the first moment', async () => {
    const { mesh, clock, upstream } = virtual(config, { delay: 500 })
    const fetched = mesh.fetch('http://s/')
    await settle()
    const closed = mesh.close()
    await assert.rejects(mesh.fetch('http://s/'), code('ENMESH_CLOSED'))
    await assert.rejects(mesh.fetch('http://elsewhere/'), code('ENMESH_CLOSED'))
    await clock.advance(500)
    await Promise.all([fetched, closed])
    assert.equal(upstream.attempts.length, 1)
    assert.equal(mesh.status().closed, true)
  })

  test('aborts after `drain` what has not ended by then', async () => {
    const { mesh, clock } = virtual(config, { delay: Number.POSITIVE_INFINITY })
    const rejected = assert.rejects(mesh.fetch('http://s/'), code('ENMESH_CLOSED'))
    await settle()
    const closed = mesh.close()
    await clock.advance(1_999)
    assert.equal(await outcomeOf(closed), 'open')
    await clock.advance(1)
    await Promise.all([rejected, closed])
    assert.equal(mesh.status().calls, 0)
    assert.equal(clock.pending, 0)
  })

  test('ends a body that is not over after `drain`', async () => {
    const { mesh, clock } = virtual(config, { bodyDelay: Number.POSITIVE_INFINITY })
    const response = await mesh.fetch('http://s/')
    const read = assert.rejects(response.text())
    const closed = mesh.close()
    await clock.advance(2_000)
    await Promise.all([read, closed])
    assert.equal(clock.pending, 0)
  })

  test('twice is once', async () => {
    const { mesh } = virtual(config)
    assert.equal(mesh.close(), mesh.close())
    await mesh.close()
  })

  test('also happens at the end of `await using`', async () => {
    const { mesh, clock } = virtual(config)
    {
      await using scoped = mesh
      await scoped.fetch('http://s/')
    }
    assert.equal(mesh.status().closed, true)
    assert.equal(clock.pending, 0)
  })

  test('leaves no timer of ejections, open breakers, slow start, polls or retries', async () => {
    const registry = new FakeRegistry()
    const runtime = fakeRuntime()
    const upstream = scriptedUpstream({ status: 503, delay: 10 })
    const mesh = createMesh({
      services: { s: { cluster: 's' } },
      clusters: {
        s: { registry: { type: 'fake' }, slowStart: '30s', outlier: { failures: 1 }, breaker: { calls: 3 } },
        dns: { registry: { type: 'dns', hostname: 'localhost', port: 1, resolver: 'system' } },
      },
      drain: 0,
    }, { runtime, transport: upstream.send, registries: registries.with(registry.kind) })
    registry.push('a:1', 'b:1')
    await runtime.clock.advance(1)
    registry.push('a:1', 'b:1', 'c:1', 'd:1')
    const fetched = Promise.allSettled(Array.from({ length: 20 }, () => mesh.fetch('http://s/')))
    await runtime.clock.advance(12)
    assert.ok(mesh.status().clusters['s']!.endpoints.some(({ state }) => state === 'ejected'))
    assert.ok(runtime.clock.pending > 0)
    const closed = mesh.close()
    await runtime.clock.advance(0)
    await Promise.all([fetched, closed])
    await settle()
    assert.equal(runtime.clock.pending, 0)
    assert.deepEqual([registry.open, mesh.status().calls, upstream.attempts.filter(({ ending }) => ending === undefined).length], [0, 0, 0])
  })
})

test('on hears until it is told to stop, and nothing after close', async () => {
  const { mesh } = virtual({})
  const heard: string[] = []
  const stop = mesh.on('config-applied', ({ added }) => heard.push(...added))
  mesh.on('endpoint-added', ({ endpoint }) => heard.push(endpoint))
  mesh.update({ services: { s: ['a:1'] } })
  await mesh.ready()
  stop()
  mesh.update({ services: { s: ['a:1'], t: ['b:1'] } })
  await mesh.ready()
  await settle()
  assert.deepEqual(heard, ['services.s', 'clusters.s', 'a:1', 'b:1'])
  await mesh.close()
})

test("errors: 'fetch' rejects as the platform does, with the mesh's error as the cause", async () => {
  const { mesh } = virtual({ services: { s: ['a:1'] } }, { error: 'ENMESH_CONNECT_FAILED' }, { errors: 'fetch' })
  const error = await mesh.fetch('http://s/', { mesh: { retry: false } }).catch((error: unknown) => error) as TypeError
  assert.deepEqual([error.name, error.message], ['TypeError', 'fetch failed'])
  assert.ok(!(error instanceof MeshError))
  code('ENMESH_CONNECT_FAILED')(error.cause)
  assert.equal(mesh.trail(error)?.service, 's')
  await mesh.close()
})

test('layers of your own stand around each call and each attempt', async () => {
  const seen: string[] = []
  const { mesh, clock } = virtual({ services: { s: ['a:1', 'b:1'] } }, [{ status: 503 }, { status: 200 }], {
    layers: {
      call: [(next) => (call) => { seen.push(`call to ${call.service}`); return next(call) }],
      attempt: [(next) => (attempt) => { seen.push(`attempt ${attempt.number}`); return next(attempt) }],
    },
  })
  const fetched = mesh.fetch('http://s/')
  await clock.advance(1_000)
  assert.equal((await fetched).status, 200)
  assert.deepEqual(seen, ['call to s', 'attempt 1', 'attempt 2'])
  await mesh.close()
})

describe('a cluster whose registry is silent', () => {
  const silent = () => {
    const fake = new FakeRegistry()
    const runtime = fakeRuntime()
    const config = { services: { a: { cluster: 'one', timeout: 0 } }, clusters: { one: { registry: { type: 'fake' } } } } as const
    const mesh = createMesh(config, { runtime, registries: registries.with(fake.kind), transport: scriptedUpstream({}).send })
    return { mesh, runtime }
  }

  test('ready rejects when the mesh is closed meanwhile', async () => {
    const { mesh } = silent()
    const ready = mesh.ready()
    await mesh.close()
    await assert.rejects(ready, { code: 'ENMESH_CLOSED' })
  })

  test('a call without a deadline ends when an update has removed the cluster and the drain is over', async () => {
    const { mesh, runtime } = silent()
    const outcome = mesh.fetch('http://a/').catch((error: unknown) => error)
    await settle()
    mesh.update({ services: {}, clusters: {} })
    await runtime.clock.advance(10_000)
    assert.equal((await outcome as MeshError).code, 'ENMESH_NO_ENDPOINT')
    await mesh.close()
  })
})

test('an update whose balancer cannot make a picker changes nothing', async () => {
  const picky = kind('picky', z.strictObject({}), () => () => { throw new Error('no picker today') })
  const own = createMesh({ services: { a: { cluster: 'one' } }, clusters: { one: listing('10.0.0.1:1') } }, { runtime: fakeRuntime(), balancers: balancers.with(picky) })
  const before = JSON.stringify(own.status().config)
  assert.throws(() => own.update({
    services: { a: { cluster: 'one' }, b: ['10.0.0.9:1'] },
    clusters: { one: { ...listing('10.0.0.1:1'), balancer: { type: 'picky' } } },
  }), { code: 'ENMESH_CONFIG_INVALID' })
  assert.equal(JSON.stringify(own.status().config), before)
  await own.close()
})
