import type { IncomingMessage } from 'node:http'
import type { ClientHttp2Stream, IncomingHttpHeaders, IncomingHttpStatusHeader } from 'node:http2'
import type { Socket } from 'node:net'
import type { ReplyHeaders } from '../../core/reply.ts'

/** What is asked over a connection. */
export interface Question {
  /** Connected, and used for nothing else. */
  readonly socket: Socket
  readonly scheme: 'http' | 'https'
  readonly host: string
  readonly path: string
  /** Sent by POST; without one it is a GET. HTTP/2 only. */
  readonly body?: Uint8Array
  readonly headers?: Readonly<Record<string, string>>
}

/** What came back. */
export interface Answer {
  readonly status: number
  /** Names in lower case. */
  readonly headers: ReplyHeaders
  /** Its first 64 KiB at most: what is longer is cut, and not waited for. */
  readonly body: Uint8Array
  /** Empty where the body was cut. */
  readonly trailers: ReplyHeaders
}

const longestBody = 64 * 1024

const agent = 'enmesh-health-check'

const silent = (): Error => new Error('the connection was closed before the answer was complete')

/** Keeps the beginning of a body; `add` tells whether it is long enough to stop. */
class Body {
  readonly #chunks: Uint8Array[] = []
  #size = 0

  add(chunk: Uint8Array): boolean {
    this.#chunks.push(chunk)
    this.#size += chunk.byteLength
    return this.#size > longestBody
  }

  get bytes(): Uint8Array {
    return Buffer.concat(this.#chunks)
  }
}

/** Asks by HTTP/1.1. Rejects when no whole answer comes; who asks closes the socket. */
export const askHttp1 = ({ socket, host, path }: Question): Promise<Answer> => new Promise((resolve, reject) => {
  // Not an import: that would read all that node:http exports, WebSocket too, which sets the process's dispatcher.
  const { request } = process.getBuiltinModule('node:http')
  const asked = request({
    createConnection: () => socket,
    path,
    headers: { host, 'user-agent': agent, accept: '*/*', connection: 'close' },
  })
  asked.on('error', reject)
  asked.once('close', () => reject(silent()))
  asked.once('response', (response: IncomingMessage) => {
    const { statusCode: status = 0, headers } = response
    const body = new Body()
    const end = (trailers: ReplyHeaders): void => resolve({ status, headers, body: body.bytes, trailers })
    response.on('error', reject)
    response.on('data', (chunk: Buffer) => { if (body.add(chunk)) end({}) })
    response.once('end', () => end(response.trailers))
  })
  asked.end()
})

/** Asks by HTTP/2, which the other side must expect from the first byte on. Rejects when no whole answer comes; who asks closes the socket. */
export const askHttp2 = ({ socket, scheme, host, path, body, headers }: Question): Promise<Answer> => new Promise((resolve, reject) => {
  // Loaded when it is needed, which for most processes is never.
  const { connect } = process.getBuiltinModule('node:http2')
  const session = connect(`${scheme}://${host}`, { createConnection: () => socket, settings: { enablePush: false } })
  session.on('error', reject)
  session.once('close', () => reject(silent()))
  const stream = session.request({
    ':method': body ? 'POST' : 'GET', ':scheme': scheme, ':authority': host, ':path': path, 'user-agent': agent, ...headers,
  }, { endStream: !body })
  collect(stream, resolve, reject)
  if (body) stream.end(body)
})

const collect = (stream: ClientHttp2Stream, resolve: (answer: Answer) => void, reject: (reason: Error) => void): void => {
  const body = new Body()
  let head: { readonly status: number, readonly headers: Answer['headers'] } | undefined
  let trailers: Answer['trailers'] = {}
  const end = (): void => head ? resolve({ ...head, body: body.bytes, trailers }) : reject(silent())
  stream.once('response', (fields: IncomingHttpHeaders & IncomingHttpStatusHeader) => { head = { status: fields[':status'] ?? 0, headers: fields } })
  stream.once('trailers', (fields: ReplyHeaders) => { trailers = fields })
  stream.on('data', (chunk: Buffer) => { if (body.add(chunk)) end() })
  stream.on('error', reject)
  stream.once('end', () => { if (stream.rstCode === 0) end() })
  stream.once('close', () => reject(silent()))
}
