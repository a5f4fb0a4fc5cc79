import { isDeepStrictEqual } from 'node:util'
import { publish } from '../core/events.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { filesOf } from '../transport/tls/certificates.ts'
import { certificateStatus, expiriesOf, ExpiryWatch, type CertificateStatus, type Expiry } from '../transport/tls/expiry.ts'
import { Renewal } from '../transport/tls/renewal.ts'
import { optionsOf, readTls, type ReadTls, type TlsConfig } from '../transport/tls/tls.ts'

/** What a cluster dials with: its authorities, certificate and key as they were read last. Files that are renewed replace them, all at once. */
export class Credentials {
  readonly #cluster: string
  readonly #config: TlsConfig
  readonly #runtime: Runtime
  readonly #watch: ExpiryWatch
  #current: ReadTls
  #expiries: readonly Expiry[]
  #renewal: Renewal<ReadTls> | undefined

  /** Reads what the configuration names; throws an `OptionsError` where it cannot be used. Watches nothing yet. */
  constructor(cluster: string, config: TlsConfig, runtime: Runtime) {
    this.#cluster = cluster
    this.#config = config
    this.#runtime = runtime
    this.#current = readTls(config)
    this.#expiries = expiriesOf(this.#current.certificates)
    this.#watch = new ExpiryWatch(runtime.clock, optionsOf(config).warnBefore, ({ expiry: { use, subject, expiresAt }, expired }) => {
      const told = { cluster, use, subject, expiresAt }
      if (expired) publish(runtime, 'certificate-expired', told)
      else publish(runtime, 'certificate-expiring', { ...told, expiresIn: Date.parse(expiresAt) - runtime.clock.wall() })
    })
  }

  /** What to dial with now. */
  get current(): ReadTls {
    return this.#current
  }

  /** How long it is good for. */
  status(): readonly CertificateStatus[] {
    return certificateStatus(this.#expiries, this.#runtime.clock)
  }

  /** Follows the files from now on; `onRenewed` hears that `current` is another one. */
  follow(onRenewed: () => void): void {
    this.#watch.watch(this.#expiries)
    const files = typeof this.#config === 'object' ? filesOf(this.#config) : []
    if (files.length === 0) return
    this.#renewal = new Renewal(files, {
      clock: this.#runtime.clock,
      read: () => readTls(this.#config),
      onRead: (read) => {
        if (isDeepStrictEqual(read.shown, this.#current.shown)) return
        this.#current = read
        this.#expiries = expiriesOf(read.certificates)
        this.#watch.watch(this.#expiries)
        onRenewed()
        const own = this.#expiries.find(({ use }) => use === 'own')
        publish(this.#runtime, 'certificate-renewed', { cluster: this.#cluster, ...(own && { expiresAt: own.expiresAt }) })
      },
      onFailure: (error) => publish(this.#runtime, 'certificate-failed', { cluster: this.#cluster, error }),
    })
  }

  /** Follows nothing any more; what was read last remains. */
  close(): void {
    this.#renewal?.close()
    this.#watch.close()
  }
}
