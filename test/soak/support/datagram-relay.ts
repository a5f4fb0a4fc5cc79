import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'

/** Stands between a DNS server and those who ask it, and can spoil its answers or hold them back. */
export class DatagramRelay {
  trouble: 'garbage' | undefined
  /** Milliseconds that it holds each answer back. */
  late = 0
  readonly #front = createSocket('udp4')
  readonly #backs = new Set<Socket>()
  readonly #to: number

  private constructor(to: number) {
    this.#to = to
    this.#front.on('message', (question, from) => {
      const back = createSocket('udp4')
      this.#backs.add(back)
      back.on('close', () => this.#backs.delete(back))
      // A server that is not there.
      back.on('error', () => back.close())
      back.connect(this.#to, '127.0.0.1', () => back.send(question))
      back.on('message', (answer) => {
        back.close()
        const said = this.trouble === 'garbage' ? Buffer.concat([answer.subarray(0, 2), Buffer.from('\x81\x80\xff\xff\xff\xff whatever')]) : answer
        setTimeout(() => { if (!this.#closed) this.#front.send(said, from.port, from.address) }, this.late).unref()
      })
    })
  }

  #closed = false

  static async start(to: number): Promise<DatagramRelay> {
    const relay = new DatagramRelay(to)
    relay.#front.bind(0, '127.0.0.1')
    await once(relay.#front, 'listening')
    return relay
  }

  get address(): string {
    return `127.0.0.1:${this.#front.address().port}`
  }

  close(): void {
    this.#closed = true
    for (const back of this.#backs) back.close()
    this.#front.close()
  }
}
