import { inspect } from 'node:util'
import type { Attempt } from '../core/call.ts'
import { MeshError } from '../core/errors.ts'
import type { RequestBody } from '../core/request.ts'
import type { Send } from '../core/send.ts'
import { detached, type Cancel } from '../runtime/clock.ts'
import type { Dispatcher } from '../transport/dispatcher/dispatcher.ts'
import { Exchange } from '../transport/exchange.ts'
import { deferred, type Deferred } from './deferred.ts'
import { settle } from './fake-clock.ts'

/** Where an attempt arrived. */
export interface FakeAttempt {
  /** The service that was dialled, as it is written in the services of the fake mesh. */
  readonly service: string
  readonly cluster: string
  /** Address of the endpoint that was picked. */
  readonly endpoint: string
  /** 1 for the first of its call. */
  readonly number: number
}

/**
 * A service of a fake mesh: takes what arrives, as a server would see it, and answers it.
 * `request.signal` aborts when nobody waits for the answer any more. A function that throws is a service that breaks the connection.
 */
export type FakeAnswer = (request: Request, attempt: FakeAttempt) => Response | Promise<Response>

/** What arrived at a service of a fake mesh, to be asserted on. Its body can be read any number of times, whether or not the service did. */
export class ReceivedRequest implements FakeAttempt {
  readonly service: string
  readonly cluster: string
  readonly endpoint: string
  readonly number: number
  readonly method: string
  /** The whole URL, with the service's name. */
  readonly url: string
  readonly headers: Headers
  readonly #body: Promise<Uint8Array>

  /** @internal */
  constructor({ service, cluster, endpoint, number }: FakeAttempt, { method, url, headers }: Request, body: Promise<Uint8Array>) {
    this.service = service
    this.cluster = cluster
    this.endpoint = endpoint
    this.number = number
    this.method = method
    this.url = url
    this.headers = new Headers(headers)
    this.#body = body
  }

  /** Its body once all of it has come; empty where there is none. Rejects when the body broke off. */
  bytes(): Promise<Uint8Array> {
    return this.#body
  }

  /** The same as text. */
  async text(): Promise<string> {
    return new TextDecoder().decode(await this.#body)
  }

  /** The same as parsed JSON. */
  async json(): Promise<unknown> {
    return JSON.parse(await this.text()) as unknown
  }
}

/** A network of functions. */
export interface FakeWire {
  readonly send: Send<Attempt>
  /** What arrived, in order. */
  readonly received: readonly ReceivedRequest[]
}

/** Makes a network on which functions answer; `answerOf` finds the one for an attempt. */
export const fakeWire = (answerOf: (attempt: FakeAttempt) => FakeAnswer): FakeWire => {
  const received: ReceivedRequest[] = []
  const send: Send<Attempt> = (attempt) => {
    // The exchange of the real transport: it treats this wire just as it treats a socket. There is no used socket to be resent on.
    const exchange = new Exchange(attempt, () => {})
    // The call may have been given up while a layer of the user's held the attempt.
    // Out of the caller's async context, as what crosses a wire is: a service knows only what the request says.
    if (attempt.ending === undefined) void detached(() => new Connection(attempt, exchange).carry(answerOf, received))
    return exchange.head
  }
  return { send, received }
}

/** One attempt on its way to a function and back: what a socket is to the real transport. */
class Connection implements Dispatcher.DispatchController {
  aborted = false
  reason: Error | null = null
  rawHeaders: string[] | null = null
  readonly #attempt: Attempt
  readonly #exchange: Exchange
  readonly #gone = new AbortController()
  #upload: Upload | undefined
  #reader: ReadableStreamDefaultReader<unknown> | undefined
  #pausing: Deferred<void> | undefined
  #endSilence: Cancel = () => {}

  constructor(attempt: Attempt, exchange: Exchange) {
    this.#attempt = attempt
    this.#exchange = exchange
    attempt.onEnd((_, ending) => {
      this.#endSilence()
      this.#pausing?.resolve()
      if (ending === 'complete') return this.#upload?.stop()
      const reason = ending === 'cancelled' ? attempt.call.reason ?? this.reason : ending
      this.#gone.abort(reason ?? undefined)
      this.#upload?.stop()
      void this.#reader?.cancel(reason).catch(() => {})
    })
  }

  get paused(): boolean {
    return this.#pausing !== undefined
  }

  pause(): void {
    this.#pausing ??= deferred()
  }

  resume(): void {
    this.#pausing?.resolve()
    this.#pausing = undefined
  }

  abort(reason: Error): void {
    this.aborted = true
    this.reason = reason
  }

  /** Hands the request to the function and brings its answer back. Never rejects: the exchange hears of every failure. */
  async carry(answerOf: (attempt: FakeAttempt) => FakeAnswer, received: ReceivedRequest[]): Promise<void> {
    try {
      this.#exchange.onRequestStart(this)
      const { request, place } = this.#arrive()
      received.push(new ReceivedRequest(place, request, this.#upload!.whole))
      await this.#bring(await this.#spoken(async () => answerOf(place)(request, place)))
    } catch (error) {
      if (!isRefusal(error)) await this.#uploaded()
      this.#break(error)
    }
  }

  #arrive(): { readonly request: Request, readonly place: FakeAttempt } {
    const { call, endpoint, number, headers } = this.#attempt
    const { method, scheme, hostHeader, authority, path, body } = call.request
    this.#upload = new Upload(body, (error) => this.#exchange.onResponseError(this, error as Error))
    try {
      const request = new Request(`${scheme}://${hostHeader ?? authority}${path}`, {
        method,
        headers: this.#upload.headed([['host', hostHeader ?? authority], ...pairs(headers)]),
        body: this.#upload.stream,
        duplex: 'half',
        redirect: 'manual',
        signal: this.#gone.signal,
      })
      return { request, place: { service: call.service, cluster: call.cluster!.name, endpoint: endpoint.address, number } }
    } catch (error) {
      throw new Misuse(`${call}: there is no WHATWG Request for it, which is what a service of fakeMesh takes (${String(error)})`)
    }
  }

  /** Brings an answer: the head, and the body as fast as it is taken. */
  async #bring(response: Response): Promise<void> {
    const { method } = this.#attempt.call.request
    const { status, body } = this.#checked(response)
    const reader = this.#reader = body?.getReader() as ReadableStreamDefaultReader<unknown> | undefined
    if (this.#over || method === 'HEAD') void reader?.cancel(this.reason).catch(() => {})
    if (this.#over) return
    this.rawHeaders = [...response.headers].flat()
    this.#exchange.onResponseStart(this, status, grouped(response.headers), response.statusText)
    if (reader && method !== 'HEAD') await this.#bringBody(reader)
    if (this.#over) return
    await this.#uploaded()
    this.#exchange.onResponseEnd(this, {})
  }

  /** A socket would have carried by the end what the caller had ready, whether or not the service reads it. */
  async #uploaded(): Promise<void> {
    await this.#upload?.arrived(this.#attempt.call.request.header('content-length') !== undefined)
  }

  async #bringBody(reader: ReadableStreamDefaultReader<unknown>): Promise<void> {
    for (;;) {
      await this.#pausing?.promise
      if (this.#over) return
      const { done, value } = await this.#spoken(() => reader.read())
      if (done || this.#over) return
      if (!(value instanceof Uint8Array)) throw this.#misuse('a Response whose body does not consist of bytes: encode it, or pass text to new Response()')
      this.#exchange.onResponseData(this, value)
    }
  }

  /** Waits for the function's side, which may be silent for the route's `idleTimeout`. */
  async #spoken<T>(wait: () => Promise<T>): Promise<T> {
    const { idleTimeout, clock } = this.#attempt.call
    if (idleTimeout > 0) this.#endSilence = clock.background(idleTimeout, () => this.#break(silence(this.#attempt)))
    try {
      return await wait()
    } finally {
      this.#endSilence()
    }
  }

  #checked(response: unknown): Response {
    if (!(typeof response === 'object' && response !== null && 'status' in response && 'headers' in response)) {
      throw this.#misuse(`${String(response)}: return a Response`)
    }
    const answer = response as Response
    if (answer.type === 'error') throw new Error('the service answered with Response.error()')
    if (answer.bodyUsed || answer.body?.locked) throw this.#misuse('a Response whose body was read before: make a new one for each request')
    return answer
  }

  #misuse(what: string): Misuse {
    return new Misuse(`${this.#attempt.call}: the service '${this.#attempt.call.service}' of fakeMesh returned ${what}`)
  }

  /** Ends the attempt by what went wrong, as the network would or by the code that the function chose. */
  #break(error: unknown): void {
    if (this.#over) return
    const { call, endpoint } = this.#attempt
    if (error instanceof Misuse) return this.#exchange.abort(error)
    if (error instanceof MeshError) {
      if (isRefusal(error)) this.#attempt.sentAt = 0
      return this.#exchange.abort(call.error(error.code, `${call} at ${endpoint.address}: ${error.message}`, error))
    }
    if (isAssertion(error)) return this.#exchange.abort(error)
    this.#exchange.onResponseError(this, error instanceof Error ? error : new Error(inspect(error)))
  }

  get #over(): boolean {
    return this.#attempt.ending !== undefined
  }
}

/** Whether the connection was never there, so nothing was sent. */
const isRefusal = (error: unknown): boolean => error instanceof MeshError && error.code === 'ENMESH_CONNECT_FAILED'

/** A mistake in a test: never tried again; reaches the caller as the cause of what `fetch` rejects with. */
class Misuse extends TypeError {}

/** What a service's function found wrong in a test is the test's failure, and not one of the network that would be tried again. */
const isAssertion = (error: unknown): error is Error => error instanceof Error && (error.name === 'AssertionError' || (error as NodeJS.ErrnoException).code === 'ERR_ASSERTION')

// As undici says it, so that it is named as silence on a real wire is.
const silence = ({ headAt }: Attempt): Error =>
  Object.assign(new Error('the service was silent'), { code: headAt > 0 ? 'UND_ERR_BODY_TIMEOUT' : 'UND_ERR_HEADERS_TIMEOUT' })

const pairs = (list: readonly string[]): [string, string][] =>
  Array.from({ length: list.length / 2 }, (_, index) => [list[index * 2]!, list[index * 2 + 1]!])

/** Header fields as undici parses them. */
const grouped = (headers: Headers): Record<string, string | string[]> => {
  const fields: Record<string, string | string[]> = Object.fromEntries(headers)
  const cookies = headers.getSetCookie()
  if (cookies.length > 1) fields['set-cookie'] = cookies
  return fields
}

/** A request's body on its way: it flows whether or not anybody reads it, and is kept for who asks later. */
class Upload {
  /** What the function reads. */
  readonly stream: ReadableStream<Uint8Array> | null
  /** All of it, once it has come. */
  readonly whole: Promise<Uint8Array>
  readonly #type: string | null
  readonly #chunks: Uint8Array[] = []
  #reader: ReadableStreamDefaultController<Uint8Array> | undefined
  #flowing: boolean
  readonly #stopped = deferred<never>()

  constructor(body: RequestBody | undefined, failed: (error: unknown) => void) {
    const { chunks, type } = body ? opened(body) : { chunks: [], type: null }
    this.#type = type
    this.#flowing = body !== undefined
    this.stream = body ? new ReadableStream({
      start: (controller) => { this.#reader = controller },
      cancel: () => { this.#reader = undefined },
    }) : null
    const flow = this.#flow(chunks)
    this.whole = Promise.race([flow, this.#stopped.promise])
    this.whole.catch(() => {})
    flow.catch((error: unknown) => {
      this.#end(error)
      failed(error)
    })
  }

  /** The headers with the content type that the body itself has, where they give none. */
  headed(headers: [string, string][]): [string, string][] {
    const named = this.#type === null || headers.some(([name]) => name.toLowerCase() === 'content-type')
    return named ? headers : [...headers, ['content-type', this.#type]]
  }

  async #flow(chunks: Chunks): Promise<Uint8Array> {
    for await (const chunk of chunks) {
      if (!this.#flowing) break
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
      this.#chunks.push(bytes)
      this.#reader?.enqueue(bytes)
    }
    this.#end()
    return new Uint8Array(Buffer.concat(this.#chunks))
  }

  /** Resolves when all has come that the caller has ready; all of it, where its length is known. */
  async arrived(lengthKnown: boolean): Promise<void> {
    if (lengthKnown) return void await this.whole.catch(() => {})
    for (let before = -1; this.#flowing && before < this.#chunks.length;) {
      before = this.#chunks.length
      await settle()
    }
  }

  /** Lets no more of it come. */
  stop(): void {
    if (!this.#flowing) return
    const cut = new Error('the attempt was over before its body had come')
    this.#end(cut)
    this.#stopped.reject(cut)
  }

  #end(error?: unknown): void {
    if (!this.#flowing) return
    this.#flowing = false
    if (error === undefined) this.#reader?.close()
    else this.#reader?.error(error)
  }
}

type Chunks = AsyncIterable<Uint8Array | string> | Iterable<Uint8Array | string>

/** Opens a body as chunks, with the content type that a blob or a form brings along. */
const opened = (body: RequestBody): { readonly chunks: Chunks, readonly type: string | null } => {
  const source = body.open()
  if (typeof source === 'string' || source instanceof Uint8Array) return { chunks: [source], type: null }
  const form = source.constructor.name === 'FormData'
  if (!form && !(source instanceof Blob)) return { chunks: source as Chunks, type: null }
  const { headers, body: stream } = new Response(form ? copied(source as FormData) : source as Blob)
  return { chunks: stream as AsyncIterable<Uint8Array>, type: headers.get('content-type') }
}

// A form of npm's undici is not one of the platform's.
const copied = (form: FormData): FormData => {
  const copy = new FormData()
  for (const [name, value] of form as unknown as Iterable<[string, string]>) copy.append(name, value)
  return copy
}
