import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import {
  DeregisterInstanceCommand, DiscoverInstancesCommand, DiscoverInstancesRevisionCommand, GetInstanceCommand, GetOperationCommand, ListInstancesCommand,
  ListNamespacesCommand, ListServicesCommand, RegisterInstanceCommand, ServiceDiscoveryClient, UpdateInstanceCustomHealthStatusCommand,
} from '@aws-sdk/client-servicediscovery'
import { CloudMapServer, credentials, region, Refusal } from './cloud-map-server.ts'

const started = async (t: TestContext, config: object = {}) => {
  const server = await CloudMapServer.start()
  const client = new ServiceDiscoveryClient({ region, endpoint: server.url, credentials, disableHostPrefix: true, maxAttempts: 1, ...config })
  t.after(() => {
    client.destroy()
    return server.close()
  })
  return { server, client, service: server.addService('shop.local', 'pricing') }
}

const named = { NamespaceName: 'shop.local', ServiceName: 'pricing' }

describe('the server that speaks Cloud Map', () => {
  test('has an instance once it is registered, and until it is deregistered, by operations that can be asked for', async (t) => {
    const { server, client, service } = await started(t)
    const instance = { ServiceId: service, InstanceId: 'a' }
    const operation = async (id: string | undefined) => (await client.send(new GetOperationCommand({ OperationId: id }))).Operation?.Status
    server.held = true
    const registered = await client.send(new RegisterInstanceCommand({ ...instance, Attributes: { AWS_INSTANCE_IPV4: '10.0.0.1', AWS_INSTANCE_PORT: '8080' } }))
    assert.equal(await operation(registered.OperationId), 'PENDING')
    await assert.rejects(client.send(new RegisterInstanceCommand({ ...instance, Attributes: { AWS_INSTANCE_IPV4: '10.0.0.2' } })), { name: 'DuplicateRequest' })
    await assert.rejects(client.send(new GetInstanceCommand(instance)), { name: 'InstanceNotFound' })
    server.release()
    assert.deepEqual([await operation(registered.OperationId), await operation(registered.OperationId)], ['PENDING', 'SUCCESS'])
    assert.equal((await client.send(new GetInstanceCommand(instance))).Instance?.Attributes?.['AWS_INSTANCE_IPV4'], '10.0.0.1')
    assert.equal((await client.send(new ListInstancesCommand({ ServiceId: service }))).Instances?.length, 1)
    server.held = false
    await client.send(new DeregisterInstanceCommand(instance))
    assert.deepEqual((await client.send(new ListInstancesCommand({ ServiceId: service }))).Instances, [])
    server.failNext = 'no leave to create the record'
    const failed = await client.send(new RegisterInstanceCommand({ ...instance, Attributes: { AWS_INSTANCE_IPV4: '10.0.0.1' } }))
    assert.deepEqual([await operation(failed.OperationId), await operation(failed.OperationId)], ['PENDING', 'FAIL'])
    assert.deepEqual(server.instances(service), [])
  })

  test('moves its revision when an instance comes or goes, and not with health', async (t) => {
    const { server, client, service } = await started(t)
    const before = server.revision(service)
    // The SDK tells it as a number, which is not exact.
    assert.equal((await client.send(new DiscoverInstancesRevisionCommand(named))).InstancesRevision, Number(before))
    await client.send(new RegisterInstanceCommand({ ServiceId: service, InstanceId: 'a', Attributes: { AWS_INSTANCE_IPV4: '10.0.0.1' } }))
    assert.equal(server.revision(service), before + 1n)
    await client.send(new UpdateInstanceCustomHealthStatusCommand({ ServiceId: service, InstanceId: 'a', Status: 'UNHEALTHY' }))
    assert.equal(server.revision(service), before + 1n)
    assert.deepEqual((await client.send(new DiscoverInstancesCommand(named))).Instances, [])
    const { Instances } = await client.send(new DiscoverInstancesCommand({ ...named, HealthStatus: 'HEALTHY_OR_ELSE_ALL' }))
    assert.deepEqual(Instances?.map(({ InstanceId, HealthStatus }) => [InstanceId, HealthStatus]), [['a', 'UNHEALTHY']])
  })

  test('lists a thousand at most, a hundred unless asked for more, in a random order', async (t) => {
    const { server, client, service } = await started(t)
    for (let at = 0; at < 1_001; at++) server.put(service, `i${at}`, { AWS_INSTANCE_IPV4: '10.0.0.1' })
    const ids = async (limit?: number) => (await client.send(new DiscoverInstancesCommand({ ...named, MaxResults: limit }))).Instances!.map(({ InstanceId }) => InstanceId)
    const [one, other] = [await ids(1_000), await ids(1_000)]
    assert.deepEqual([(await ids()).length, one.length], [100, 1_000])
    assert.notDeepEqual(one, other)
    await assert.rejects(ids(1_001), { name: 'InvalidInput' })
  })

  test('tells services by the namespace that they are in', async (t) => {
    const { server, client, service } = await started(t)
    server.addService('other.local', 'order')
    const { Namespaces } = await client.send(new ListNamespacesCommand())
    const id = Namespaces!.find(({ Name }) => Name === 'shop.local')!.Id!
    const { Services } = await client.send(new ListServicesCommand({ Filters: [{ Name: 'NAMESPACE_ID', Values: [id] }] }))
    assert.deepEqual(Services!.map(({ Id, Name }) => [Id, Name]), [[service, 'pricing']])
  })

  test('refuses by the names that the API has for it', async (t) => {
    const { server, client } = await started(t)
    await assert.rejects(client.send(new DiscoverInstancesCommand({ ...named, ServiceName: 'none' })), { name: 'ServiceNotFound' })
    await assert.rejects(client.send(new DiscoverInstancesCommand({ ...named, NamespaceName: 'none' })), { name: 'NamespaceNotFound' })
    server.trouble = () => { throw new Refusal('RequestLimitExceeded', 'too many') }
    await assert.rejects(client.send(new DiscoverInstancesCommand(named)), { name: 'RequestLimitExceeded', message: 'too many' })
  })

  for (const [what, config, name] of [
    ['a wrong secret', { credentials: { ...credentials, secretAccessKey: 'other' } }, 'InvalidSignatureException'],
    ['an unknown key', { credentials: { ...credentials, accessKeyId: 'OTHER' } }, 'UnrecognizedClientException'],
    ['another region', { region: 'eu-other-1' }, 'InvalidSignatureException'],
  ] as const) {
    test(`refuses what is signed with ${what}`, async (t) => {
      const { client } = await started(t, config)
      await assert.rejects(client.send(new DiscoverInstancesCommand(named)), { name })
    })
  }
})
