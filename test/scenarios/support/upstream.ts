import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer, type ServerOptions } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/** A real HTTP server on a free port of the loopback, which notes what arrives. */
export class Upstream {
  /** Every request that arrived, in order. */
  readonly requests: IncomingMessage[] = []
  /** What it does with a request; may be replaced while it runs. */
  answer: RequestListener
  /** Connections accepted so far. */
  accepted = 0
  readonly #sockets = new Set<Socket>()
  readonly #server: Server
  readonly #waiting = new Set<() => void>()

  constructor(answer: RequestListener, tls?: ServerOptions) {
    this.answer = answer
    const listener: RequestListener = (request, response) => {
      this.requests.push(request)
      this.answer(request, response)
      this.#changed()
    }
    this.#server = tls ? createTlsServer(tls, listener) : createServer(listener)
    this.#server.keepAliveTimeout = 0
    this.#server.on('connection', (socket) => {
      this.accepted++
      this.#sockets.add(socket)
      socket.on('close', () => {
        this.#sockets.delete(socket)
        this.#changed()
      })
    })
  }

  /** Hands requests for an upgrade, or a `CONNECT`, to a listener along with their connection; it counts among `requests`. */
  switches(kind: 'upgrade' | 'connect', answer: (request: IncomingMessage, socket: Duplex) => void): this {
    this.#server.on(kind, (request: IncomingMessage, socket: Duplex) => {
      this.requests.push(request)
      // Cut connections are what tests are about.
      socket.on('error', () => {})
      answer(request, socket)
      this.#changed()
    })
    return this
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => { this.#server.listen(0, '127.0.0.1', resolve) })
    return this
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get address(): string {
    return `127.0.0.1:${this.port}`
  }

  get url(): string {
    return `http://${this.address}`
  }

  /** Resolves when so many requests have arrived in all. */
  arrived(count: number): Promise<void> {
    return this.#until(() => this.requests.length >= count)
  }

  /** Resolves when no connection is open any more. */
  deserted(): Promise<void> {
    return this.#until(() => this.#sockets.size === 0)
  }

  /** Cuts every connection and listens no more, as a process that is killed. */
  async kill(): Promise<void> {
    if (!this.#server.listening) return
    const closed = new Promise<void>((resolve) => { this.#server.close(() => resolve()) })
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  async #until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((resolve) => { this.#waiting.add(resolve) })
  }

  #changed(): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const resolve of waiting) resolve()
  }
}

/** Reads the whole of a request's body. */
export const bodyOf = async (request: IncomingMessage): Promise<Buffer> => {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

/** Answers with a status and a short text. */
export const says = (text: string, status = 200): RequestListener => (request, response) => {
  request.resume()
  response.writeHead(status, { 'content-type': 'text/plain' }).end(text)
}

/** Answers as `says` does, so many milliseconds after the request came. */
export const saysLater = (text: string, ms: number): RequestListener => (request, response) => {
  request.resume()
  setTimeout(() => response.writeHead(200, { 'content-type': 'text/plain' }).end(text), ms)
}

/** Never answers. */
export const hangs: RequestListener = (request) => { request.resume() }

/** Cuts the connection once the request is there. */
export const resets: RequestListener = (request) => { request.socket.destroy() }

/** Where nobody listens: a port below those that the system hands out, so none of ours can come to have it. */
export const refused = '127.0.0.1:1'
