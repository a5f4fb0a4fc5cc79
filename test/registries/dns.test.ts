import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { dns, dnsWith, type ResolveAddresses } from '../../src/registries/dns.ts'
import { follow } from '../../src/registries/follow.ts'
import type { Registry } from '../../src/registries/registry.ts'
import { deferred } from '../../src/testing/deferred.ts'
import { aRegistry, fakeRuntime, scriptedRandom, settle } from '../../src/testing/index.ts'
import { dnsServer } from '../support/dns-server.ts'

const watched = (registry: Registry) => {
  const runtime = fakeRuntime(scriptedRandom(0))
  const sets: string[] = []
  const errors: unknown[] = []
  const following = follow(registry, {
    runtime,
    onSet: (specs) => { sets.push(specs.map(({ address, tls }) => tls === undefined ? address : `${address} tls ${tls}`).join(', ')) },
    onFailure: (error) => { errors.push((error as NodeJS.ErrnoException).code) },
    onRecovered: () => {},
  })
  return { following, sets, errors, clock: runtime.clock }
}

type Answer = Record<string, number> | string

/** Answers each family from a table: addresses with their TTLs, or an error's code. */
const scripted = (answers: { 4?: Answer, 6?: Answer }, config: object = {}) => {
  const asked: string[] = []
  const resolve: ResolveAddresses = async (hostname, family) => {
    asked.push(`${hostname}/${family}`)
    const answer = answers[family] ?? 'ENODATA'
    if (typeof answer === 'string') throw Object.assign(new Error(answer), { code: answer })
    return Object.entries(answer).map(([address, ttl]) => ({ address, ttl }))
  }
  const kind = dnsWith(() => resolve)
  return { asked, answers, ...watched(kind.make(kind.config.parse({ hostname: 'a.internal', port: 80, ...config }), fakeRuntime())) }
}

describe('dns', () => {
  test('lists the addresses of both families', async () => {
    const { following, sets, asked } = scripted({ 4: { '10.0.0.1': 5, '10.0.0.2': 5 }, 6: { '2001:db8::1': 5 } })
    await settle()
    assert.deepEqual([sets, asked], [['10.0.0.1:80, 10.0.0.2:80, [2001:db8::1]:80'], ['a.internal/4', 'a.internal/6']])
    following.close()
  })

  test('asks for one family when told to, and passes TLS on', async () => {
    const { following, sets, asked } = scripted({ 4: { '10.0.0.1': 5 }, 6: { '::1': 5 } }, { family: 6, tls: true })
    await settle()
    assert.deepEqual([sets, asked], [['[::1]:80 tls true'], ['a.internal/6']])
    following.close()
  })

  test('does not mind a missing family', async () => {
    for (const missing of ['ENODATA', 'ENOTFOUND']) {
      const { following, sets, errors } = scripted({ 4: missing, 6: { '::1': 5 } })
      await settle()
      assert.deepEqual([sets, errors], [['[::1]:80'], []])
      following.close()
    }
  })

  test('overlooks a family that cannot be told while the other has addresses', async () => {
    const { following, sets, errors } = scripted({ 4: { '10.0.0.1': 5 }, 6: 'ESERVFAIL' })
    await settle()
    assert.deepEqual([sets, errors], [['10.0.0.1:80'], []])
    following.close()
  })

  test('says that none exist when there is no such name, and looks again after 5 s', async () => {
    for (const code of ['ENODATA', 'ENOTFOUND']) {
      const { following, sets, errors, asked, clock } = scripted({ 4: code, 6: code })
      await clock.advance(4_999)
      assert.deepEqual([sets, errors, asked.length], [[''], [], 2])
      await clock.advance(1)
      assert.equal(asked.length, 4)
      following.close()
    }
  })

  test('fails when the server could not tell', async () => {
    for (const [v4, v6] of [['ESERVFAIL', 'ESERVFAIL'], ['ETIMEOUT', 'ENODATA'], ['ENOTFOUND', 'EREFUSED'], ['ECONNREFUSED', 'ECONNREFUSED']] as const) {
      const { following, sets, errors } = scripted({ 4: v4, 6: v6 })
      await settle()
      assert.deepEqual([sets, errors.length], [[], 1])
      following.close()
    }
  })

  test('keeps the addresses through a failure and finds the new ones after it', async () => {
    const { following, sets, errors, answers, clock } = scripted({ 4: { '10.0.0.1': 2 } })
    await settle()
    answers[4] = 'ESERVFAIL'
    await clock.advance(2_000)
    answers[4] = { '10.0.0.2': 2 }
    await clock.advance(250)
    assert.deepEqual([sets, errors], [['10.0.0.1:80', '10.0.0.2:80'], ['ESERVFAIL']])
    following.close()
  })

  for (const [ttls, limits, rest] of [
    [{ a: 7, b: 3 }, {}, 3_000],
    [{ a: 0, b: 3 }, {}, 1_000],
    [{ a: 86_400 }, {}, 30_000],
    [{ a: 1 }, { minTtl: '5s' }, 5_000],
    [{ a: 60 }, { maxTtl: '10s' }, 10_000],
  ] as const) {
    test(`with TTLs of ${Object.values(ttls).join(' and ')} s and ${JSON.stringify(limits)} it looks again after ${rest} ms`, async () => {
      const { following, asked, clock } = scripted({ 4: { ...ttls } }, { family: 4, ...limits })
      await clock.advance(rest - 1)
      assert.equal(asked.length, 1)
      await clock.advance(1)
      assert.equal(asked.length, 2)
      following.close()
      assert.equal(clock.pending, 0)
    })
  }

  test('refuses what it cannot resolve, with a hint', () => {
    const faults = (config: object) => dns.config.safeParse({ hostname: 'a.internal', port: 80, ...config }).error?.issues
      .map(({ path, message }) => `${path.join('.')}: ${message}`).join()
    assert.equal(faults({}), undefined)
    assert.equal(faults({ servers: ['10.0.0.2', '10.0.0.2:53', '::1', '[::1]', '[::1]:53'] }), undefined)
    assert.match(faults({ hostname: '10.0.0.1' })!, /^hostname: is an IP address: use a registry of type 'static'/)
    assert.match(faults({ hostname: '::1' })!, /^hostname: is an IP address/)
    assert.match(faults({ hostname: '0x7f.1' })!, /^hostname: is an IP address/)
    assert.match(faults({ hostname: 'http://a' })!, /^hostname: is not a host name/)
    assert.match(faults({ hostname: 'a:80' })!, /^hostname: is not a host name/)
    assert.match(faults({ hostname: '' })!, /^hostname: is not a host name/)
    assert.match(faults({ port: 0 })!, /^port: /)
    assert.match(faults({ family: 5 })!, /^family: /)
    assert.match(faults({ minTtl: '1m' })!, /^minTtl: is longer than maxTtl/)
    assert.match(faults({ resolver: 'system', servers: ['10.0.0.2'] })!, /^servers: has no effect/)
    for (const server of ['dns.internal', '10.0.0.2:0', '10.0.0.2:65536', '10.0.0.256', '[::1', ':53', '']) {
      assert.match(faults({ servers: [server] })!, /^servers\.0: is not an IP address/)
    }
  })
})

describe('dns on the wire', () => {
  test('reads addresses and TTLs, tells no such name from a failing server', async () => {
    const server = await dnsServer({
      'both.test': { addresses: ['10.0.0.1', '10.0.0.2', '2001:db8::7'], ttl: 4 },
      'v4.test': { addresses: ['10.0.0.3'], ttl: 900 },
      'broken.test': { code: 2 },
    })
    const first = async (hostname: string) => {
      const config = dns.config.parse({ hostname, port: 8080, servers: [server.address] })
      const rests = deferred<number>()
      const abort = new AbortController()
      const watch = { signal: abort.signal, wake: { wait: (ms: number) => { rests.resolve(ms); return Promise.reject(new Error('enough')) } } }
      const iterator = dns.make(config, fakeRuntime())(watch)[Symbol.asyncIterator]()
      const { value } = await iterator.next() as IteratorYieldResult<{ address: string }[]>
      await assert.rejects(iterator.next(), /enough/)
      return { addresses: value.map(({ address }) => address).sort(), again: await rests.promise }
    }
    try {
      assert.deepEqual(await first('Both.TEST'), { addresses: ['10.0.0.1:8080', '10.0.0.2:8080', '[2001:db8::7]:8080'], again: 4_000 })
      assert.deepEqual(await first('v4.test'), { addresses: ['10.0.0.3:8080'], again: 30_000 })
      assert.deepEqual(await first('nowhere.test'), { addresses: [], again: 5_000 })
      await assert.rejects(first('broken.test'), { code: 'ESERVFAIL' })
      assert.ok(server.questions.includes('both.test A') && server.questions.includes('both.test AAAA'))
    } finally {
      await server.close()
    }
  })

  test('the system resolver knows the hosts file', async () => {
    const { following, sets } = watched(dns.make(dns.config.parse({ hostname: 'localhost', port: 80, resolver: 'system', family: 4 }), fakeRuntime()))
    await following.first
    assert.deepEqual(sets, ['127.0.0.1:80'])
    following.close()
  })
})

aRegistry('dns', async () => {
  const names: Record<string, { addresses?: string[], code?: number }> = { 'a.test': { addresses: ['10.0.0.1', '::1'] } }
  const server = await dnsServer(names)
  return {
    registry: dns.make(dns.config.parse({ hostname: 'a.test', port: 80, servers: [server.address] }), fakeRuntime()),
    expected: ['10.0.0.1:80', '[::1]:80'],
    fail: () => { names['a.test'] = { code: 2 } },
    heal: () => { names['a.test'] = { addresses: ['10.0.0.1', '::1'] } },
    close: server.close,
  }
})
