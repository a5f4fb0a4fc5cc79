import assert from 'node:assert/strict'
import type { AddressInfo } from 'node:net'
import type { NetworkInterfaceInfo } from 'node:os'
import { describe, test, type TestContext } from 'node:test'
import { systemClock } from '../../src/runtime/clock.ts'
import { findPlace, type Place, type PlaceOptions } from '../../src/server/place.ts'
import { json, RegistryServer, status } from '../support/registry-server.ts'

const bound = (address: string, port = 8080): AddressInfo => ({ address, port, family: address.includes(':') ? 'IPv6' : 'IPv4' })

const addresses = (...all: readonly string[]): NetworkInterfaceInfo[] =>
  all.map((address) => ({ address, internal: /^(127|::1)/.test(address) }) as NetworkInterfaceInfo)

const machine = { lo: addresses('127.0.0.1', '::1'), eth0: addresses('fe80::1', '2001:db8::7', '169.254.1.1', '10.0.0.7'), eth1: addresses('10.1.0.7') }

const find = (options: PlaceOptions, env: Record<string, string> = {}, on: AddressInfo | string | null = bound('::'), interfaces: object = machine): Promise<Place> =>
  findPlace(on, options, new AbortController().signal, systemClock, { env, interfaces: () => interfaces as never })

const addressOf = async (...args: Parameters<typeof find>): Promise<string> => (await find(...args)).address

const inEcs = async (t: TestContext, task: object) => {
  const server = await RegistryServer.start((asked) => asked.path === '/v4/id/task' ? json(asked, task) : status(asked, 404))
  t.after(() => server.close())
  return { server, env: { ECS_CONTAINER_METADATA_URI_V4: `${server.url}/v4/id`, POD_IP: '10.9.9.9' } }
}

describe('where an instance can be dialled', () => {
  test('is what the options say, before anything else', async () => {
    assert.equal(await addressOf({ address: '192.0.2.1', port: 9 }, { POD_IP: '10.9.9.9' }), '192.0.2.1:9')
    assert.equal(await addressOf({ address: '2001:db8::1' }), '[2001:db8::1]:8080')
    assert.equal(await addressOf({ address: 'a.internal', port: 9 }, {}, '/run/socket'), 'a.internal:9')
    assert.equal(await addressOf({ interface: 'eth1' }, { POD_IP: '10.9.9.9' }), '10.1.0.7:8080')
  })

  test('is the address that the server listens on, if it is a certain one', async () => {
    assert.equal(await addressOf({}, { POD_IP: '10.9.9.9' }, bound('127.0.0.1')), '127.0.0.1:8080')
    assert.equal(await addressOf({}, {}, bound('2001:db8::1')), '[2001:db8::1]:8080')
  })

  test('is that of the ECS task, with its zone', async (t) => {
    const { env, server } = await inEcs(t, {
      Cluster: 'c', AvailabilityZone: 'eu-west-1b', Containers: [{ Name: 'sidecar' }, { Networks: [{ NetworkMode: 'awsvpc', IPv4Addresses: ['10.2.3.4'], IPv6Addresses: ['2001:db8::2'] }] }],
    })
    const place = await find({}, env)
    assert.deepEqual([place.address, place.metadata], ['10.2.3.4:8080', { zone: 'eu-west-1b' }])
    assert.equal((await find({ address: '10.0.0.1' }, env)).metadata['zone'], 'eu-west-1b')
    assert.equal((await find({ zone: 'z' }, env)).metadata['zone'], 'z')
    assert.equal(server.log.length, 3)
    await find({ address: '10.0.0.1', zone: 'z' }, env)
    assert.equal(server.log.length, 3, 'nothing is asked that is not needed')
  })

  test('of a task by its mode of network: IPv6 only, the host, or a bridge that nobody can dial', async (t) => {
    const mode = async (network: object): Promise<string> => addressOf({}, (await inEcs(t, { Containers: [{ Networks: [network] }] })).env)
    assert.equal(await mode({ NetworkMode: 'awsvpc', IPv6Addresses: ['2001:db8::2'] }), '[2001:db8::2]:8080')
    assert.equal(await mode({ NetworkMode: 'host' }), '10.9.9.9:8080')
    await assert.rejects(mode({ NetworkMode: 'bridge', IPv4Addresses: ['172.17.0.2'] }), /network mode is bridge.*say `address`/)
  })

  test('an ECS that does not answer is a failure, which is tried again, and no other address', async (t) => {
    const { env, server } = await inEcs(t, {})
    server.trouble = (asked) => status(asked, 500)
    await assert.rejects(find({}, env), /\/v4\/id\/task answered 500$/)
  })

  test('is the address of the pod by the downward API, with zone, pod and node', async () => {
    const place = await find({}, { POD_IP: '10.9.9.9', POD_NAME: 'pricing-7f', NODE_NAME: 'n1', POD_ZONE: 'z1' })
    assert.deepEqual([place.address, place.metadata], ['10.9.9.9:8080', { zone: 'z1', pod: 'pricing-7f', node: 'n1' }])
  })

  test('is at last the first address of the machine that others can dial, IPv4 before IPv6', async () => {
    assert.equal(await addressOf({}), '10.0.0.7:8080')
    assert.equal(await addressOf({}, {}, bound('0.0.0.0'), { lo: machine.lo, eth0: addresses('fe80::1', '2001:db8::7') }), '[2001:db8::7]:8080')
  })

  test('where there is none, it says what to write', async () => {
    await assert.rejects(find({}, {}, bound('::'), { lo: machine.lo }), /no address beside its loopback: say `address`/)
    await assert.rejects(find({ interface: 'eth7' }), /no interface 'eth7'.*there are lo, eth0, eth1/)
    await assert.rejects(find({ interface: '__proto__' }), /no interface '__proto__'/)
    await assert.rejects(find({ address: 'a' }, {}, '/run/socket'), /listens on no port/)
    await assert.rejects(find({}, { POD_IP: '10.9.9.9/24' }), /'10\.9\.9\.9\/24' with port 8080 cannot be dialled/)
  })
})
