import type { Dispatcher } from 'undici'
import type { Attempt } from '../core/call.ts'
import type { Send } from '../core/send.ts'
import { dialling, freshConnection, poolOf, type ConnectionConfig } from './connections.ts'
import { Exchange } from './exchange.ts'

/** Sends attempts over HTTP/1.1 through the endpoint's own pool. */
export const httpTransport = (config: ConnectionConfig): Send<Attempt> => (attempt) => {
  const { call, endpoint } = attempt
  const { request } = call
  const way = dialling(config, endpoint, request.scheme === 'https', request.host)
  const options = dispatchOptions(attempt)
  const exchange = new Exchange(attempt, (again) => {
    // A connection of its own cannot be stale a second time.
    const connection = freshConnection(config, way)
    connection.dispatch(dispatchOptions(attempt), again)
    void connection.close().catch(() => {})
  })
  poolOf(config, endpoint, way).dispatch(options, exchange)
  return exchange.head
}

const dispatchOptions = ({ call }: Attempt): Dispatcher.DispatchOptions => {
  const { request } = call
  return {
    path: request.path,
    method: request.method,
    headers: ['host', request.hostHeader ?? request.authority, ...request.headers],
    body: (request.body?.open() ?? null) as Dispatcher.DispatchOptions['body'] & null,
    headersTimeout: call.idleTimeout,
    bodyTimeout: call.idleTimeout,
  }
}
