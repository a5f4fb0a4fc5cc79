import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { connectFails, fakeMesh, type FakeAnswer } from 'enmesh/testing'
import { orderApp } from '../order/app.ts'
import { pricingApp } from '../pricing/app.ts'
import { listed } from '../registry.ts'
import { gatewayApp } from './app.ts'
import { gatewayMesh } from './mesh.ts'

const gatewayWith = (t: TestContext, answer: FakeAnswer) => {
  const mesh = fakeMesh({ 'order.shop.local': answer }, { config: gatewayMesh(listed('10.0.0.1:80', '10.0.0.2:80')) })
  t.after(() => mesh.close())
  const app = gatewayApp(mesh)
  return { mesh, ask: async (path: string, init?: RequestInit) => app(new Request(`http://shop.example${path}`, init)) }
}

const order = { reference: 'a1', sku: 'teapot' }
const post = { method: 'POST', body: JSON.stringify(order) }

describe('gateway', () => {
  test('passes an order on, and tells what that took', async (t) => {
    const response = await gatewayWith(t, () => Response.json({ id: '42' })).ask('/orders/42')
    assert.deepEqual(await response.json(), { id: '42' })
    assert.match(response.headers.get('x-order-endpoint') ?? '', /^10\.0\.0\.[12]:80$/)
    assert.equal(response.headers.get('x-order-attempts'), '1')
  })

  test('places an order on the other instance when one breaks off, under the same key', async (t) => {
    const { mesh, ask } = gatewayWith(t, (_, { number }) => {
      if (number === 1) throw new Error('killed')
      return Response.json({ id: '42' }, { status: 201 })
    })
    const response = await ask('/orders', post)
    assert.deepEqual([response.status, response.headers.get('x-order-attempts')], [201, '2'])
    const [first, second] = mesh.requests()
    assert.ok(first && second)
    assert.notEqual(first.endpoint, second.endpoint)
    assert.match(first.headers.get('idempotency-key') ?? '', /^[\da-f-]{36}$/)
    assert.equal(second.headers.get('idempotency-key'), first.headers.get('idempotency-key'))
    for (const received of [first, second]) assert.deepEqual(await received.json(), order)
  })

  test("keeps the caller's own key", async (t) => {
    const { mesh, ask } = gatewayWith(t, () => Response.json({}))
    await ask('/orders', { ...post, headers: { 'idempotency-key': 'k1' } })
    assert.equal(mesh.requests()[0]?.headers.get('idempotency-key'), 'k1')
  })

  test('passes on what order refuses, and does not repeat it', async (t) => {
    const { mesh, ask } = gatewayWith(t, () => Response.json({ error: 'No price, no order' }, { status: 424 }))
    assert.equal((await ask('/orders', post)).status, 424)
    assert.equal(mesh.requests().length, 1)
  })

  test('answers 502 with the reason when order is down', async (t) => {
    const response = await gatewayWith(t, connectFails).ask('/orders/42')
    const { code } = await response.json() as { code: string }
    assert.deepEqual([response.status, code, response.headers.get('x-order-attempts')], [502, 'ENMESH_CONNECT_FAILED', '3'])
  })

  test('lets nothing else through', async (t) => {
    const { mesh, ask } = gatewayWith(t, () => Response.json({}))
    for (const path of ['/', '/orders/../admin', '/orders/42?debug=1']) assert.equal((await ask(path)).status, 404)
    assert.deepEqual(mesh.requests(), [])
  })

  test('works with the other two services in the places of functions', async (t) => {
    const inner = fakeMesh({ 'pricing.shop.local': pricingApp('2.0.0') })
    t.after(() => inner.close())
    const response = await gatewayWith(t, orderApp(inner)).ask('/orders/42')
    const { price } = await response.json() as { price: { cents: number, version: string } }
    assert.deepEqual([price.version, price.cents % 100], ['2.0.0', 99])
  })
})
