import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'

/** What a service does, without the sockets: a test calls it as it is. */
export type Handler = (request: Request) => Response | Promise<Response>

/** The JSON of a request; `undefined` where there is none. */
export const bodyOf = async <T>(request: Request): Promise<T | undefined> => {
  try {
    return await request.json() as T
  } catch {
    return undefined
  }
}

/** Makes a listener of a handler: what it throws is a 500, and a line on stderr. */
export const listener = (handle: Handler): RequestListener => (request, response) => {
  answer(request, response, handle).catch((error: unknown) => {
    console.error(error)
    if (response.headersSent) response.destroy()
    else response.writeHead(500, { 'content-type': 'application/json' }).end('{"error":"internal error"}')
  })
}

const answer = async (request: IncomingMessage, response: ServerResponse, handle: Handler): Promise<void> => {
  const { method = 'GET', url = '/' } = request
  const { status, headers, body } = await handle(new Request(`http://localhost${url}`, {
    method,
    headers: Object.entries(request.headersDistinct).flatMap(([name, values = []]) => values.map((value): [string, string] => [name, value])),
    body: method === 'GET' || method === 'HEAD' ? null : Readable.toWeb(request) as ReadableStream<Uint8Array>,
    duplex: 'half',
  }))
  const { localAddress, localPort } = request.socket
  response.writeHead(status, { 'x-served-by': `${localAddress}:${localPort}`, ...Object.fromEntries(headers) })
  for await (const chunk of body ?? []) response.write(chunk)
  response.end()
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
