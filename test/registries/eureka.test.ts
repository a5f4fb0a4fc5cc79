import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { eureka } from '../../src/registries/eureka.ts'
import { aRegistry, fakeRuntime, settle } from '../../src/testing/index.ts'
import { EurekaServer } from '../support/eureka-server.ts'
import { status, troubles } from '../support/registry-server.ts'
import { Watching } from '../support/watching.ts'

const started = async (t: TestContext, config?: object) => {
  const server = await EurekaServer.start(t)
  const watching = new Watching(server.registry(config))
  t.after(() => watching.close())
  const look = async (): Promise<readonly string[]> => {
    await watching.clock.advance(30_000)
    return watching.addresses()
  }
  return { server, watching, look }
}

const both = ['a.internal:8080', 'b.internal:8080']

describe('eureka', () => {
  test('lists the instances of an application that are UP, out of all that is registered', async (t) => {
    const server = await EurekaServer.start(t)
    server.set('PRICING', 'b', 'UP', {
      metadata: { version: '2', count: 5, empty: '' }, dataCenterInfo: { name: 'Amazon', metadata: { 'availability-zone': 'eu-west-1a' } },
    })
    const watching = new Watching(server.registry())
    t.after(() => watching.close())
    assert.deepEqual(await watching.set(), [
      { id: 'PRICING/a', address: 'a.internal:8080', metadata: { app: 'PRICING' } },
      { id: 'PRICING/b', address: 'b.internal:8080', metadata: { zone: 'eu-west-1a', version: '2', app: 'PRICING' } },
    ])
    const { headers } = await server.server.asked.take()
    assert.deepEqual([server.log, headers.accept], [['/apps'], 'application/json'])
  })

  test('follows by the changes, as long as their hash fits', async (t) => {
    const { server, watching, look } = await started(t)
    assert.deepEqual(await watching.addresses(), both)
    server.set('PRICING', 'c')
    server.set('ORDER', 'p')
    assert.deepEqual(await look(), [...both, 'c.internal:8080'])
    server.set('PRICING', 'a', 'OUT_OF_SERVICE')
    server.remove('PRICING', 'b')
    server.remove('ORDER', 'o')
    assert.deepEqual(await look(), ['c.internal:8080'])
    assert.deepEqual(await look(), ['c.internal:8080'])
    assert.deepEqual(server.log, ['/apps', '/apps/delta', '/apps/delta', '/apps/delta'])
  })

  test('reads all again when the hash does not fit, because changes were missed', async (t) => {
    const { server, watching, look } = await started(t)
    await watching.set()
    server.set('PRICING', 'c')
    server.forget()
    assert.deepEqual(await look(), [...both, 'c.internal:8080'])
    server.set('PRICING', 'd')
    assert.deepEqual(await look(), [...both, 'c.internal:8080', 'd.internal:8080'])
    assert.deepEqual(server.log, ['/apps', '/apps/delta', '/apps', '/apps/delta'])
  })

  test('a hash that never fits costs a full reading each time, and nothing else', async (t) => {
    const { server, watching, look } = await started(t)
    await watching.set()
    server.wrongHash = 'UP_99_'
    assert.deepEqual([await look(), await look()], [both, both])
    assert.deepEqual(server.log, ['/apps', '/apps/delta', '/apps', '/apps/delta', '/apps'])
  })

  test('a server whose changes are switched off is read in full', async (t) => {
    const { server, watching, look } = await started(t)
    server.withoutChanges = true
    await watching.set()
    server.remove('PRICING', 'a')
    assert.deepEqual(await look(), ['b.internal:8080'])
  })

  test('understands how old servers write', async (t) => {
    const { server, watching, look } = await started(t)
    server.terse = true
    server.remove('PRICING', 'a')
    server.set('PRICING', 'b', 'UP', { port: { '$': '81', '@enabled': true } })
    assert.deepEqual(await watching.addresses(), ['b.internal:81'])
    server.forget()
    server.set('PRICING', 'c')
    assert.deepEqual(await look(), ['b.internal:81', 'c.internal:8080'])
  })

  test('looks up a VIP address, with the secure port and the IP address if told to', async (t) => {
    const server = await EurekaServer.start(t)
    for (const id of ['a', 'b']) server.set('PRICING', id, 'UP', { ipAddr: `10.0.0.${id === 'a' ? 1 : 2}`, securePort: { '$': 8443, '@enabled': 'true' } })
    const watching = new Watching(server.registry({ vip: 'pricing', secure: true, address: 'ip' }))
    t.after(() => watching.close())
    assert.deepEqual((await watching.set()).map(({ address, tls }) => [address, tls]), [['10.0.0.1:8443', true], ['10.0.0.2:8443', true]])
    assert.deepEqual(server.log, ['/svips/pricing'])
    const plain = new Watching(server.registry({ vip: 'order' }))
    t.after(() => plain.close())
    assert.deepEqual(await plain.addresses(), ['o.internal:8080'])
  })

  test('an application or a VIP address that nobody registered is an empty set', async (t) => {
    for (const config of [{ app: 'none' }, { vip: 'none' }]) {
      const { watching } = await started(t, config)
      assert.deepEqual(await watching.addresses(), [])
    }
  })

  test('a port that is not enabled cannot be dialled', async (t) => {
    const { watching } = await started(t, { app: 'pricing', secure: true })
    assert.match((await watching.failure()).message, /^Eureka for 'pricing' lists 2 and none has a host and a port/)
  })

  test('signs in, and says no password', async (t) => {
    process.env['ENMESH_TEST_EUREKA'] = 'eureka-s3cret'
    t.after(() => { delete process.env['ENMESH_TEST_EUREKA'] })
    const { server, watching } = await started(t, { app: 'pricing', user: 'reader', password: { env: 'ENMESH_TEST_EUREKA' } })
    await watching.set()
    const { headers } = await server.server.asked.take()
    assert.equal(Buffer.from(headers.authorization!.replace('Basic ', ''), 'base64').toString(), 'reader:eureka-s3cret')
    server.server.trouble = (asked) => status(asked, 401, 'Bad credentials')
    watching.wake()
    assert.match((await watching.failure()).message, /\/eureka\/apps\/delta answered 401: Bad credentials$/)
  })

  test('another server answers where one is down', async (t) => {
    const [server, down] = [await EurekaServer.start(t), await EurekaServer.start()]
    await down.server.close()
    const watching = new Watching(server.registry({ app: 'pricing', servers: [down, server].map((one) => `${one.server.url}/eureka`) }))
    t.after(() => watching.close())
    assert.deepEqual(await watching.addresses(), both)
  })

  test('closed while a server keeps silent, it hangs up and leaves no timer', async (t) => {
    const { server, watching } = await started(t)
    await watching.set()
    server.server.trouble = () => {}
    watching.wake()
    const { over } = await server.server.asked.takeWhere(({ path }) => path.endsWith('delta'))
    watching.close()
    await over
    await settle()
    assert.deepEqual([watching.clock.pending, watching.failures.length], [0, 0])
  })

  for (const [what, { cause, message }] of Object.entries(troubles)) {
    test(`a server that ${what} is a failure with its place, and what was there comes back`, async (t) => {
      const { server, watching } = await started(t)
      await watching.set()
      server.server.trouble = cause
      watching.wake()
      const failure = await watching.failure()
      assert.match(failure.message, message)
      assert.match(failure.message, /^127\.0\.0\.1:\d+\/eureka\/apps\/delta /)
      server.server.trouble = undefined
      watching.wake()
      assert.deepEqual(await watching.addresses(), both)
    })
  }

  test('refuses what it cannot use, with a hint', () => {
    const faults = (config: object) => eureka.config.safeParse({ servers: ['http://a/eureka'], ...config }).error?.issues
      .map(({ path, message }) => `${path.join('.')}: ${message}`).join()
    assert.equal(faults({ app: 'a' }), undefined)
    assert.match(faults({})!, /^app: is one of two/)
    assert.match(faults({ app: 'a', vip: 'b' })!, /^app: is one of two/)
    assert.match(faults({ app: 'a', password: { env: 'A' } })!, /^user: belongs together/)
    assert.match(faults({ app: 'a', interval: 5 })!, /^interval: must be at least 1s/)
    assert.match(faults({ app: 'a', servers: undefined })!, /^servers: /)
  })
})

aRegistry('eureka', async () => {
  const server = await EurekaServer.start()
  return {
    registry: server.registry()(fakeRuntime()),
    expected: both,
    fail: () => { server.server.trouble = (asked) => status(asked, 500) },
    heal: () => { server.server.trouble = undefined },
    close: () => server.server.close(),
  }
})
