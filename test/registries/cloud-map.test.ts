import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { createMesh } from '../../src/index.ts'
import { cloudMap } from '../../src/registries/cloud-map.ts'
import { ThrottledError, type Registry } from '../../src/registries/registry.ts'
import type { Runtime } from '../../src/runtime/runtime.ts'
import { aRegistry, fakeRuntime, settle } from '../../src/testing/index.ts'
import { runNode } from '../support/child.ts'
import { CloudMapServer, credentials, Refusal, region, type Attributes } from '../support/cloud-map-server.ts'
import { troubles } from '../support/registry-server.ts'
import { Watching } from '../support/watching.ts'

process.env['TEST_CLOUD_MAP_KEY'] = credentials.accessKeyId
process.env['TEST_CLOUD_MAP_SECRET'] = credentials.secretAccessKey

const signed = { accessKeyId: { env: 'TEST_CLOUD_MAP_KEY' }, secretAccessKey: { env: 'TEST_CLOUD_MAP_SECRET' } }
const interval = 5_000

const at = (ip: string, more: Attributes = {}): Attributes => ({ AWS_INSTANCE_IPV4: ip, AWS_INSTANCE_PORT: '8080', ...more })

const asking = (server: CloudMapServer, config: object = {}) => (runtime: Runtime): Registry => cloudMap.make(cloudMap.config.parse({
  namespace: 'shop.local', service: 'pricing', region, endpoint: server.url, credentials: signed, ...config,
}), runtime)

/** A server with the instances a and b of one service. */
const served = async (t?: TestContext) => {
  const server = await CloudMapServer.start()
  t?.after(() => server.close())
  const service = server.addService('shop.local', 'pricing')
  server.put(service, 'a', at('10.0.0.1'))
  server.put(service, 'b', at('10.0.0.2'))
  return { server, service }
}

const started = async (t: TestContext, config?: object) => {
  const { server, service } = await served(t)
  const watching = new Watching(asking(server, config))
  t.after(() => watching.close())
  /** What the next look brings. */
  const look = async (): Promise<readonly string[]> => {
    await watching.clock.advance(interval * 1.1)
    return watching.addresses()
  }
  return { server, service, watching, look }
}

const both = ['10.0.0.1:8080', '10.0.0.2:8080']

describe('cloud-map', () => {
  test('lists instances with what Cloud Map knows of them, in the order of their ids', async (t) => {
    const { server, service } = await served(t)
    server.put(service, 'b', at('10.0.0.2', { AVAILABILITY_ZONE: 'eu-test-1a', ECS_CLUSTER_NAME: 'shop', version: '2' }))
    server.put(service, 'a', { AWS_EC2_INSTANCE_ID: 'i-0abc', AWS_INSTANCE_IPV4: '10.0.0.1', AWS_INSTANCE_IPV6: '2001:db8::1', AWS_INSTANCE_PORT: '9000' })
    const watching = new Watching(asking(server, { tls: true }))
    t.after(() => watching.close())
    assert.deepEqual(await watching.set(), [
      {
        id: 'a', address: '10.0.0.1:9000', tls: true,
        metadata: { AWS_EC2_INSTANCE_ID: 'i-0abc', AWS_INSTANCE_IPV4: '10.0.0.1', AWS_INSTANCE_IPV6: '2001:db8::1', AWS_INSTANCE_PORT: '9000' },
      },
      {
        id: 'b', address: '10.0.0.2:8080', tls: true,
        metadata: {
          zone: 'eu-test-1a', AWS_INSTANCE_IPV4: '10.0.0.2', AWS_INSTANCE_PORT: '8080', AVAILABILITY_ZONE: 'eu-test-1a', ECS_CLUSTER_NAME: 'shop', version: '2',
        },
      },
    ])
    const { input } = await server.calls.take()
    assert.deepEqual(input, { NamespaceName: 'shop.local', ServiceName: 'pricing', MaxResults: 1_000, HealthStatus: 'ALL' })
  })

  for (const [family, expected] of [
    ['prefer-4', ['10.0.0.1:80', '10.0.0.2:80', '[2001:db8::3]:80', 'c.internal:80']],
    ['prefer-6', ['10.0.0.1:80', '[2001:db8::2]:80', '[2001:db8::3]:80', 'c.internal:80']],
    [4, ['10.0.0.1:80', '10.0.0.2:80', 'c.internal:80']],
    [6, ['[2001:db8::2]:80', '[2001:db8::3]:80', 'c.internal:80']],
  ] as const) {
    test(`dials of several addresses the one of family ${family}, and a name where an instance has no address`, async (t) => {
      const { server, service } = await served(t)
      for (const id of ['a', 'b']) server.remove(service, id)
      server.put(service, 'only-4', { AWS_INSTANCE_IPV4: '10.0.0.1' })
      server.put(service, 'two', { AWS_INSTANCE_IPV4: '10.0.0.2', AWS_INSTANCE_IPV6: '2001:db8::2' })
      server.put(service, 'only-6', { AWS_INSTANCE_IPV6: '2001:db8::3' })
      server.put(service, 'named', { AWS_INSTANCE_CNAME: 'c.internal' })
      const watching = new Watching(asking(server, { family, port: 80 }))
      t.after(() => watching.close())
      assert.deepEqual(await watching.addresses(), expected)
    })
  }

  test('chooses by attributes, prefers by optional ones, and leaves out the unhealthy while others are left', async (t) => {
    const { server, service } = await served(t)
    server.put(service, 'a', at('10.0.0.1', { version: '2', zone: 'x' }))
    server.put(service, 'b', at('10.0.0.2', { version: '2', zone: 'y' }))
    server.put(service, 'c', at('10.0.0.3', { version: '1', zone: 'x' }))
    const runtime = fakeRuntime()
    const listed = async (config: object): Promise<string> => {
      const watching = new Watching(() => asking(server, config)(runtime))
      const addresses = await watching.addresses()
      watching.close()
      return addresses.map((address) => address[7]).join('')
    }
    assert.equal(await listed({ attributes: { version: '2' } }), '12')
    assert.equal(await listed({ attributes: { version: '2', zone: 'x' } }), '1')
    assert.equal(await listed({ attributes: { version: '2' }, optionalAttributes: { zone: 'x' } }), '1')
    assert.equal(await listed({ attributes: { version: '2' }, optionalAttributes: { zone: 'z' } }), '12')
    assert.equal(await listed({ attributes: { constructor: 'x' } }), '')
    server.setHealth(service, 'a', 'UNHEALTHY')
    await runtime.clock.advance(60_000)
    assert.equal(await listed({}), '23')
    assert.equal(await listed({ attributes: { version: '2' }, optionalAttributes: { zone: 'x' } }), '2', 'the unhealthy one is not preferred')
    assert.equal(await listed({ attributes: { zone: 'x', version: '2' } }), '1', 'rather the unhealthy one than none')
    assert.equal(await listed({ attributes: { zone: 'x', version: '2' }, health: 'healthy' }), '')
    assert.equal(await listed({ health: 'all' }), '123')
    assert.deepEqual(server.log, ['DiscoverInstances', 'DiscoverInstances'])
  })

  test('takes all instances of a service without health checks for well', async (t) => {
    const { server } = await served(t)
    const service = server.addService('shop.local', 'plain', { customHealth: false })
    server.put(service, 'a', at('10.0.0.1'))
    const watching = new Watching(asking(server, { service: 'plain', health: 'healthy' }))
    t.after(() => watching.close())
    assert.deepEqual(await watching.addresses(), ['10.0.0.1:8080'])
  })

  test('takes an instance whose health has a name that is not known yet for well', async (t) => {
    const { server, service } = await served(t)
    server.setHealth(service, 'a', 'DRAINING' as 'UNKNOWN')
    const watching = new Watching(asking(server, { health: 'all' }))
    t.after(() => watching.close())
    assert.deepEqual(await watching.addresses(), both)
  })

  test('asks for the list again only when the revision has moved', async (t) => {
    const { server, service, watching, look } = await started(t)
    assert.deepEqual(await watching.addresses(), both)
    assert.deepEqual(await look(), both)
    server.put(service, 'c', at('10.0.0.3', { InstancesRevision: '5', text: '"InstancesRevision":5' }))
    assert.deepEqual(await look(), [...both, '10.0.0.3:8080'])
    server.remove(service, 'a')
    assert.deepEqual(await look(), ['10.0.0.2:8080', '10.0.0.3:8080'])
    assert.deepEqual(await look(), ['10.0.0.2:8080', '10.0.0.3:8080'])
    assert.deepEqual(server.log, [
      'DiscoverInstances', 'DiscoverInstancesRevision', 'DiscoverInstancesRevision', 'DiscoverInstances',
      'DiscoverInstancesRevision', 'DiscoverInstances', 'DiscoverInstancesRevision',
    ])
  })

  test('hears of health by the slow refresh, since it moves no revision', async (t) => {
    const { server, service, watching, look } = await started(t, { refresh: '30s' })
    await watching.set()
    server.setHealth(service, 'a', 'UNHEALTHY')
    assert.deepEqual(await look(), both)
    const since = watching.clock.now() - 1_000
    let addresses = both as readonly string[]
    while (addresses.length === 2) addresses = await look()
    assert.deepEqual(addresses, ['10.0.0.2:8080'])
    assert.ok(watching.clock.now() - since <= 30_000 + 2 * 1.1 * interval)
    assert.equal(server.log.filter((operation) => operation === 'DiscoverInstances').length, 2)
  })

  test('asks for the whole list when somebody wants a look', async (t) => {
    const { server, service, watching } = await started(t)
    await watching.set()
    server.setHealth(service, 'a', 'UNHEALTHY')
    await settle()
    watching.wake()
    assert.deepEqual(await watching.addresses(), ['10.0.0.2:8080'])
    assert.deepEqual(server.log, ['DiscoverInstances', 'DiscoverInstances'])
  })

  test('says the same set for the same instances, however Cloud Map mixes them', async (t) => {
    const { server, service, watching } = await started(t)
    for (let number = 3; number < 30; number++) server.put(service, `i${number}`, at(`10.0.0.${number}`))
    await watching.set()
    watching.wake()
    const before = await watching.set()
    await settle()
    watching.wake()
    assert.deepEqual(await watching.set(), before)
  })

  test('leaves out an instance that cannot be dialled, and fails when none can', async (t) => {
    const { server, service, watching, look } = await started(t)
    await watching.set()
    server.put(service, 'b', { AWS_INSTANCE_IPV4: '10.0.0.2', AWS_INSTANCE_PORT: '99999' })
    assert.deepEqual(await look(), ['10.0.0.1:8080'])
    server.put(service, 'a', { AWS_INSTANCE_IPV4: 'a.elsewhere', AWS_INSTANCE_IPV6: '10.0.0.1', AWS_INSTANCE_PORT: '8080' })
    await watching.clock.advance(interval * 1.1)
    assert.match((await watching.failure()).message, /^Cloud Map's service 'pricing' in 'shop\.local' lists 2 and none has a host and a port/)
  })

  for (const [what, missing, message] of [
    ['service', (server: CloudMapServer) => server.addService('shop.local', 'other'), /failed with ServiceNotFound \(400\): Service not found: pricing; check `service`, or create it$/],
    ['namespace', () => {}, /failed with NamespaceNotFound \(400\): Namespace not found: shop\.local; check `namespace`/],
  ] as const) {
    test(`takes a ${what} that is not there for an empty set, says why, and finds it when it is made`, async (t) => {
      const { server, service, watching, look } = await started(t)
      await watching.set()
      server.removeService(service)
      missing(server)
      await watching.clock.advance(interval * 1.1)
      assert.match((await watching.failure()).message, message)
      assert.deepEqual(await watching.set(), [])
      assert.deepEqual([await look(), await look()], [[], []])
      assert.equal(watching.failures.length, 1, 'told once')
      server.put(server.addService('shop.local', 'pricing'), 'c', at('10.0.0.3'))
      assert.deepEqual(await look(), ['10.0.0.3:8080'])
      assert.deepEqual(server.log.slice(1), [
        'DiscoverInstancesRevision', 'DiscoverInstances', 'DiscoverInstancesRevision', 'DiscoverInstancesRevision', 'DiscoverInstancesRevision', 'DiscoverInstances',
      ])
    })
  }

  test('tells that an answer may not be all there is', async (t) => {
    const { server, service } = await served(t)
    for (let number = 0; number < 999; number++) server.put(service, `i${number}`, at(`10.1.${number >> 8}.${number & 255}`))
    const watching = new Watching(asking(server))
    t.after(() => watching.close())
    assert.match((await watching.failure()).message, /^Cloud Map lists 1000 instances of the service 'pricing' in 'shop\.local', as many as one answer holds/)
    assert.equal((await watching.set()).length, 1_000)
    server.remove(service, 'a')
    server.remove(service, 'b')
    await watching.clock.advance(interval * 1.1)
    assert.equal((await watching.set()).length, 999)
    assert.equal(watching.failures.length, 1)
  })

  test('asks once for each look while it is throttled, and says that it is', async (t) => {
    const { server, service, watching } = await started(t)
    await watching.set()
    server.trouble = () => { throw new Refusal('RequestLimitExceeded', 'Rate exceeded') }
    await watching.clock.advance(interval * 1.1)
    const { message } = await watching.failure()
    assert.equal(message, "Cloud Map, asked for the service 'pricing' in 'shop.local', failed with RequestLimitExceeded (400): Rate exceeded; " +
      "the account's quota for discovery is used up: ask less often (`interval`), or have it raised")
    await watching.clock.advance(interval)
    await watching.failure()
    assert.ok(watching.failures.every((failure) => failure instanceof ThrottledError))
    assert.deepEqual(server.log, ['DiscoverInstances', ...watching.failures.map(() => 'DiscoverInstancesRevision')], 'and no list for it')
    server.trouble = undefined
    server.put(service, 'c', at('10.0.0.3'))
    watching.wake()
    assert.deepEqual(await watching.addresses(), [...both, '10.0.0.3:8080'])
  })

  for (const [what, cause, message] of [
    ['has no leave', () => { throw new Refusal('AccessDeniedException', 'User: arn:aws:iam::1:user/x is not authorized') },
      /failed with AccessDeniedException \(400\): User: arn:aws:iam::1:user\/x is not authorized; allow servicediscovery:DiscoverInstances and/],
    ['meets a server that is broken', () => { throw new Refusal('InternalFailure', 'oops', 500) }, /failed with InternalFailure \(500\): oops$/],
    ['is told a canonical request with its token in it', () => { throw new Refusal('InvalidSignatureException', "The signature does not match.\n\nThe Canonical String\n'x-amz-security-token:TOKEN'") },
      /failed with InvalidSignatureException \(400\): The signature does not match\.$/],
  ] as const) {
    test(`fails in words when it ${what}, and keeps quiet about endpoints`, async (t) => {
      const { server, watching } = await started(t)
      await watching.set()
      server.trouble = cause
      watching.wake()
      const failure = await watching.failure()
      assert.match(failure.message, message)
      assert.equal(failure.cause, undefined)
      assert.deepEqual(watching.following.status().sets, 1)
    })
  }

  for (const [what, cause] of [
    ['hangs up', (server: CloudMapServer) => { server.server.trouble = ({ response }) => response.destroy() }],
    ['answers what is not JSON', (server: CloudMapServer) => { server.server.trouble = ({ response }) => response.end('<html>login</html>') }],
    ['answers other JSON', (server: CloudMapServer) => { server.server.trouble = ({ response }) => response.end('{"Instances":[{"InstanceId":"a","Attributes":{"AWS_INSTANCE_IPV4":["x"]}}]}') }],
    ['answers 503 without JSON', (server: CloudMapServer) => { server.server.trouble = ({ response }) => response.writeHead(503).end('<html>') }],
    ['answers without end', (server: CloudMapServer) => { server.server.trouble = troubles['answers without end']!.cause }],
    ['breaks off in the middle', (server: CloudMapServer) => { server.server.trouble = troubles['breaks off in the middle']!.cause }],
    ['is gone', (server: CloudMapServer) => server.close()],
  ] as const) {
    test(`fails, and asks once, when the server ${what}`, async (t) => {
      const { server, watching } = await started(t)
      await watching.set()
      await cause(server)
      const before = server.server.log.length
      watching.wake()
      const { message } = await watching.failure()
      t.diagnostic(message)
      assert.match(message, /^Cloud Map, asked for the service 'pricing' in 'shop\.local',/)
      assert.ok(server.server.log.length <= before + 1)
    })
  }

  test('gives up on an answer that does not come', async (t) => {
    const { server, watching } = await started(t, { timeout: '2s' })
    await watching.set()
    server.server.trouble = () => {}
    await settle()
    watching.wake()
    await server.server.asked.take()
    const asked = await server.server.asked.take()
    await watching.clock.advance(2_000)
    assert.match((await watching.failure()).message, /did not answer within 2000 ms$/)
    await asked.over
  })

  test('hangs up when nobody waits for an answer any more, and leaves alone what others wait for', async (t) => {
    const { server } = await served(t)
    server.put(server.addService('shop.local', 'order'), 'o', at('10.0.1.1'))
    const runtime = fakeRuntime()
    const [pricing, order] = ['pricing', 'order'].map((service) => new Watching(() => asking(server, { service })(runtime)))
    t.after(() => order!.close())
    await Promise.all([pricing!.set(), order!.set()])
    for (let at = 0; at < 2; at++) await server.server.asked.take()
    server.server.trouble = () => {}
    await settle()
    pricing!.wake()
    const one = await server.server.asked.take()
    order!.wake()
    const other = await server.server.asked.take()
    pricing!.close()
    await one.over
    assert.equal(other.response.destroyed, false)
  })

  test('reads its credentials for each call, and shows them nowhere', async (t) => {
    process.env['TEST_CLOUD_MAP_ROTATED'] = 'an old secret'
    t.after(() => { delete process.env['TEST_CLOUD_MAP_ROTATED'] })
    const { watching } = await started(t, { credentials: { ...signed, secretAccessKey: { env: 'TEST_CLOUD_MAP_ROTATED' } } })
    const failure = await watching.failure()
    assert.match(failure.message, /failed with InvalidSignatureException/)
    assert.ok(!JSON.stringify([failure, failure.message, watching.following.status()]).includes('an old secret'))
    process.env['TEST_CLOUD_MAP_ROTATED'] = credentials.secretAccessKey
    watching.wake()
    assert.deepEqual(await watching.addresses(), both)
    delete process.env['TEST_CLOUD_MAP_ROTATED']
    watching.wake()
    assert.match((await watching.failure()).message, /the environment variable 'TEST_CLOUD_MAP_ROTATED' is not set/)
  })

  test('leaves no connection when nobody watches any more', async (t) => {
    const { server, watching } = await started(t)
    await watching.set()
    assert.equal(server.server.connections, 1)
    watching.close()
    while (server.server.connections > 0) await settle()
  })

  test('is a registry of a mesh, which tells in words why there is no endpoint', async (t) => {
    const { server, service } = await served(t)
    server.removeService(service)
    const registry = { type: 'cloud-map', namespace: 'shop.local', service: 'pricing', region, endpoint: server.url, credentials: signed } as const
    const mesh = createMesh({ services: { 'pricing.local': { cluster: 'pricing' } }, clusters: { pricing: { registry } } })
    t.after(() => mesh.close())
    await mesh.ready()
    await assert.rejects(mesh.fetch('http://pricing.local/'), { code: 'ENMESH_NO_ENDPOINT', message: /last failed with: Cloud Map, asked for .* NamespaceNotFound/ })
    assert.ok(!JSON.stringify(mesh.status()).includes(credentials.secretAccessKey))
  })

  test('says how to install the SDK where it is missing, and leaves the global dispatcher alone where it is not', async () => {
    const script = (missing: boolean): string => `
      import { registerHooks } from 'node:module'
      import globals from './.ci/smoke/globals.cjs'
      if (${missing}) registerHooks({ resolve: (name, context, next) => next(name.startsWith('@aws-sdk/') ? 'nowhere-to-be-found' : name, context) })
      const before = globals.snapshot()
      const { createMesh } = await import('./src/index.ts')
      const mesh = createMesh({
        services: { 'a.local': { cluster: 'a' } },
        clusters: { a: { registry: { type: 'cloud-map', namespace: 'n', service: 's', region: 'eu-test-1', endpoint: 'http://127.0.0.1:9', credentials: { accessKeyId: { env: 'K' }, secretAccessKey: { env: 'K' } } } } },
      })
      const [{ error }] = await new Promise((resolve) => mesh.on('registry-failed', (...told) => resolve(told)))
      console.log(error.message)
      await mesh.close()
      console.log(JSON.stringify(globals.changesSince(before)))`
    const run = async (missing: boolean): Promise<string> => (await runNode(['--input-type=module', '--eval', script(missing)])).output.trim()
    assert.equal(await run(true), "Cloud Map is asked with the package @aws-sdk/client-servicediscovery, which cannot be found: npm install @aws-sdk/client-servicediscovery\n[]")
    const [failure, changes] = (await run(false)).split('\n')
    assert.match(failure!, /failed: the environment variable 'K' is not set/)
    // The SDK has a global of its own, which harms nobody.
    assert.doesNotMatch(changes!, /undici|replaced/)
  })
})

describe('the options of cloud-map', () => {
  for (const [what, config, message] of [
    ['a secret in the open', { credentials: { accessKeyId: 'AKIA', secretAccessKey: 'x' } }, /is a secret/],
    ['half of the credentials', { credentials: { accessKeyId: { env: 'K' } } }, /secretAccessKey/],
    ['a refresh shorter than the interval', { refresh: '1s' }, /is shorter than interval/],
    ['an interval of no time', { interval: 0 }, /must be at least 1s/],
    ['an account that is none', { ownerAccount: '12' }, /is not the number of an account/],
    ['credentials in a URL', { endpoint: 'http://a:b@c' }, /holds credentials/],
    ['a word that is not known', { healthy: true }, /healthy/],
  ] as const) {
    test(`do not take ${what}`, () => {
      const { error } = cloudMap.config.safeParse({ namespace: 'n', service: 's', ...config })
      assert.match(error!.message, message)
    })
  }
})

aRegistry('cloud-map', async () => {
  const { server } = await served()
  return {
    registry: asking(server)(fakeRuntime()),
    expected: both,
    fail: () => { server.trouble = () => { throw new Refusal('RequestLimitExceeded', 'Rate exceeded') } },
    heal: () => { server.trouble = undefined },
    close: () => server.close(),
  }
})
