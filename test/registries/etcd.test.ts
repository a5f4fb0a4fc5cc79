import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { describe, test, type TestContext } from 'node:test'
import { etcd } from '../../src/registries/etcd.ts'
import type { Registry } from '../../src/registries/registry.ts'
import type { Runtime } from '../../src/runtime/runtime.ts'
import { aRegistry, fakeRuntime, settle } from '../../src/testing/index.ts'
import { authority } from '../support/authority.ts'
import { Etcd, etcdMissing } from '../support/etcd.ts'
import { Queue } from '../support/queue.ts'
import { json, RegistryServer, status, troubles, type Asked } from '../support/registry-server.ts'
import { addressesOf, Watching } from '../support/watching.ts'

const registryOf = (servers: readonly string[], config: object = {}) => (runtime: Runtime): Registry =>
  etcd.make(etcd.config.parse({ prefix: '/pricing/', servers, ...config }), runtime)

const watchingOf = (t: TestContext, servers: readonly string[], config: object = {}): Watching => {
  const watching = new Watching(registryOf(servers, config))
  t.after(() => watching.close())
  return watching
}

const base64 = (text: string): string => Buffer.from(text).toString('base64')

/** The two calls of etcd's gateway that the registry makes, over a list of everything that was ever written. */
class Gateway {
  readonly server: RegistryServer
  readonly watches = new Queue<Asked>()
  readonly #open = new Set<Asked>()
  readonly #values = new Map<string, string>()
  revision = 1

  private constructor(server: RegistryServer) {
    this.server = server
  }

  static async start(t?: TestContext): Promise<Gateway> {
    const server: RegistryServer = await RegistryServer.start((asked) => gateway.#take(asked))
    const gateway = new Gateway(server)
    t?.after(() => server.close())
    gateway.put('/pricing/a', '10.0.0.1:1')
    gateway.put('/pricing/b', '10.0.0.2:1')
    return gateway
  }

  #take(asked: Asked): void {
    if (asked.path === '/v3/kv/range') {
      const kvs = [...this.#values].map(([key, value]) => ({ key: base64(key), value: base64(value) }))
      return json(asked, { header: { revision: String(this.revision) }, ...(kvs.length > 0 && { kvs }) })
    }
    asked.response.writeHead(200)
    this.#open.add(asked)
    void asked.over.then(() => this.#open.delete(asked))
    this.say({ result: { header: { revision: String(this.revision) }, created: true } })
    this.watches.put(asked)
  }

  /** Writes a line to everybody who watches, in pieces of a size. */
  say(line: object | string, size = Number.POSITIVE_INFINITY): void {
    const bytes = Buffer.from(`${typeof line === 'string' ? line : JSON.stringify(line)}\n`)
    for (const { response } of this.#open) for (let at = 0; at < bytes.length; at += size) response.write(bytes.subarray(at, at + size))
  }

  end(): void {
    for (const { response } of this.#open) response.end()
  }

  put(key: string, value: string, size?: number): void {
    this.revision++
    this.#values.set(key, value)
    this.say({ result: { header: { revision: String(this.revision) }, events: [{ kv: { key: base64(key), value: base64(value) } }] } }, size)
  }

  /** Something happens, and nobody is told. */
  putUnheard(key: string, value: string): void {
    this.revision++
    this.#values.set(key, value)
  }
}

describe('etcd, as its gateway writes', () => {
  const started = async (t: TestContext, config: object = {}) => {
    const gateway = await Gateway.start(t)
    return { gateway, watching: watchingOf(t, [gateway.server.url], config) }
  }

  test('asks for the keys of the prefix and watches them from the next revision on', async (t) => {
    const { gateway, watching } = await started(t)
    assert.deepEqual(await watching.addresses(), ['10.0.0.1:1', '10.0.0.2:1'])
    const [range, watch] = [await gateway.server.asked.take(), await gateway.server.asked.take()]
    const keys = { key: base64('/pricing/'), range_end: base64('/pricing0') }
    assert.deepEqual([range.path, JSON.parse(range.body)], ['/v3/kv/range', keys])
    assert.deepEqual([watch.path, JSON.parse(watch.body)], ['/v3/watch', { create_request: { ...keys, start_revision: '4' } }])
    assert.equal(watch.headers['grpc-metadata-hasleader'], 'true')
  })

  for (const size of [1, 5, 50]) {
    test(`reads changes that come in pieces of ${size} bytes`, async (t) => {
      const { gateway, watching } = await started(t)
      await watching.set()
      ;(await gateway.watches.take()).response.socket!.setNoDelay(true)
      gateway.put('/pricing/ü', JSON.stringify({ address: '10.0.0.3:1', metadata: { zone: 'Zürich' } }), size)
      assert.deepEqual((await watching.set())[2], { id: '/pricing/ü', address: '10.0.0.3:1', metadata: { zone: 'Zürich' } })
    })
  }

  test('takes a value for what it says, and leaves out what cannot be dialled', async (t) => {
    const { gateway, watching } = await started(t, { tls: false })
    await watching.set()
    await gateway.watches.take()
    const values = {
      full: JSON.stringify({ address: '[::1]:2', weight: 3, tls: true, metadata: { version: '2' }, other: 1 }),
      url: 'https://svc.internal', spaced: ' 10.0.0.9:9\n', bad: '{"address":', none: '', port: '10.0.0.9', negative: '{"address":"a:1","weight":-1}', list: '[1]',
    }
    for (const [name, value] of Object.entries(values)) gateway.putUnheard(`/pricing/${name}`, value)
    watching.wake()
    assert.deepEqual((await watching.set()).slice(2), [
      { id: '/pricing/full', address: '[::1]:2', weight: 3, tls: true, metadata: { version: '2' } },
      { id: '/pricing/url', address: 'svc.internal:443', tls: true },
      { id: '/pricing/spaced', address: '10.0.0.9:9', tls: false },
    ])
  })

  test('reads everything again after the refresh, without a failure', async (t) => {
    const { gateway, watching } = await started(t, { refresh: '1m' })
    await watching.set()
    await gateway.watches.take()
    await settle()
    gateway.putUnheard('/pricing/c', '10.0.0.3:1')
    await watching.clock.advance(60_000)
    assert.equal((await watching.set()).length, 3)
    assert.equal(watching.failures.length, 0)
  })

  test('a watch that ends at once is opened once a second', async (t) => {
    const { gateway, watching } = await started(t)
    for (let round = 0; round < 3; round++) {
      await watching.set()
      const { over } = await gateway.watches.take()
      gateway.end()
      await over
      await watching.clock.advance(999)
      assert.equal(gateway.server.log.length, 2 * (round + 1))
      await watching.clock.advance(1)
    }
  })

  for (const [what, line, message] of [
    ['an error', { error: { grpc_code: 14, message: 'etcdserver: no leader' } }, /\/v3\/watch ended the watch: etcdserver: no leader$/],
    ['its end for another reason', { result: { canceled: true, cancel_reason: 'permission denied' } }, /ended the watch: permission denied$/],
    ['its end without a reason', { result: { canceled: true } }, /ended the watch: it gave no reason$/],
    ['garbage', 'garbage', /\/v3\/watch answered what is not JSON/],
    ['other JSON', { result: { events: 5 } }, /\/v3\/watch answered something unexpected at result\.events/],
  ] as const) {
    test(`a watch that says ${what} is a failure, and what was missed is read`, async (t) => {
      const { gateway, watching } = await started(t)
      await watching.set()
      await gateway.watches.take()
      await watching.clock.advance(1_000)
      gateway.putUnheard('/pricing/c', '10.0.0.3:1')
      gateway.say(line)
      assert.match((await watching.failure()).message, message)
      watching.wake()
      assert.equal((await watching.set()).length, 3)
    })
  }

  test('a watch that breaks off is a failure, and the next member is asked', async (t) => {
    const [one, other] = [await Gateway.start(t), await Gateway.start(t)]
    const watching = watchingOf(t, [one.server.url, other.server.url])
    await watching.set()
    const [first, second] = one.watches.left.length > 0 || one.server.log.length > 0 ? [one, other] : [other, one]
    await first.watches.take()
    await watching.clock.advance(1_000)
    first.server.cut()
    assert.match((await watching.failure()).message, /\/v3\/watch broke off its answer \(ECONNRESET\)$/)
    watching.wake()
    await watching.set()
    await second.watches.take()
    assert.equal(first.server.log.length, 2)
  })

  test('closed while it watches, it hangs up and leaves no timer', async (t) => {
    const { gateway, watching } = await started(t)
    await watching.set()
    const { over } = await gateway.watches.take()
    watching.close()
    await over
    await settle()
    assert.deepEqual([watching.clock.pending, watching.failures.length], [0, 0])
  })

  for (const [what, { cause, message }] of Object.entries(troubles)) {
    test(`a member that ${what} is a failure with its place, and what was there comes back`, async (t) => {
      const { gateway, watching } = await started(t)
      await watching.set()
      await gateway.watches.take()
      gateway.server.trouble = cause
      watching.wake()
      const failure = await watching.failure()
      assert.match(failure.message, message)
      assert.ok(failure.message.startsWith(`${new URL(gateway.server.url).host}/v3/kv/range`), failure.message)
      gateway.server.trouble = undefined
      watching.wake()
      assert.deepEqual(await watching.addresses(), ['10.0.0.1:1', '10.0.0.2:1'])
    })
  }

  test('refuses what it cannot use, with a hint', () => {
    const faults = (config: object) => etcd.config.safeParse({ prefix: '/a/', ...config }).error?.issues
      .map(({ path, message }) => `${path.join('.')}: ${message}`).join()
    assert.equal(faults({ user: 'a', password: { env: 'B' } }), undefined)
    assert.match(faults({ user: 'a' })!, /^user: belongs together with `password`/)
    assert.match(faults({ user: 'a', password: 'text' })!, /^password: is a secret/)
    assert.match(faults({ prefix: '' })!, /^prefix: /)
    assert.match(faults({ servers: ['127.0.0.1:2379'] })!, /^servers\.0: is not the URL of a server/)
  })
})

describe('a real etcd', { skip: etcdMissing, concurrency: 1 }, () => {
  const started = async (t: TestContext, config: object = {}) => {
    const member = await Etcd.start()
    t.after(() => member.close())
    await member.put('/pricing/a', '10.0.0.1:1')
    await member.put('/pricing-v2/a', '10.9.9.9:1')
    return { member, watching: watchingOf(t, [member.url], config) }
  }

  /** Asks until it can tell: the sets and failures up to the first set that fits. */
  const until = async (watching: Watching, fits: (addresses: readonly string[]) => boolean): Promise<readonly string[]> => {
    for (;;) {
      watching.wake()
      const came = await watching.next()
      if (!(came instanceof Error) && fits(addressesOf(came))) return addressesOf(came)
    }
  }

  test('tells of keys that come, change and go, as they do', async (t) => {
    const { member, watching } = await started(t)
    assert.deepEqual(await watching.addresses(), ['10.0.0.1:1'])
    await member.put('/pricing/b', JSON.stringify({ address: '10.0.0.2:1', weight: 2 }))
    assert.deepEqual((await watching.set())[1], { id: '/pricing/b', address: '10.0.0.2:1', weight: 2 })
    await member.put('/pricing/a', '10.0.0.7:1')
    assert.deepEqual(await watching.addresses(), ['10.0.0.2:1', '10.0.0.7:1'])
    await member.remove('/pricing/b')
    assert.deepEqual(await watching.addresses(), ['10.0.0.7:1'])
    await member.remove('/pricing/a')
    assert.deepEqual(await watching.addresses(), [])
    assert.equal(watching.failures.length, 0)
  })

  test('a key whose lease runs out is gone', async (t) => {
    const { member, watching } = await started(t)
    await watching.set()
    const { ID } = await member.call('lease/grant', { TTL: '600' })
    await member.call('kv/put', { key: base64('/pricing/leased'), value: base64('10.0.0.5:1'), lease: ID })
    assert.deepEqual(await watching.addresses(), ['10.0.0.1:1', '10.0.0.5:1'])
    await member.call('lease/revoke', { ID })
    assert.deepEqual(await watching.addresses(), ['10.0.0.1:1'])
  })

  test('killed, it is a failure that keeps what was there; restarted, it tells what has changed', async (t) => {
    const { member, watching } = await started(t)
    await watching.set()
    await member.put('/pricing/b', '10.0.0.2:1')
    await watching.set()
    await watching.clock.advance(1_000)
    await member.kill()
    assert.match((await watching.failure()).message, /broke off its answer/)
    watching.wake()
    assert.match((await watching.failure()).message, /\/v3\/kv\/range cannot be reached \(ECONNREFUSED\)$/)
    await member.run()
    await member.put('/pricing/c', '10.0.0.3:1')
    await until(watching, (addresses) => addresses.length === 3)
    await member.remove('/pricing/a')
    assert.deepEqual(await watching.addresses(), ['10.0.0.2:1', '10.0.0.3:1'])
  })

  test('a change that was compacted away before it was heard is read, without a failure', async (t) => {
    const { member } = await started(t)
    // Between the two calls of the registry stands a server that lets time pass.
    const passed = new Queue<Asked>()
    const between = await RegistryServer.start(async (asked) => {
      if (asked.path === '/v3/watch' && compacting) {
        compacting = false
        await member.put('/pricing/b', '10.0.0.2:1')
        await member.compact(await member.remove('/pricing/a'))
      }
      const answer = await fetch(`${member.url}${asked.path}`, { method: 'POST', body: asked.body })
      asked.response.writeHead(answer.status)
      passed.put(asked)
      await pipeline(answer.body!, asked.response).catch(() => asked.response.destroy())
    })
    t.after(() => between.close())
    let compacting = true
    const watching = watchingOf(t, [between.url])
    assert.deepEqual(await watching.addresses(), ['10.0.0.1:1'])
    const compacted = await passed.takeWhere(({ path }) => path === '/v3/watch')
    await compacted.over
    await watching.clock.advance(1_000)
    assert.deepEqual(await watching.addresses(), ['10.0.0.2:1'])
    await member.put('/pricing/c', '10.0.0.3:1')
    assert.deepEqual(await watching.addresses(), ['10.0.0.2:1', '10.0.0.3:1'])
    assert.equal(watching.failures.length, 0)
  })

  test('of three members one may die, and the rest tell; without a majority nobody does', async (t) => {
    const members = await Etcd.cluster(3)
    t.after(() => Promise.all(members.map((member) => member.close())))
    await members[0]!.put('/pricing/a', '10.0.0.1:1')
    const watching = watchingOf(t, members.map(({ url }) => url))
    // Whichever of them it watches: all three die one after another.
    for (const [dead, alive] of [[0, 1], [1, 2], [2, 0]] as const) {
      await members[dead]!.kill()
      await until(watching, (addresses) => addresses.length >= 1)
      await members[alive]!.put(`/pricing/${dead}`, `10.1.0.${dead}:1`)
      await until(watching, (addresses) => addresses.includes(`10.1.0.${dead}:1`))
      await members[dead]!.run(members)
    }
    const lonely = watchingOf(t, [members[2]!.url])
    await lonely.set()
    await members[2]!.put('/pricing/last', '10.1.0.9:1')
    await lonely.set()
    await lonely.clock.advance(1_000)
    await Promise.all([members[0]!.kill(), members[1]!.kill()])
    assert.match((await lonely.failure()).message, /\/v3\/watch ended the watch: etcdserver: no leader$/)
    await Promise.all([members[0]!.run(members), members[1]!.run(members)])
    for (const one of [watching, lonely]) await until(one, (addresses) => addresses.length === 5)
  })

  test('lets nobody in without a password, and the user with one', async (t) => {
    const { member } = await started(t)
    for (const name of ['root', 'reader']) {
      await member.call('auth/role/add', { name })
      await member.call('auth/user/add', { name, password: `${name}-s3cret` })
      await member.call('auth/user/grant', { user: name, role: name })
    }
    await member.call('auth/role/grant', { name: 'reader', perm: { permType: 'READ', key: base64('/pricing/'), range_end: base64('/pricing0') } })
    await member.call('auth/enable', {})
    process.env['ENMESH_TEST_ETCD'] = 'reader-s3cret'
    t.after(() => { delete process.env['ENMESH_TEST_ETCD'] })
    const user = { user: 'reader', password: { env: 'ENMESH_TEST_ETCD' } }
    const watching = watchingOf(t, [member.url], user)
    assert.deepEqual(await watching.addresses(), ['10.0.0.1:1'])
    const { token } = await member.call('auth/authenticate', { name: 'root', password: 'root-s3cret' })
    await member.call('kv/put', { key: base64('/pricing/b'), value: base64('10.0.0.2:1') }, { authorization: token })
    assert.deepEqual(await watching.addresses(), ['10.0.0.1:1', '10.0.0.2:1'])
    assert.match((await watchingOf(t, [member.url]).failure()).message, /user name is empty/)
    assert.match((await watchingOf(t, [member.url], { ...user, prefix: '/other/' }).failure()).message, /permission denied/)
    process.env['ENMESH_TEST_ETCD'] = 'wrong-s3cret'
    const { message } = await watchingOf(t, [member.url], user).failure()
    assert.match(message, /\/v3\/auth\/authenticate answered 4\d\d: .*authentication failed/)
    assert.doesNotMatch(message, /s3cret/)
  })

  test('is asked over TLS', { skip: authority() === undefined && 'openssl is missing' }, async (t) => {
    const { directory, root, server } = authority()!
    const files = { ca: root, cert: server.cert, key: server.key }
    const path = (name: string): string => join(directory, `etcd-${name}.pem`)
    for (const [name, pem] of Object.entries(files)) writeFileSync(path(name), pem)
    const member = await Etcd.start({ cert: path('cert'), key: path('key') })
    t.after(() => member.close())
    const watching = watchingOf(t, [member.url], { serverTls: { ca: { file: path('ca') } } })
    assert.deepEqual(await watching.addresses(), [])
    assert.match((await watchingOf(t, [member.url]).failure()).message, /cannot be reached \((UNABLE_TO|SELF_SIGNED)/)
  })
})

aRegistry('etcd', async () => {
  const gateway = await Gateway.start()
  return {
    registry: registryOf([gateway.server.url])(fakeRuntime()),
    expected: ['10.0.0.1:1', '10.0.0.2:1'],
    fail: () => {
      gateway.server.trouble = (asked) => status(asked, 500)
      gateway.server.cut()
    },
    heal: () => { gateway.server.trouble = undefined },
    close: () => gateway.server.close(),
  }
})

if (!etcdMissing) {
  aRegistry('a real etcd', async () => {
    const member = await Etcd.start()
    for (const name of ['a', 'b']) await member.put(`/pricing/${name}`, `${name}.internal:80`)
    return {
      registry: registryOf([member.url])(fakeRuntime()),
      expected: ['a.internal:80', 'b.internal:80'],
      fail: () => member.kill(),
      heal: () => member.run(),
      close: () => member.close(),
    }
  })
}
