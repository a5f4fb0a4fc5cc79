import type { Observation } from './observe.ts'
import { ServiceProcess, type ServiceListener } from './service-process.ts'

/** An observation, with whose mesh it was and when. */
export type ShopEvent = Observation & { readonly service: string; readonly at: number }

/** An order that was placed: under which id, and by which service. */
export interface Receipt { readonly reference: string; readonly id: string; readonly by: string }

/** The shop: gateway ×1 → order ×2 → pricing 1.0.0 ×3 and 2.0.0 ×1, each a process on a free port. */
export class Shop implements ServiceListener {
  /** What the meshes did, oldest first. */
  readonly events: ShopEvent[] = []
  /** The orders that the order services say they have placed. */
  readonly receipts: Receipt[] = []
  /** Services that ended by themselves: always a fault. */
  readonly deaths: string[] = []
  readonly pricingV1: readonly ServiceProcess[]
  readonly pricingV2: readonly ServiceProcess[]
  orders: readonly ServiceProcess[] = []
  gateway: ServiceProcess | undefined
  readonly #env: Readonly<Record<string, string>>

  /** `env` is what every service finds in its environment. */
  constructor(env: Readonly<Record<string, string>> = {}) {
    this.#env = env
    this.pricingV1 = ['a', 'b', 'c'].map((letter) => this.#service(`pricing-1${letter}`, 'pricing/pricing.ts', { VERSION: '1.0.0' }))
    this.pricingV2 = [this.#service('pricing-2a', 'pricing/pricing.ts', { VERSION: '2.0.0' })]
  }

  #service(name: string, file: string, env: Readonly<Record<string, string>>): ServiceProcess {
    return new ServiceProcess(name, file, { ...this.#env, ...env, OTEL_SERVICE_NAME: name }, this)
  }

  /** References of the orders that were placed, as often as they were. */
  get placed(): readonly string[] {
    return this.receipts.map(({ reference }) => reference)
  }

  get pricing(): readonly ServiceProcess[] {
    return [...this.pricingV1, ...this.pricingV2]
  }

  get services(): readonly ServiceProcess[] {
    return [...(this.gateway ? [this.gateway] : []), ...this.orders, ...this.pricing]
  }

  /** From the back to the front, since each layer is told where the one behind it listens. */
  async open(): Promise<void> {
    await startAll(this.pricing)
    const env = { PRICING_V1: addresses(this.pricingV1), PRICING_V2: addresses(this.pricingV2) }
    this.orders = [1, 2].map((number) => this.#service(`order-${number}`, 'order/order.ts', env))
    await startAll(this.orders)
    this.gateway = this.#service('gateway', 'gateway/gateway.ts', { ORDER: addresses(this.orders) })
    await this.gateway.start()
  }

  /** From the front to the back, so that what is under way can still be answered. Resolves to whether all ended well. */
  async close(): Promise<boolean> {
    const front = await this.gateway?.stop() ?? true
    const middle = await Promise.all(this.orders.map((order) => order.stop()))
    const back = await Promise.all(this.pricing.map((pricing) => pricing.stop()))
    return [front, ...middle, ...back].every(Boolean)
  }

  /** Who listens at an address. */
  nameAt(address: string): string {
    return this.services.find((service) => service.address === address)?.name ?? address
  }

  observed(service: ServiceProcess, observation: Observation): void {
    this.events.push({ ...observation, service: service.name, at: performance.now() })
  }

  printed(service: ServiceProcess, line: string): void {
    const [, reference, id] = /^placed (\S+) as (\S+)$/.exec(line) ?? []
    if (reference && id) this.receipts.push({ reference, id, by: service.name })
  }

  died(_service: ServiceProcess, how: string): void {
    this.deaths.push(how)
  }
}

const addresses = (services: readonly ServiceProcess[]): string => services.map(({ address }) => address).join(',')

/** Starts services side by side. */
export const startAll = async (services: readonly ServiceProcess[]): Promise<void> => {
  await Promise.all(services.map((service) => service.start()))
}
