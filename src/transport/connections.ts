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

// Set on an error that killed a socket which had answered something before: then it was an idle, reused one.
const killedReused = Symbol('enmesh.killedReused')

/** Whether the socket that an error ended had already answered an earlier request. */
export const endedReusedSocket = (error: unknown): boolean => {
  if (!(error instanceof Error)) return false
  if (killedReused in error) return true
  // undici describes the socket in errors of its own making.
  const { socket } = error as { socket?: { bytesRead?: number } | null }
  return (socket?.bytesRead ?? 0) > 0
}

const watchSocket = (socket: Socket): void => {
  // Registered before undici's own listener, so the mark is there when the request hears of the error.
  socket.on('error', (error) => {
    if (socket.bytesRead > 0) Object.defineProperty(error, killedReused, { value: true })
  })
}

const connect = (config: ConnectionConfig, servername: string | undefined): buildConnector.connector => {
  const tls = typeof config.tls === 'object' ? config.tls : {}
  const dial = connector({
    timeout: config.connectTimeout,
    allowH2: false,
    ...(servername !== undefined && { servername }),
    ...(tls.ca !== undefined && { ca: tls.ca }),
  })
  return (options, callback) => dial(options, (...result) => {
    if (result[1]) watchSocket(result[1])
    callback(...result)
  })
}

const options = (config: ConnectionConfig, servername: string | undefined): Client.Options => ({
  connect: connect(config, servername),
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

/** The endpoint's own pool, made at its first request: a thousand idle endpoints cost nothing. */
export const poolOf = (config: ConnectionConfig, endpoint: Endpoint, { origin, servername }: Dialling): Dispatcher => {
  const key = servername ?? ''
  let pool = endpoint.pools.get(key)
  if (!pool) {
    pool = new Pool(origin, { ...options(config, servername), connections: config.connections })
    endpoint.pools.set(key, pool)
  }
  return pool
}

/** A connection of its own for one request, closed when that is over. */
export const freshConnection = (config: ConnectionConfig, { origin, servername }: Dialling): Dispatcher =>
  new Client(origin, options(config, servername))
