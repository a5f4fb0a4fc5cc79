import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { eureka } from '../../src/registrars/eureka.ts'
import { EurekaServer } from '../support/eureka-server.ts'
import { status, troubles } from '../support/registry-server.ts'
import { Watching } from '../support/watching.ts'
import { instanceOf, never, registrationOf } from './support.ts'

const started = async (t: TestContext, config: object = {}) => {
  const server = await EurekaServer.start(t)
  const of = (id: string, more: object = {}) => registrationOf(eureka, { servers: [`${server.server.url}/eureka`], ...config }, instanceOf(id, { service: 'tax', ...more }))
  return { server, of }
}

describe('announcing in eureka', () => {
  test('registers an instance of an application, with a lease of three heartbeats', async (t) => {
    const { server, of } = await started(t, { heartbeat: '10s' })
    const registration = of('a')
    await registration.register(true, never)
    const { more } = server.registered('TAX', 'a')!
    const { lastDirtyTimestamp, ...rest } = more as { lastDirtyTimestamp: string }
    assert.match(lastDirtyTimestamp, /^\d{13}/)
    assert.deepEqual(rest, {
      instanceId: 'a', app: 'TAX', hostName: '10.0.0.1', ipAddr: '10.0.0.1', status: 'UP', overriddenstatus: 'UNKNOWN',
      port: { '$': 8080, '@enabled': 'true' }, securePort: { '$': 8080, '@enabled': 'false' }, vipAddress: 'tax',
      dataCenterInfo: { '@class': 'com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo', 'name': 'MyOwn' },
      leaseInfo: { renewalIntervalInSecs: 10, durationInSecs: 30 }, metadata: { zone: 'a' },
    })
    assert.equal(registration.every, 10_000)
  })

  test('what it writes, the registry eureka reads, as long as it is well', async (t) => {
    const { server, of } = await started(t)
    const registration = of('a')
    await registration.register(false, never)
    const watching = new Watching(server.registry({ app: 'tax' }))
    t.after(() => watching.close())
    assert.deepEqual(await watching.set(), [])
    await registration.renew(true, never)
    watching.wake()
    assert.deepEqual(await watching.set(), [{ id: 'TAX/a', address: '10.0.0.1:8080', metadata: { zone: 'a', app: 'TAX' } }])
    await registration.renew(false, never)
    watching.wake()
    assert.deepEqual(await watching.set(), [])
  })

  test('a secure port is dialled with TLS, under the secure VIP address', async (t) => {
    const { server, of } = await started(t, { secure: true, vip: 'pay' })
    await of('a', { host: 'a.internal', address: 'a.internal:8443', port: 8443 }).register(true, never)
    const { more } = server.registered('TAX', 'a') as { more: Record<string, unknown> }
    assert.deepEqual([more['securePort'], more['port'], more['secureVipAddress'], more['vipAddress'], more['ipAddr']],
      [{ '$': 8443, '@enabled': 'true' }, { '$': 8443, '@enabled': 'false' }, 'pay', undefined, undefined])
  })

  test('a sign of life is a heartbeat; a server that has lost the instance says so', async (t) => {
    const { server, of } = await started(t)
    const registration = of('a b')
    await registration.register(true, never)
    assert.equal(await registration.renew(true, never), true)
    server.remove('TAX', 'a b')
    assert.equal(await registration.renew(true, never), false)
    assert.deepEqual(server.log, ['/apps/TAX', '/apps/TAX/a%20b', '/apps/TAX/a%20b'])
    await registration.deregister(never)
    await registration.register(true, never)
    await registration.deregister(never)
    assert.equal(server.registered('TAX', 'a b'), undefined)
  })

  test('signs in, tells another server where one is down, and repeats no password', async (t) => {
    process.env['ENMESH_TEST_EUREKA_WRITE'] = 'eureka-s3cret'
    t.after(() => { delete process.env['ENMESH_TEST_EUREKA_WRITE'] })
    const [server, down] = [await EurekaServer.start(t), await EurekaServer.start()]
    await down.server.close()
    const config = { servers: [down, server].map((one) => `${one.server.url}/eureka`), user: 'writer', password: { env: 'ENMESH_TEST_EUREKA_WRITE' } }
    const registration = registrationOf(eureka, config, instanceOf('a'))
    await registration.register(true, never)
    const { headers } = await server.server.asked.take()
    assert.equal(Buffer.from(headers.authorization!.replace('Basic ', ''), 'base64').toString(), 'writer:eureka-s3cret')
    server.server.trouble = (asked) => status(asked, 401, asked.headers.authorization)
    await assert.rejects(registration.renew(true, never), (error: Error) => /answered 401/.test(error.message) && !/s3cret|Basic/.test(error.message))
  })

  for (const what of ['answers 503', 'sends elsewhere', 'cuts the connection'] as const) {
    test(`a server that ${what} is a failure with its place`, async (t) => {
      const { server, of } = await started(t)
      server.server.trouble = troubles[what]!.cause
      await assert.rejects(of('a').register(true, never), { message: troubles[what]!.message })
      await assert.rejects(of('a').deregister(never), { message: troubles[what]!.message })
    })
  }
})
