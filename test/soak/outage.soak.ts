import assert from 'node:assert/strict'
import { performance } from 'node:perf_hooks'
import { after, before, test, type TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { createMesh, type Mesh, MeshError, type MeshInput } from '../../src/index.ts'
import { soakSeconds } from './support/duration.ts'
import { refusingAddresses, unrulyServers, type Servers } from './support/servers.ts'

const perSecond = 600
const seconds = Math.max(12, soakSeconds)
/** The budget by its defaults: a window of ten tenths, a reserve for each window, and a share of the calls. */
const window = 10_000
const tenth = window / 10
const reserve = 10 * window / 1_000
const share = 0.2

let servers: Servers
let outages: readonly (readonly [name: string, path: string, endpoints: readonly string[]])[]

before(async () => {
  servers = await unrulyServers(2)
  outages = [
    ['connection refused', '/ok', await refusingAddresses(2)],
    ['always 503', '/unavailable', servers.addresses],
  ]
})
after(() => servers.close())

/** What came of one call. */
interface Call { readonly startedAt: number, readonly took: number, readonly attempts: number, readonly outcome: string }

const call = async (mesh: Mesh, url: string, start: number): Promise<Call> => {
  const begin = performance.now()
  const ended = (attempts: number, outcome: string): Call =>
    ({ startedAt: begin - start, took: performance.now() - begin, attempts, outcome })
  try {
    const response = await mesh.fetch(url)
    const made = ended(mesh.trail(response)!.attempts.length, String(response.status))
    await response.text()
    return made
  } catch (error) {
    if (!(error instanceof MeshError)) throw error
    return ended(error.attempts.length, error.code)
  }
}

/** Calls at a steady rate, whatever becomes of those before: an outage must not slow its own load down. */
const steadily = async (mesh: Mesh, url: string): Promise<readonly Call[]> => {
  const start = performance.now()
  const calls: Promise<Call>[] = []
  for (let elapsed = 0; elapsed < seconds * 1000; elapsed = performance.now() - start) {
    while (calls.length < elapsed * perSecond / 1000) calls.push(call(mesh, url, start))
    await delay(1)
  }
  return Promise.all(calls)
}

type ClusterInput = NonNullable<MeshInput['clusters']>[string]

const meshFor = (endpoints: readonly string[], policies: Partial<ClusterInput>): Mesh => createMesh({
  services: { 'down.local': { cluster: 'down' } },
  clusters: { down: { registry: { type: 'static', endpoints: [...endpoints] }, ...policies } },
})

const rateOf = (t: TestContext, name: string, calls: readonly Call[]): void => {
  const rate = calls.length / seconds
  const outcomes = new Map<string, number>()
  for (const { outcome } of calls) outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
  t.diagnostic(`${name}: ${rate.toFixed(0)} requests/s, ${[...outcomes].map((entry) => entry.join(': ')).join(', ')}`)
  assert.ok(rate >= 500, `${name}: the load reached only ${rate.toFixed(0)} requests/s`)
}

/**
 * The most retries that a budget can have paid for, however the machine spread the calls over time: in any ten tenths in a row a reserve and the share
 * of the calls in them. A time touches one tenth more than fit into it, since they began before it did.
 */
const mostRetries = (calls: readonly Call[]): number => {
  const end = Math.max(...calls.map(({ startedAt, took }) => startedAt + took))
  const windows = Math.ceil((Math.ceil(end / tenth) + 1) / 10)
  return windows * reserve + share * calls.length
}

const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!

test('without a breaker the budget holds retries to a quarter of the requests while a service is down', async (t) => {
  await Promise.all(outages.map(async ([name, path, endpoints]) => {
    await using mesh = meshFor(endpoints, { breaker: false })
    const calls = await steadily(mesh, `http://down.local${path}`)
    rateOf(t, name, calls)
    const retries = calls.reduce((sum, { attempts }) => sum + attempts - 1, 0)
    const most = mostRetries(calls)
    t.diagnostic(`${name}: ${retries} retries for ${calls.length} requests, where the budget has ${most.toFixed(0)} at most`)
    assert.ok(retries > calls.length * 0.1, `${name}: ${retries} retries for ${calls.length} requests: too few for the budget to be what holds them`)
    assert.ok(retries <= most, `${name}: ${retries} retries for ${calls.length} requests, and the budget has ${most} at most`)
  }))
})

test('with a breaker calls fail in under a millisecond while a service is down', async (t) => {
  for (const [name, path, endpoints] of outages) {
    await using mesh = meshFor(endpoints, {})
    const calls = await steadily(mesh, `http://down.local${path}`)
    rateOf(t, name, calls)
    const refused = calls
      .filter(({ outcome, attempts }) => outcome === 'ENMESH_CIRCUIT_OPEN' && attempts === 0)
      .map(({ took }) => took)
      .sort((a, b) => a - b)
    const [p50, p99] = [quantile(refused, 0.5), quantile(refused, 0.99)]
    // The tail is reported and not judged: on a busy machine it is the wait for a processor.
    t.diagnostic(`${name}: refused after ${p50.toFixed(3)} ms in the median, ${p99.toFixed(3)} ms at p99`)
    assert.ok(refused.length > calls.length * 0.8, `${name}: only ${refused.length} of ${calls.length} calls were refused`)
    assert.ok(p50 < 1, `${name}: refused after ${p50} ms in the median`)
  }
})
