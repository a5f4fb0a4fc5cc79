import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { consul } from '../../src/registries/consul.ts'
import { aRegistry, fakeRuntime, settle } from '../../src/testing/index.ts'
import { Agent, instance } from '../support/consul-agent.ts'
import { json, status, troubles } from '../support/registry-server.ts'
import { Watching } from '../support/watching.ts'

const started = async (t: TestContext, config: object = {}) => {
  const agent = await Agent.start(t)
  const watching = new Watching(agent.registry(config))
  t.after(() => watching.close())
  return { agent, watching }
}

describe('consul', () => {
  test('lists the instances that pass, each with what Consul says of it', async (t) => {
    const agent = await Agent.start(t)
    agent.instances = [
      instance('a', 8080, { service: { Address: '10.1.0.1', Tags: ['v2', 'blue'], Meta: { version: '2', node: 'forged' }, Weights: { Passing: 5, Warning: 1 } } }),
      instance('b', 8081, { node: { Address: '2001:db8::1', Node: 'n2', Datacenter: 'dc2' }, service: { Tags: null, Weights: null } }),
      instance('a', 8082, { node: { Node: 'n3' }, service: { Address: 'host.internal' } }),
    ]
    const watching = new Watching(agent.registry({ tls: true }))
    t.after(() => watching.close())
    assert.deepEqual(await watching.set(), [
      { id: 'n1/a', address: '10.1.0.1:8080', weight: 5, tls: true, metadata: { version: '2', node: 'n1', datacenter: 'dc1', tags: 'v2,blue' } },
      { id: 'n2/b', address: '[2001:db8::1]:8081', tls: true, metadata: { node: 'n2', datacenter: 'dc2' } },
      { id: 'n3/a', address: 'host.internal:8082', weight: 1, tls: true, metadata: { node: 'n3', datacenter: 'dc1' } },
    ])
    assert.deepEqual(agent.server.log, ['/v1/health/service/pricing?passing=1'])
  })

  test('says all that narrows the question', async (t) => {
    process.env['ENMESH_TEST_CONSUL'] = 'acl-secret'
    t.after(() => { delete process.env['ENMESH_TEST_CONSUL'] })
    const { agent, watching } = await started(t, {
      service: 'a/b ü', tags: ['v2', 'eu&1'], datacenter: 'dc2', namespace: 'shop', partition: 'p', token: { env: 'ENMESH_TEST_CONSUL' }, wait: '2m',
    })
    await watching.set()
    const { headers, query } = await agent.held.take()
    assert.equal(headers['x-consul-token'], 'acl-secret')
    assert.equal(agent.server.log[0], '/v1/health/service/a%2Fb%20%C3%BC?passing=1&tag=v2&tag=eu%261&dc=dc2&ns=shop&partition=p')
    assert.deepEqual([query.get('index'), query.get('wait'), query.getAll('tag')], ['10', '120s', ['v2', 'eu&1']])
  })

  test('a change arrives through the question that waits for it, without any time passing', async (t) => {
    const { agent, watching } = await started(t)
    assert.deepEqual(await watching.addresses(), ['10.0.0.1:1', '10.0.0.1:2'])
    await agent.held.take()
    agent.change(instance('b', 2), instance('c', 3))
    assert.deepEqual(await watching.addresses(), ['10.0.0.1:2', '10.0.0.1:3'])
    assert.deepEqual(agent.server.log.length, 2)
  })

  test('the end of a wait brings the same set, and the next question waits on', async (t) => {
    const { agent, watching } = await started(t)
    await watching.set()
    await agent.held.take()
    await watching.clock.advance(300_000)
    agent.endWait()
    assert.deepEqual(await watching.addresses(), ['10.0.0.1:1', '10.0.0.1:2'])
    assert.equal((await agent.held.take()).query.get('index'), '10')
  })

  test('a service that nobody registered is an empty set', async (t) => {
    const { agent, watching } = await started(t)
    await watching.set()
    await agent.held.take()
    agent.change()
    assert.deepEqual(await watching.addresses(), [])
  })

  test('an index that went back is forgotten, and the next question does not wait', async (t) => {
    const { agent, watching } = await started(t)
    await watching.set()
    await agent.held.take()
    agent.index = 3
    agent.change(instance('z', 9))
    assert.deepEqual(await watching.addresses(), ['10.0.0.1:9'])
    await watching.clock.advance(1_000)
    assert.deepEqual(await watching.addresses(), ['10.0.0.1:9'])
    await agent.held.take()
    assert.deepEqual(agent.server.log.map((asked) => asked.replace(/.*passing=1/, '')), ['', '&index=10&wait=300s', '', '&index=4&wait=300s'])
  })

  test('an index of 0 is taken for 1, which waits', async (t) => {
    const agent = await Agent.start(t)
    agent.index = 0
    const watching = new Watching(agent.registry())
    t.after(() => watching.close())
    await watching.set()
    agent.index = 1
    assert.equal((await agent.server.asked.takeWhere(({ query }) => query.has('index'))).query.get('index'), '1')
  })

  test('an agent that never lets a question wait is asked once a second', async (t) => {
    const agent = await Agent.start(t)
    agent.server.trouble = (asked) => json(asked, agent.instances, { 'x-consul-index': '5' })
    const watching = new Watching(agent.registry())
    t.after(() => watching.close())
    await watching.set()
    for (let second = 1; second < 4; second++) {
      await watching.set()
      await watching.clock.advance(999)
      assert.equal(agent.server.log.length, second + 1)
      await watching.clock.advance(1)
    }
  })

  test('a look asked for ends the wait at once, and asks without waiting', async (t) => {
    const { agent, watching } = await started(t)
    await watching.set()
    const held = await agent.held.take()
    watching.wake()
    assert.deepEqual(await watching.addresses(), ['10.0.0.1:1', '10.0.0.1:2'])
    await held.over
    assert.equal(agent.server.log[2], '/v1/health/service/pricing?passing=1')
    assert.equal(watching.failures.length, 0)
  })

  test('closed while it waits, it hangs up and leaves no timer', async (t) => {
    const { agent, watching } = await started(t)
    await watching.set()
    const held = await agent.held.take()
    watching.close()
    await held.over
    await settle()
    assert.deepEqual([watching.clock.pending, agent.waiting, watching.failures.length], [0, 0, 0])
  })

  test('one bad instance is left out, a list of nothing else is a failure', async (t) => {
    const { agent, watching } = await started(t)
    await watching.set()
    await agent.held.take()
    agent.change(instance('bad', 0), instance('worse', 1, { service: { Address: 'http://x/' } }), instance('good', 7))
    assert.deepEqual(await watching.addresses(), ['10.0.0.1:7'])
    watching.wake()
    await watching.set()
    agent.change(instance('bad', 0))
    watching.wake()
    assert.match((await watching.failure()).message, /pricing lists 1 and none has a host and a port that can be dialled/)
  })

  for (const [what, { cause, message }] of Object.entries(troubles)) {
    test(`an agent that ${what} is a failure with its place, and what was there comes back`, async (t) => {
      const { agent, watching } = await started(t)
      await watching.set()
      await agent.held.take()
      agent.server.trouble = cause
      watching.wake()
      const failure = await watching.failure()
      assert.match(failure.message, message)
      assert.ok(failure.message.startsWith(`${new URL(agent.server.url).host}/v1/health/service/pricing`), failure.message)
      agent.server.trouble = undefined
      watching.wake()
      assert.deepEqual(await watching.addresses(), ['10.0.0.1:1', '10.0.0.1:2'])
    })
  }

  test('an agent that dies while it holds a question is a failure', async (t) => {
    const { agent, watching } = await started(t)
    await watching.set()
    await agent.held.take()
    await watching.clock.advance(5_000)
    agent.server.cut()
    assert.match((await watching.failure()).message, /cannot be reached \(ECONNRESET\)/)
  })

  test('an agent that keeps silent for longer than it may is a failure', async (t) => {
    const agent = await Agent.start(t)
    agent.server.trouble = () => {}
    const watching = new Watching(agent.registry({ timeout: '2s' }))
    t.after(() => watching.close())
    await agent.server.asked.take()
    await watching.clock.advance(2_000)
    assert.match((await watching.failure()).message, /did not answer within 2000 ms/)
    await watching.clock.advance(250)
    await agent.server.asked.take()
  })

  test('without an index it is not Consul', async (t) => {
    const agent = await Agent.start(t)
    agent.server.trouble = (asked) => json(asked, [])
    const watching = new Watching(agent.registry())
    t.after(() => watching.close())
    assert.match((await watching.failure()).message, /without X-Consul-Index: check that the URL leads to Consul/)
  })

  test('another agent answers where one is down', async (t) => {
    const [agent, down] = [await Agent.start(t), await Agent.start()]
    await down.server.close()
    const watching = new Watching(agent.registry({ servers: [down.server.url, agent.server.url] }))
    t.after(() => watching.close())
    assert.equal((await watching.set()).length, 2)
    await agent.server.close()
    watching.wake()
    const { message } = await watching.failure()
    for (const { server } of [agent, down]) assert.ok(message.includes(new URL(server.url).host), message)
  })

  test('no token is in a failure, even if the agent repeats it', async (t) => {
    process.env['ENMESH_TEST_CONSUL'] = 'acl-secret'
    t.after(() => { delete process.env['ENMESH_TEST_CONSUL'] })
    const agent = await Agent.start(t)
    agent.server.trouble = (asked) => status(asked, 403, `token ${asked.headers['x-consul-token']} may not`)
    const watching = new Watching(agent.registry({ token: { env: 'ENMESH_TEST_CONSUL' }, tags: ['hidden'] }))
    t.after(() => watching.close())
    assert.match((await watching.failure()).message, /pricing answered 403$/)
    delete process.env['ENMESH_TEST_CONSUL']
    watching.wake()
    assert.match((await watching.failure()).message, /the environment variable 'ENMESH_TEST_CONSUL' is not set/)
  })

  test('refuses what it cannot use, with a hint and without secrets', () => {
    const faults = (config: object) => consul.config.safeParse({ service: 'a', ...config }).error?.issues
      .map(({ path, message }) => `${path.join('.')}: ${message}`).join()
    assert.equal(faults({}), undefined)
    assert.equal(faults({ token: { file: '/run/token' }, serverTls: { ca: { file: 'a' } }, servers: ['https://consul.internal/prefix/'] }), undefined)
    assert.match(faults({ token: 'acl-secret' })!, /^token: is a secret, and no secret stands in a configuration: write \{ env/)
    assert.match(faults({ token: { env: 'A', file: 'b' } })!, /^token: needs exactly one/)
    assert.match(faults({ token: {} })!, /^token: needs exactly one/)
    assert.match(faults({ servers: ['http://u:pass@a:1'] })!, /^servers\.0: holds credentials/)
    assert.doesNotMatch(faults({ servers: ['http://u:pass@a:1'] })!, /pass/)
    assert.match(faults({ servers: ['consul:8500'] })!, /^servers\.0: is not the URL of a server/)
    assert.match(faults({ servers: ['http://a/?token=x'] })!, /^servers\.0: has a query/)
    assert.match(faults({ servers: [] })!, /^servers: /)
    assert.match(faults({ wait: '20m' })!, /^wait: must be from 1s to 10m/)
    assert.match(faults({ serverTls: { cert: { file: 'a' } } })!, /^serverTls: `cert` and `key` belong together/)
  })
})

aRegistry('consul', async () => {
  const agent = await Agent.start()
  return {
    registry: agent.registry()(fakeRuntime()),
    expected: ['10.0.0.1:1', '10.0.0.1:2'],
    fail: () => {
      agent.server.trouble = (asked) => status(asked, 500)
      agent.server.cut()
    },
    heal: () => { agent.server.trouble = undefined },
    close: () => agent.server.close(),
  }
})
