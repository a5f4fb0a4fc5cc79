import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { GatewayCase } from './cases.ts'

/** One connection, and the request on it. */
class Line {
  readonly #socket: Socket
  readonly #request: string
  readonly #done: (took: number) => void
  #head = ''
  #left = -1
  #due = 0

  constructor(port: number, request: string, done: (line: Line, took: number) => void, failed: (error: Error) => void) {
    this.#request = request
    this.#done = (took) => done(this, took)
    this.#socket = connect(port, '127.0.0.1').setNoDelay(true).setEncoding('latin1').on('error', failed)
    this.#socket.on('data', (text: string) => {
      try {
        this.#take(text)
      } catch (error) {
        failed(error as Error)
      }
    })
  }

  #take(text: string): void {
    if (this.#left < 0) {
      this.#head += text
      const end = this.#head.indexOf('\r\n\r\n')
      if (end < 0) return
      const length = /\r\ncontent-length: (\d+)/i.exec(this.#head)?.[1]
      if (!this.#head.startsWith('HTTP/1.1 200') || length === undefined) throw new Error(`this is no answer that was asked for: ${this.#head.slice(0, 300)}`)
      this.#left = Number(length) - (this.#head.length - end - 4)
    } else {
      this.#left -= text.length
    }
    if (this.#left > 0) return
    this.#head = ''
    this.#left = -1
    this.#done(performance.now() - this.#due)
  }

  /** Sends the request. `due` is when it should have been sent: what it waited for a connection is waiting too. */
  send(due = performance.now()): void {
    this.#due = due
    this.#socket.write(this.#request)
  }

  close(): void {
    this.#socket.destroy()
  }
}

/** What each request took until the last byte of its answer, in milliseconds, of those sent within so many seconds. */
export const load = async (port: number, prefix: string, { path, sent, inFlight, rate }: GatewayCase, seconds: number): Promise<readonly number[]> => {
  const body = 'x'.repeat(sent ?? 0)
  const request = `${sent === undefined ? 'GET' : 'POST'} ${prefix}${path} HTTP/1.1\r\nHost: shop.test\r\nAccept: application/json\r\nUser-Agent: bench\r\n`
    + `${sent === undefined ? '' : `Content-Length: ${sent}\r\n`}\r\n${body}`
  const took: number[] = []
  const idle: Line[] = []
  const waiting: number[] = []
  const end = performance.now() + seconds * 1000
  let resolve = (): void => {}
  let reject: (error: Error) => void = () => {}
  const promise = new Promise<void>((done, failed) => { [resolve, reject] = [done, failed] })
  let open = inFlight
  const done = (line: Line, ms: number): void => {
    took.push(ms)
    if (rate === undefined && performance.now() < end) return line.send()
    const due = waiting.shift()
    if (due !== undefined) return line.send(due)
    idle.push(line)
    if (rate === undefined && --open === 0) resolve()
  }
  const lines = Array.from({ length: inFlight }, () => new Line(port, request, done, reject))
  try {
    if (rate === undefined) {
      for (const line of lines) line.send()
      await promise
    } else {
      idle.push(...lines)
      await Promise.race([promise, arrivals(rate, seconds, (due) => { const line = idle.pop(); if (line) line.send(due); else waiting.push(due) })])
      while (idle.length < inFlight) await Promise.race([promise, sleep(5)])
    }
  } finally {
    for (const line of lines) line.close()
  }
  return took
}

/** Sends at an even rate, as near to it as timers of a millisecond come. */
const arrivals = async (rate: number, seconds: number, send: (due: number) => void): Promise<void> => {
  const begun = performance.now()
  for (let sent = 0; sent < rate * seconds;) {
    for (; sent < rate * seconds && begun + sent * 1000 / rate <= performance.now(); sent++) send(begun + sent * 1000 / rate)
    await sleep(1)
  }
}
