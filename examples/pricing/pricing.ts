/**
 * Pricing: what an article costs. `GET /price/:sku` answers `{ sku, cents, version }`.
 * It calls nobody, so it needs no mesh; order finds and reaches it through its own.
 *
 *     VERSION=2.0.0 PORT=8083 node examples/pricing/pricing.ts
 */
import { createServer } from 'node:http'
import { answer, serve } from '../service.ts'
import { chaotic } from './chaos.ts'

const version = process.env['VERSION'] ?? '1.0.0'

const listPrice = (sku: string): number => 500 + [...sku].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0), 7) % 9_500

// What 2.0.0 brings: every price ends in 99.
const price = (sku: string): number => version.startsWith('2.') ? Math.ceil(listPrice(sku) / 100) * 100 - 1 : listPrice(sku)

const server = createServer(chaotic((request, response) => {
  const sku = /^\/price\/([\w-]+)$/.exec(request.url ?? '')?.[1]
  if (request.method === 'GET' && sku) answer(response, 200, { sku, cents: price(sku), version })
  else answer(response, 404, { error: 'Try GET /price/:sku' })
}))

serve(`pricing ${version}`, server, 8082)
