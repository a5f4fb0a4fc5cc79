import type { Socket } from 'node:net'
import type { buildConnector, Dispatcher } from 'undici'
import Client from 'undici/lib/dispatcher/client.js'
import Pool from 'undici/lib/dispatcher/pool.js'
import connector from 'undici/lib/core/connect.js'
import { z } from 'zod'
import { duration } from '../config/duration.ts'
import type { Endpoint } from '../core/endpoint.ts'

/** How the endpoints of a cluster are dialled. */
export const connectionConfig = z.strictObject({
  connections: z.int().min(1).default(128)
    .describe('Sockets to one endpoint at most; further requests wait, within their deadline.'),
  connectTimeout: duration.default(5_000)
    .describe('Longest time for a socket, TLS included, to be established.'),
  keepAlive: duration.default(4_000)
    .describe('How long an idle socket is kept. Keep it shorter than the servers do.'),
  tls: z.union([z.boolean(), z.strictObject({
    ca: z.union([z.string(), z.array(z.string())]).optional().describe('Authorities to trust, as PEM text, in place of the machine\'s own.'),
    servername: z.string().min(1).optional().describe('Name that the certificate must carry; the service\'s name by default.'),
  })]).default(false)
    .describe('Whether the endpoints speak TLS. Certificates are always verified.'),
})

/** Parsed form of `connectionConfig`. */
export type ConnectionConfig = z.output<typeof connectionConfig>

/** What a client has for a socket at present; it has one at a time. */
export interface Line {
  socket: Socket | undefined
}

/** A handler that wants to know the line its request goes over. */
interface OnLine {
  line: Line | undefined
}

/** Tells each handler the line before its request is written. */
class LineClient extends Client {
  readonly #line: Line

  constructor(config: ConnectionConfig, { origin, servername }: Dialling) {
    const line: Line = { socket: undefined }
    super(origin, options(config, servername, line))
    this.#line = line
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    (handler as unknown as OnLine).line = this.#line
    return super.dispatch(options, handler)
  }
}

const connect = (config: ConnectionConfig, servername: string | undefined, line?: Line): buildConnector.connector => {
  const tls = typeof config.tls === 'object' ? config.tls : {}
  const dial = connector({
    timeout: config.connectTimeout,
    allowH2: false,
    ...(servername !== undefined && { servername }),
    ...(tls.ca !== undefined && { ca: tls.ca }),
  })
  return (options, callback) => dial(options, (...result) => {
    if (line && result[1]) line.socket = result[1]
    callback(...result)
  })
}

const options = (config: ConnectionConfig, servername: string | undefined, line?: Line): Client.Options => ({
  connect: connect(config, servername, line),
  keepAliveTimeout: config.keepAlive,
  pipelining: 1,
  allowH2: false,
})

/** What decides whether a socket may carry a request: TLS or not, and the name its certificate was checked for. */
interface Dialling {
  readonly origin: string
  readonly servername: string | undefined
}

/** How an endpoint is dialled for a request to a host. */
export const dialling = (config: ConnectionConfig, endpoint: Endpoint, secure: boolean, host: string): Dialling => {
  if (!secure && !endpoint.tls && config.tls === false) return { origin: `http://${endpoint.address}`, servername: undefined }
  const servername = (typeof config.tls === 'object' ? config.tls.servername : undefined) ?? host
  return { origin: `https://${endpoint.address}`, servername }
}

/** Tells pools of one configuration from those of another: a call that began under an old one may still need a pool after an update. */
export const dialledBy = ({ connections, connectTimeout, keepAlive, tls }: ConnectionConfig): string =>
  JSON.stringify([connections, connectTimeout, keepAlive, tls])

/** The endpoint's own pool, made at its first request: a thousand idle endpoints cost nothing. */
export const poolOf = (config: ConnectionConfig, kind: string, endpoint: Endpoint, way: Dialling): Dispatcher => {
  const { origin, servername } = way
  const key = servername === undefined ? kind : `${kind} ${servername}`
  let pool = endpoint.pools.get(key)
  if (!pool) {
    pool = new Pool(origin, { connections: config.connections, allowH2: false, factory: () => new LineClient(config, way) })
    endpoint.pools.set(key, pool)
  }
  return pool
}

/** How many connections there are, by whether a request is under way on them. */
export interface OpenConnections {
  readonly active: number
  readonly idle: number
}

/** The open connections in the pools of endpoints; those that are being drained are in no pool any more. */
export const openConnections = (endpoints: Iterable<Endpoint>): OpenConnections => {
  let connected = 0
  let active = 0
  for (const { pools } of endpoints) {
    for (const pool of pools.values()) {
      const { stats } = pool as Pool
      connected += stats.connected
      // One request at a time is on a connection. (`stats.free` lags: it waits for events that come after a request's end.)
      active += stats.running
    }
  }
  return { active, idle: connected - active }
}

/** A connection of its own for one request, closed when that is over. */
export const freshConnection = (config: ConnectionConfig, way: Dialling): Dispatcher => new LineClient(config, way)
