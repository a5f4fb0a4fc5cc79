import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { connectFails, FakeClock, fakeMesh, type FakeAnswer } from 'enmesh/testing'
import { orderApp } from './app.ts'
import { listed } from '../registry.ts'
import { orderMesh } from './mesh.ts'

interface Answer {
  readonly id: string
  readonly reference: string
  readonly error: string
  readonly price: { readonly cents: number, readonly version: string, readonly because: string, readonly attempts: number }
}

const pricing = 'pricing.shop.local'
const config = orderMesh({ v1: listed('10.1.0.1:80', '10.1.0.2:80'), v2: listed('10.2.0.1:80') })

/** Order over its own configuration, with a function in pricing's place; what it is asked is answered without a socket. */
const orderWith = (t: TestContext, answer: FakeAnswer, clock = new FakeClock()) => {
  const mesh = fakeMesh({ [pricing]: answer }, { config, clock })
  t.after(() => mesh.close())
  const app = orderApp(mesh)
  const ask = async (path: string, init?: RequestInit): Promise<[status: number, body: Answer]> => {
    const response = await app(new Request(`http://order.shop.local${path}`, init))
    return [response.status, await response.json() as Answer]
  }
  const place = (key?: string) => ask('/orders', {
    method: 'POST', body: JSON.stringify({ reference: 'a1', sku: 'teapot' }), ...(key !== undefined && { headers: { 'idempotency-key': key } }),
  })
  return { mesh, ask, place }
}

const teapot: FakeAnswer = () => Response.json({ sku: 'teapot', cents: 4_200, version: '1.0.0' })

describe('order', () => {
  test('reads an order with its price', async (t) => {
    const { mesh, ask } = orderWith(t, teapot)
    const [status, { id, price }] = await ask('/orders/42')
    assert.deepEqual([status, id, price.cents, price.version, price.attempts], [200, '42', 4_200, '1.0.0', 1])
    assert.deepEqual(mesh.requests(pricing).map(({ method, url }) => `${method} ${url}`), ['GET http://pricing.shop.local/price/sku-42'])
  })

  test('places an order at the price that pricing says', async (t) => {
    const [status, { id, reference, price }] = await orderWith(t, teapot).place()
    assert.deepEqual([status, reference, price.cents], [201, 'a1', 4_200])
    assert.match(id, /^[\da-f-]{36}$/)
  })

  test('places no order without a price', async (t) => {
    const { mesh, place } = orderWith(t, () => new Response('out of order', { status: 500 }))
    const [status, { error }] = await place()
    assert.equal(status, 424, `pricing answered 500, and order placed at no price: ${status}`)
    assert.equal(error, 'No price, no order')
    assert.equal(mesh.requests().length, 1)
  })

  test('reads an order without a price when pricing is down, and says why', async (t) => {
    const [status, { price }] = await orderWith(t, connectFails).ask('/orders/42')
    assert.deepEqual([status, price.because, price.attempts], [200, 'ENMESH_CONNECT_FAILED', 3])
  })

  test('asks the other instance when one is unwell', async (t) => {
    const { mesh, place } = orderWith(t, (request, attempt) => attempt.number === 1 ? new Response(null, { status: 503 }) : teapot(request, attempt))
    const [status, { price }] = await place()
    assert.deepEqual([status, price.attempts], [201, 2])
    const [first, second] = mesh.requests()
    assert.notEqual(first?.endpoint, second?.endpoint)
  })

  test('waits no longer than 1.5 s for each of three attempts, which is virtual time here', async (t) => {
    const clock = new FakeClock()
    const begun = clock.now()
    const { ask, mesh } = orderWith(t, async () => {
      await clock.advance(1_500)
      return Response.json({ cents: 1 })
    }, clock)
    const [status, { price }] = await ask('/orders/42')
    assert.deepEqual([status, price.because, price.attempts], [200, 'ENMESH_ATTEMPT_TIMEOUT', 3])
    assert.equal(mesh.requests().length, 3)
    assert.equal(clock.now() - begun, 4_500)
  })

  test('places an order once per Idempotency-Key, unless it was refused', async (t) => {
    let well = false
    const { place } = orderWith(t, (...asked) => well ? teapot(...asked) : new Response(null, { status: 500 }))
    assert.equal((await place('k1'))[0], 424)
    well = true
    const [first, again, other] = [await place('k1'), await place('k1'), await place('k2')]
    assert.equal(first[0], 201)
    assert.equal(again[1].id, first[1].id)
    assert.notEqual(other[1].id, first[1].id)
  })

  test('answers for what callers get wrong, and asks nobody', async (t) => {
    const { ask, mesh } = orderWith(t, teapot)
    assert.equal((await ask('/elsewhere'))[0], 404)
    assert.equal((await ask('/orders', { method: 'POST', body: 'no JSON' }))[0], 400)
    assert.deepEqual(mesh.requests(), [])
  })

  test('asks the version of pricing that has the weight', async (t) => {
    const { mesh, ask } = orderWith(t, teapot)
    await ask('/orders/1')
    mesh.update(orderMesh({ v1: listed('10.1.0.1:80'), v2: listed('10.2.0.1:80') }, { 'pricing-v1': 0, 'pricing-v2': 100 }))
    await ask('/orders/2')
    assert.deepEqual(mesh.requests().map(({ cluster }) => cluster), ['pricing-v1', 'pricing-v2'])
  })
})
