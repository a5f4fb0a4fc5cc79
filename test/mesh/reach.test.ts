import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import type { HealthFinding } from '../../src/transport/probes/probe.ts'
import { listing, virtual } from './support.ts'

const addresses = ['10.0.0.1:80', '10.0.0.2:80', '10.0.0.3:80']

const checks = { healthCheck: { protocol: 'tcp', interval: '1s' } }

/** Three endpoints under 100 calls a second; nobody connects to those in `dead`, and checks of those in `ill` or `dead` do not pass. */
const scene = (t: TestContext, cluster: object) => {
  const dead = new Set<string>()
  const ill = new Set<string>()
  const { mesh, clock, upstream } = virtual({
    services: { s: { cluster: 's', retry: { attempts: 3 } } },
    clusters: { s: { ...listing(...addresses), breaker: false, ...cluster } as never },
  }, ({ endpoint: { address } }) => dead.has(address) ? { error: 'ENMESH_CONNECT_FAILED', delay: 1 } : { delay: 10 }, {
    probe: async ({ address }): Promise<HealthFinding> => ({ result: dead.has(address) || ill.has(address) ? 'unanswered' : 'passed', found: 'as the test says' }),
  })
  t.after(async () => {
    await mesh.close()
    assert.equal(clock.pending, 0)
  })
  const run = async (seconds: number) => {
    const counts = { ok: 0, failed: 0 }
    const calls: Promise<unknown>[] = []
    const before = upstream.attempts.length
    for (let i = 0; i < seconds * 100; i++) {
      calls.push(mesh.fetch('http://s/').then(async (response) => { await response.text(); counts.ok++ }, () => { counts.failed++ }))
      await clock.advance(10)
    }
    await clock.advance(1_000)
    await Promise.all(calls)
    const attempts = upstream.attempts.slice(before)
    const at = (address: string): number => attempts.filter(({ endpoint }) => endpoint.address === address).length
    return { ...counts, at: addresses.map(at) }
  }
  return { mesh, clock, dead, ill, run, status: () => mesh.status().clusters['s']! }
}

describe('while nobody can connect to two of three endpoints', () => {
  for (const balancer of ['least-request', 'round-robin', 'peak-ewma', 'random']) {
    for (const [how, cluster] of [['with health checks', checks], ['without them', {}]] as const) {
      test(`no call fails, ${how}, by ${balancer}`, async (t) => {
        const { dead, run, status } = scene(t, { balancer: { type: balancer }, ...cluster })
        await run(3)
        dead.add(addresses[0]!)
        assert.equal((await run(10)).failed, 0)
        dead.add(addresses[1]!)
        assert.equal((await run(60)).failed, 0)
        dead.clear()
        assert.equal((await run(60)).failed, 0)
        assert.deepEqual(status().endpoints.map(({ state }) => state), ['available', 'available', 'available'])
      })
    }
  }

  test('they get a try every five seconds, and say why they are left alone meanwhile', async (t) => {
    const { dead, run, status } = scene(t, { balancer: { type: 'round-robin' }, ...checks })
    await run(3)
    dead.add(addresses[0]!).add(addresses[1]!)
    await run(10)
    const { at: [first, second, third] } = await run(50)
    assert.ok(first! >= 8 && first! <= 30 && second! >= 8 && second! <= 30, `${first} and ${second} tries in 51 s`)
    assert.equal(third, 5_000)
    await run(2)
    assert.match(status().endpoints[0]!.why, /^unhealthy: .*; left alone though too few are available \(panic\), since it could not be connected to$/)
    assert.ok(status().panic)
  })
})

test('endpoints that are not well but can be connected to share the load in a panic', async (t) => {
  const { ill, run, status } = scene(t, { balancer: { type: 'round-robin' }, ...checks })
  ill.add(addresses[0]!).add(addresses[1]!)
  await run(5)
  const { at, failed } = await run(9)
  assert.deepEqual([at, failed], [[300, 300, 300], 0])
  assert.match(status().endpoints[0]!.why, /used all the same/)
})

test('after an outage of all, those that are back share the load at once', async (t) => {
  const { dead, run } = scene(t, { balancer: { type: 'round-robin' }, ...checks })
  await run(3)
  for (const address of addresses) dead.add(address)
  assert.equal((await run(10)).ok, 0)
  dead.clear()
  const { failed, at } = await run(1)
  assert.equal(failed, 0)
  assert.ok(Math.min(...at) >= 25, at.join(' '))
})

test('where the first is back long before the others, calls go to that one alone', async (t) => {
  const { dead, run } = scene(t, { balancer: { type: 'round-robin' }, ...checks })
  await run(3)
  for (const address of addresses) dead.add(address)
  await run(10)
  dead.delete(addresses[0]!)
  await run(1)
  assert.equal((await run(20)).failed, 0)
})
