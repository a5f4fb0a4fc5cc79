import { createHash } from 'node:crypto'
import type { Socket } from 'node:net'
import type { SecureContext } from 'node:tls'
import type { buildConnector, Dispatcher } from 'undici'
import Client from 'undici/lib/dispatcher/client.js'
import Pool from 'undici/lib/dispatcher/pool.js'
import connector from 'undici/lib/core/connect.js'
import { z } from 'zod'
import { duration } from '../config/duration.ts'
import type { Attempt } from '../core/call.ts'
import type { Endpoint } from '../core/endpoint.ts'
import { http2Config, http2Options } from './http2/config.ts'
import { enforcesTls, noSessions, optionsOf, tlsConfig, tlsConnector, type Handshake, type ReadTls, type Sessions, type TlsConfig } from './tls/tls.ts'

/** How the endpoints of a cluster are dialled. */
export const connectionConfig = z.strictObject({
  connections: z.int().min(1).default(128)
    .describe('Connections to one endpoint at most; further requests wait, within their deadline. One in HTTP/1.1 carries one request at a time.'),
  connectTimeout: duration.default(5_000)
    .describe("Longest time for a connection to be established: TLS included, and with `http2` the endpoint's settings."),
  keepAlive: duration.default(4_000)
    .describe('How long an idle socket is kept. Keep it shorter than the servers do.'),
  tls: tlsConfig.default(false)
    .describe('Whether the endpoints speak TLS, and whom to trust. Certificates are verified unless `verify` is false.'),
  http2: http2Config.default(false)
    .describe('Whether the endpoints are spoken to in HTTP/2, and nothing else: with TLS by ALPN, otherwise from the first byte on (as gRPC has it), without an upgrade from HTTP/1.1.'),
})

/** Parsed form of `connectionConfig`. */
export type ConnectionConfig = z.output<typeof connectionConfig>

/** All that decides how endpoints are dialled, by name: where one of them changes, connections are made anew. */
export const connectionOptions = Object.keys(connectionConfig.shape) as readonly (keyof ConnectionConfig)[]

const usualAlpn = JSON.stringify(optionsOf(true).alpn)

/** Refuses names for HTTP/1.1 where HTTP/2 is spoken: they would be offered to nobody. */
export const oneProtocol = ({ http2, tls }: Pick<ConnectionConfig, 'http2' | 'tls'>, context: z.RefinementCtx): void => {
  if (!http2 || typeof tls !== 'object' || JSON.stringify(tls.alpn) === usualAlpn) return
  context.addIssue({ code: 'custom', path: ['tls', 'alpn'], message: "is for HTTP/1.1, and with `http2` nothing but 'h2' is offered: leave one of them out" })
}

/** What a client has for a socket at present; it has one at a time. */
export interface Line {
  socket: Socket | undefined
  /** The latest handshake; `undefined` where TLS is not spoken. */
  handshake: Handshake | undefined
}

/** A handler that wants to know the line its request goes over. */
interface OnLine {
  line: Line | undefined
}

/** Tells each handler the line before its request is written. */
class LineClient extends Client {
  readonly #line: Line

  constructor(connecting: Connecting, endpoint: Endpoint, servername: string | undefined, sessions: Sessions) {
    const { keepAlive } = connecting.config
    const line: Line = { socket: undefined, handshake: undefined }
    const dial = connect(connecting, servername, endpoint, line, sessions)
    super(originOf(endpoint, servername), { connect: dial, keepAliveTimeout: keepAlive, pipelining: 1, allowH2: false })
    this.#line = line
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    (handler as unknown as OnLine).line = this.#line
    return super.dispatch(options, handler)
  }
}

const connect = (
  { config, context, tls }: Connecting, servername: string | undefined, endpoint: Endpoint, line: Line, sessions: Sessions,
): buildConnector.connector => {
  const timeout = config.connectTimeout
  const dial = servername === undefined ? connector({ timeout, allowH2: false })
    : tlsConnector({ config: tls, context, servername, timeout, sessions, onHandshake: (handshake) => { line.handshake = handshake } })
  const withIp = (options: buildConnector.Options): buildConnector.Options => endpoint.ip === undefined ? options : { ...options, hostname: endpoint.ip }
  return (options, callback) => dial(withIp(options), (...result) => {
    if (result[1]) line.socket = result[1]
    callback(...result)
  })
}

/** How connections of one configuration are made. */
export interface Connecting {
  readonly config: ConnectionConfig
  /** Its `tls`, as `readTls` shows it. */
  readonly tls: TlsConfig
  /** The authorities, certificate and key that it names. */
  readonly context: SecureContext | undefined
  /** Tells pools of this configuration from those of another: a call that began under an old one may still need a pool after an update. */
  readonly kind: string
}

/** Makes ready to dial, with TLS as it was read last. */
export const connecting = (config: ConnectionConfig, { shown: tls, context }: ReadTls): Connecting => {
  const { connections, connectTimeout, keepAlive, http2 } = config
  const kind = createHash('sha256').update(JSON.stringify([connections, connectTimeout, keepAlive, tls, http2 && http2Options(http2)])).digest('base64')
  return { config, tls, context, kind }
}

/**
 * What decides whether a socket may carry an attempt: the name that its certificate was checked for, `undefined` where TLS is not spoken.
 */
export const servernameFor = ({ tls }: ConnectionConfig, { call: { request }, endpoint }: Attempt): string | undefined => {
  if (request.scheme === 'http' && !endpoint.tls && (tls === false || !enforcesTls(tls, portOf(endpoint)))) return undefined
  return optionsOf(tls).servername ?? request.host
}

const portOf = ({ address }: Endpoint): number => Number(address.slice(address.lastIndexOf(':') + 1))

/** The endpoint's own pool, made at its first request: a thousand idle endpoints cost nothing. */
export const poolOf = (connecting: Connecting, endpoint: Endpoint, servername: string | undefined): Dispatcher => {
  const { config, kind } = connecting
  const key = servername === undefined ? kind : `${kind} ${servername}`
  let pool = endpoint.pools.get(key)
  if (!pool) {
    const sessions = noSessions()
    const factory = (): Dispatcher => new LineClient(connecting, endpoint, servername, sessions)
    pool = new Pool(originOf(endpoint, servername), { connections: config.connections, allowH2: false, factory })
    endpoint.pools.set(key, pool)
  }
  // Of this kind there are no others.
  return pool as Pool
}

const originOf = ({ address }: Endpoint, servername: string | undefined): string => `${servername === undefined ? 'http' : 'https'}://${address}`

/** How many connections there are, by whether a request is under way on them. */
export interface OpenConnections {
  readonly active: number
  readonly idle: number
  /** Requests under way on them: over HTTP/1.1 one for each that is active. */
  readonly streams: number
}

/** What connections of either protocol tell of themselves: how many there are, and on how many something is under way. */
interface Counted {
  readonly stats: { readonly connected: number, readonly running: number, readonly streams?: number }
}

/** The open connections in the pools of endpoints; those that are being drained are in no pool any more. */
export const openConnections = (endpoints: Iterable<Endpoint>): OpenConnections => {
  let connected = 0
  let active = 0
  let streams = 0
  for (const endpoint of endpoints) {
    if (!endpoint.dialled) continue
    for (const pool of endpoint.pools.values()) {
      const { stats } = pool as unknown as Counted
      connected += stats.connected
      // In HTTP/1.1 one request at a time is on a connection. (`stats.free` lags: it waits for events that come after a request's end.)
      active += stats.running
      streams += stats.streams ?? stats.running
    }
  }
  return { active, idle: connected - active, streams }
}

/** A connection of its own, which nobody else uses. */
export const freshConnection = (connecting: Connecting, endpoint: Endpoint, servername: string | undefined): Dispatcher =>
  new LineClient(connecting, endpoint, servername, noSessions())
