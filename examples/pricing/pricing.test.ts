import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { fakeMesh } from 'enmesh/testing'
import type { Handler } from '../service.ts'
import { pricingApp } from './app.ts'
import { chaotic } from './chaos.ts'

/** Pricing as its callers see it. It calls nobody, so it is the function itself that a mesh leads to. */
const pricingBehind = (t: TestContext, app: Handler) => {
  const mesh = fakeMesh({ 'pricing.shop.local': { answer: app, retry: false } })
  t.after(() => mesh.close())
  return (path: string, init?: RequestInit) => mesh.fetch(`http://pricing.shop.local${path}`, init)
}

describe('pricing', () => {
  test('has the same price for an article each time', async (t) => {
    const ask = pricingBehind(t, pricingApp('1.0.0'))
    const [first, second] = [await (await ask('/price/teapot')).json(), await (await ask('/price/teapot')).json()] as { cents: number }[]
    assert.deepEqual(first, { sku: 'teapot', cents: first!.cents, version: '1.0.0' })
    assert.deepEqual(second, first)
    assert.ok(Number.isInteger(first.cents) && first.cents >= 500 && first.cents < 10_000)
  })

  test('has prices that end in 99 from 2.0.0 on, a little above those before', async (t) => {
    const [before, now] = [pricingBehind(t, pricingApp('1.0.0')), pricingBehind(t, pricingApp('2.0.0'))]
    for (const sku of ['teapot', 'cup', 'sku-42']) {
      const [old, cents] = await Promise.all([before, now].map(async (ask) => (await (await ask(`/price/${sku}`)).json() as { cents: number }).cents))
      assert.equal(cents! % 100, 99)
      assert.ok(Math.abs(cents! - old!) < 100)
    }
  })

  test('knows nothing else', async (t) => {
    const ask = pricingBehind(t, pricingApp('1.0.0'))
    assert.equal((await ask('/price/tea%20pot')).status, 404)
    assert.equal((await ask('/price/teapot', { method: 'DELETE' })).status, 404)
  })

  test('can be spoilt for a demo, and made well again', async (t) => {
    const ask = pricingBehind(t, chaotic(pricingApp('1.0.0')))
    const spoil = (chaos: object) => ask('/chaos', { method: 'PUT', body: JSON.stringify(chaos) })
    await spoil({ mode: 'fail' })
    assert.equal((await ask('/price/teapot')).status, 503)
    await spoil({ mode: 'ok' })
    assert.equal((await ask('/price/teapot')).status, 200)
  })
})
