import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { cloudMap } from '../../src/registrars/cloud-map.ts'
import { cloudMap as cloudMapRegistry } from '../../src/registries/cloud-map.ts'
import { fakeRuntime, settle } from '../../src/testing/index.ts'
import { CloudMapServer, Refusal } from '../support/cloud-map-server.ts'
import { cloudMapWayTo } from '../support/cloud-map-way.ts'
import { Watching } from '../support/watching.ts'
import { instanceOf, never, registrationOf } from './support.ts'

const started = async (t: TestContext, config: object = {}, customHealth = false) => {
  const server = await CloudMapServer.start()
  t.after(() => server.close())
  const serviceId = server.addService('shop.local', 'pricing', { customHealth })
  const way = cloudMapWayTo(server)
  const of = (id: string, more: object = {}) => registrationOf(cloudMap, { serviceId, customHealth, ...way, ...config }, instanceOf(id, more))
  const watching = (): Watching => {
    const made = new Watching((runtime) =>
      cloudMapRegistry.make(cloudMapRegistry.config.parse({ namespace: 'shop.local', service: 'pricing', health: 'healthy', ...way }), runtime))
    t.after(() => made.close())
    return made
  }
  return { server, serviceId, way, of, watching }
}

describe('announcing in cloud-map', () => {
  test('registers an instance, and waits until that is done', async (t) => {
    const { server, serviceId, of } = await started(t)
    const registration = of('a', { metadata: { zone: 'eu-1a', version: '2' } })
    await registration.register(true, never)
    assert.deepEqual(server.instances(serviceId).map(({ id, attributes }) => [id, attributes]), [
      ['a', { AWS_INSTANCE_IPV4: '10.0.0.1', AWS_INSTANCE_PORT: '8080', AVAILABILITY_ZONE: 'eu-1a', version: '2' }],
    ])
    assert.deepEqual(server.log, ['RegisterInstance', 'GetOperation', 'GetOperation'])
    assert.equal(await registration.renew(true, never), true)
    await registration.deregister(never)
    await registration.deregister(never)
    assert.deepEqual(server.instances(serviceId), [])
  })

  test('what it writes, the registry cloud-map reads', async (t) => {
    const { of, watching } = await started(t)
    await of('a').register(true, never)
    await of('b', { host: '2001:db8::1', address: '[2001:db8::1]:8080' }).register(true, never)
    await of('c', { host: 'c.internal', address: 'c.internal:8080' }).register(true, never)
    const set = await watching().set()
    assert.deepEqual(set.map(({ id, address, metadata }) => [id, address, metadata!['zone']]),
      [['a', '10.0.0.1:8080', 'a'], ['b', '[2001:db8::1]:8080', 'a'], ['c', 'c.internal:8080', 'a']])
  })

  test('tells a custom health check how it is, also where it was registered before', async (t) => {
    const { server, serviceId, of } = await started(t, {}, true)
    const health = (): string => server.instances(serviceId)[0]!.health
    const registration = of('a')
    await registration.register(false, never)
    assert.equal(health(), 'UNHEALTHY')
    await registration.renew(true, never)
    assert.equal(health(), 'HEALTHY')
    await of('a').register(false, never)
    assert.equal(health(), 'UNHEALTHY')
    server.remove(serviceId, 'a')
    assert.equal(await registration.renew(false, never), false)
    assert.equal(await registration.renew(false, never), false)
  })

  test('is not listed while it is not well, where the service has no custom health check', async (t) => {
    const { server, serviceId, of } = await started(t)
    const registration = of('a')
    await registration.register(true, never)
    await registration.renew(false, never)
    assert.deepEqual(server.instances(serviceId), [])
    await registration.renew(true, never)
    assert.equal(server.instances(serviceId).length, 1)
    server.remove(serviceId, 'a')
    assert.equal(await registration.renew(true, never), false)
  })

  test('an operation that comes to nothing is a failure with its reason', async (t) => {
    const { server, of } = await started(t)
    server.failNext = 'no room'
    await assert.rejects(of('a').register(true, never), { message: /'a' of 'srv-pricing-1', failed \(INTERNAL_FAILURE\): no room$/ })
  })

  test('what is refused is a failure that says what to do', async (t) => {
    const { server, of, way } = await started(t)
    await assert.rejects(of('a', {}).renew(true, never).then(() => registrationOf(cloudMap, { serviceId: 'srv-none', ...way }, instanceOf('a')).register(true, never)),
      { message: /failed with ServiceNotFound \(400\): .*; check `serviceId`/ })
    await assert.rejects(registrationOf(cloudMap, { serviceId: 'srv-pricing-1', customHealth: true, ...way }, instanceOf('a')).register(true, never),
      { message: /CustomHealthNotFound.*leave `customHealth` out/ })
    server.trouble = () => { throw new Refusal('AccessDeniedException', 'is not authorized') }
    await assert.rejects(of('a').deregister(never), { message: /AccessDeniedException.*allow servicediscovery:RegisterInstance/ })
  })

  test('waiting for an operation ends with the signal, and leaves no timer', async (t) => {
    const { server, serviceId, way } = await started(t)
    server.held = true
    const runtime = fakeRuntime()
    const abort = new AbortController()
    const registering = cloudMap.make(cloudMap.config.parse({ serviceId, ...way }), runtime)(instanceOf('a')).register(true, abort.signal)
    registering.catch(() => {})
    await server.calls.takeWhere(({ operation }) => operation === 'GetOperation')
    while (runtime.clock.pending !== 1) await settle()
    abort.abort(new Error('enough'))
    await assert.rejects(registering, { message: 'enough' })
    while (runtime.clock.pending > 0) await settle()
  })
})
