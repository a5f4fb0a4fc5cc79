import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'

/** A request as it stood on the wire. */
export interface WireRequest {
  readonly line: string
  /** Names in lower case with their values, in their order. */
  readonly fields: readonly (readonly [string, string])[]
  readonly body: string
}

/** Why what came is no request that every reader reads the same way. */
class Ambiguous extends Error {}

const cut = (text: string, end: string): readonly [string, string] | undefined => {
  const at = text.indexOf(end)
  return at < 0 ? undefined : [text.slice(0, at), text.slice(at + end.length)]
}

const strict = (head: string): readonly (readonly [string, string])[] => head.split('\r\n').slice(1).map((line) => {
  const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+): ?([\t\x20-\x7e\x80-\xff]*)$/.exec(line) ?? []
  if (name === undefined || value === undefined) throw new Ambiguous(`the field ${JSON.stringify(line)}`)
  return [name.toLowerCase(), value] as const
})

const only = (fields: readonly (readonly [string, string])[], name: string): string | undefined => {
  const found = fields.filter(([each]) => each === name)
  if (found.length > 1) throw new Ambiguous(`'${name}' twice`)
  return found[0]?.[1]
}

const chunked = (text: string): readonly [string, string] | undefined => {
  let body = ''
  for (let rest = text; ;) {
    const line = cut(rest, '\r\n')
    if (!line) return undefined
    if (!/^[0-9a-fA-F]+$/.test(line[0])) throw new Ambiguous(`the chunk size ${JSON.stringify(line[0])}`)
    const size = Number.parseInt(line[0], 16)
    if (line[1].length < size + 2) return undefined
    if (line[1].slice(size, size + 2) !== '\r\n') throw new Ambiguous('a chunk that does not end where it says, or trailers')
    if (size === 0) return [body, line[1].slice(2)]
    body += line[1].slice(0, size)
    rest = line[1].slice(size + 2)
  }
}

/** Takes the first whole request off the bytes; `undefined` where it is not all there yet. */
const first = (bytes: string): readonly [WireRequest, string] | undefined => {
  const parts = cut(bytes, '\r\n\r\n')
  if (!parts) return undefined
  const [head, rest] = parts
  const line = head.split('\r\n', 1)[0]!
  if (!/^[A-Z]+ [\x21-\x7e]+ HTTP\/1\.1$/.test(line)) throw new Ambiguous(`the line ${JSON.stringify(line)}`)
  const fields = strict(head)
  if (only(fields, 'host') === undefined) throw new Ambiguous('no host')
  const length = only(fields, 'content-length')
  const coding = only(fields, 'transfer-encoding')
  if (length !== undefined && coding !== undefined) throw new Ambiguous('two lengths')
  if (coding !== undefined && coding !== 'chunked') throw new Ambiguous(`the coding ${coding}`)
  const body = coding !== undefined ? chunked(rest) : rest.length < Number(length ?? 0) ? undefined
    : [rest.slice(0, Number(length ?? 0)), rest.slice(Number(length ?? 0))] as const
  return body && [{ line, fields, body: body[0] }, body[1]]
}

/** A server that reads what comes by itself, strictly, and keeps every byte: what another parser would forgive is a fault here. */
export class RawUpstream {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  /** All bytes of each connection. */
  readonly connections: string[] = []
  readonly requests: WireRequest[] = []
  /** What was no proper request. */
  readonly faults: string[] = []

  constructor(answer: (request: WireRequest) => string = () => 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok') {
    this.#server = createServer((socket) => {
      const number = this.connections.push('') - 1
      let unread = ''
      this.#sockets.add(socket)
      socket.setEncoding('latin1').on('error', () => {}).on('close', () => this.#sockets.delete(socket))
      socket.on('data', (bytes: string) => {
        this.connections[number] += bytes
        unread += bytes
        try {
          for (let next = first(unread); next; next = first(unread)) {
            this.requests.push(next[0])
            unread = next[1]
            socket.write(answer(next[0]), 'latin1')
          }
        } catch (error) {
          this.faults.push((error as Error).message)
          socket.destroy()
        }
      })
    })
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => { this.#server.listen(0, '127.0.0.1', resolve) })
    return this
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => { this.#server.close(() => resolve()) })
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }
}
