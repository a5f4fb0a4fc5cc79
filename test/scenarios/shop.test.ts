import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { directoryOf } from '../../examples/demo/directory.ts'
import { Shop } from '../../examples/demo/shop.ts'

describe('the shop of the examples', { timeout: 60_000 }, () => {
  const shop = new Shop(directoryOf('static'))
  const gateway = (path: string, init?: RequestInit): Promise<Response> =>
    fetch(`http://${shop.gateway!.address}${path}`, init)

  before(() => shop.open())
  after(() => shop.close())

  it('reads an order with its price, through two meshes', async () => {
    const response = await gateway('/orders/42')
    const { id, price } = await response.json() as { id: string, price: { cents: number, version: string } }
    assert.equal(response.status, 200)
    assert.equal(id, '42')
    assert.ok(price.cents > 0)
    assert.match(price.version, /^[12]\.0\.0$/)
    assert.ok(shop.orders.some(({ address }) => address === response.headers.get('x-order-endpoint')))
  })

  it('places an order', async () => {
    const response = await gateway('/orders', { method: 'POST', body: JSON.stringify({ reference: 'a1', sku: 'teapot' }) })
    const { reference } = await response.json() as { reference: string }
    assert.equal(response.status, 201)
    assert.equal(reference, 'a1')
  })

  it('answers for what callers get wrong', async () => {
    assert.equal((await gateway('/elsewhere')).status, 404)
    assert.equal((await gateway('/orders', { method: 'POST', body: 'no JSON' })).status, 400)
  })

  it('reads orders without prices when all of pricing is down', async () => {
    await Promise.all(shop.pricing.map((service) => service.kill()))
    const response = await gateway('/orders/42')
    const { price } = await response.json() as { price: { because: string } }
    assert.equal(response.status, 200)
    assert.equal(price.because, 'ENMESH_CONNECT_FAILED')
  })

  it('ends well when it is asked to', async () => {
    assert.equal(await shop.gateway!.stop(), true)
    assert.deepEqual(await Promise.all(shop.orders.map((order) => order.stop())), [true, true])
    assert.deepEqual(shop.deaths, [])
    assert.deepEqual(shop.placed, ['a1'], 'placed once')
  })
})
