import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2'
import type { TLSSocket } from 'node:tls'
import errors from 'undici/lib/core/errors.js'
import type { Endpoint } from '../../core/endpoint.ts'
import type { Cancel, Clock } from '../../runtime/clock.ts'
import type { Connecting, Line } from '../connections.ts'
import { dial } from '../dial.ts'
import type { Exchange } from '../exchange.ts'
import { optionsOf, type Sessions as TlsSessions } from '../tls/tls.ts'
import { describeContent, type Content } from './content.ts'
import { http2Options, type Http2Options } from './config.ts'
import { ifItSpeaksHttp1, inWords, mostFarewells } from './faults.ts'
import { requestFields } from './fields.ts'
import { Pulse, type Pulsing } from './pulse.ts'
import { Stream, type Carrier } from './stream.ts'

/** Bytes of a reply that may be on their way to a reader who stands still. */
const streamWindow = 256 * 1024

/** Bytes that may be on their way on one connection; Node takes them off the wire whoever stands still. */
const connectionWindow = 4 * 1024 * 1024

/** More fields than any head has that is meant. */
const mostFields = 1_000

// RFC 9113, section 7.
const noError = 0

/** Of an endpoint that allows none, for now. */
const noStreams = 0

/** How the connections to one endpoint are made. */
export interface Reaching {
  readonly connecting: Connecting
  readonly endpoint: Endpoint
  /** `undefined` where TLS is not spoken. */
  readonly servername: string | undefined
  readonly tlsSessions: TlsSessions
  readonly clock: Clock
}

/** Hears how a connection fares. */
export interface SessionOwner {
  /** It takes requests, or takes them again. */
  onRoom(session: Session): void
  /** It takes no new ones any more; those under way go on. */
  onLeaving(session: Session): void
  /** It is closed; `error` tells why it never took a request. */
  onClosed(session: Session, error: Error | undefined): void
}

/**
 * One connection that speaks HTTP/2. It is there once its endpoint has sent its settings: until then nothing is sent, so whatever answers otherwise
 * has got no request.
 */
export class Session implements Carrier, Pulsing {
  readonly line: Line
  readonly #owner: SessionOwner
  readonly #reaching: Reaching
  readonly #options: Http2Options
  readonly #keepAlive: number
  readonly #pulse: Pulse
  #session: ClientHttp2Session | undefined
  #established = false
  #leaving = false
  #closed = false
  #awaited = false
  #streams = 0
  #used = false
  /** The number of the last stream that the endpoint still does something about, once it has said so. */
  #last = Number.POSITIVE_INFINITY
  #farewells = 0
  #failure: Error | undefined
  readonly #cancelConnect: Cancel
  #cancelIdle: Cancel = () => {}

  constructor(reaching: Reaching, owner: SessionOwner) {
    const { connecting: { config, tls, context }, endpoint, servername, tlsSessions, clock } = reaching
    this.#owner = owner
    this.#reaching = reaching
    this.#options = http2Options(config.http2)
    this.#keepAlive = config.keepAlive
    this.#pulse = new Pulse(this, this.#options, clock)
    // Nothing else is offered: what the cluster says is spoken, or the connection fails and says so.
    this.line = dial({ tls: { ...optionsOf(tls), alpn: ['h2'] }, context }, endpoint, servername, tlsSessions)
    const { connectTimeout } = config
    this.#cancelConnect = connectTimeout === 0 ? () => {} : clock.after(connectTimeout, () => this.#giveUp(new Error(
      `no connection within the cluster's connectTimeout of ${connectTimeout} ms${this.#session ? `: ${this.#unsettled()}` : ''}`)))
    const socket = this.line.socket!
    socket.once(this.line.handshake ? 'secureConnect' : 'connect', () => this.#connected())
    socket.on('error', (error) => this.#giveUp(error))
    socket.once('close', () => this.#gone())
  }

  #unsettled(): string {
    return this.#session!.remoteSettings.maxConcurrentStreams === noStreams ? 'it allows no stream (SETTINGS_MAX_CONCURRENT_STREAMS is 0)'
      : 'it sent no settings of HTTP/2'
  }

  get established(): boolean {
    return this.#established
  }

  /** Whether it ever took a request. */
  get used(): boolean {
    return this.#used
  }

  /** Requests under way. */
  get streams(): number {
    return this.#streams
  }

  get failure(): Error | undefined {
    return this.#failure
  }

  /** Whether it may take a request now. */
  get hasRoom(): boolean {
    return this.#established && !this.#leaving && !this.#pulse.asking && this.#streams < this.#limit
  }

  get #limit(): number {
    return Math.min(this.#options.streams, this.#session!.remoteSettings.maxConcurrentStreams ?? Number.POSITIVE_INFINITY)
  }

  /** Sends a request; false if it turns out that it takes none any more. Throws for a request that cannot be sent. */
  take(exchange: Exchange, content: Content | undefined): boolean {
    const session = this.#session!
    const { attempt } = exchange
    const { fields, declared, size } = requestFields(attempt, this.#reaching.servername === undefined ? 'http' : 'https')
    const length = describeContent(fields, declared, content, attempt.call.request.method)
    const { maxHeaderListSize: most } = session.remoteSettings
    if (most !== undefined && size > most) {
      throw new errors.InvalidArgumentError(`the head of the request is ${size} bytes, and the endpoint takes ${most} (SETTINGS_MAX_HEADER_LIST_SIZE)`)
    }
    const opened = this.#open(session, fields, content === undefined)
    if (!opened) return false
    this.#used = true
    if (this.#streams++ === 0) this.#busy(session)
    opened.once('close', () => this.#released())
    exchange.line = this.line
    new Stream(this, exchange, opened, this.bytesRead).start(content, length)
    return true
  }

  #open(session: ClientHttp2Session, fields: Parameters<ClientHttp2Session['request']>[0], endStream: boolean): ClientHttp2Stream | undefined {
    try {
      return session.request(fields, { endStream })
    } catch (error) {
      if (/^ERR_HTTP2_(?:INVALID_SESSION|GOAWAY_SESSION|OUT_OF_STREAMS)$/.test((error as { code: string }).code)) {
        this.#leave()
        return undefined
      }
      throw new errors.InvalidArgumentError((error as Error).message)
    }
  }

  disowns(id: number | undefined): boolean {
    return id === undefined || id > this.#last
  }

  /** No word from the endpoint since the request was sent: it may be gone, and is asked before it gets another. */
  gaveUp(readBefore: number): void {
    if (!this.#leaving && this.bytesRead === readBefore) this.#pulse.ask()
  }

  /** Takes no more requests, and closes once those under way are over. Somebody waits for it, so it keeps the process alive. */
  close(): void {
    if (this.#closed || this.#awaited) return
    if (!this.#established) return this.#giveUp(new errors.ClientClosedError())
    this.#awaited = true
    // Not by the session, which no longer has a hold of it once it has ended on its own.
    this.line.socket!.ref()
    this.#retire()
  }

  /** To say so while requests are under way would have the endpoint take its leave in turn, and refuse those that it has not read yet. */
  #retire(): void {
    this.#leave()
    if (this.#streams === 0) this.#session!.close()
  }

  /** Ends it and whatever is under way on it. */
  destroy(error: Error): void {
    this.#giveUp(error)
  }

  misbehaves(error: Error): void {
    this.#giveUp(error)
  }

  #connected(): void {
    const socket = this.line.socket!
    if (this.line.handshake && (socket as TLSSocket).alpnProtocol !== 'h2') {
      return this.#giveUp(new Error("over TLS it did not choose HTTP/2 ('h2'); " + ifItSpeaksHttp1))
    }
    // Loaded when it is needed, which for most processes is never.
    const { connect } = process.getBuiltinModule('node:http2')
    const session = this.#session = connect(`http://${this.#reaching.endpoint.address}`, {
      createConnection: () => socket,
      settings: { enablePush: false, initialWindowSize: streamWindow },
      maxHeaderListPairs: mostFields,
    })
    session.once('connect', () => session.setLocalWindowSize(connectionWindow))
    session.on('remoteSettings', () => this.#settled())
    session.once('goaway', (code: number, last: number) => this.#takesLeave(code, last))
    session.on('goaway', (_, last: number) => this.#saysFarewell(last))
    session.on('error', (error: Error) => this.#giveUp(error))
    session.once('close', () => this.#gone())
  }

  #settled(): void {
    if (!this.#established && this.#limit > noStreams && !this.#closed) {
      this.#established = true
      this.#cancelConnect()
      this.#idle()
    }
    if (this.hasRoom) this.#owner.onRoom(this)
    else if (this.#established && this.#limit === noStreams && this.#streams === 0) this.#retire()
  }

  #saysFarewell(last: number): void {
    this.#last = Math.min(this.#last, last)
    if (++this.#farewells > mostFarewells) this.misbehaves(new Error(`the endpoint took its leave (GOAWAY) more than ${mostFarewells} times`))
  }

  /** The endpoint goes away. What it does nothing about it has Node cut, or it cuts the connection. */
  #takesLeave(code: number, last: number): void {
    this.#last = last
    if (code !== 0) this.#failure ??= new Error(`the endpoint ended the connection (GOAWAY with error code ${code})`)
    // Those who wait for it hear of it now: another is not likely to fare better.
    if (this.#used) this.#leave()
    else this.#giveUp(new Error('the endpoint took its leave (GOAWAY) before it took a request'))
  }

  #leave(): void {
    if (this.#leaving) return
    this.#leaving = true
    this.#cancelIdle()
    this.#owner.onLeaving(this)
    if (this.#streams === 0) this.#boundEnd()
  }

  /** Nothing is under way any more, so there is nothing to wait for but the other side's end of the connection. */
  #boundEnd(): void {
    if (this.#closed) return
    const { pingTimeout } = this.#options
    this.#cancelIdle = this.#reaching.clock.background(pingTimeout, () => this.#giveUp(new Error(`the endpoint did not close the connection within ${pingTimeout} ms`)))
  }

  #busy(session: ClientHttp2Session): void {
    this.#cancelIdle()
    session.ref()
    this.#pulse.watch()
  }

  #idle(): void {
    this.#pulse.rest()
    if (!this.#awaited) this.#session!.unref()
    this.#cancelIdle()
    if (this.#leaving) {
      this.#session!.close()
      this.#boundEnd()
    } else {
      this.#cancelIdle = this.#reaching.clock.background(this.#keepAlive, () => this.#retire())
    }
  }

  #released(): void {
    if (--this.#streams === 0 && !this.#closed) this.#idle()
    if (this.hasRoom) this.#owner.onRoom(this)
    else if (this.#streams === 0 && !this.#closed && !this.#leaving && this.#limit === noStreams) this.#retire()
  }

  get bytesRead(): number {
    return this.line.socket!.bytesRead
  }

  ping(answered: () => void): void {
    // Node throws then; its end is about to be heard of.
    if (this.#session!.destroyed) return
    this.#session!.ping((error) => { if (!error) answered() })
  }

  onPulse(): void {
    if (this.#streams === 0) this.#idle()
    if (this.hasRoom) this.#owner.onRoom(this)
  }

  onNoPulse(error: Error): void {
    this.#giveUp(error)
  }

  #giveUp(error: Error): void {
    if (this.#closed) return
    this.#failure ??= this.#session && !this.#established ? this.#explained(error) : inWords(error)
    this.#session?.destroy(this.#failure, noError)
    this.line.socket!.destroy()
    this.#gone()
  }

  /** Whatever a server answers that does not speak it, Node cannot read it. */
  #explained(error: Error): Error {
    if ((error as { code?: string }).code !== 'ERR_HTTP2_ERROR') return error
    const orTls = this.line.handshake ? '' : ', and if it speaks TLS, set `tls: true`'
    return new Error(`what it answered is not HTTP/2 (${error.message}); ${ifItSpeaksHttp1}${orTls}`, { cause: error })
  }

  #gone(): void {
    if (this.#closed) return
    this.#closed = true
    // Of what is under way Node only tells that it was cancelled.
    if (this.#streams > 0) this.#failure ??= new Error('the endpoint closed the connection')
    this.#cancelConnect()
    this.#cancelIdle()
    this.#pulse.stop()
    this.#leave()
    this.#owner.onClosed(this, this.#used ? undefined : this.#failure ?? new Error(this.#established ? 'it was closed before it took a request'
      : `it was closed before it brought settings of HTTP/2; ${ifItSpeaksHttp1}`))
  }
}
