import { randomUUID } from 'node:crypto'
import { MeshError, type Mesh } from 'enmesh'
import type { Handler } from '../service.ts'

/**
 * Gateway: the shop's front door. Passes `GET /orders/:id` and `POST /orders` on to order, and tells in headers
 * what that took: `x-order-endpoint`, `x-order-attempts`.
 */
export const gatewayApp = (mesh: Pick<Mesh, 'fetch' | 'trail'>): Handler => async (request) => {
  const { method } = request
  const { pathname, search } = new URL(request.url)
  if (!/^\/orders(\/\w+)?$/.test(`${pathname}${search}`)) {
    return Response.json({ error: 'Try GET /orders/:id or POST /orders' }, { status: 404 })
  }
  // A caller that repeats an order itself brings the key along; for all others one lasts as long as their request.
  const key = request.headers.get('idempotency-key') ?? randomUUID()
  try {
    const order = await mesh.fetch(`http://order.shop.local${pathname}`, {
      method,
      ...(method === 'POST' && { body: await request.text(), headers: { 'content-type': 'application/json', 'idempotency-key': key } }),
    })
    const { endpoint, attempts } = mesh.trail(order)!
    return Response.json(await order.json(), {
      status: order.status, headers: { 'x-order-endpoint': String(endpoint), 'x-order-attempts': String(attempts.length) },
    })
  } catch (error) {
    if (!(error instanceof MeshError)) throw error
    return Response.json({ error: error.message, code: error.code }, {
      status: 502, headers: { 'x-order-attempts': String(error.attempts.length) },
    })
  }
}
