import type { Handler } from '../service.ts'

const listPrice = (sku: string): number => 500 + [...sku].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0), 7) % 9_500

// What 2.0.0 brings: every price ends in 99.
const priceIn = (version: string, sku: string): number =>
  version.startsWith('2.') ? Math.ceil(listPrice(sku) / 100) * 100 - 1 : listPrice(sku)

/** Pricing: `GET /price/:sku` answers `{ sku, cents, version }`. */
export const pricingApp = (version: string): Handler => (request) => {
  const sku = /^\/price\/([\w-]+)$/.exec(new URL(request.url).pathname)?.[1]
  return request.method === 'GET' && sku
    ? Response.json({ sku, cents: priceIn(version, sku), version })
    : Response.json({ error: 'Try GET /price/:sku' }, { status: 404 })
}
