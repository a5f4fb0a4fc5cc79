import type { SecureContext } from 'node:tls'
import type { Dispatcher } from 'undici'
import type { Attempt } from '../core/call.ts'
import type { Reply } from '../core/reply.ts'
import type { Send } from '../core/send.ts'
import { connecting, dialling, freshConnection, poolOf, type Connecting, type ConnectionConfig } from './connections.ts'
import { Exchange } from './exchange.ts'

/** Sends attempts over HTTP/1.1 through the endpoint's own pool. `context` holds what `readTls` made of the configuration's `tls`. */
export const httpTransport = (config: ConnectionConfig, context: SecureContext | undefined): Send<Attempt> => {
  const ready = connecting(config, context)
  return (attempt) => sendOver(ready, attempt)
}

const sendOver = (ready: Connecting, attempt: Attempt): Promise<Reply> => {
  const { call, endpoint } = attempt
  if (attempt.ending !== undefined) return Promise.reject(tooLate(attempt))
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
  // It has failed already where the call had been aborted.
  if (attempt.ending === undefined) pool.dispatch(options, exchange)
  return exchange.head
}

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
