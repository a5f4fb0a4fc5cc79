import type { X509Certificate } from 'node:crypto'
import { duration } from '../../config/duration.ts'
import type { Cancel, Clock } from '../../runtime/clock.ts'
import { namesIn } from './certificate-names.ts'
import { nameOf, type Material } from './certificates.ts'

const twoWeeks = 14 * 24 * 3_600_000

/** When to warn of a certificate that expires. */
export const warnBefore = duration.default(twoWeeks)
  .describe('How long before a certificate expires the event `certificate-expiring` warns of it; 14 days by default.')

/** What a certificate is for: `own` is shown to the other side, `authority` is what the other side is judged by. */
export type CertificateUse = 'own' | 'authority'

/** When a certificate in use expires, as plain data. */
export interface Expiry {
  readonly use: CertificateUse
  /** Its common name, or whatever its subject says. */
  readonly subject: string
  /** Its alternative names; none in most authorities. */
  readonly names: readonly string[]
  readonly serial: string
  /** ISO 8601. */
  readonly expiresAt: string
}

/** How long a certificate is still good for, as plain data. */
export interface CertificateStatus extends Expiry {
  /** Milliseconds; below 0 once it has expired. */
  readonly expiresIn: number
}

const endOf = ({ validTo }: X509Certificate): number => Date.parse(validTo)

const expiryOf = (use: CertificateUse, certificate: X509Certificate): Expiry => ({
  use,
  subject: nameOf(/(?:^|\n)CN=(.*)/.exec(certificate.subject ?? '')?.[1] ?? certificate.subject ?? ''),
  names: namesIn(certificate.subjectAltName).map(({ name }) => nameOf(name)),
  serial: certificate.serialNumber,
  expiresAt: new Date(endOf(certificate)).toISOString(),
})

/**
 * The certificates that matter for how long things go well: of the own chain the one that expires first, since a chain is no longer good than that;
 * of the authorities the one that expires last, since an old one beside its successor does no harm.
 */
export const expiriesOf = ({ authorities, chain = [] }: Pick<Material, 'authorities' | 'chain'>): readonly Expiry[] => {
  const byEnd = (certificates: readonly X509Certificate[]): readonly X509Certificate[] => [...certificates].sort((a, b) => endOf(a) - endOf(b))
  const [first] = byEnd(chain)
  const last = byEnd(authorities).at(-1)
  return [...first ? [expiryOf('own', first)] : [], ...last ? [expiryOf('authority', last)] : []]
}

/** How the certificates stand now. */
export const certificateStatus = (expiries: readonly Expiry[], clock: Clock): readonly CertificateStatus[] =>
  expiries.map((expiry) => ({ ...expiry, expiresIn: Date.parse(expiry.expiresAt) - clock.wall() }))

/** What is told of a certificate that expires. */
export interface ExpiryWarning {
  readonly expiry: Expiry
  readonly expired: boolean
}

// Long timers are cut short by Node, and clocks of machines are put right: so it is looked again at least every hour.
const longestWait = 3_600_000

/** Warns of certificates that expire: once when the time before it begins, and once when it is over. Never in the caller's own turn. */
export class ExpiryWatch {
  readonly #clock: Clock
  readonly #before: number
  readonly #warn: (warning: ExpiryWarning) => void
  #due: readonly { readonly at: number, readonly key: string, readonly warning: ExpiryWarning }[] = []
  /** What was told of those that are watched: others may be renewed beside one that stays. */
  #told = new Set<string>()
  #cancel: Cancel = () => {}

  constructor(clock: Clock, before: number, warn: (warning: ExpiryWarning) => void) {
    this.#clock = clock
    this.#before = before
    this.#warn = warn
  }

  /** Watches these from now on, and none of before. */
  watch(expiries: readonly Expiry[]): void {
    const due = expiries.flatMap((expiry) => {
      const end = Date.parse(expiry.expiresAt)
      const key = `${expiry.use} ${expiry.serial} ${end}`
      const over = { at: end, key: `${key} expired`, warning: { expiry, expired: true } }
      return end <= this.#clock.wall() ? [over] : [{ at: end - this.#before, key, warning: { expiry, expired: false } }, over]
    })
    this.#told = new Set(due.map(({ key }) => key).filter((key) => this.#told.has(key)))
    this.#due = due.filter(({ key }) => !this.#told.has(key))
    this.#wait()
  }

  #wait(): void {
    this.#cancel()
    if (this.#due.length === 0) return
    const next = Math.min(...this.#due.map(({ at }) => at)) - this.#clock.wall()
    this.#cancel = this.#clock.background(Math.max(0, Math.min(next, longestWait)), () => this.#look())
  }

  #look(): void {
    const now = this.#clock.wall()
    const ripe = this.#due.filter(({ at }) => at <= now)
    this.#due = this.#due.filter(({ at }) => at > now)
    this.#wait()
    for (const { key } of ripe) this.#told.add(key)
    // Where somebody set the clock forward, both are due: what is over is not about to be.
    const over = new Set(ripe.filter(({ warning }) => warning.expired).map(({ warning }) => warning.expiry))
    for (const { warning } of ripe) if (warning.expired || !over.has(warning.expiry)) this.#warn(warning)
  }

  /** Ends it. */
  close(): void {
    this.#due = []
    this.#cancel()
  }
}
