import type { SecureContext } from 'node:tls'
import type { Dispatcher } from 'undici'
import type { Attempt } from '../core/call.ts'
import type { Reply } from '../core/reply.ts'
import type { Send } from '../core/send.ts'
import { bareConnection } from './bare-connection.ts'
import { connecting, dialling, freshConnection, poolOf, type Connecting, type ConnectionConfig } from './connections.ts'
import { Exchange } from './exchange.ts'

/** Sends attempts over HTTP/1.1 through the endpoint's own pool, or makes the bare connections that they ask for. `context` holds what `readTls` made of the configuration's `tls`. */
export const httpTransport = (config: ConnectionConfig, context: SecureContext | undefined): Send<Attempt> => {
  const ready = connecting(config, context)
  return (attempt) => attempt.call.request.connection ? bareConnection(ready, attempt) : sendOver(ready, attempt)
}

const sendOver = (ready: Connecting, attempt: Attempt): Promise<Reply> => {
  const { call, endpoint } = attempt
  const { request } = call
  const way = dialling(ready.config, endpoint, request.scheme === 'https', request.host)
  const pool = poolOf(ready, endpoint, way)
  const options = dispatchOptions(attempt, way.servername)
  const exchange = new Exchange(attempt, (again) => {
    // A connection of its own cannot be stale a second time.
    const connection = freshConnection(ready, way)
    connection.dispatch(dispatchOptions(attempt, way.servername), again)
    void connection.close().catch(() => {})
  })
  // The call may have been given up while a layer of the user's held the attempt.
  if (attempt.ending === undefined) pool.dispatch(options, exchange)
  return exchange.head
}

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
