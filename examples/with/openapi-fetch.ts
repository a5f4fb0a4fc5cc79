import createClient, { type Client } from 'openapi-fetch'
import type { Mesh } from 'enmesh'

/** What openapi-typescript writes of a service's description. */
export interface paths {
  '/price/{sku}': {
    get: {
      parameters: { path: { sku: string } }
      responses: { 200: { content: { 'application/json': { price: number } } } }
    }
    post: {
      parameters: { path: { sku: string } }
      requestBody: { content: { 'application/json': { price: number } } }
      responses: { 200: { content: { 'application/json': { price: number } } } }
    }
  }
}

/** A client of pricing whose requests go through a mesh. openapi-fetch itself never retries. */
export const meshedPricing = (mesh: Mesh): Client<paths> =>
  createClient<paths>({ baseUrl: 'http://pricing.local', fetch: mesh.fetch })

/** The price of 42. */
export const ask = async (mesh: Mesh): Promise<unknown> =>
  (await meshedPricing(mesh).GET('/price/{sku}', { params: { path: { sku: '42' } } })).data
