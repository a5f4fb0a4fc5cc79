/**
 * Order: reads and places orders, with prices from pricing, two versions of which share the traffic.
 * `GET /orders/:id` still answers when pricing is down, without a price; `POST /orders` then refuses.
 * An order that comes again with the same `Idempotency-Key` is not placed again: it is answered with the same id.
 *
 *     PRICING_V1=127.0.0.1:8082 PRICING_V2=127.0.0.1:8083 node --conditions=enmesh:source examples/order/order.ts
 */
import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import { createMesh, MeshError, type MeshInput } from 'enmesh'
import { answer, bodyOf, handling, serve } from '../service.ts'

const { PRICING_V1 = '127.0.0.1:8082', PRICING_V2 = '127.0.0.1:8083' } = process.env

const version = (endpoints: string) => ({
  registry: { type: 'static', endpoints: endpoints.split(',') },
  balancer: { type: 'least-request' },
  // Shorter than one would run with, so that a story of a minute shows them: defaults are 10 s, and 20 calls, 10 s and 5 s.
  outlier: { failures: 5, ejection: '2s' },
  breaker: { calls: 10, failures: 50, window: '3s', open: '2s' },
} as const)

const config = (weights: Record<string, number>): MeshInput => ({
  services: {
    'pricing.shop.local': {
      routes: [{
        to: weights,
        timeout: '7s', attemptTimeout: '1500ms', retry: { attempts: 3, on: ['connect-failure', 'reset', 'gateway-error'] },
      }],
    },
  },
  clusters: { 'pricing-v1': version(PRICING_V1), 'pricing-v2': version(PRICING_V2) },
  egress: 'deny',
})

const mesh = createMesh(config({ 'pricing-v1': 90, 'pricing-v2': 10 }))

// New weights may come from anywhere: a file, a flag service, a control plane. Here the parent process sends them.
process.on('message', (weights: Record<string, number>) => { mesh.update(config(weights)) })

/** The price with the version that gave it, or why there is none; either way what it took to ask. */
const priceOf = async (sku: string) => {
  const begun = performance.now()
  const waited = (): number => performance.now() - begun
  try {
    const response = await mesh.fetch(`http://pricing.shop.local/price/${sku}`)
    const { attempts } = mesh.trail(response)!
    const { cents, version } = await response.json() as { cents?: number, version?: string }
    const asked = { attempts: attempts.length, waited: waited() }
    return response.ok ? { cents, version, ...asked } : { because: `HTTP ${response.status}`, ...asked }
  } catch (error) {
    if (!(error instanceof MeshError)) throw error
    return { because: error.code, attempts: error.attempts.length, waited: waited() }
  }
}

interface Order { readonly reference: string; readonly sku: string }
type Placed = Order & { readonly id: string; readonly price: object }
type Refused = { readonly error: string; readonly price: object }

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

const server = createServer(handling(async (request, response) => {
  const id = /^\/orders\/(\w+)$/.exec(request.url ?? '')?.[1]
  if (request.method === 'GET' && id) return answer(response, 200, { id, sku: `sku-${id}`, price: await priceOf(`sku-${id}`) })
  if (request.method !== 'POST' || request.url !== '/orders') {
    return answer(response, 404, { error: 'Try GET /orders/:id or POST /orders' })
  }

  const order = await bodyOf<Order>(request)
  if (!order?.reference || !order.sku) return answer(response, 400, { error: 'An order needs a reference and a sku' })
  const key = request.headers['idempotency-key']
  const outcome = key === undefined ? await place(order) : await placeOnce(String(key), order)
  // 424 and not 503, which would say that this instance is unwell: callers would try the other, and eject both in vain.
  answer(response, 'id' in outcome ? 201 : 424, outcome)
}))

serve('order', server, 8081, () => mesh.close())
