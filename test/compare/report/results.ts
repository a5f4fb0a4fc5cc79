import type { ArrangementInfo, FaultRun, Results, Round } from '../../../src/compare/results.ts'

export const quantiles: readonly number[] = [...Array.from({ length: 100 }, (_, place) => place / 100), 0.995, 0.999, 0.9995, 0.9999, 1]

const arrangement = (id: string, title: string, kind: ArrangementInfo['kind'], more: Partial<ArrangementInfo> = {}): ArrangementInfo =>
  ({ id, title, kind, client: id.endsWith('-fetch') ? 'fetch' : 'undici.request', how: `Set up as ${title}.`, unexpressed: [], ...more })

export const arrangements: readonly ArrangementInfo[] = [
  arrangement('direct-fetch', 'direct, fetch', 'direct'),
  arrangement('direct-request', 'direct, undici.request', 'direct'),
  arrangement('enmesh-fetch', 'enmesh, mesh.fetch', 'enmesh'),
  arrangement('enmesh-request', 'enmesh, mesh.dispatcher', 'enmesh'),
  arrangement('haproxy-fetch', 'HAProxy, fetch', 'sidecar', { unexpressed: ['retry budget: none'] }),
  arrangement('haproxy-request', 'HAProxy, undici.request', 'sidecar'),
  arrangement('nginx-fetch', 'nginx, fetch', 'sidecar'),
  arrangement('envoy-fetch', 'Envoy, fetch', 'sidecar', { notRun: 'no <envoy> on the PATH' }),
  arrangement('by-hand-fetch', 'by hand, opossum & p-retry', 'by-hand'),
]

const costs: Readonly<Record<string, readonly [number, number]>> = {
  'direct-fetch': [0.065, 0], 'direct-request': [0.018, 0], 'enmesh-fetch': [0.024, 0], 'enmesh-request': [0.028, 0], 'haproxy-fetch': [0.066, 0.02],
  'haproxy-request': [0.019, 0.02], 'nginx-fetch': [0.067, 0.024], 'by-hand-fetch': [0.09, 0],
}

const roundOf = (id: string, round: number): Round => {
  const [application, proxy] = costs[id]!
  const slow = (application + proxy) * 10 * (1 + round / 20)
  const distribution = quantiles.map((quantile) => slow * (1 + Math.log10(1 / Math.max(1 - quantile, 1e-4))))
  return {
    round, requests: 10_000, failed: 0, seconds: 2, throughput: 1 / slow * 5_000, latency: { p50: distribution[50]!, p90: distribution[90]!, p99: distribution[99]!, p999: distribution[101]!, max: distribution.at(-1)! },
    distribution, cpu: { application: application * (1 + round / 30), proxy }, memory: { application: 60 + round, proxy: proxy * 600 }, sockets: { application: 16, proxy: proxy > 0 ? 32 : 0 },
  }
}

const faultRun = (id: string, round: number): FaultRun => {
  const lossy = id.startsWith('enmesh') ? 0 : id.startsWith('direct') ? 40 : 6
  const slices = Array.from({ length: 40 }, (_, slice) => {
    const failed = slice >= 10 && slice < 14 ? lossy : 0
    return { at: slice * 250, ok: 100 - failed, failed, wrongVersion: slice === 20 && id.startsWith('nginx') ? 3 : 0, p99: slice >= 10 && slice < 14 ? 90 : 6 }
  })
  return {
    arrangement: id, round, requests: 4_000, failed: lossy * 4, wrongVersion: id.startsWith('nginx') ? 3 : 0, attemptsPerRequest: 1.02, p99: { before: 6, during: 90 + round, after: 6.2 },
    timeToRecover: id === 'by-hand-fetch' ? null : 1_000, blamed: lossy > 0 ? { 'proxy <503>': lossy * 3, ECONNRESET: lossy } : {}, misattributed: lossy, slices,
  }
}

const running = arrangements.filter(({ notRun }) => notRun === undefined).map(({ id }) => id)

/** What a run might have found: two cases, a fault, an arrangement that was not run, and names that would break a page that does not escape. */
export const results: Results = {
  format: 1, began: '2026-01-02T03:04:05.000Z', seconds: 600, command: 'enmesh compare --quick', rounds: 3, seed: 1, quantiles, arrangements,
  machine: { cpu: 'A processor', cores: 2, memoryMiB: 24_000, kernel: 'Linux 6', loadBefore: 0.1, loadAfter: 2.3 },
  versions: { node: '24.1.0', haproxy: '2.6.12' },
  cases: [
    { id: 'base', title: '16 in flight', subject: 'client', inFlight: 16, bodyBytes: 1_024, mutualTls: false, measured: running.map((id) => ({ arrangement: id, rounds: [0, 1, 2].map((round) => roundOf(id, round)) })) },
    { id: 'rate', title: '500 per second', subject: 'shop', rate: 500, bodyBytes: 1_024, mutualTls: true, measured: running.slice(0, 3).map((id) => ({ arrangement: id, rounds: [roundOf(id, 0)] })) },
  ],
  starts: running.map((id) => ({ arrangement: id, milliseconds: [{ application: 210, proxy: id.startsWith('haproxy') ? 30 : 0 }], idleMemory: [{ application: 58, proxy: 9 }] })),
  faults: [{
    id: 'killed', title: 'An instance is killed and comes back', what: 'One of three instances is killed by SIGKILL and started again a second later.', marks: [{ at: 2_500, what: 'killed' }, { at: 3_500, what: 'back' }],
    runs: running.flatMap((id) => [0, 1, 2].map((round) => faultRun(id, round))),
  }],
}
