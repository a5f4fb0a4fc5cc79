import type { IncomingMessage } from 'node:http'
import type { Server, Socket } from 'node:net'
import { UnderWay } from '../core/under-way.ts'
import type { Clock } from '../runtime/clock.ts'
import { listenFirst } from './listen-first.ts'

/** What is used of a response of Node's; those of HTTP/2 have no connection of their own to end. */
interface Response {
  /** Where it stands among those under way, by the doors it came through. */
  [place: symbol]: number | undefined
  shouldKeepAlive?: boolean
  prependListener(event: string, listener: (this: Response) => void): unknown
}

/** What Node's servers of HTTP have beside those of sockets. */
interface HttpServer {
  /** Of HTTP/1. */
  closeIdleConnections?(): void
  /** Of HTTP/2. */
  updateSettings?(settings: object): void
}

interface Session { close(): void, once(event: 'close', listener: () => void): unknown }

/** How long a connection over which nothing has come yet is waited for once the doors close, in milliseconds: its first request may be on its way. */
const firstRequest = 1_000

/** The doors of a server, through which requests come in, and how they are closed without turning one away. */
export class Doors {
  readonly #server: Server & HttpServer
  readonly #sockets = new Set<Socket>()
  /** Those over which requests come: the same, or what TLS makes of them. */
  readonly #lines = new Set<Socket>()
  readonly #sessions = new Set<Session>()
  readonly #underWay = new UnderWay<Response>()
  readonly #place = Symbol('enmesh.place')
  readonly #gone: (this: Response) => void
  #turningAway = false
  #closing = false

  constructor(server: Server) {
    this.#server = server
    const leave = (response: Response): void => this.#leave(response)
    // One for all requests, and none made for each.
    this.#gone = function () { leave(this) }
    server.on('connection', this.#enter)
    server.on('secureConnection', this.#enterLine)
    server.on('session', this.#meet)
    // Whoever serves streams of HTTP/2 and no requests would have requests made of them by this listener alone.
    if (this.#server.updateSettings === undefined || server.listenerCount('request') > 0) server.prependListener('request', this.#admit)
  }

  /** Requests that are not answered whole yet. */
  get underWay(): number {
    return this.#underWay.size
  }

  readonly #enter = (socket: Socket): void => {
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
    this.#enterLine(socket)
  }

  readonly #enterLine = (line: Socket): void => {
    this.#lines.add(line)
    line.once('close', () => this.#lines.delete(line))
  }

  readonly #meet = (session: Session): void => {
    this.#sessions.add(session)
    session.once('close', () => this.#sessions.delete(session))
    if (this.#closing) session.close()
  }

  readonly #admit = (_: IncomingMessage, response: Response): void => {
    response[this.#place] = this.#underWay.enter(response)
    listenFirst(response, 'close', this.#gone)
    if (this.#turningAway) isLast(response)
  }

  #leave(response: Response): void {
    const place = response[this.#place]
    if (place === undefined) return
    response[this.#place] = undefined
    this.#underWay.leave(place)
    // Its head may have promised that the connection stays.
    if (this.#closing) this.#server.closeIdleConnections?.()
  }

  /** From here on each answer of HTTP/1 ends its connection, so that those who keep theirs look for another instance. */
  turnAway(): void {
    this.#turningAway = true
    for (const response of this.#underWay.all()) isLast(response)
  }

  /** Stops listening, ends connections without a request at once and the others with theirs, and what is left after `limit` milliseconds by force. Resolves to how many that were. */
  async close(limit: number, clock: Clock): Promise<number> {
    this.turnAway()
    this.#closing = true
    const fresh = [...this.#lines].filter(({ bytesRead }) => bytesRead === 0)
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    for (const session of this.#sessions) session.close()
    let cut = 0
    const timers = [
      clock.after(Math.min(limit, firstRequest), () => { for (const socket of fresh) if (socket.bytesRead === 0) socket.destroy() }),
      clock.after(limit, () => {
        cut = this.#sockets.size
        for (const socket of this.#sockets) socket.destroy()
      }),
    ]
    await closed
    for (const cancel of timers) cancel()
    this.release()
    return cut
  }

  /** Lets go of the server. */
  release(): void {
    this.#server.off('connection', this.#enter).off('secureConnection', this.#enterLine).off('session', this.#meet).off('request', this.#admit)
  }
}

const isLast = (response: Response): void => {
  if ('shouldKeepAlive' in response) response.shouldKeepAlive = false
}
