import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import type { RequestListener } from 'node:http'
import { test, type TestContext } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Mesh, MeshInput } from '../../src/index.ts'
import { authority } from '../support/authority.ts'
import { next, story, turnsUntil, type Story } from './support/story.ts'
import { hangs, says, type Upstream } from './support/upstream.ts'

const url = 'http://svc.test/'

/** A server that answers calls, and health checks as it is told to. */
class Instance {
  upstream!: Upstream
  /** The status of its health checks. */
  health = 200
  /** Calls and health checks that arrived. */
  calls = 0
  checks = 0
  answer: RequestListener = says('fine')

  static async start(stage: Story): Promise<Instance> {
    const instance = new Instance()
    instance.upstream = await stage.upstream((request, response) => {
      if (request.url === '/health') {
        instance.checks++
        response.writeHead(instance.health).end()
      } else {
        instance.calls++
        instance.answer(request, response)
      }
    })
    return instance
  }

  get address(): string {
    return this.upstream.address
  }
}

const healthCheck = { protocol: 'http', path: '/health', interval: 20, timeout: '10s' } as const

const svc = (instances: readonly { readonly address: string }[], cluster: object = {}): MeshInput => ({
  services: { 'svc.test': { cluster: 'c', retry: false } },
  clusters: {
    c: {
      registry: { type: 'static', endpoints: instances.map(({ address }) => address) },
      balancer: { type: 'round-robin' }, healthCheck, ...cluster,
    },
  },
})

const statesOf = (mesh: Mesh): string => mesh.status().clusters['c']!.endpoints.map(({ state }) => state).join(' ')

/** Calls that never stop until they are told to; whatever does not end with 200 is a failure. */
const traffic = (mesh: Mesh, atOnce = 8) => {
  const failures: unknown[] = []
  let sent = 0
  let going = true
  const caller = async (): Promise<void> => {
    while (going) {
      try {
        const response = await mesh.fetch(url, { method: 'POST', body: 'pay' })
        await response.text()
        if (response.status !== 200) failures.push(response.status)
      } catch (error) {
        failures.push(error)
      }
      sent++
      await nextTurn()
    }
  }
  const callers = Array.from({ length: atOnce }, caller)
  return {
    sent: () => sent,
    failures,
    stop: async () => {
      going = false
      await Promise.all(callers)
    },
  }
}

const threeOf = async (t: TestContext) => {
  const stage = story(t)
  const instances = [await Instance.start(stage), await Instance.start(stage), await Instance.start(stage)] as const
  return { stage, instances }
}

test('an endpoint that says it is not well loses its traffic, gets it back when it is, and no call fails', async (t) => {
  const { stage, instances: [first, second, third] } = await threeOf(t)
  const mesh = stage.mesh(svc([first, second, third]))
  await mesh.ready()
  const load = traffic(mesh)
  await turnsUntil(() => statesOf(mesh) === 'available available available' && first.calls > 20, 'all are used')
  const out = next(mesh, 'endpoint-unhealthy')
  first.health = 503
  assert.deepEqual(await out, { cluster: 'c', endpoint: first.address, reason: 'health check: status 503, where 200 is expected' })
  const others = second.calls + third.calls
  await turnsUntil(() => second.calls + third.calls > others + 50, 'what was on the way has arrived')
  const { calls } = first
  await turnsUntil(() => second.calls + third.calls > others + 300, 'the others take all of it')
  assert.equal(first.calls, calls)
  const back = next(mesh, 'endpoint-healthy')
  first.health = 200
  await back
  await turnsUntil(() => first.calls > calls + 20, 'it has traffic again')
  await load.stop()
  assert.deepEqual(load.failures, [])
})

test('an instance that leaves by way of its health check costs no call, not even a POST that is never retried', async (t) => {
  const { stage, instances: [first, second, third] } = await threeOf(t)
  const mesh = stage.mesh(svc([first, second, third]))
  await mesh.ready()
  const load = traffic(mesh)
  await turnsUntil(() => first.calls > 20, 'it is used')
  const out = next(mesh, 'endpoint-unhealthy')
  first.health = 503
  await out
  await turnsUntil(() => mesh.status().clusters['c']!.endpoints[0]!.active === 0, 'its last call is over')
  await first.upstream.kill()
  const sent = load.sent()
  await turnsUntil(() => load.sent() > sent + 200, 'calls go on')
  await load.stop()
  assert.deepEqual(load.failures, [])
  assert.match(mesh.status().clusters['c']!.endpoints[0]!.why, /^unhealthy: health check: /)
})

test('an instance that asks to be taken out in an ordinary answer leaves at once, without a failed call', async (t) => {
  const { stage, instances: [first, second, third] } = await threeOf(t)
  const mesh = stage.mesh(svc([first, second, third], { healthCheck: { ...healthCheck, interval: '1h' } }))
  await turnsUntil(() => statesOf(mesh) === 'available available available', 'all are well')
  const load = traffic(mesh)
  await turnsUntil(() => first.calls > 20, 'it is used')
  first.answer = (request, response) => {
    response.setHeader('x-envoy-immediate-health-check-fail', 'true')
    says('leaving')(request, response)
  }
  await turnsUntil(() => statesOf(mesh) === 'unhealthy available available', 'it is out')
  await turnsUntil(() => mesh.status().clusters['c']!.endpoints[0]!.active === 0, 'its last call is over')
  await first.upstream.kill()
  const sent = load.sent()
  await turnsUntil(() => load.sent() > sent + 200, 'calls go on')
  await load.stop()
  assert.deepEqual(load.failures, [])
})

test('a process that hangs on all connections is noticed, and checks go past the connections that calls wait for', async (t) => {
  const stage = story(t)
  const [good, bad] = [await Instance.start(stage), await Instance.start(stage)]
  const mesh = stage.mesh(svc([good, bad], { connections: 1, healthCheck: { ...healthCheck, timeout: '1s' } }))
  await turnsUntil(() => statesOf(mesh) === 'available available', 'both are well')
  const load = traffic(mesh, 1)
  const before = bad.calls
  await turnsUntil(() => bad.calls > before, 'both are used')
  await load.stop()
  bad.answer = hangs
  bad.calls = 0
  const aborts = new AbortController()
  const stuck = Array.from({ length: 4 }, () => mesh.fetch(url, { signal: aborts.signal }).then((response) => response.text(), () => 'given up'))
  await turnsUntil(() => bad.calls === 1, 'a call holds its only connection')
  const { checks } = bad
  await turnsUntil(() => bad.checks > checks + 3, 'checks go on beside it')
  assert.equal(statesOf(mesh), 'available available')
  bad.upstream.answer = hangs
  const { endpoint, reason } = await next(mesh, 'endpoint-unhealthy')
  assert.deepEqual({ endpoint, reason }, { endpoint: bad.address, reason: 'health check: no answer within 1000 ms' })
  aborts.abort()
  await Promise.all(stuck)
})

test('a mesh that is closed during checks leaves no timer and no connection', async (t) => {
  const stage = story(t)
  const servers = [await stage.upstream(hangs), await stage.upstream(hangs)]
  for (const protocol of ['http', 'http2', 'grpc', 'tcp'] as const) {
    const mesh = stage.mesh(svc(servers, { healthCheck: { protocol, interval: '10ms', timeout: '1h' } }))
    const accepted = servers.map((server) => server.accepted)
    await turnsUntil(() => servers.every((server, i) => server.accepted > accepted[i]!), 'checks are under way')
    await mesh.close()
    await Promise.all(servers.map((server) => server.deserted()))
  }
})

test('an endpoint that is removed during a check has its connection closed', async (t) => {
  const stage = story(t)
  const [gone, stays] = [await stage.upstream(hangs), await Instance.start(stage)]
  const mesh = stage.mesh(svc([gone, stays], { healthCheck: { ...healthCheck, timeout: '1h' } }))
  await gone.arrived(1)
  mesh.update(svc([stays], { healthCheck: { ...healthCheck, timeout: '1h' } }))
  await gone.deserted()
  assert.equal(gone.requests.length, 1)
})

test('checks name the service as their host, and carry nothing of the request that brought them about', async (t) => {
  const stage = story(t)
  const server = await stage.upstream(says('fine'))
  const context = new AsyncLocalStorage<string>()
  const mesh = context.run('a caller', () => stage.mesh({
    services: { 'other.test': ['127.0.0.1:1'], 'svc.test:8443': { routes: [{ match: { path: { exact: '/x' } }, to: { c: 1, 'other.test': 1 } }] } },
    clusters: { c: { registry: { type: 'static', endpoints: [server.address] }, healthCheck: { protocol: 'http', interval: '1h' } } },
  }))
  mesh.on('endpoint-checked', () => seen.push(context.getStore()))
  const seen: unknown[] = []
  await server.arrived(1)
  await turnsUntil(() => statesOf(mesh) === 'available', 'it is well')
  const { headers, url: path, method } = server.requests[0]!
  assert.deepEqual({ method, path, headers }, {
    method: 'GET', path: '/',
    headers: { host: 'svc.test', 'user-agent': 'enmesh-health-check', accept: '*/*', connection: 'close' },
  })
  assert.deepEqual(seen, [undefined])
})

const tls = authority()

test('checks speak TLS as calls do, for the name of the service', { skip: tls ? false : 'there is no openssl: apt-get install openssl' }, async (t) => {
  const stage = story(t)
  const server = await stage.upstream(says('fine'), tls!.server)
  const mesh = stage.mesh(svc([server], { tls: { ca: tls!.root }, healthCheck: { protocol: 'http', interval: '1h' } }))
  await mesh.ready()
  assert.equal(statesOf(mesh), 'available')
  const untrusting = stage.mesh(svc([server], { tls: true, healthCheck: { protocol: 'tcp', interval: '1h' } }))
  await untrusting.ready()
  assert.match(untrusting.status().clusters['c']!.endpoints[0]!.why, /^unhealthy: health check: the TLS connection could not be made: the endpoint's certificate leads to the issuer/)
})
