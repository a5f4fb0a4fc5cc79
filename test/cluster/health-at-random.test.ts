import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Attempt } from '../../src/core/call.ts'
import { registries, type MeshInput } from '../../src/index.ts'
import { FakeRegistry, seededRandom, settle, type ScriptedAnswer } from '../../src/testing/index.ts'
import { virtual } from '../mesh/support.ts'

const hosts = Array.from({ length: 10 }, (_, index) => `10.0.0.${index + 1}:80`)
const ejection = 2_000

const balancers = [{ type: 'prequal' }, { type: 'round-robin' }, { type: 'ring-hash' }, { type: 'peak-ewma' }, { type: 'aperture', size: 3 },
  { type: 'priority' }, { type: 'zone-aware', zone: 'a', minEndpoints: 2 }] as const
const rules = [{ failures: 2 }, { failures: 3, gatewayFailures: 2, localFailures: 2 }, { failures: 3, failurePercentage: { endpoints: 1, volume: 5 }, latency: { volume: 5, intervals: 1 } },
  { failures: 2, return: 'sweep' }] as const
const checks = { protocol: 'http', path: '/', interval: '1s', timeout: '500ms' } as const

const answers: readonly ScriptedAnswer[] = [
  { status: 200 }, { status: 200, delay: 30 }, { status: 200, delay: 400 }, { status: 200, delay: 400 }, { status: 200, delay: 400 }, { status: 200, delay: 5, bodyDelay: 20_000 }, { status: 503 }, { status: 500, delay: 5 }, { status: 503, bodyDelay: 300 },
  { error: 'ENMESH_CONNECT_FAILED' }, { error: 'ENMESH_CONNECTION_RESET', delay: 20 }, { delay: Number.POSITIVE_INFINITY }, { status: 200, error: 'ENMESH_CONNECTION_RESET', bodyDelay: 100 },
]
const well = answers[0]!

/** A cluster to which everything happens that can, by one seed. */
const fuzzed = async (seed: number) => {
  const random = seededRandom(seed)
  const any = <T>(some: readonly T[]): T => some[Math.floor(random() * some.length)]!
  const fake = new FakeRegistry()
  const behaviour = new Map<string, ScriptedAnswer>()
  const passing = new Set(hosts)
  let checked = random() < 0.5
  const options = { balancer: any(balancers) as object, outlier: any(rules) as object, slowStart: any([0, 5_000]), panic: any([0, 50, 100]) }
  const config = (): MeshInput => ({
    services: { s: { cluster: 's', retry: { attempts: 3 }, timeout: '8s', attemptTimeout: '3s' } },
    clusters: { s: {
      ...options, outlier: { ejection, maxEjection: '10s', interval: '1s', ...options.outlier }, registry: { type: 'fake' }, breaker: false, healthCheck: checked && checks, discovery: { maxLoss: 100, grace: 0 },
    } },
  } as unknown as MeshInput)
  const faults: string[] = []
  const { mesh, clock, upstream } = virtual(config(), (attempt: Attempt) => {
    look(attempt)
    return behaviour.get(attempt.endpoint.address) ?? well
  }, {
    registries: registries.with(fake.kind) as never,
    probe: async ({ address }) => passing.has(address) ? { result: 'passed', found: '200' } : { result: 'unanswered', found: 'silence' },
  })
  const status = () => mesh.status().clusters['s']!
  const probes = new Map<string, { attempt: Attempt, at: number }>()
  /** What the words say just before an attempt began must agree with its beginning. */
  const look = (attempt: Attempt): void => {
    const { endpoint } = attempt
    const { state, why } = status().endpoints.find(({ id }) => id === endpoint.id)!
    const used = /used all the same/.test(why)
    if (!why.startsWith(state) && !(state === 'probation' && why.startsWith('on probation'))) faults.push(`'${why}' of state '${state}'`)
    if (state === 'probation' && !used) {
      const before = probes.get(endpoint.id)
      if (before && before.attempt.ending === undefined && before.attempt.headAt === 0 && clock.now() - before.at < ejection) faults.push('a second request on probation')
      probes.set(endpoint.id, { attempt, at: clock.now() })
      if (!/the request that decides is under way/.test(why)) faults.push(`${why}, but it is`)
    } else if (state !== 'available' && !used) faults.push(`picked, although '${why}'`)
  }
  const calls: Promise<unknown>[] = []
  const running: AbortController[] = []
  const call = (): void => {
    const aborts = new AbortController()
    const body = random() < 0.3 ? { method: 'POST', body: 'x' } : {}
    calls.push(mesh.fetch('http://s/', { ...body, signal: aborts.signal }).then(async (response) => { await (random() < 0.8 ? response.text() : response.body?.cancel()) }).catch(() => {}))
    running.push(aborts)
  }
  const listed = new Set(hosts)
  const happenings: readonly (() => void)[] = [
    ...Array.from({ length: 12 }, () => call),
    () => { for (const aborts of running.splice(0)) aborts.abort() },
    () => { behaviour.set(any(hosts), any(answers)) },
    () => { behaviour.delete(any(hosts)) },
    () => { passing.delete(any(hosts)) },
    () => { for (const host of hosts) passing.add(host) },
    () => {
      const host = any(hosts)
      if (listed.has(host) && listed.size > 1) listed.delete(host)
      else listed.add(host)
      fake.push(...listed)
    },
    () => { options.slowStart = any([0, 5_000]); mesh.update(config()) },
    () => { options.balancer = any(balancers); mesh.update(config()) },
    () => { if (random() < 0.02) { options.outlier = any(rules); mesh.update(config()) } },
    () => { if (random() < 0.05) { checked = !checked; mesh.update(config()) } },
  ]
  fake.push(...hosts)
  await settle()
  return { mesh, clock, upstream, faults, random, any, happenings, behaviour, passing, call, calls, status, settled: () => Promise.all(calls) }
}

describe('whatever happens to endpoints,', () => {
  for (let seed = 1; seed <= Number(process.env['SEEDS'] ?? 6); seed++) {
    test(`words and picks agree, one request decides, and in the end all are back (seed ${seed})`, { timeout: 60_000 }, async () => {
      const { mesh, clock, faults, random, any, happenings, behaviour, passing, call, calls, status } = await fuzzed(seed)
      for (let turn = 0; turn < 1_500 && faults.length === 0; turn++) {
        any(happenings)()
        await clock.advance(random() < 0.2 ? random() * 500 : random() * 10)
      }
      assert.deepEqual(faults, [])
      behaviour.clear()
      for (const host of hosts) passing.add(host)
      for (let turn = 0; turn < 400; turn++) {
        call()
        await clock.advance(100)
      }
      assert.deepEqual(faults, [])
      // One that its balancer still leaves alone may have what it did in the words about it.
      assert.deepEqual(status().endpoints.map(({ why }) => why).filter((why) => !/^available(;|$|:| in spite of .*: too many others were out)/.test(why)), [])
      await clock.advance(30_000)
      await Promise.all(calls)
      assert.deepEqual([status().active, status().pending], [0, 0])
      await mesh.close()
      assert.equal(clock.pending, 0)
    })
  }
})
