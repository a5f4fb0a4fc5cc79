import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createMesh } from 'enmesh'
import { readAppMesh } from 'enmesh/app-mesh'
import { orderNodeMesh } from '../order/mesh.ts'
import { nodeMesh, readShop } from './shop.ts'

const forms = ['terraform', 'state', 'cloudformation', 'kubernetes'] as const

/** A document whose lists stand in one order, whatever the files'. */
const sorted = (document: object): object => Object.fromEntries(Object.entries(document).map(([name, value]) =>
  [name, Array.isArray(value) ? value.map((one) => JSON.stringify(withSortedNames(one))).sort() : value]))

const withSortedNames = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(withSortedNames)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1).map(([name, inner]) => [name, withSortedNames(inner)]))
}

describe('the App Mesh definition of the shop', () => {
  for (const form of forms) {
    test(`says the same as Terraform, without anything odd: ${form}`, async () => {
      const { document, warnings } = await readAppMesh(`examples/app-mesh/${form}`)
      assert.deepEqual(warnings, [])
      assert.deepEqual(sorted(document), sorted(await readShop('examples/app-mesh/terraform')))
    })
  }

  test('leads the gateway to order, and order to both versions of pricing by weight', async () => {
    const document = await readShop('examples/app-mesh/kubernetes')
    const gateway = createMesh(nodeMesh(document, 'gateway', { order: ['127.0.0.1:1', '127.0.0.1:2'] }))
    const order = createMesh(orderNodeMesh(document, { 'pricing-v1': ['127.0.0.1:3'], 'pricing-v2': ['127.0.0.1:4'] }))
    await Promise.all([gateway.ready(), order.ready()])
    assert.deepEqual(gateway.explain('http://order.shop.local/orders').clusters.map(({ name, endpoints }) => [name, endpoints.map(({ address }) => address)]),
      [['order', ['127.0.0.1:1', '127.0.0.1:2']]])
    assert.deepEqual(order.explain('http://pricing.shop.local/price/1').clusters.map(({ name, share, breaker }) => [name, share, breaker]),
      [['pricing-v1', 90, 'closed'], ['pricing-v2', 10, 'closed']])
    assert.match(gateway.explain('http://pricing.shop.local/').summary, /is no service of this mesh/)
    order.update(orderNodeMesh(document, { 'pricing-v1': ['127.0.0.1:3'], 'pricing-v2': ['127.0.0.1:4'] }, { 'pricing-v1': 0, 'pricing-v2': 100 }))
    assert.deepEqual(order.explain('http://pricing.shop.local/price/1').clusters.map(({ share }) => share), [0, 100])
    assert.equal(order.explain('http://pricing.shop.local/', { headers: { 'x-tenant': 'acme' } }).route, 'preview')
    await Promise.all([gateway.close(), order.close()])
  })
})
