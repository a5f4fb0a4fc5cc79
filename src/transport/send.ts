import type { Dispatcher } from 'undici'
import type { Attempt } from '../core/call.ts'
import type { Reply } from '../core/reply.ts'
import type { Send } from '../core/send.ts'
import { connecting, dialling, freshConnection, poolOf, type Connecting, type ConnectionConfig } from './connections.ts'
import { Exchange } from './exchange.ts'
import type { ReadTls } from './tls.ts'

/** Sends attempts over HTTP/1.1 through the endpoint's own pool. `tls.current` is what `readTls` made of the configuration's `tls`, and may be replaced at any time. */
export const httpTransport = (config: ConnectionConfig, tls: { readonly current: ReadTls }): Send<Attempt> => {
  let read = tls.current
  let ready = connecting(config, read)
  return (attempt) => {
    if (read !== tls.current) {
      read = tls.current
      ready = connecting(config, read)
    }
    return sendOver(ready, attempt)
  }
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
