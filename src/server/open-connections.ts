import type { X509Certificate } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import { leadsTo } from './client-check.ts'

/** Bytes of TLS that say goodbye: an alert, and no more. The shortest request of HTTP, with what TLS adds, is not answered with nothing. */
const goodbye = 64

/** Certificates of issuers that are kept, those that came last. */
const mostIssuers = 256

/** A connection of a client that showed a certificate. */
interface Certified {
  readonly socket: TLSSocket
  readonly certificate: X509Certificate
}

/** The connections over TLS that were let in, and the certificates behind them. */
export class OpenConnections {
  readonly #open = new Map<TLSSocket, X509Certificate | undefined>()
  /** By fingerprint. A session that goes on from before brings the client's certificate, and none of its issuers. */
  readonly #issuers = new Map<string, X509Certificate>()

  /** How many there are. */
  get size(): number {
    return this.#open.size
  }

  /** Notes one until it closes; `onLeft` hears if its client then had sent nothing and been sent nothing. */
  enter(socket: TLSSocket, certificate: X509Certificate | undefined, onLeft: () => void): void {
    this.#open.set(socket, certificate)
    this.#learn(certificate)
    const { bytesRead } = socket
    socket.once('close', () => {
      this.#open.delete(socket)
      if (socket.bytesWritten === 0 && socket.bytesRead - bytesRead < goodbye) onLeft()
    })
  }

  #learn(certificate: X509Certificate | undefined): void {
    for (let one = certificate?.issuerCertificate; one && !this.#issuers.has(one.fingerprint256); one = one.issuerCertificate) {
      this.#issuers.set(one.fingerprint256, one)
      if (this.#issuers.size > mostIssuers) this.#issuers.delete(this.#issuers.keys().next().value!)
    }
  }

  /** Those whose certificates lead to none of the authorities. */
  strangersTo(authorities: readonly X509Certificate[]): readonly Certified[] {
    // Many connections are of the same client, and signatures take their time.
    const judged = new Map<string, boolean>()
    const isStranger = (certificate: X509Certificate): boolean => {
      const known = judged.get(certificate.fingerprint256)
      if (known !== undefined) return known
      const stranger = !leadsTo(authorities, certificate, this.#issuers.values())
      judged.set(certificate.fingerprint256, stranger)
      return stranger
    }
    return [...this.#open].flatMap(([socket, certificate]) => certificate && isStranger(certificate) ? [{ socket, certificate }] : [])
  }
}
