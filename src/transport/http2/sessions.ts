import errors from 'undici/lib/core/errors.js'
import type { Endpoint, EndpointConnections } from '../../core/endpoint.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Connecting } from '../connections.ts'
import type { Exchange } from '../exchange.ts'
import { http2Options } from './config.ts'
import type { Content } from './content.ts'
import { noSessions } from '../tls/tls.ts'
import { Session, type Reaching, type SessionOwner } from './session.ts'

/**
 * The connections to one endpoint that speak HTTP/2, and those who wait for one. A connection is filled before another is opened: as many as all
 * who wait need, up to the limit; one of which the endpoint takes its leave is not counted any more.
 */
export class Sessions implements EndpointConnections, SessionOwner {
  readonly #reaching: Reaching
  readonly #most: number
  /** Those that take requests, or will. */
  readonly #sessions = new Set<Session>()
  /** Those that end. */
  readonly #leaving = new Set<Session>()
  readonly #line = new Map<Exchange, Content | undefined>()
  #closing: (() => void)[] | undefined

  constructor(reaching: Reaching) {
    this.#reaching = reaching
    this.#most = reaching.connecting.config.connections
  }

  /** As undici's pools tell: `running` are the connections in use. */
  get stats(): { readonly connected: number, readonly running: number, readonly streams: number } {
    let connected = 0
    let running = 0
    let streams = 0
    for (const session of [...this.#sessions, ...this.#leaving]) {
      if (!session.established) continue
      connected++
      if (session.streams > 0) running++
      streams += session.streams
    }
    return { connected, running, streams }
  }

  /** Sends a request as soon as a connection takes it. */
  send(exchange: Exchange, content: Content | undefined): void {
    if (this.#line.size === 0 && this.#give(exchange, content)) return
    this.#line.set(exchange, content)
    exchange.attempt.onEnd(() => this.#forget(exchange))
    this.#dial()
  }

  #forget(exchange: Exchange): void {
    if (this.#line.delete(exchange)) this.#settle()
  }

  /** Gives a request to a connection that takes one; one that cannot be sent hears of it. */
  #give(exchange: Exchange, content: Content | undefined): boolean {
    for (const session of this.#sessions) {
      try {
        if (session.hasRoom && session.take(exchange, content)) return true
      } catch (error) {
        exchange.onResponseError(undefined, error as Error)
        return true
      }
    }
    return false
  }

  /** Opens as many connections as those who wait need. */
  #dial(): void {
    const { streams } = http2Options(this.#reaching.connecting.config.http2)
    let coming = 0
    for (const session of this.#sessions) if (!session.established) coming += streams
    while (coming < this.#line.size && this.#sessions.size < this.#most) {
      this.#sessions.add(new Session(this.#reaching, this))
      coming += streams
    }
  }

  onRoom(): void {
    for (const [exchange, content] of this.#line) {
      if (!this.#give(exchange, content)) break
      this.#line.delete(exchange)
    }
    this.#dial()
    this.#settle()
  }

  onLeaving(session: Session): void {
    this.#sessions.delete(session)
    this.#leaving.add(session)
    // One that never took a request is no reason to try at once what has just failed.
    if (session.used) this.#dial()
  }

  onClosed(session: Session, error: Error | undefined): void {
    this.#leaving.delete(session)
    // Who waits for others still may get one of them.
    if (error && this.#sessions.size === 0) this.#fail(session, error)
    this.#settle()
  }

  #fail({ line }: Session, error: Error): void {
    for (const exchange of [...this.#line.keys()]) {
      exchange.line = line
      exchange.onResponseError(undefined, error)
    }
    this.#line.clear()
  }

  /** Lets go of connections once they are to be closed and nobody waits for them any more. */
  #settle(): void {
    if (!this.#closing || this.#line.size > 0) return
    for (const session of [...this.#sessions, ...this.#leaving]) session.close()
    if (this.#sessions.size + this.#leaving.size > 0) return
    for (const closed of this.#closing) closed()
    this.#closing = []
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#closing = [...this.#closing ?? [], resolve]
      this.#settle()
    })
  }

  async destroy(): Promise<void> {
    const error = new errors.ClientDestroyedError()
    for (const exchange of [...this.#line.keys()]) exchange.onResponseError(undefined, error)
    this.#line.clear()
    for (const session of [...this.#sessions, ...this.#leaving]) session.destroy(error)
    await this.close()
  }
}

/** The endpoint's own connections, opened as they are needed. */
export const sessionsOf = (connecting: Connecting, endpoint: Endpoint, servername: string | undefined, clock: Clock): Sessions => {
  const { kind } = connecting
  const key = servername === undefined ? kind : `${kind} ${servername}`
  let sessions = endpoint.pools.get(key)
  if (!sessions) endpoint.pools.set(key, sessions = newSessions(connecting, endpoint, servername, clock))
  // Of this kind there are no others.
  return sessions as Sessions
}

/** Connections that nobody else uses. */
export const newSessions = (connecting: Connecting, endpoint: Endpoint, servername: string | undefined, clock: Clock): Sessions =>
  new Sessions({ connecting, endpoint, servername, clock, tlsSessions: noSessions() })
