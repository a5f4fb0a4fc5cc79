import { currentInstruments, observe, type Figured, type Observed, type Tell } from '../tracing/meter.ts'
import type { CertificateStatus } from '../transport/tls/expiry.ts'

/** How a listener stands at one moment, as far as metrics tell. */
export interface ListenerFigures {
  /** What it is known by. */
  readonly name: string
  readonly certificates: readonly Pick<CertificateStatus, 'use' | 'expiresIn'>[]
}

const nothing: Figured = { tell: () => {} }

/** What a listener's TLS tells OpenTelemetry's metrics while it is open. */
export class ListenerMetrics implements Observed {
  readonly counters = nothing
  readonly #figures: () => ListenerFigures
  #stop: (() => void) | undefined

  constructor(figures: () => ListenerFigures) {
    this.#figures = figures
  }

  /** Has the listener observed from now on. */
  open(): void {
    this.#stop ??= observe(this)
    this.look()
  }

  /** Whoever registers an SDK does not tell; it is noticed here. */
  look(): void {
    currentInstruments()
  }

  tell(tell: Tell): void {
    const { name, certificates } = this.#figures()
    for (const { use, expiresIn } of certificates) tell('expiry', expiresIn / 1_000, { 'enmesh.listener': name, 'enmesh.certificate.use': use })
  }

  /** Ends it. */
  close(): void {
    this.#stop?.()
    this.#stop = undefined
  }
}
