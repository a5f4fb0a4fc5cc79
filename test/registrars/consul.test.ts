import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { consul } from '../../src/registrars/consul.ts'
import { Agent } from '../support/consul-agent.ts'
import { status, troubles } from '../support/registry-server.ts'
import { Watching } from '../support/watching.ts'
import { instanceOf, never, registrationOf } from './support.ts'

const started = async (t: TestContext, config: object = {}) => {
  const agent = await Agent.start(t)
  agent.instances = []
  const of = (id: string, more: object = {}) => registrationOf(consul, { server: agent.server.url, ...config }, instanceOf(id, more))
  return { agent, of }
}

describe('announcing in consul', () => {
  test('registers a service of the agent with a check that lapses by itself', async (t) => {
    const { agent, of } = await started(t, { tags: ['v2'], weight: 3, namespace: 'shop', partition: 'p' })
    const registration = of('a')
    await registration.register(true, never)
    assert.deepEqual(agent.registered.get('a'), {
      ID: 'a', Name: 'pricing', Address: '10.0.0.1', Port: 8080, Meta: { zone: 'a' }, Tags: ['v2'], Weights: { Passing: 3, Warning: 1 },
      Check: { CheckID: 'service:a', Name: 'alive', TTL: '15s', Status: 'passing', DeregisterCriticalServiceAfter: '60s' },
    })
    assert.deepEqual([agent.server.log, registration.every], [['/v1/agent/service/register?ns=shop&partition=p'], 5_000])
  })

  test('what it writes, the registry consul reads, as long as it is well', async (t) => {
    const { agent, of } = await started(t)
    const registration = of('a/b ü', { address: '[2001:db8::1]:8080', host: '2001:db8::1' })
    await registration.register(false, never)
    const watching = new Watching(agent.registry())
    t.after(() => watching.close())
    assert.deepEqual(await watching.set(), [])
    await agent.held.take()
    assert.equal(await registration.renew(true, never), true)
    const [{ address, metadata }] = await watching.set() as [{ address: string, metadata: object }]
    assert.deepEqual([address, metadata], ['[2001:db8::1]:8080', { zone: 'a', node: 'n1', datacenter: 'dc1' }])
    await registration.renew(false, never)
    // The registry rests a second between two questions.
    await watching.clock.advance(1_000)
    assert.deepEqual(await watching.set(), [])
  })

  test('an agent that has lost it says so, and taking it away twice is no fault', async (t) => {
    const { agent, of } = await started(t)
    const registration = of('a')
    assert.equal(await registration.renew(true, never), false)
    await registration.register(true, never)
    await registration.deregister(never)
    await registration.deregister(never)
    assert.equal(agent.registered.size, 0)
  })

  test('signs in, and repeats no token', async (t) => {
    process.env['ENMESH_TEST_CONSUL_WRITE'] = 'acl-s3cret'
    t.after(() => { delete process.env['ENMESH_TEST_CONSUL_WRITE'] })
    const { agent, of } = await started(t, { token: { env: 'ENMESH_TEST_CONSUL_WRITE' } })
    await of('a').register(true, never)
    assert.equal((await agent.server.asked.take()).headers['x-consul-token'], 'acl-s3cret')
    agent.server.trouble = (asked) => status(asked, 403, 'rpc error: token acl-s3cret lacks permission')
    await assert.rejects(of('a').register(true, never), { message: /\/v1\/agent\/service\/register answered 403$/ })
  })

  for (const what of ['answers 503', 'sends elsewhere', 'cuts the connection'] as const) {
    test(`an agent that ${what} is a failure with its place`, async (t) => {
      const { agent, of } = await started(t)
      agent.server.trouble = troubles[what]!.cause
      for (const attempt of [(one = of('a')) => one.register(true, never), (one = of('a')) => one.renew(true, never), (one = of('a')) => one.deregister(never)]) {
        await assert.rejects(attempt(), { message: troubles[what]!.message })
      }
    })
  }

  test('gives up when it is told to, and hangs up', async (t) => {
    const { agent, of } = await started(t)
    agent.server.trouble = () => {}
    const abort = new AbortController()
    const registering = of('a').register(true, abort.signal)
    const { over } = await agent.server.asked.take()
    abort.abort(new Error('enough'))
    await assert.rejects(registering, { message: 'enough' })
    await over
  })

  test('refuses what it cannot use', () => {
    const faults = (config: object) => consul.config.safeParse(config).error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join()
    assert.equal(faults({}), undefined)
    assert.match(faults({ forget: '10s' })!, /^forget: must be at least 1m/)
    assert.match(faults({ ttl: 5 })!, /^ttl: must be at least 1s/)
    assert.match(faults({ weight: 0.5 })!, /^weight: /)
    assert.match(faults({ token: 'text' })!, /^token: is a secret/)
  })
})
