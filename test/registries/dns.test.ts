import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { dns, dnsWith, type Ask, type SrvRecord } from '../../src/registries/dns.ts'
import type { EndpointSpec } from '../../src/core/endpoint.ts'
import { follow } from '../../src/registries/follow.ts'
import { noSuchService, type Registry } from '../../src/registries/registry.ts'
import { deferred } from '../../src/testing/deferred.ts'
import { aRegistry, fakeRuntime, scriptedRandom, settle } from '../../src/testing/index.ts'
import { dnsServer, type Zone } from '../support/dns-server.ts'

const written = ({ address, tls, weight, ip }: EndpointSpec): string =>
  `${address}${tls === undefined ? '' : ` tls ${tls}`}${weight === undefined ? '' : ` weight ${weight}`}${ip === undefined ? '' : ` at ${ip}`}`

const watched = (registry: Registry) => {
  const runtime = fakeRuntime(scriptedRandom(0))
  const sets: string[] = []
  const errors: unknown[] = []
  const following = follow(registry, {
    runtime,
    onSet: (specs) => { sets.push(specs === noSuchService ? 'none for sure' : specs.map(written).join(', ')) },
    onFailure: (error) => { errors.push((error as NodeJS.ErrnoException).code) },
    onRecovered: () => {},
  })
  return { following, sets, errors, clock: runtime.clock }
}

type Answer = Record<string, number> | string

/** Answers each question from a table: addresses of a family with their TTLs, services, or an error's code. Names may have tables of their own. */
interface Answers { 4?: Answer, 6?: Answer, srv?: readonly SrvRecord[] | string, names?: Record<string, Answers> }

const scripted = (answers: Answers, config: object = {}, random = scriptedRandom(0)) => {
  const asked: string[] = []
  const answer = <Sort extends 4 | 6 | 'srv'>(name: string, sort: Sort): Exclude<Answers[Sort], string | undefined> => {
    asked.push(`${name}/${sort}`)
    const found = (answers.names?.[name] ?? answers)[sort] ?? 'ENODATA'
    if (typeof found === 'string') throw Object.assign(new Error(found), { code: found })
    return found as Exclude<Answers[Sort], string | undefined>
  }
  const ask: Ask = (_, look) => look({
    addresses: async (name, family) => Object.entries(answer(name, family)).map(([address, ttl]) => ({ address, ttl })),
    services: async (name) => answer(name, 'srv'),
  })
  const kind = dnsWith(() => ask)
  const port = 'record' in config ? {} : { port: 80 }
  const runtime = { ...fakeRuntime(), random }
  return { asked, answers, ...watched(kind.make(kind.config.parse({ hostname: 'a.internal', ...port, ...config }), runtime)) }
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
      assert.deepEqual([sets, errors, asked.length], [['none for sure'], [], 2])
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

  test('looks again up to a tenth before the records are too old, but never before minTtl', async () => {
    for (const [config, rest] of [[{ family: 4 }, 9_000], [{ family: 4, minTtl: '9500ms' }, 9_500]] as const) {
      const { following, asked, clock } = scripted({ 4: { '10.0.0.1': 10 } }, config, scriptedRandom(1))
      await clock.advance(rest - 1)
      assert.equal(asked.length, 1)
      await clock.advance(1)
      assert.equal(asked.length, 2)
      following.close()
    }
  })

  test('follows TTLs that change', async () => {
    const { following, asked, answers, clock } = scripted({ 4: { '10.0.0.1': 10 } }, { family: 4 })
    await settle()
    answers[4] = { '10.0.0.1': 2 }
    await clock.advance(10_000)
    assert.equal(asked.length, 2)
    await clock.advance(2_000)
    assert.equal(asked.length, 3)
    following.close()
  })

  test('keeps the addresses of a family that had some and cannot be told now, whatever the other has', async () => {
    for (const family of ['any', 'prefer-6'] as const) {
      const { following, sets, errors, answers, clock } = scripted({ 4: { '10.0.0.1': 2 }, 6: { '::1': 2 } }, { family })
      await settle()
      answers[6] = 'ESERVFAIL'
      await clock.advance(60_000)
      assert.equal(sets.length, 1)
      assert.ok(errors.length > 2 && errors.every((code) => code === 'ESERVFAIL'))
      answers[6] = 'ENODATA'
      await clock.advance(30_000)
      assert.equal(sets.at(-1), '10.0.0.1:80')
      following.close()
    }
  })

  for (const [family, answers, set, asked] of [
    ['prefer-4', { 4: { '10.0.0.1': 5 }, 6: { '::1': 5 } }, '10.0.0.1:80', ['a.internal/4']],
    ['prefer-6', { 4: { '10.0.0.1': 5 }, 6: { '::1': 5 } }, '[::1]:80', ['a.internal/6']],
    ['prefer-4', { 6: { '::1': 5 } }, '[::1]:80', ['a.internal/4', 'a.internal/6']],
    ['prefer-6', { 4: { '10.0.0.1': 5 } }, '10.0.0.1:80', ['a.internal/6', 'a.internal/4']],
    ['prefer-6', { 4: { '10.0.0.1': 5 }, 6: 'ESERVFAIL' }, '10.0.0.1:80', ['a.internal/6', 'a.internal/4']],
    ['prefer-6', {}, 'none for sure', ['a.internal/6', 'a.internal/4']],
    [4, { 6: { '::1': 5 } }, 'none for sure', ['a.internal/4']],
    [6, { 4: { '10.0.0.1': 5 } }, 'none for sure', ['a.internal/6']],
  ] as const) {
    test(`with family ${family}, ${JSON.stringify(answers)} is ${set}`, async () => {
      const watched = scripted(answers as Answers, { family })
      await settle()
      assert.deepEqual([watched.sets, watched.asked], [[set], asked])
      watched.following.close()
    })
  }

  test('as a logical endpoint is the name alone, with the address that it has', async () => {
    const { following, sets, answers, clock } = scripted({ 4: { '10.0.0.1': 2, '10.0.0.2': 2 } }, { responseType: 'logical', tls: true })
    await settle()
    answers[4] = { '10.0.0.3': 2 }
    await clock.advance(2_000)
    answers[4] = 'ENOTFOUND'
    await clock.advance(2_000)
    assert.deepEqual(sets, ['a.internal:80 tls true at 10.0.0.1', 'a.internal:80 tls true at 10.0.0.3', 'none for sure'])
    following.close()
  })

  test('lists an address that a server names twice once', async () => {
    const { following, sets } = scripted({ 4: { '10.0.0.1': 5 }, 6: { '10.0.0.1': 5 } })
    await settle()
    assert.deepEqual(sets, ['10.0.0.1:80'])
    following.close()
  })

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
    assert.match(faults({ port: undefined })!, /^port: is needed/)
    assert.equal(faults({ record: 'srv', port: undefined }), undefined)
    assert.match(faults({ record: 'srv' })!, /^port: has no effect/)
    assert.match(faults({ record: 'srv', port: undefined, resolver: 'system' })!, /^resolver: cannot be asked for SRV/)
    assert.match(faults({ record: 'srv', port: undefined, responseType: 'logical' })!, /^responseType: cannot be 'logical'/)
    assert.match(faults({ timeout: 0 })!, /^timeout: is no time/)
    assert.match(faults({ family: 5 })!, /^family: /)
    assert.match(faults({ minTtl: '1m' })!, /^minTtl: is longer than maxTtl/)
    assert.match(faults({ resolver: 'system', servers: ['10.0.0.2'] })!, /^servers: has no effect/)
    for (const server of ['dns.internal', '10.0.0.2:0', '10.0.0.2:65536', '10.0.0.256', '[::1', ':53', '']) {
      assert.match(faults({ servers: [server] })!, /^servers\.0: is not an IP address/)
    }
  })
})

const srv = (name: string, port: number, priority = 0, weight = 0): SrvRecord => ({ name, port, priority, weight })

describe('dns with SRV records', () => {
  const two = { 'a.test': { 4: { '10.0.0.1': 3 } }, 'b.test': { 4: { '10.0.0.2': 60, '10.0.0.3': 60 } } }
  const config = { record: 'srv' }

  test('lists the addresses of the names in them with their ports, the weight of a name shared by its addresses', async () => {
    const { following, sets, asked } = scripted({ srv: [srv('a.test', 81, 0, 6), srv('b.test', 82, 0, 4)], names: two }, { ...config, family: 4 })
    await settle()
    assert.deepEqual(sets, ['10.0.0.1:81 weight 6, 10.0.0.2:82 weight 2, 10.0.0.3:82 weight 2'])
    assert.deepEqual(asked, ['a.internal/srv', 'a.test/4', 'b.test/4'])
    following.close()
  })

  test('without weights all names are equal; beside one with weight, one without is rare', async () => {
    for (const [first, set] of [[0, '10.0.0.1:81 weight 1, 10.0.0.2:82 weight 0.5, 10.0.0.3:82 weight 0.5'],
      [8, '10.0.0.1:81 weight 8, 10.0.0.2:82 weight 0.005, 10.0.0.3:82 weight 0.005']] as const) {
      const { following, sets } = scripted({ srv: [srv('a.test', 81, 0, first), srv('b.test', 82)], names: two }, config)
      await settle()
      assert.deepEqual(sets, [set])
      following.close()
    }
  })

  test('uses the lowest priority whose names have addresses', async () => {
    const { following, sets, asked, answers, clock } = scripted({
      srv: [srv('b.test', 82, 20), srv('gone.test', 80, 1), srv('a.test', 81, 10)], names: { ...two, 'gone.test': { 4: 'ENOTFOUND' } },
    }, config)
    await settle()
    assert.deepEqual(sets, ['10.0.0.1:81 weight 1'])
    assert.ok(!asked.some((question) => question.startsWith('b.test')))
    answers.names!['gone.test'] = { 4: { '10.0.0.9': 60 } }
    await clock.advance(3_000)
    assert.equal(sets.at(-1), '10.0.0.9:80 weight 1')
    following.close()
  })

  test('asks again after 5 s, since Node tells no TTL of SRV records, or sooner where the addresses have a shorter one', async () => {
    for (const [ttl, rest] of [[60, 5_000], [3, 3_000]] as const) {
      const { following, asked, clock } = scripted({ srv: [srv('a.test', 81)], names: { 'a.test': { 4: { '10.0.0.1': ttl } } } }, { ...config, family: 4 })
      await clock.advance(rest - 1)
      assert.equal(asked.length, 2)
      await clock.advance(1)
      assert.equal(asked.length, 4)
      following.close()
    }
  })

  test('is sure of none where there are no records, or a single dot; not where their names have no addresses', async () => {
    for (const [records, said] of [['ENOTFOUND', 'none for sure'], ['ENODATA', 'none for sure'], [[srv('', 0)], 'none for sure'], [[srv('gone.test', 1)], '']] as const) {
      const { following, sets } = scripted({ srv: records, names: { 'gone.test': { 4: 'ENOTFOUND', 6: 'ENOTFOUND' } } }, config)
      await settle()
      assert.deepEqual(sets, [said])
      following.close()
    }
  })

  test('leaves out a record with the port 0, and fails where there is no other', async () => {
    const { following, sets, errors, answers, clock } = scripted({ srv: [srv('b.test', 0, 1), srv('a.test', 81, 2)], names: two }, { ...config, family: 4 })
    await settle()
    assert.deepEqual([sets, errors], [['10.0.0.1:81 weight 1'], []])
    answers.srv = [srv('a.test', 0)]
    await clock.advance(3_000)
    assert.deepEqual([sets.length, errors.length], [1, 1])
    following.close()
  })

  test('fails when the records, or a name that had addresses, could not be told; overlooks a name that never had any', async () => {
    const { following, sets, errors, answers, clock } = scripted({
      srv: [srv('a.test', 81), srv('broken.test', 82)], names: { ...two, 'broken.test': { 4: 'ESERVFAIL', 6: 'ESERVFAIL' } },
    }, config)
    await settle()
    assert.deepEqual([sets, errors], [['10.0.0.1:81 weight 1'], []])
    answers.names!['a.test'] = { 4: 'ETIMEOUT' }
    answers.names!['broken.test'] = { 4: { '10.0.0.8': 60 } }
    await clock.advance(3_000)
    assert.deepEqual([sets.length, errors], [1, ['ETIMEOUT']])
    answers.srv = 'ESERVFAIL'
    await clock.advance(60_000)
    assert.deepEqual([sets.length, errors.at(-1)], [1, 'ESERVFAIL'])
    following.close()
  })
})

/** One look at a name over real sockets: what it lists, whether it is sure, and when it would look again. */
const lookAt = async (config: object) => {
  const rests = deferred<number>()
  const watch = {
    signal: new AbortController().signal,
    wake: { wait: (ms: number) => { rests.resolve(ms); return Promise.reject(new Error('enough')) } },
  }
  const iterator = dns.make(dns.config.parse({ port: 'record' in config ? undefined : 8080, ...config }), fakeRuntime(scriptedRandom(0)))(watch)[Symbol.asyncIterator]()
  const { value } = await iterator.next() as IteratorYieldResult<readonly EndpointSpec[]>
  await assert.rejects(iterator.next(), /enough/)
  return { endpoints: value.map(written).sort(), sure: value === noSuchService, again: await rests.promise }
}

describe('dns on the wire', () => {
  const served = async (t: TestContext, names: Record<string, Zone>) => {
    const server = await dnsServer(names)
    t.after(server.close)
    // Long enough for a loaded machine where an answer comes, short where none does.
    const at = (hostname: string, config: object = {}) => lookAt({ hostname, servers: [server.address], ...config })
    return { ...server, at, names }
  }

  test('reads addresses and TTLs, tells no such name from a failing server', async (t) => {
    const { at, questions } = await served(t, {
      'both.test': { addresses: ['10.0.0.1', '10.0.0.2', '2001:db8::7'], ttl: 4 },
      'v4.test': { addresses: ['10.0.0.3'], ttl: 900 },
      'empty.test': {},
      'broken.test': { code: 2 },
      'refused.test': { code: 5 },
    })
    assert.deepEqual(await at('Both.TEST'), { endpoints: ['10.0.0.1:8080', '10.0.0.2:8080', '[2001:db8::7]:8080'], sure: false, again: 4_000 })
    assert.deepEqual(await at('v4.test'), { endpoints: ['10.0.0.3:8080'], sure: false, again: 30_000 })
    for (const name of ['nowhere.test', 'empty.test']) assert.deepEqual(await at(name), { endpoints: [], sure: true, again: 5_000 })
    await assert.rejects(at('broken.test'), { code: 'ESERVFAIL' })
    await assert.rejects(at('refused.test'), { code: 'EREFUSED' })
    assert.ok(questions.includes('both.test A') && questions.includes('both.test AAAA'))
  })

  test('reads SRV records and the addresses of their names', async (t) => {
    const { at } = await served(t, {
      '_http._tcp.a.test': {
        services: [
          { priority: 10, weight: 3, port: 81, target: 'one.test' }, { priority: 10, weight: 1, port: 82, target: 'two.test' },
          { priority: 20, weight: 1, port: 83, target: 'two.test' },
        ],
      },
      '_no._tcp.a.test': { services: [{ priority: 0, weight: 0, port: 0, target: '.' }] },
      'one.test': { addresses: ['10.0.0.1', '::1'], ttl: 2 },
      'two.test': { addresses: ['10.0.0.2'] },
      'broken.test': { code: 2 },
    })
    const config = { record: 'srv' }
    assert.deepEqual(await at('_http._tcp.a.test', config), {
      endpoints: ['10.0.0.1:81 weight 1.5', '10.0.0.2:82 weight 1', '[::1]:81 weight 1.5'], sure: false, again: 2_000,
    })
    for (const name of ['_no._tcp.a.test', 'nowhere.test', 'two.test']) assert.deepEqual(await at(name, config), { endpoints: [], sure: true, again: 5_000 })
    await assert.rejects(at('broken.test', config), { code: 'ESERVFAIL' })
  })

  test('asks by TCP where an answer was cut short, for thousands of records too', async (t) => {
    const many = Array.from({ length: 4_000 }, (_, index) => `10.1.${index >> 8}.${index & 255}`)
    const { at, questions } = await served(t, {
      'cut.test': { addresses: ['10.0.0.1'], lie: 'truncated' },
      'many.test': { addresses: many },
    })
    assert.deepEqual((await at('cut.test', { family: 4 })).endpoints, ['10.0.0.1:8080'])
    assert.deepEqual((await at('many.test', { family: 4 })).endpoints, many.map((address) => `${address}:8080`).sort())
    assert.deepEqual(questions, ['cut.test A', 'cut.test A by TCP', 'many.test A', 'many.test A by TCP'])
  })

  test('10 000 endpoints by SRV: as many names of 2 000 addresses each as a message holds', async (t) => {
    const names = Array.from({ length: 5 }, (_, name) => `n${name}.test`)
    const { at } = await served(t, {
      'all.test': { services: names.map((target) => ({ priority: 0, weight: 0, port: 80, target })) },
      ...Object.fromEntries(names.map((name, first) => [name, { addresses: Array.from({ length: 2_000 }, (_, index) => `10.${first}.${index >> 8}.${index & 255}`) }])),
    })
    assert.equal((await at('all.test', { record: 'srv', family: 4 })).endpoints.length, 10_000)
  })

  for (const [lie, codes] of [
    ['silent', ['ETIMEOUT']],
    ['wrong id', ['ETIMEOUT']],
    ['garbage', ['EBADRESP', 'ETIMEOUT', 'ESERVFAIL']],
  ] as const) {
    test(`takes a server that is ${lie === 'garbage' ? 'talking garbage' : lie === 'silent' ? 'silent' : 'answering under another id'} for one that could not tell`, async (t) => {
      const { at } = await served(t, { 'a.test': { addresses: ['10.0.0.1'], lie } })
      await assert.rejects(at('a.test', { timeout: '100ms' }), (error: NodeJS.ErrnoException) => codes.includes(error.code as never) || assert.fail(error))
    })
  }

  test('keeps what it knows while the server lies, and follows it again after', async (t) => {
    const { address, names } = await served(t, { 'a.test': { addresses: ['10.0.0.1', '10.0.0.2'], ttl: 1 } })
    const { following, sets, errors } = watched(dns.make(
      dns.config.parse({ hostname: 'a.test', port: 80, family: 4, servers: [address], timeout: '200ms' }), fakeRuntime(scriptedRandom(0))))
    t.after(() => following.close())
    await until(() => sets.length > 0, () => following.wake())
    for (const lie of ['silent', 'garbage', 'wrong id'] as const) {
      names['a.test'] = { addresses: ['10.6.6.6'], lie }
      const failures = errors.length
      await settle()
      following.wake()
      await until(() => errors.length > failures)
    }
    assert.deepEqual(sets, Array<string>(sets.length).fill('10.0.0.1:80, 10.0.0.2:80'))
    names['a.test'] = { addresses: ['10.0.0.3'], ttl: 1 }
    await until(() => sets.at(-1) === '10.0.0.3:80', () => following.wake())
  })

  test('the system resolver knows the hosts file, and is never sure of none', async () => {
    assert.deepEqual(await lookAt({ hostname: 'localhost', resolver: 'system', family: 4 }), { endpoints: ['127.0.0.1:8080'], sure: false, again: 5_000 })
    const { sure } = await lookAt({ hostname: 'nowhere.invalid', resolver: 'system' }).catch(() => ({ sure: false }))
    assert.equal(sure, false)
  })
})

/** Waits for what real sockets bring, asking for it time and again: a loaded machine may be late with an answer. */
const until = async (reached: () => boolean, ask = (): void => {}): Promise<void> => {
  while (!reached()) {
    ask()
    await settle()
  }
}

for (const [name, config] of [['dns', { port: 80 }], ['dns, logical', { port: 80, responseType: 'logical' }], ['dns with SRV records', { record: 'srv' }]] as const) {
  aRegistry(name, async () => {
    const zone: Zone = { addresses: ['10.0.0.1', '::1'], services: [{ priority: 0, weight: 0, port: 80, target: 'a.test' }] }
    const names: Record<string, Zone> = { 'a.test': zone }
    const server = await dnsServer(names)
    return {
      registry: dns.make(dns.config.parse({ hostname: 'a.test', servers: [server.address], ...config }), fakeRuntime()),
      expected: name === 'dns, logical' ? ['a.test:80'] : ['10.0.0.1:80', '[::1]:80'],
      fail: () => { names['a.test'] = { code: 2 } },
      heal: () => { names['a.test'] = zone },
      close: server.close,
    }
  })
}
