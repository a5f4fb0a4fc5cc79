import type { Directory } from './directory.ts'
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
  readonly #directory: Directory
  readonly #env: Readonly<Record<string, string>>
  readonly #door: string

  /** The services find one another in a directory; `env` is what every one of them finds in its environment, and `door` the file of the gateway. */
  constructor(directory: Directory, env: Readonly<Record<string, string>> = {}, door = 'gateway/gateway.ts') {
    this.#directory = directory
    this.#env = env
    this.#door = door
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
    await this.#directory.open()
    await startAll(this.pricing)
    const env = { PRICING_V1: await this.#listed('pricing-v1', this.pricingV1), PRICING_V2: await this.#listed('pricing-v2', this.pricingV2) }
    this.orders = [1, 2].map((number) => this.#service(`order-${number}`, 'order/order.ts', env))
    await startAll(this.orders)
    this.gateway = this.#service('gateway', this.#door, { ORDER: await this.#listed('order', this.orders) })
    await this.gateway.start()
  }

  /** Makes services known by a name; resolves to what others find in their environment to reach them. */
  async #listed(name: string, services: readonly ServiceProcess[]): Promise<string> {
    await this.#directory.list(name, services.map(({ address }) => address))
    return this.#directory.whereIs(name)
  }

  /** From the front to the back, so that what is under way can still be answered. Resolves to whether all ended well. */
  async close(): Promise<boolean> {
    const front = await this.gateway?.stop() ?? true
    const middle = await Promise.all(this.orders.map((order) => order.stop()))
    const back = await Promise.all(this.pricing.map((pricing) => pricing.stop()))
    await this.#directory.close()
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

/** Starts services side by side. */
export const startAll = async (services: readonly ServiceProcess[]): Promise<void> => {
  await Promise.all(services.map((service) => service.start()))
}
