import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'

/** An answer in words: it travels in the query of its own request, so a case says beside its expectation what it is answered. */
export interface Answer {
  readonly status?: number
  readonly reason?: string
  /** In pairs; a name may come several times. */
  readonly headers?: readonly (readonly [string, string])[]
  /** Text in UTF-8, or bytes. */
  readonly body?: string | readonly number[]
  /** The body in so many writes. */
  readonly writes?: number
  /** The body over and over. */
  readonly times?: number
  /** How the body is packed, from the inside out; what the header says is up to `headers`. */
  readonly packed?: readonly (keyof typeof packers)[]
  /** What becomes of the connection: no answer at all, cut before anything was written, cut after the body, or held open after it. */
  readonly then?: 'never' | 'cut before' | 'cut' | 'hold'
}

const packers = { gzip: gzipSync, deflate: deflateSync, 'raw deflate': deflateRawSync, br: brotliCompressSync, zstd: zstdCompressSync } as const

/** Path of an answer. */
export const answering = (answer: Answer): string => `/answer?${encodeURIComponent(JSON.stringify(answer))}`

const readBody = async (request: IncomingMessage): Promise<Buffer> => {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

/** Tells what arrived. Boundaries of forms are drawn by chance, so they are left out. */
const echo = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
  const body = (await readBody(request)).toString('latin1')
  const fields: Record<string, string> = {}
  for (let i = 0; i < request.rawHeaders.length; i += 2) {
    const name = request.rawHeaders[i]!.toLowerCase()
    fields[name] = name in fields ? `${fields[name]} | ${request.rawHeaders[i + 1]!}` : request.rawHeaders[i + 1]!
  }
  const told = JSON.stringify({ method: request.method, url: request.url, fields, body })
  response.writeHead(200, { 'content-type': 'application/json' })
  response.end(told.replaceAll(/-*formdata-undici-\d+/g, 'BOUNDARY'))
}

const give = (answer: Answer, response: ServerResponse): void => {
  const { status = 200, reason = '', headers = [], times = 1, writes = 1, packed = [], then } = answer
  if (then === 'never') return
  if (then === 'cut before') return void response.destroy()
  const bytes = typeof answer.body === 'string' ? Buffer.from(answer.body) : Buffer.from(answer.body ?? [])
  const body = packed.reduce<Buffer>((inner, packer) => packers[packer](inner), Buffer.concat(Array.from({ length: times }, () => bytes)))
  response.writeHead(status, reason, headers.flat())
  const size = Math.ceil(body.length / writes)
  for (let at = 0; at < body.length; at += size) response.write(body.subarray(at, at + size))
  if (then === 'hold') response.flushHeaders()
  else if (then === 'cut') response.write('', () => response.destroy())
  else response.end()
}

/** A server that echoes what it is sent, or answers as it is told. */
export class Origin {
  readonly #server: Server
  #requests = 0
  readonly #waiting = new Set<() => void>()

  constructor() {
    this.#server = createServer((request, response) => {
      response.sendDate = false
      this.#requests++
      for (const wake of this.#waiting) wake()
      response.on('error', () => {})
      const [, hop, to] = /^\/hop\?(\d+)&(.*)$/.exec(request.url!) ?? []
      if (hop) return give({ status: 302, headers: [['location', to!]] }, response)
      const query = request.url!.startsWith('/answer?') ? decodeURIComponent(request.url!.slice('/answer?'.length)) : undefined
      if (query === undefined) return void echo(request, response).catch(() => {})
      request.resume()
      give(JSON.parse(query) as Answer, response)
    })
    this.#server.keepAliveTimeout = 0
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => { this.#server.listen(0, '127.0.0.1', resolve) })
    return this
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  get url(): string {
    return `http://${this.host}`
  }

  /** Resolves when one more request has arrived. */
  arrival(): Promise<void> {
    const before = this.#requests
    return new Promise((resolve) => {
      const look = (): void => {
        if (this.#requests === before) return
        this.#waiting.delete(look)
        resolve()
      }
      this.#waiting.add(look)
    })
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => { this.#server.close(resolve) })
    this.#server.closeAllConnections()
    await closed
  }
}
