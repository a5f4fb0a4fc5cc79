import { randomUUID } from 'node:crypto'
/** One request of the load and what became of it. */
export interface Sample {
  readonly kind: 'read' | 'place'
  readonly reference: string
  /** What the shop calls the order it has placed. */
  id?: string
  /** `performance.now()` when it was sent. */
  readonly sentAt: number
  /** Milliseconds to the end of the answer. */
  took: number
  /** 0 when there was no answer. */
  status: number
  /** Version of pricing that gave the price. */
  version?: string
  /** Why order had no price. */
  because?: string
  /** Milliseconds that order waited for the price, or for the reason that there is none. */
  waited?: number
  /** Attempts of order to get the price. */
  attempts?: number
  /** The order instance that answered. */
  order?: string
  /** Attempts beyond the first, of gateway and order together. */
  retries: number
}

const mostInFlight = 500
const answerLimit = 12_000
const placeEvery = 20

/**
 * Steady requests to the gateway in an open loop: the next is sent when its time has come, whether or not
 * earlier ones are answered, as people do. One in twenty places an order, the others read one.
 */
export class Load {
  /** All requests so far, in the order they were sent. */
  readonly samples: Sample[] = []
  /** Requests not sent since too many were under way. */
  skipped = 0
  readonly #gateway: string
  readonly #bringsKeys: boolean
  #rate: number
  readonly #inFlight = new Set<Promise<void>>()
  #timer: NodeJS.Timeout | undefined

  /** `bringsKeys` where nobody in front of order gives an order its `Idempotency-Key`. */
  constructor(gateway: string, rate: number, bringsKeys = false) {
    this.#gateway = gateway
    this.#bringsKeys = bringsKeys
    this.#rate = rate
  }

  /** Requests per second. */
  get rate(): number {
    return this.#rate
  }

  start(): void {
    const begun = performance.now()
    let sent = 0
    this.#timer = setInterval(() => {
      for (const due = Math.floor((performance.now() - begun) * this.#rate / 1000); sent < due; sent++) {
        this.#send(sent % placeEvery === 0 ? 'place' : 'read')
      }
    }, 1000 / this.#rate)
  }

  /** Goes on with another rate; what is under way stays so. */
  changeRate(rate: number): void {
    clearInterval(this.#timer)
    this.#rate = rate
    this.start()
  }

  /** Places so many orders at once, on top of the steady load. */
  placeAtOnce(count: number): void {
    for (let placed = 0; placed < count; placed++) this.#send('place')
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.settled()
  }

  /** Resolves when all that is under way now is answered. */
  async settled(): Promise<void> {
    await Promise.all(this.#inFlight)
  }

  #send(kind: Sample['kind']): void {
    if (this.#inFlight.size >= mostInFlight) {
      this.skipped++
      return
    }
    const sample: Sample = {
      kind,
      reference: String(this.samples.length + 1),
      sentAt: performance.now(),
      took: 0,
      status: 0,
      retries: 0,
    }
    this.samples.push(sample)
    const request = this.#request(sample)
      .catch((error: unknown) => { sample.because = String(error) })
      .finally(() => {
        sample.took = performance.now() - sample.sentAt
        this.#inFlight.delete(request)
      })
    this.#inFlight.add(request)
  }

  async #request(sample: Sample): Promise<void> {
    const { kind, reference } = sample
    const response = await fetch(kind === 'read' ? `${this.#gateway}/orders/${reference}` : `${this.#gateway}/orders`, {
      ...(kind === 'place' && {
        method: 'POST', body: JSON.stringify({ reference, sku: `sku-${reference}` }), headers: this.#bringsKeys ? { 'idempotency-key': randomUUID() } : {},
      }),
      signal: AbortSignal.timeout(answerLimit),
    })
    const { id, price, code } = await response.json() as { id?: string, price?: Price, code?: string }
    sample.status = response.status
    sample.retries = Number(response.headers.get('x-order-attempts') ?? 1) - 1 + Math.max(0, (price?.attempts ?? 1) - 1)
    if (id !== undefined) sample.id = id
    Object.assign(sample, {
      version: price?.version, because: code ?? price?.because, waited: price?.waited, attempts: price?.attempts,
      order: response.headers.get('x-order-endpoint') ?? response.headers.get('x-served-by') ?? undefined,
    })
  }
}

interface Price { readonly version?: string; readonly because?: string; readonly attempts: number; readonly waited: number }
