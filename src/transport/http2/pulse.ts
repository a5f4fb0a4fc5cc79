import type { Cancel, Clock } from '../../runtime/clock.ts'
import type { Http2Options } from './config.ts'

/** How often in the time that it may be silent a connection is looked at. */
const looks = 4

/** Milliseconds between pings while nothing comes but answers to them: servers of gRPC take more than two in five minutes for an attack, and leave. */
const betweenPings = 300_000

/** A connection without an answer to a ping. By its code no idle connection that had died, which requests are sent again for. */
class NoPulse extends Error {
  readonly code = 'ERR_HTTP2_PING_TIMEOUT'

  constructor(pingTimeout: number) {
    super(`the endpoint did not answer a ping within ${pingTimeout} ms`)
  }
}

/** The connection whose pulse is felt. */
export interface Pulsing {
  /** Bytes that it has brought. */
  readonly bytesRead: number
  /** Sends a ping. */
  ping(answered: () => void): void
  /** Hears of an answer, which took as long as it did. */
  onPulse(): void
  /** Hears that there was none in time. */
  onNoPulse(error: Error): void
}

/** Finds out whether an endpoint is still there while requests wait for it. */
export class Pulse {
  readonly #connection: Pulsing
  readonly #options: Http2Options
  readonly #clock: Clock
  #asking = false
  #cancel: Cancel = () => {}
  /** What the connection had brought when it was last looked at, and how often in a row that was the same. */
  #read = 0
  #silent = 0

  constructor(connection: Pulsing, options: Http2Options, clock: Clock) {
    this.#connection = connection
    this.#options = options
    this.#clock = clock
  }

  /** Whether it waits for an answer. */
  get asking(): boolean {
    return this.#asking
  }

  /** Looks from now on whether anything comes, and asks where nothing does. */
  watch(): void {
    if (!this.#asking) this.#watch(this.#options.ping)
  }

  #watch(silence: number): void {
    if (silence === 0) return
    this.#silent = 0
    this.#read = this.#connection.bytesRead
    this.#look(silence)
  }

  #look(silence: number): void {
    this.#cancel()
    this.#cancel = this.#clock.background(silence / looks, () => {
      if (this.#connection.bytesRead !== this.#read) this.#watch(this.#options.ping)
      else if (++this.#silent < looks) this.#look(silence)
      else this.ask()
    })
  }

  /** Asks at once. */
  ask(): void {
    if (this.#asking) return
    this.#asking = true
    const { ping, pingTimeout } = this.#options
    this.#cancel()
    this.#cancel = this.#clock.background(pingTimeout, () =>
      this.#connection.onNoPulse(new NoPulse(pingTimeout)))
    this.#connection.ping(() => {
      if (!this.#asking) return
      this.#asking = false
      this.#cancel()
      if (ping > 0) this.#watch(Math.max(ping, betweenPings))
      this.#connection.onPulse()
    })
  }

  /** Looks no more, but for an answer that it waits for. */
  rest(): void {
    if (!this.#asking) this.#cancel()
  }

  /** Ends it. */
  stop(): void {
    this.#cancel()
    this.#asking = false
  }
}
