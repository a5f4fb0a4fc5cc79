import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type RequestListener, type ServerResponse } from 'node:http'
import { createServer as createSecureServer, type ServerOptions } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { Queue } from './queue.ts'

/** A request that a registry made. */
export interface Asked {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  readonly body: string
  readonly response: ServerResponse
  /** Resolves when the asker has hung up or has its answer. */
  readonly over: Promise<unknown>
}

/** A server on a loopback port that answers as a test says, and tells what it was asked. */
export class RegistryServer {
  readonly url: string
  readonly asked = new Queue<Asked>()
  /** All questions so far, as `path?query`. */
  readonly log: string[] = []
  /** In place of the usual answers. */
  trouble: ((asked: Asked) => void) | undefined
  readonly #server
  readonly #sockets = new Set<Socket>()

  private constructor(server: ReturnType<typeof createServer>, secure: boolean) {
    this.#server = server
    // A connection that is kept is its asker's to close.
    server.keepAliveTimeout = 0
    server.on('connection', (socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
    })
    this.url = `${secure ? 'https' : 'http'}://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  static async start(answer: (asked: Asked) => void, tls?: ServerOptions): Promise<RegistryServer> {
    const take: RequestListener = async (request, response) => {
      const url = new URL(request.url!, 'http://registry')
      const asked: Asked = {
        method: request.method!,
        path: url.pathname,
        query: url.searchParams,
        headers: request.headers,
        body: await text(request),
        response,
        over: once(response, 'close'),
      }
      made.log.push(`${url.pathname}${url.search}`)
      made.asked.put(asked)
      if (made.trouble) made.trouble(asked)
      else answer(asked)
    }
    const server = tls ? createSecureServer(tls, take) : createServer(take)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const made = new RegistryServer(server, tls !== undefined)
    return made
  }

  /** Connections at present. */
  get connections(): number {
    return this.#sockets.size
  }

  /** Cuts every connection, answers half written included. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  async close(): Promise<void> {
    this.#server.close()
    this.cut()
    if (this.#server.listening) await once(this.#server, 'close')
  }
}

/** Answers with JSON. */
export const json = ({ response }: Asked, value: unknown, headers: Record<string, string> = {}): void => {
  response.writeHead(200, { 'content-type': 'application/json', ...headers })
  response.end(JSON.stringify(value))
}

/** Answers with a status and text. */
export const status = ({ response }: Asked, code: number, body = ''): void => {
  response.writeHead(code)
  response.end(body)
}

/** Every way in which a server is of no use that all registries must survive, by what the failure is called. */
export const troubles: Readonly<Record<string, { readonly cause: (asked: Asked) => void, readonly message: RegExp }>> = {
  'answers 503': { cause: (asked) => status(asked, 503, 'no leader'), message: / answered 503: no leader$/ },
  'answers 429': { cause: (asked) => status(asked, 429), message: / answered 429$/ },
  'answers what is no JSON': { cause: (asked) => status(asked, 200, '<html>login</html>'), message: / answered what is not JSON/ },
  'answers other JSON': { cause: (asked) => json(asked, { entries: 5 }, { 'x-consul-index': '5' }), message: / answered something unexpected/ },
  'sends elsewhere': { cause: ({ response }) => response.writeHead(307, { location: 'http://127.0.0.1:1/' }).end(), message: / answered 307$/ },
  'breaks off in the middle': {
    cause: ({ response }) => {
      response.writeHead(200, { 'content-length': '1000', 'x-consul-index': '5' })
      response.write('[{"Node":', () => response.destroy())
    },
    message: / broke off its answer \(ECONNRESET\)$/,
  },
  'cuts the connection': { cause: ({ response }) => response.destroy(), message: / cannot be reached \(ECONNRESET\)$/ },
  'answers without end': {
    cause: ({ response }) => {
      const piece = Buffer.alloc(1024 * 1024, ' ')
      const more = (): void => {
        while (!response.destroyed) if (!response.write(piece)) return void response.once('drain', more)
      }
      more()
    },
    message: / answered more than 64 MiB at once$/,
  },
}
