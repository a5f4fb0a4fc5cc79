import type { Dispatcher } from 'undici'
import type { Attempt } from '../core/call.ts'
import type { Reply } from '../core/reply.ts'
import type { Send } from '../core/send.ts'
import { dialledBy, dialling, freshConnection, poolOf, type ConnectionConfig } from './connections.ts'
import { Exchange } from './exchange.ts'

/** Sends attempts over HTTP/1.1 through the endpoint's own pool. */
export const httpTransport = (config: ConnectionConfig): Send<Attempt> => {
  const kind = dialledBy(config)
  return (attempt) => sendOver(config, kind, attempt)
}

const sendOver = (config: ConnectionConfig, kind: string, attempt: Attempt): Promise<Reply> => {
  const { call, endpoint } = attempt
  const { request } = call
  const way = dialling(config, endpoint, request.scheme === 'https', request.host)
  const pool = poolOf(config, kind, endpoint, way)
  const options = dispatchOptions(attempt)
  const exchange = new Exchange(attempt, (again) => {
    // A connection of its own cannot be stale a second time.
    const connection = freshConnection(config, way)
    connection.dispatch(dispatchOptions(attempt), again)
    void connection.close().catch(() => {})
  })
  // The call may have been given up while a layer of the user's held the attempt.
  if (attempt.ending === undefined) pool.dispatch(options, exchange)
  return exchange.head
}

const dispatchOptions = ({ call, headers }: Attempt): Dispatcher.DispatchOptions => {
  const { request } = call
  return {
    path: request.path,
    method: request.method,
    headers: ['host', request.hostHeader ?? request.authority, ...headers],
    body: (request.body?.open() ?? null) as Dispatcher.DispatchOptions['body'] & null,
    upgrade: request.upgrade ?? null,
    headersTimeout: call.idleTimeout,
    bodyTimeout: call.idleTimeout,
  }
}
