import { createSecureServer, createServer, type Http2Server, type IncomingHttpHeaders, type SecureServerOptions, type ServerHttp2Session, type ServerHttp2Stream, type Settings } from 'node:http2'
import { connect, createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net'
import type { TestContext } from 'node:test'

/** What a server does with a stream. */
export type OnStream = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void

/** A real server of HTTP/2 on the loopback, in plain text or over TLS, which notes what arrives. */
export class Http2Upstream {
  /** What it does with a request; may be replaced while it runs. */
  answer: OnStream
  /** The heads of all requests that arrived, in order. */
  readonly heads: IncomingHttpHeaders[] = []
  /** All sessions there were. */
  readonly sessions: ServerHttp2Session[] = []
  /** Streams under way, and the most that were at once on one session. */
  most = 0
  readonly #underWay = new Map<ServerHttp2Session, number>()
  readonly #server: Http2Server
  readonly #waiting = new Set<() => void>()

  constructor(answer: OnStream, { tls, settings }: Http2UpstreamOptions) {
    this.answer = answer
    this.#server = tls ? createSecureServer({ ...tls, settings: settings ?? {} }) as unknown as Http2Server : createServer({ settings: settings ?? {} })
    this.#server.on('session', (session) => {
      this.sessions.push(session)
      session.on('error', () => {})
      session.on('close', () => this.#changed())
      this.#changed()
    })
    this.#server.on('sessionError', () => {})
    this.#server.on('stream', (stream, headers) => this.#serve(stream, headers))
  }

  #serve(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    // Streams that break are what tests are about.
    stream.on('error', () => {})
    const session = stream.session as ServerHttp2Session
    const count = (by: number): number => {
      const now = (this.#underWay.get(session) ?? 0) + by
      this.#underWay.set(session, now)
      return now
    }
    this.most = Math.max(this.most, count(1))
    stream.once('close', () => { count(-1); this.#changed() })
    this.heads.push(headers)
    this.answer(stream, headers)
    this.#changed()
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

  /** Sessions that are open. */
  get open(): number {
    return this.sessions.filter((session) => !session.destroyed).length
  }

  /** Streams under way. */
  get streams(): number {
    return [...this.#underWay.values()].reduce((sum, count) => sum + count, 0)
  }

  /** Resolves when so many requests have arrived in all. */
  arrived(count: number): Promise<void> {
    return this.until(() => this.heads.length >= count)
  }

  /** Resolves when something holds that sessions and streams change. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((resolve) => { this.#waiting.add(resolve) })
  }

  /** Cuts every session and listens no more. */
  kill(): Promise<void> {
    const closed = new Promise<void>((resolve) => { this.#server.close(() => resolve()) })
    for (const session of this.sessions) session.destroy()
    return closed
  }

  #changed(): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const resolve of waiting) resolve()
  }
}

export interface Http2UpstreamOptions {
  readonly tls?: SecureServerOptions
  readonly settings?: Settings
}

/** Starts a server that lives as long as the test; before the stage is set, so that it ends before that is looked at. */
export const http2Upstream = async (t: TestContext, answer: OnStream, options: Http2UpstreamOptions = {}): Promise<Http2Upstream> => {
  const upstream = await new Http2Upstream(answer, options).start()
  t.after(() => upstream.kill())
  return upstream
}

/** Answers with a status and a short text. */
export const says = (text: string, status = 200): OnStream => (stream) => {
  stream.resume()
  stream.respond({ ':status': status, 'content-type': 'text/plain' })
  stream.end(text)
}

/** The name of each stream that a server has answered, and what it takes to answer those that it holds back. */
export class Held {
  readonly streams: ServerHttp2Stream[] = []

  readonly hold: OnStream = (stream) => {
    stream.resume()
    this.streams.push(stream)
  }

  /** Answers all that are held. */
  release(text = 'ok'): void {
    for (const stream of this.streams.splice(0)) if (!stream.destroyed) says(text)(stream, {})
  }
}

/** A way to a server on which nothing is passed on any more once it is frozen, as when a machine is gone. */
export class Way {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #frozen = false
  accepted = 0

  constructor(port: number) {
    this.#server = createTcpServer((near) => {
      this.accepted++
      const far = connect(port, '127.0.0.1')
      for (const [from, to] of [[near, far], [far, near]] as const) {
        this.#sockets.add(from)
        from.on('error', () => to.destroy())
        from.on('close', () => { this.#sockets.delete(from); to.destroy() })
        from.on('data', (chunk) => { if (!this.#frozen) to.write(chunk) })
      }
    })
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => { this.#server.listen(0, '127.0.0.1', resolve) })
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Drops whatever comes from now on, on the connections that there are; new ones are as before once it thaws. */
  freeze(): void {
    this.#frozen = true
  }

  thaw(): void {
    this.#frozen = false
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }
}
