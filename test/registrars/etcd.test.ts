import assert from 'node:assert/strict'
import { after, describe, test, type TestContext } from 'node:test'
import { etcd } from '../../src/registrars/etcd.ts'
import { etcd as etcdRegistry } from '../../src/registries/etcd.ts'
import { Etcd, etcdMissing } from '../support/etcd.ts'
import { RegistryServer, status, troubles } from '../support/registry-server.ts'
import { Watching } from '../support/watching.ts'
import { instanceOf, never, registrationOf, written } from './support.ts'

const base64 = (text: string): string => Buffer.from(text).toString('base64')

describe('announcing in etcd', { skip: etcdMissing }, () => {
  let shared: Promise<Etcd> | undefined
  after(async () => { await (await shared)?.close() })
  const started = async (t: TestContext, config: object = {}) => {
    const member = await (shared ??= Etcd.start())
    const prefix = `/${t.name}/`
    const watching = new Watching((runtime) => etcdRegistry.make(etcdRegistry.config.parse({ servers: [member.url], prefix }), runtime))
    t.after(() => watching.close())
    assert.deepEqual(await watching.set(), [])
    const of = (id: string, more: object = {}) => registrationOf(etcd, { servers: [member.url], prefix, ...config }, instanceOf(id, more))
    return { member, prefix, watching, of }
  }

  test('what it writes, the registry etcd reads, until it is taken away', async (t) => {
    const { watching, prefix, of } = await started(t, { weight: 2, tls: true })
    const registration = of('a')
    await registration.register(true, never)
    assert.deepEqual((await watching.set()).map(written), [{ id: `${prefix}a`, address: '10.0.0.1:8080', weight: 2, tls: true, metadata: { zone: 'a' } }])
    assert.equal(await registration.renew(true, never), true)
    await registration.deregister(never)
    assert.deepEqual(await watching.set(), [])
    await registration.deregister(never)
    assert.equal(registration.every, 5_000)
  })

  test('the key hangs on a lease, which signs of life keep, and says so when it is gone', async (t) => {
    const { member, watching, of } = await started(t, { ttl: '3s' })
    const registration = of('a')
    await registration.register(true, never)
    await watching.set()
    const { leases } = await member.call('lease/leases', {}) as { leases: { ID: string }[] }
    assert.equal(leases.length, 1)
    await member.call('lease/revoke', { ID: leases[0]!.ID })
    assert.deepEqual(await watching.set(), [])
    assert.equal(await registration.renew(true, never), false)
    await registration.register(true, never)
    assert.equal((await watching.set()).length, 1)
    await registration.deregister(never)
  })

  test('a key that somebody deleted comes back with the next sign of life', async (t) => {
    const { member, prefix, watching, of } = await started(t)
    const registration = of('a')
    await registration.register(true, never)
    await watching.set()
    await member.remove(`${prefix}a`)
    assert.deepEqual(await watching.set(), [])
    assert.equal(await registration.renew(true, never), true)
    assert.equal((await watching.set()).length, 1)
    await registration.deregister(never)
  })

  test('is not listed while it is not well', async (t) => {
    const { watching, of } = await started(t)
    const registration = of('a')
    await registration.register(true, never)
    assert.equal((await watching.set()).length, 1)
    await registration.renew(false, never)
    assert.deepEqual(await watching.set(), [])
    await registration.renew(false, never)
    assert.equal(await registration.renew(true, never), true)
    assert.equal((await watching.set()).length, 1)
    await registration.deregister(never)
  })

  test('an old instance with the same id takes nothing from the new one', async (t) => {
    const { watching, of } = await started(t)
    const [old, fresh] = [of('a'), of('a', { address: '10.0.0.2:8080' })]
    await old.register(true, never)
    await watching.set()
    await fresh.register(true, never)
    assert.deepEqual(await watching.addresses(), ['10.0.0.2:8080'])
    await old.deregister(never)
    assert.equal(await fresh.renew(true, never), true)
    await fresh.deregister(never)
    assert.deepEqual(await watching.set(), [])
  })

  test('a member that dies without a word takes the lease along, and gives it back when it returns', async (t) => {
    const member = await Etcd.start()
    t.after(() => member.close())
    const registration = registrationOf(etcd, { servers: [member.url], prefix: '/p/' }, instanceOf('a'))
    await registration.register(true, never)
    await member.kill()
    await assert.rejects(registration.renew(true, never), { message: /\/v3\/lease\/keepalive cannot be reached \(ECONNREFUSED\)$/ })
    await member.run()
    assert.equal(await registration.renew(true, never), true)
    await registration.register(true, never)
    const { kvs } = await member.call('kv/range', { key: base64('/p/a') }) as { kvs: { value: string }[] }
    assert.equal(Buffer.from(kvs[0]!.value, 'base64').toString(), '{"address":"10.0.0.1:8080","metadata":{"zone":"a"}}')
  })

  test('signs in', async (t) => {
    process.env['ENMESH_TEST_ETCD_WRITE'] = 'root-s3cret'
    t.after(() => { delete process.env['ENMESH_TEST_ETCD_WRITE'] })
    const member = await Etcd.start()
    t.after(() => member.close())
    await member.call('auth/user/add', { name: 'root', password: 'root-s3cret' })
    await member.call('auth/user/grant', { user: 'root', role: 'root' })
    await member.call('auth/enable', {})
    const of = (more: object) => registrationOf(etcd, { servers: [member.url], prefix: '/p/', ...more }, instanceOf('a'))
    const registration = of({ user: 'root', password: { env: 'ENMESH_TEST_ETCD_WRITE' } })
    await registration.register(true, never)
    assert.equal(await registration.renew(true, never), true)
    await registration.deregister(never)
    await assert.rejects(of({}).register(true, never), (error: Error) => /answered 4\d\d/.test(error.message) && !/s3cret/.test(error.message))
  })

})

describe('announcing in an etcd that is of no use', () => {
  for (const [what, { cause, message }] of Object.entries(troubles)) {
    test(`a member that ${what} is a failure with its place`, async (t) => {
      const server = await RegistryServer.start((asked) => status(asked, 500))
      t.after(() => server.close())
      server.trouble = cause
      await assert.rejects(registrationOf(etcd, { servers: [server.url], prefix: '/p/' }, instanceOf('a')).register(true, never), { message })
    })
  }
})
