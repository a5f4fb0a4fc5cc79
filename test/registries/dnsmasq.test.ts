import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import type { EndpointSpec } from '../../src/core/endpoint.ts'
import { dns } from '../../src/registries/dns.ts'
import { discoveryConfig, follow } from '../../src/registries/follow.ts'
import { noSuchService } from '../../src/registries/registry.ts'
import { aRegistry, fakeRuntime, scriptedRandom, settle } from '../../src/testing/index.ts'
import { Dnsmasq, withoutDnsmasq } from '../support/dnsmasq.ts'

const configuration = [
  'local-ttl=7',
  'srv-host=_http._tcp.pricing.test,one.test,8081,10,3',
  'srv-host=_http._tcp.pricing.test,two.test,8082,10,1',
  'srv-host=_http._tcp.pricing.test,three.test,8083,20,1',
]
const hosts = ['10.0.0.1 one.test', '10.0.0.2 two.test', 'fd00::2 two.test', '10.0.0.3 three.test', '10.0.0.4 pair.test', '10.0.0.5 pair.test']

const written = ({ address, weight = 1 }: EndpointSpec): string => `${address} × ${weight}`

describe('dns against a real dnsmasq', { skip: withoutDnsmasq, concurrency: false }, () => {
  /** Follows a name on virtual time; every set that it hears, its endpoints in order. */
  const followed = async (t: TestContext, config: object) => {
    const server = await Dnsmasq.start(configuration, hosts)
    t.after(() => server.close())
    const runtime = fakeRuntime(scriptedRandom(0))
    const sets: string[] = []
    const errors: unknown[] = []
    const registry = dns.make(dns.config.parse({ servers: [server.address], ...config }), runtime)
    const following = follow(registry, {
      runtime,
      guard: () => discoveryConfig.parse({}),
      onSet: (specs) => { sets.push(specs === noSuchService ? 'none for sure' : specs.map(written).sort().join(', ')) },
      onFailure: (error) => { errors.push((error as NodeJS.ErrnoException).code) },
      onRecovered: () => { errors.push('recovered') },
    })
    t.after(() => following.close())
    /** Asks time and again until it says so. */
    const hears = async (set: string): Promise<void> => {
      while (sets.at(-1) !== set) {
        await settle()
        following.wake()
      }
    }
    return { server, following, sets, errors, clock: runtime.clock, hears }
  }

  test('addresses, with its TTL', async (t) => {
    const { sets, clock, hears, following } = await followed(t, { hostname: 'pair.test', port: 80, family: 4 })
    await following.first
    assert.equal(sets[0], '10.0.0.4:80 × 1, 10.0.0.5:80 × 1')
    await settle()
    await clock.advance(6_999)
    assert.equal(sets.length, 1)
    await clock.advance(1)
    await hears('10.0.0.4:80 × 1, 10.0.0.5:80 × 1')
  })

  test('both families, one only, and one preferred', async (t) => {
    for (const [family, set] of [
      ['any', '10.0.0.2:80 × 1, [fd00::2]:80 × 1'], [4, '10.0.0.2:80 × 1'], ['prefer-6', '[fd00::2]:80 × 1'], ['prefer-4', '10.0.0.2:80 × 1'],
    ] as const) {
      const { hears } = await followed(t, { hostname: 'two.test', port: 80, family })
      await hears(set)
    }
    const { hears } = await followed(t, { hostname: 'one.test', port: 80, family: 'prefer-6' })
    await hears('10.0.0.1:80 × 1')
  })

  test('SRV records: the lowest priority, weights shared by the addresses of a name', async (t) => {
    const { hears } = await followed(t, { hostname: '_http._tcp.pricing.test', record: 'srv' })
    await hears('10.0.0.1:8081 × 3, 10.0.0.2:8082 × 0.5, [fd00::2]:8082 × 0.5')
  })

  test('a name that does not exist is none for sure', async (t) => {
    const { hears, errors } = await followed(t, { hostname: 'nowhere.test', port: 80 })
    await hears('none for sure')
    assert.deepEqual(errors, [])
  })

  test('killed and started again: what was known stays, and what is new is found', async (t) => {
    const { server, sets, errors, following, hears } = await followed(t, { hostname: 'pair.test', port: 80, family: 4, timeout: '500ms' })
    await following.first
    await server.stop()
    const before = sets.length
    while (errors.length === 0) {
      await settle()
      following.wake()
    }
    assert.deepEqual(sets.slice(before), [])
    server.write(configuration, ['10.0.0.4 pair.test', '10.0.0.6 pair.test'])
    await server.start()
    await hears('10.0.0.4:80 × 1, 10.0.0.6:80 × 1')
    assert.equal(errors.at(-1), 'recovered')
  })

  test('its hosts read anew, a name gone for good', async (t) => {
    const { server, hears, following } = await followed(t, { hostname: 'pair.test', port: 80 })
    await following.first
    server.write(configuration, ['10.0.0.9 pair.test'])
    server.reload()
    // Half of the endpoints may go at once.
    await hears('10.0.0.9:80 × 1')
    server.write(configuration, [])
    server.reload()
    await hears('none for sure')
  })
})

if (!withoutDnsmasq) {
  aRegistry('dns against a real dnsmasq', async () => {
    const server = await Dnsmasq.start(configuration, hosts)
    return {
      registry: dns.make(dns.config.parse({ hostname: 'pair.test', port: 80, servers: [server.address], timeout: '500ms' }), fakeRuntime()),
      expected: ['10.0.0.4:80', '10.0.0.5:80'],
      fail: () => server.stop(),
      heal: () => server.start(),
      close: () => server.close(),
    }
  })
}
