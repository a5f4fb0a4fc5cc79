import { connect } from 'node:net'
import { BalancedPool, Pool, RoundRobinPool, type buildConnector, type Dispatcher } from 'undici'
import { createMesh, type MeshInput } from '../../src/index.ts'
import { startHaproxy } from './haproxy.ts'

/** One way to the ten servers, open. */
export interface Way {
  /** Sends a GET, reads its answer to the end, and resolves with its status; rejects when there is none. */
  send(path: string): Promise<number>
  close(): Promise<void>
}

/** What stands between a client and the ten servers. */
export interface Arrangement {
  /** Whether it makes another attempt when one fails. */
  readonly retries: boolean
  /** Whether servers report their load to it. */
  readonly reports?: true
  /** What it cannot be without. */
  readonly needs?: 'haproxy'
  open(ports: readonly number[]): Way | Promise<Way>
}

/** Milliseconds that one attempt may take to bring the head of its answer, for every arrangement. */
export const attemptTimeout = 1_500

const service = 'tails.local'

type Balancer = NonNullable<NonNullable<MeshInput['clusters']>[string]['balancer']>

/** A mesh with its defaults, but for the balancer and the attempt timeout, which has no default. */
const openMesh = async (ports: readonly number[], type: Balancer['type'], retry: { readonly retry?: false }): Promise<Way> => {
  const mesh = createMesh({
    services: { [service]: { cluster: 'tails', attemptTimeout, ...retry } },
    clusters: { tails: { registry: { type: 'static', endpoints: ports.map((port) => `127.0.0.1:${port}`) }, balancer: { type } as Balancer } },
  })
  await mesh.ready()
  return {
    async send(path) {
      const response = await mesh.fetch(`http://${service}${path}`)
      await response.text()
      return response.status
    },
    close: () => mesh.close(),
  }
}

const mesh = (type: Balancer['type'], retry: { readonly retry?: false } = {}): Arrangement =>
  ({ retries: retry.retry !== false, open: (ports) => openMesh(ports, type, retry) })

const over = (dispatcher: Dispatcher, origin: string, close: () => Promise<void>): Way => ({
  async send(path) {
    const { statusCode, body } = await dispatcher.request({ origin, path, method: 'GET', headersTimeout: attemptTimeout })
    await body.text()
    return statusCode
  },
  close,
})

const origins = (ports: readonly number[]): readonly string[] => ports.map((port) => `http://127.0.0.1:${port}`)

const balancedPool: Arrangement = {
  retries: false,
  open(ports) {
    const pool = new BalancedPool([...origins(ports)])
    return over(pool, origins(ports)[0]!, () => pool.destroy())
  },
}

/** It knows one origin and takes its connections in turn; they lead to the servers in turn, as through a name with ten addresses. */
const roundRobinPool: Arrangement = {
  retries: false,
  open(ports) {
    let turn = 0
    const dial: buildConnector.connector = (_options, callback) => {
      const socket = connect({ host: '127.0.0.1', port: ports[turn++ % ports.length]!, noDelay: true })
      socket.once('connect', () => callback(null, socket)).once('error', (error) => callback(error, null))
    }
    const origin = 'http://tails.local'
    const pool = new RoundRobinPool(origin, { connect: dial })
    return over(pool, origin, () => pool.destroy())
  },
}

const haproxy = (balance: string): Arrangement => ({
  retries: true,
  needs: 'haproxy',
  async open(ports) {
    const proxy = await startHaproxy(balance, ports, attemptTimeout)
    const origin = `http://127.0.0.1:${proxy.port}`
    // The proxy bounds attempts; the client's own bound lies beyond three of them.
    const pool = new Pool(origin, { headersTimeout: 15_000 })
    return {
      async send(path) {
        const { statusCode, body } = await pool.request({ path, method: 'GET' })
        await body.text()
        return statusCode
      },
      async close() {
        await pool.destroy()
        await proxy.stop()
      },
    }
  },
})

/** In the order of the tables. */
export const arrangements = {
  'mesh prequal': { ...mesh('prequal'), reports: true },
  'mesh prequal, no reports': mesh('prequal'),
  'mesh peak-ewma': mesh('peak-ewma'),
  'mesh least-request': mesh('least-request'),
  'mesh round-robin': mesh('round-robin'),
  'mesh prequal, no retries': { ...mesh('prequal', { retry: false }), reports: true },
  'mesh peak-ewma, no retries': mesh('peak-ewma', { retry: false }),
  'undici BalancedPool': balancedPool,
  'undici RoundRobinPool': roundRobinPool,
  'HAProxy leastconn': haproxy('leastconn'),
  'HAProxy random(2)': haproxy('random(2)'),
} as const satisfies Readonly<Record<string, Arrangement>>

/** The name of an arrangement. */
export type ArrangementName = keyof typeof arrangements

/** In the order of the tables. */
export const arrangementNames = Object.keys(arrangements) as readonly ArrangementName[]

/** An arrangement by its name. */
export const arrangementOf = (name: ArrangementName): Arrangement => arrangements[name]
