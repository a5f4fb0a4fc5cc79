import type { Dispatcher } from 'undici'
import errors from 'undici/lib/core/errors.js'
import type { Attempt } from '../core/call.ts'
import type { Send } from '../core/send.ts'
import { bareConnection } from './bare-connection.ts'
import { connecting, freshConnection, poolOf, servernameFor, type Connecting, type ConnectionConfig } from './connections.ts'
import { Exchange, type Resend } from './exchange.ts'
import { contentOf } from './http2/content.ts'
import { newSessions, sessionsOf } from './http2/sessions.ts'
import type { ReadTls } from './tls/tls.ts'

/** What to dial with now. */
type Latest = () => Connecting

/**
 * Sends attempts through the endpoint's own connections, in the HTTP that the cluster says, or makes the bare connections that they ask for. `tls.current` is
 * what `readTls` made of the configuration's `tls`, and may be replaced at any time.
 */
export const httpTransport = (config: ConnectionConfig, tls: { readonly current: ReadTls }): Send<Attempt> => {
  let read = tls.current
  let made = connecting(config, read)
  const latest: Latest = () => {
    if (read !== tls.current) {
      read = tls.current
      made = connecting(config, read)
    }
    return made
  }
  return config.http2 ? overHttp2(config, latest) : overHttp1(config, latest)
}

const overHttp1 = (config: ConnectionConfig, latest: Latest): Send<Attempt> => {
  // A connection of its own cannot be stale a second time.
  const resend: Resend = (exchange) => {
    const { attempt } = exchange
    const servername = servernameFor(config, attempt)
    const connection = freshConnection(latest(), attempt.endpoint, servername)
    connection.dispatch(dispatchOptions(attempt, servername), exchange)
    void connection.close().catch(() => {})
  }
  return (attempt) => {
    if (attempt.ending !== undefined) return Promise.reject(tooLate(attempt))
    const ready = latest()
    if (attempt.call.request.connection) return bareConnection(ready, attempt)
    const servername = servernameFor(config, attempt)
    const pool = poolOf(ready, attempt.endpoint, servername)
    const options = dispatchOptions(attempt, servername)
    const exchange = new Exchange(attempt, resend)
    // It has failed already where the call had been aborted.
    if (attempt.ending === undefined) pool.dispatch(options, exchange)
    return exchange.head
  }
}

const overHttp2 = (config: ConnectionConfig, latest: Latest): Send<Attempt> => {
  const resend: Resend = (exchange, stale) => {
    const { attempt } = exchange
    const { call: { request, clock }, endpoint } = attempt
    const servername = servernameFor(config, attempt)
    const sessions = stale ? newSessions(latest(), endpoint, servername, clock) : sessionsOf(latest(), endpoint, servername, clock)
    sessions.send(exchange, contentOf(request.body?.open()))
    if (stale) attempt.onEnd(() => void sessions.destroy())
  }
  return (attempt) => {
    if (attempt.ending !== undefined) return Promise.reject(tooLate(attempt))
    const { call: { request, clock }, endpoint } = attempt
    const ready = latest()
    if (request.connection) return bareConnection(ready, attempt)
    const exchange = new Exchange(attempt, resend)
    if (attempt.ending !== undefined) return exchange.head
    if (request.upgrade !== undefined || request.method === 'CONNECT') exchange.onResponseError(undefined, notOverHttp2(attempt))
    else sessionsOf(ready, endpoint, servernameFor(config, attempt), clock).send(exchange, contentOf(request.body?.open()))
    return exchange.head
  }
}

// As undici says it where it cannot.
const notOverHttp2 = ({ call }: Attempt): Error => new errors.NotSupportedError(
  `${call}: cluster '${call.cluster!.name}' speaks HTTP/2, over which nothing is upgraded and no CONNECT is made: route it to a cluster without \`http2\``)

/** For a layer of the user's that held an attempt until it was given up, or that sends one twice. */
const tooLate = ({ call }: Attempt): unknown =>
  call.aborted ? call.reason : new TypeError('this attempt is over: a layer sends each attempt once, and another try is what `retry` makes')

const dispatchOptions = ({ call, headers }: Attempt, servername: string | undefined): Dispatcher.DispatchOptions & { servername: string | null } => {
  const { request } = call
  return {
    path: request.path,
    method: request.method,
    headers: ['host', request.hostHeader ?? request.authority].concat(headers),
    body: (request.body?.open() ?? null) as Dispatcher.DispatchOptions['body'] & null,
    upgrade: request.upgrade ?? null,
    headersTimeout: call.idleTimeout,
    bodyTimeout: call.idleTimeout,
    // All that goes over a pool was dialled for one name, so undici need not reconnect for another host header.
    servername: servername ?? null,
  }
}
