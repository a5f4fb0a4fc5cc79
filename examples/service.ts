import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

/** Answers with JSON. */
export const answer = (response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void => {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(JSON.stringify(body))
}

/** The JSON of a request; `undefined` where there is none. */
export const bodyOf = async <T>(request: IncomingMessage): Promise<T | undefined> => {
  try {
    return JSON.parse(await text(request)) as T
  } catch {
    return undefined
  }
}

/** Makes a listener of an async handler: what it throws is a 500, and a line on stderr. */
export const handling = (handle: (request: IncomingMessage, response: ServerResponse) => Promise<void>): RequestListener =>
  (request, response) => {
    handle(request, response).catch((error: unknown) => {
      console.error(error)
      if (response.headersSent) response.destroy()
      else answer(response, 500, { error: 'internal error' })
    })
  }

/**
 * Listens on `PORT` (0 for a free one) and prints the address; a parent process is told the port.
 * SIGTERM and SIGINT stop it gracefully: no new requests, those under way are finished, then `close`, then exit.
 */
export const serve = (name: string, server: Server, defaultPort: number, close: () => Promise<void> = async () => {}): void => {
  let stopping = false
  server.on('request', (_request, response: ServerResponse) => {
    response.once('close', () => { if (stopping) server.closeIdleConnections() })
  })

  const stop = (): void => {
    if (stopping) return
    stopping = true
    server.close(() => { void close().finally(() => process.exit()) })
    setTimeout(() => server.closeAllConnections(), 5_000).unref()
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)

  server.listen(Number(process.env['PORT'] ?? defaultPort), '127.0.0.1', () => {
    const { port } = server.address() as AddressInfo
    console.log(`${name} listens on http://127.0.0.1:${port}`)
    process.send?.({ listening: port })
  })
}
