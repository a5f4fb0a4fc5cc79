/**
 * Gateway: the shop's front door. Passes `GET /orders/:id` and `POST /orders` on to order, and tells in headers
 * what that took: `x-order-endpoint`, `x-order-attempts`.
 *
 *     ORDER=127.0.0.1:8081 node --conditions=enmesh:source examples/gateway/gateway.ts
 */
import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import { createMesh, MeshError } from 'enmesh'
import { answer, handling, serve } from '../service.ts'

const { ORDER = '127.0.0.1:8081' } = process.env

const mesh = createMesh({
  services: {
    // Retries are the default ones: a GET is tried again elsewhere, and so is a POST that carries an `Idempotency-Key`.
    'order.shop.local': { routes: [{ to: 'order', timeout: '9s' }] },
  },
  clusters: {
    order: {
      registry: { type: 'static', endpoints: ORDER.split(',') },
      // Even shares, so that the meshes of both order instances see traffic; the default prefers the one that answers sooner.
      balancer: { type: 'least-request' },
      // Shorter than the default of 10 s, so that a story of a minute shows it.
      outlier: { failures: 5, ejection: '3s' },
    },
  },
  egress: 'deny',
})

const server = createServer(handling(async (request, response) => {
  const { method = 'GET', url = '/' } = request
  if (!/^\/orders(\/\w+)?$/.test(url)) return answer(response, 404, { error: 'Try GET /orders/:id or POST /orders' })
  // A caller that repeats an order itself brings the key along; for all others one lasts as long as their request.
  const key = request.headers['idempotency-key'] ?? randomUUID()
  try {
    const order = await mesh.fetch(`http://order.shop.local${url}`, {
      method,
      ...(method === 'POST' && {
        body: await text(request), headers: { 'content-type': 'application/json', 'idempotency-key': String(key) },
      }),
    })
    const { endpoint, attempts } = mesh.trail(order)!
    const body = await order.json()
    answer(response, order.status, body, { 'x-order-endpoint': String(endpoint), 'x-order-attempts': String(attempts.length) })
  } catch (error) {
    if (!(error instanceof MeshError)) throw error
    answer(response, 502, { error: error.message, code: error.code }, { 'x-order-attempts': String(error.attempts.length) })
  }
}))

serve('gateway', server, 8080, () => mesh.close())
