import type { X509Certificate } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import { standing } from './client-check.ts'

/** Bytes of TLS that say goodbye: an alert, and no more. The shortest request of HTTP, with what TLS adds, is not answered with nothing. */
const goodbye = 64

/** A connection of a client that showed a certificate. */
interface Certified {
  readonly socket: TLSSocket
  readonly certificate: X509Certificate
}

/** The connections over TLS that were let in, and the certificates behind them. */
export class OpenConnections {
  readonly #open = new Map<TLSSocket, readonly X509Certificate[]>()
  /** Those that came in under other authorities than are trusted now, by a certificate of which it cannot be told whether it would still do. */
  readonly #doubtful = new WeakSet<object>()

  /** How many there are. */
  get size(): number {
    return this.#open.size
  }

  /** Notes one until it closes; `onLeft` hears if its client then had sent nothing and been sent nothing. */
  enter(socket: TLSSocket, chain: readonly X509Certificate[], onLeft: () => void): void {
    this.#open.set(socket, chain)
    const { bytesRead } = socket
    socket.once('close', () => {
      this.#open.delete(socket)
      if (socket.bytesWritten === 0 && socket.bytesRead - bytesRead < goodbye) onLeft()
    })
  }

  /** Whether a connection should end with its next answer, so that its client has to show itself again. */
  isDoubtful(socket: object): boolean {
    return this.#doubtful.has(socket)
  }

  /** Those whose certificates lead to none of the authorities; where that cannot be told, the connection becomes doubtful. */
  strangersTo(authorities: readonly X509Certificate[]): readonly Certified[] {
    // Many connections are of the same client, and signatures take their time.
    const judged = new Map<string, ReturnType<typeof standing>>()
    const strangers: Certified[] = []
    for (const [socket, chain] of this.#open) {
      const [certificate] = chain
      if (!certificate) continue
      const found = judged.get(certificate.fingerprint256) ?? standing(authorities, chain)
      judged.set(certificate.fingerprint256, found)
      if (found === 'stranger') strangers.push({ socket, certificate })
      else if (found === 'unknown') this.#doubtful.add(socket)
    }
    return strangers
  }
}
