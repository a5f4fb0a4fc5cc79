import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Way } from './passage.ts'
import { problemOf, Refusal, wireHead, written } from './problem.ts'

/** The response that a connection is at, as Node itself keeps it to answer what its parser refuses. */
interface Line extends Duplex {
  readonly _httpMessage?: { readonly headersSent: boolean, readonly req: IncomingMessage, shouldKeepAlive: boolean, once(event: 'close', listener: () => void): unknown }
}

const refusals: Readonly<Record<string, () => Refusal>> = {
  HPE_HEADER_OVERFLOW: () => new Refusal('ENMESH_TOO_LARGE', "The request's head has more bytes than it may have.", 431),
  HPE_CHUNK_EXTENSIONS_OVERFLOW: () => new Refusal('ENMESH_TOO_LARGE', 'The body has more chunk extensions than it may have.'),
  ERR_HTTP_REQUEST_TIMEOUT: () => new Refusal('ENMESH_REQUEST_TIMEOUT'),
}

/**
 * Answers what Node's parser refuses, and ends the connection: nobody knows where the next request on it would begin. Where an earlier request of the
 * connection still waits for its answer, that one is let come, and no other word is put before it.
 */
export const parsingFailure = (way: () => Way) => (error: Error & { readonly code?: string }, socket: Duplex): void => {
  const { _httpMessage: current } = socket as Line
  if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy()
  if (current?.req.complete) {
    current.shouldKeepAlive = false
    return void current.once('close', () => socket.destroy())
  }
  if (current?.headersSent) return void socket.destroy()
  const refusal = refusals[error.code ?? '']?.() ?? new Refusal('ENMESH_BAD_REQUEST', 'This is no well-formed HTTP/1.1.')
  const problem = problemOf(refusal, undefined, false)
  const { fields, body } = written(problem)
  socket.write(wireHead(problem.status, '', [...fields, 'connection', 'close']), 'latin1')
  socket.end(body, () => socket.destroy())
  way().onProblem?.(problem, error)
}
