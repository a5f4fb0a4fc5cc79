import { randomUUID } from 'node:crypto'
import { MeshError, type Mesh } from 'enmesh'
import { bodyOf, type Handler } from '../service.ts'

interface Order { readonly reference: string; readonly sku: string }
type Placed = Order & { readonly id: string; readonly price: object }
type Refused = { readonly error: string; readonly price: object }

/**
 * Order: reads and places orders, with prices from pricing.
 * `GET /orders/:id` still answers when pricing is down, without a price; `POST /orders` then refuses.
 * An order that comes again with the same `Idempotency-Key` is not placed again: it is answered with the same id.
 */
export const orderApp = (mesh: Pick<Mesh, 'fetch' | 'trail'>): Handler => {
  /** The price with the version that gave it, or why there is none; either way what it took to ask. */
  const priceOf = async (sku: string) => {
    const begun = performance.now()
    const waited = (): number => performance.now() - begun
    try {
      const response = await mesh.fetch(`http://pricing.shop.local/price/${sku}`)
      const { attempts } = mesh.trail(response)!
      // Whoever answered with an error need not have said it in JSON.
      const said = await response.text()
      const asked = { attempts: attempts.length, waited: waited() }
      if (!response.ok) return { because: `HTTP ${response.status}`, ...asked }
      const { cents, version } = JSON.parse(said) as { cents: number, version: string }
      return { cents, version, ...asked }
    } catch (error) {
      if (!(error instanceof MeshError)) throw error
      return { because: error.code, attempts: error.attempts.length, waited: waited() }
    }
  }

  const place = async ({ reference, sku }: Order): Promise<Placed | Refused> => {
    const price = await priceOf(sku)
    if ('because' in price) return { error: 'No price, no order', price }
    const id = randomUUID()
    console.log(`placed ${reference} as ${id}`)
    return { id, reference, sku, price }
  }

  // By Idempotency-Key. In memory it is enough for a story: orders and keys are lost together. A real service keeps the key
  // in its database, in the transaction that places the order, so that all its instances know it; and forgets it after a day.
  const placing = new Map<string, Promise<Placed | Refused>>()

  /** Places an order unless its key has been here before. What was refused was not placed, and may be tried again. */
  const placeOnce = async (key: string, order: Order): Promise<Placed | Refused> => {
    const known = placing.get(key)
    if (known) return known
    const outcome = place(order)
    placing.set(key, outcome)
    const isPlaced = await outcome.then((result) => 'id' in result, () => false)
    if (!isPlaced) placing.delete(key)
    return outcome
  }

  return async (request) => {
    const { pathname } = new URL(request.url)
    const id = /^\/orders\/(\w+)$/.exec(pathname)?.[1]
    if (request.method === 'GET' && id) return Response.json({ id, sku: `sku-${id}`, price: await priceOf(`sku-${id}`) })
    if (request.method !== 'POST' || pathname !== '/orders') {
      return Response.json({ error: 'Try GET /orders/:id or POST /orders' }, { status: 404 })
    }

    const order = await bodyOf<Order>(request)
    if (!order?.reference || !order.sku) return Response.json({ error: 'An order needs a reference and a sku' }, { status: 400 })
    const key = request.headers.get('idempotency-key')
    const outcome = key === null ? await place(order) : await placeOnce(key, order)
    // 424 and not 503, which would say that this instance is unwell: callers would try the other, and eject both in vain.
    return Response.json(outcome, { status: 'id' in outcome ? 201 : 424 })
  }
}
