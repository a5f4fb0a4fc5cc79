import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import type { TestContext } from 'node:test'

/** A frame as it is on the wire: RFC 9113, section 4.1. */
export interface Frame {
  readonly type: number
  readonly flags: number
  readonly stream: number
  readonly payload: Buffer
}

export const frameTypes = { data: 0, headers: 1, priority: 2, reset: 3, settings: 4, promise: 5, ping: 6, goaway: 7, window: 8, continuation: 9 } as const

export const ack = 1
export const endStream = 1
export const endHeaders = 4
export const padded = 8

/** A frame as bytes, whatever it holds. */
export const frame = (type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer => {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

/** Numbers of 32 bits. */
export const numbers = (...values: number[]): Buffer => {
  const bytes = Buffer.alloc(4 * values.length)
  values.forEach((value, index) => bytes.writeUInt32BE(value, 4 * index))
  return bytes
}

/** A field without indexing: RFC 7541, section 6.2.2. */
export const field = (name: string, value: string): Buffer => Buffer.concat([Buffer.from([0, name.length]), Buffer.from(name), Buffer.from([value.length]), Buffer.from(value)])

/** Settings as they are in a frame: RFC 9113, section 6.5.1. */
export const settingsFrame = (settings: Readonly<Record<number, number>>): Buffer => frame(frameTypes.settings, 0, 0, Buffer.concat(Object.entries(settings).map(([id, value]) => {
  const entry = Buffer.alloc(6)
  entry.writeUInt16BE(Number(id))
  entry.writeUInt32BE(value, 2)
  return entry
})))

/** The other side of one connection. */
export class RawConnection {
  readonly socket: Socket
  /** Whether settings and pings are answered as they should be. */
  acknowledges = true
  answersPings = true
  #unread: Buffer = Buffer.alloc(0)
  #greeted = false

  constructor(socket: Socket, onFrame: (connection: RawConnection, frame: Frame) => void, greet: (connection: RawConnection) => void) {
    this.socket = socket
    socket.on('error', () => {})
    greet(this)
    socket.on('data', (chunk) => {
      this.#unread = Buffer.concat([this.#unread, chunk])
      if (!this.#greeted && this.#unread.length >= 24) {
        this.#greeted = true
        this.#unread = this.#unread.subarray(24)
      }
      while (this.#greeted && this.#unread.length >= 9 && this.#unread.length >= 9 + this.#unread.readUIntBE(0, 3)) {
        const end = 9 + this.#unread.readUIntBE(0, 3)
        const read = { type: this.#unread[3]!, flags: this.#unread[4]!, stream: this.#unread.readUInt32BE(5), payload: this.#unread.subarray(9, end) }
        this.#unread = this.#unread.subarray(end)
        if (read.type === frameTypes.settings && read.flags !== ack && this.acknowledges) socket.write(frame(frameTypes.settings, ack, 0))
        if (read.type === frameTypes.ping && read.flags !== ack && this.answersPings) socket.write(frame(frameTypes.ping, ack, 0, read.payload))
        onFrame(this, read)
      }
    })
  }

  settings(settings: Readonly<Record<number, number>>): void {
    this.socket.write(settingsFrame(settings))
  }

  /** The head of an answer with status 200. */
  head(stream: number, fields: Readonly<Record<string, string>> = {}, flags = 0): void {
    this.socket.write(frame(frameTypes.headers, endHeaders | flags, stream, Buffer.concat([Buffer.from([0x88]), ...Object.entries(fields).map(([name, value]) => field(name, value))])))
  }

  trailers(stream: number, fields: Readonly<Record<string, string>>): void {
    this.socket.write(frame(frameTypes.headers, endHeaders | endStream, stream, Buffer.concat(Object.entries(fields).map(([name, value]) => field(name, value)))))
  }

  data(stream: number, text: string, flags = 0): void {
    this.socket.write(frame(frameTypes.data, flags, stream, Buffer.from(text)))
  }

  reset(stream: number, code: number): void {
    this.socket.write(frame(frameTypes.reset, 0, stream, numbers(code)))
  }

  goaway(last: number, code = 0): void {
    this.socket.write(frame(frameTypes.goaway, 0, 0, numbers(last, code)))
  }

  /** A whole answer. */
  answer(stream: number, text = 'ok'): void {
    this.head(stream)
    this.data(stream, text, endStream)
  }
}

export interface RawUpstream {
  readonly address: string
  readonly connections: readonly RawConnection[]
}

/** Starts a server whose frames are a test's own; before the stage is set, so that it ends before that is looked at. */
export const rawHttp2 = async (
  t: TestContext, onFrame: (connection: RawConnection, frame: Frame) => void,
  greet: Readonly<Record<number, number>> | ((connection: RawConnection) => void) = {},
): Promise<RawUpstream> => {
  const begin = typeof greet === 'function' ? greet : (connection: RawConnection) => connection.settings(greet)
  const connections: RawConnection[] = []
  const server: Server = createServer({ noDelay: true }, (socket) => { connections.push(new RawConnection(socket, onFrame, begin)) })
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  t.after(() => {
    server.close()
    for (const { socket } of connections) socket.destroy()
  })
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, connections }
}
