import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Call } from '../../core/call.ts'
import { currentPassport } from '../../core/passport.ts'
import type { BodySink, Reply, ReplyHeaders } from '../../core/reply.ts'
import type { RequestBody } from '../../core/request.ts'
import type { Inside } from '../../mesh/mesh.ts'
import type { RouteTable } from '../../route/table.ts'
import type { Cancel } from '../../runtime/clock.ts'
import { requestBody } from '../../transport/body.ts'
import { listenFirst } from '../listen-first.ts'
import type { Framework } from '../node-inbound.ts'
import { inboundBody, smallBody, wholeBody } from './body.ts'
import type { GatewayConfig } from './config.ts'
import { answerFields, trailerFields, type TakeFields } from './fields.ts'
import { readInbound } from './inbound.ts'
import { originOf } from './origin.ts'
import { problemOf, Refusal, wireHead, written, type Problem } from './problem.ts'
import type { GatewayRoute } from './routes.ts'
import { join } from './tunnel.ts'

/** What all passages through a gateway share. Replaced as a whole when its routes change. */
export interface Way {
  readonly config: GatewayConfig
  readonly takeFields: TakeFields
  readonly routes: RouteTable<GatewayRoute>
  readonly inside: Inside
  readonly onProblem: ((problem: Problem, error: unknown) => void) | undefined
}

/** What is special about how a request came in. */
export interface Manner {
  /** Whether the client waits for a word before it sends the body. */
  readonly expects?: boolean
  /** The protocol that its connection is to change over to, and what came behind the request. */
  readonly upgrade?: { readonly protocol: string, readonly socket: Duplex, readonly head: Buffer }
  /** Whether it has another expectation, which nobody here can meet. */
  readonly foreign?: boolean
  /** Whether it asked for an upgrade that is not granted, and Node has stopped to read its connection. */
  readonly ignored?: boolean
}

/** Why a call is given up whose client has gone. No error of the mesh: nobody is left to hear it. */
const clientGone = new Error('the client has closed its connection')

/** Bytes of a body that nobody wants which are let run out; a longer one is not worth its connection. */
const worthReading = 64 * 1024

const plainReason = /^[\t\x20-\x7e]*$/

/** Bytes of an answer that came whole with its head, up to which both are made one text for one write: 9.8 µs to 9.0 for the server's whole part. */
const smallAnswer = 16 * 1024

const unfitAnswer = new Error('the head of the answer means something else to the client')

/** Whether an answer changes over to another protocol than was asked for, or its body is coded in a way that ends with this connection. */
const unfit = ({ socket, headers }: Reply, protocol: string | undefined): boolean => {
  if (socket) return String(headers['upgrade']).toLowerCase() !== protocol
  const coding = headers['transfer-encoding']
  return coding !== undefined && String(coding).toLowerCase() !== 'chunked'
}

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')

/**
 * One request on its way through a gateway, and its answer on the way back. What listens is made where it is needed and no field's initialiser: V8 puts such a
 * function into old space, and all of the request with it until a full collection (58 µs a request to 45, and 50 ms for a collection of what is young to 1).
 */
export class Passage implements BodySink, Framework {
  readonly #way: Way
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #manner: Manner
  #route: GatewayRoute | undefined
  #call: Call | undefined
  #reply: Reply | undefined
  #requestId: string | undefined
  #continued: boolean
  #over = false
  #joined = false
  /** Whether the head of the answer is on its way; what of the body was there before it waits for it. */
  #begun = false
  #first: Uint8Array | undefined
  #waitsForDrain = false
  #stall: Cancel | undefined

  constructor(way: Way, request: IncomingMessage, response: ServerResponse, manner: Manner) {
    this.#way = way
    this.#request = request
    this.#response = response
    this.#manner = manner
    this.#continued = manner.expects !== true
  }

  get client(): string {
    return this.#origin.client
  }

  get scheme(): string {
    return this.#origin.scheme
  }

  get #origin(): ReturnType<typeof originOf> {
    return originOf(this.#request, this.#request.headers.host ?? '', this.#way.config.trustedHops)
  }

  followRoute(): () => string | undefined {
    return () => this.#route?.pattern
  }

  /** Takes the request to its service; never rejects. */
  async start(): Promise<void> {
    this.#requestId = currentPassport()?.requestId
    try {
      if (this.#manner.foreign) throw new Refusal('ENMESH_NOT_SUPPORTED', "The only expectation that is met is '100-continue'.", 417)
      const { inside, config, routes, takeFields } = this.#way
      const inbound = readInbound(this.#request, config, takeFields)
      const route = this.#route = routes.find(inbound.head)
      if (!route) throw new Refusal('ENMESH_NO_ROUTE', undefined, undefined, false)
      const gone = (): void => this.#gone()
      listenFirst(this.#response, 'close', gone)
      const body = inbound.bodySize > 0 ? await this.#body(inbound.bodySize) : undefined
      if (this.#over) return
      const call = this.#call = inside.call(route.forward(inbound, body, this.#manner.upgrade?.protocol))
      const inform = (status: number, headers: ReplyHeaders, raw: readonly (string | Buffer)[]): void => this.#inform(status, headers, raw)
      if (this.#request.httpVersion === '1.1') call.onInformation = inform
      this.#answer(await inside.send(call))
    } catch (error) {
      this.#fail(error)
    }
  }

  async #body(size: number): Promise<RequestBody | undefined> {
    if (this.#manner.upgrade || this.#manner.ignored) throw new Refusal('ENMESH_BAD_REQUEST', 'A request for an upgrade has no body.')
    const { config, inside } = this.#way
    if (size <= smallBody && this.#continued) return requestBody(await wholeBody(this.#request), inside.replayLimit())
    // A client that goes away breaks its request off; who reads the body hears of it there.
    this.#request.on('error', () => {})
    return requestBody(inboundBody(this.#request, config.maxBody, () => this.#wanted()), inside.replayLimit())
  }

  /** An endpoint is there and takes the body: only now is the client told to send it. */
  #wanted(): void {
    if (this.#continued) return
    this.#continued = true
    if (!this.#response.headersSent) this.#response.writeContinue()
  }

  /** The connection has ended before the answer, or after it. */
  #gone(): void {
    if (this.#joined) return
    this.#stall?.()
    this.#over = true
    if (this.#response.writableFinished) return
    this.#call?.abort(clientGone)
    this.#reply?.abort(clientGone)
  }

  /** 1xx go on as they come, but for those that are about this connection, to a client whose turn it is and who reads them: a service may send them without end. */
  #inform(status: number, headers: ReplyHeaders, raw: readonly (string | Buffer)[]): void {
    const { socket, headersSent } = this.#response
    if (status <= 101 || headersSent || this.#over || !socket?.writable || socket.writableNeedDrain) return
    socket.write(wireHead(status, '', answerFields(raw, headers['connection'])), 'latin1')
  }

  #answer(reply: Reply): void {
    if (this.#over) return reply.discard()
    this.#reply = reply
    const { status, statusText, rawHeaders, headers } = reply
    try {
      if (unfit(reply, this.#manner.upgrade?.protocol)) throw unfitAnswer
      const fields = answerFields(rawHeaders, headers['connection'], this.#requestId)
      if (reply.socket) return this.#handOver(reply, reply.socket, fields)
      this.#writeHead(status, statusText, fields)
    } catch {
      if (reply.socket) reply.abort(unfitAnswer)
      else reply.discard()
      throw new Refusal('ENMESH_INTERNAL', 'The service answered with a head that cannot be passed on.', 502)
    }
    reply.pipe(this)
    if (!this.#begun && !this.#over) this.#begin()
  }

  /** Sends the head, which says something by itself where the body is long in coming, and what of the body is there. */
  #begin(): void {
    this.#begun = true
    const first = this.#first
    this.#first = undefined
    if (first) this.#write(first)
    else this.#response.flushHeaders()
  }

  #writeHead(status: number, reason: string, fields: string[]): void {
    if (reason !== '' && plainReason.test(reason)) this.#response.writeHead(status, reason, fields)
    else this.#response.writeHead(status, fields)
  }

  #handOver(reply: Reply, upstream: Duplex, fields: string[]): void {
    const { socket, head, protocol } = this.#manner.upgrade!
    this.#call!.deadline = Number.POSITIVE_INFINITY
    this.#response.shouldKeepAlive = true
    this.#response.writeHead(reply.status, [...fields, 'connection', 'upgrade', 'upgrade', protocol])
    this.#response.flushHeaders()
    this.#response.detachSocket(socket as never)
    // From here on the two ends tell one another when they are over. Node tells the response no more; who waits for its end still has to hear.
    this.#joined = true
    socket.once('close', () => this.#response.emit('close'))
    const { inside: { runtime }, config } = this.#way
    join(socket, head, upstream, (task) => runtime.clock.background(config.stallTimeout, task))
  }

  data(chunk: Uint8Array): void {
    if (this.#over) return
    if (!this.#begun) {
      if (this.#first === undefined) return void (this.#first = chunk)
      this.#begin()
    }
    this.#write(chunk)
  }

  #write(chunk: Uint8Array): void {
    if (this.#response.write(chunk)) return
    this.#reply!.pause()
    if (this.#waitsForDrain) return
    this.#waitsForDrain = true
    this.#watch()
    this.#response.once('drain', () => this.#drained())
  }

  #drained(): void {
    this.#waitsForDrain = false
    this.#stall?.()
    this.#reply?.resume()
  }

  /** A client that reads nothing holds buffers and an endpoint; for ever, where the route has no deadline. */
  #watch(): void {
    this.#stall?.()
    this.#stall = this.#way.inside.runtime.clock.background(this.#way.config.stallTimeout, () => this.#response.destroy())
  }

  end(trailers: ReplyHeaders): void {
    if (this.#over) return
    const fields = trailerFields(trailers)
    if (fields.length > 0) this.#response.addTrailers(fields)
    const first = this.#first
    this.#begun = true
    if (first === undefined) this.#response.end()
    else if (first.byteLength > smallAnswer) this.#response.end(first)
    else this.#response.end(latin1(first), 'latin1')
    if (this.#response.writableLength > 0) this.#watch()
  }

  error(error: Error): void {
    this.#fail(error)
  }

  /** Nothing of the service's can be given: the client gets a problem, or if the answer had begun, a connection that breaks off. */
  #fail(error: unknown): void {
    const response = this.#response
    if (this.#over || error === clientGone || response.destroyed || this.#brokenOff) return
    // What has come goes out before it breaks off, whether or not both came at once.
    if (response.headersSent && !this.#begun) this.#begin()
    this.#over = true
    this.#stall?.()
    if (response.headersSent) return this.#breakOff()
    const { config, onProblem } = this.#way
    const problem = problemOf(error, this.#requestId, config.disclose, this.#route?.name)
    const { fields, body } = written(problem)
    // Node does the same where the client still waits for a word before it sends the body.
    if ((error instanceof Refusal && error.last) || !this.#runsOut()) response.shouldKeepAlive = false
    response.writeHead(problem.status, fields)
    response.end(this.#request.method === 'HEAD' ? undefined : body)
    onProblem?.(problem, error)
  }

  /** Whether the client has gone in the middle of its request: then nobody is there to be told. */
  get #brokenOff(): boolean {
    return this.#request.destroyed && !this.#request.complete
  }

  /** Whether what is left of the request is soon over. */
  #runsOut(): boolean {
    const { complete, headers } = this.#request
    return complete || (headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) <= worthReading)
  }

  /** By a reset where the end of the connection would stand for the end of the body. */
  #breakOff(): void {
    const { socket, chunkedEncoding } = this.#response
    if (socket && !chunkedEncoding && this.#reply?.headers['content-length'] === undefined) socket.resetAndDestroy()
    else this.#response.destroy()
  }
}
