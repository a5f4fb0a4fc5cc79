import { createMesh } from '../src/index.ts'

/** The service that the mesh modes dial. */
export const service = 'http://pricing.shop.local'

/**
 * A mesh with every default on, and on top what a real service has: a route with a condition, a split, a choice of endpoints.
 * Everything that is on by default is written out, so that a changed default does not change what is measured.
 */
export const openMesh = async ([first, second, third]: readonly number[]): Promise<ReturnType<typeof createMesh>> => {
  const policies = { balancer: { type: 'peak-ewma' }, breaker: {}, outlier: {} } as const
  const mesh = createMesh({
    services: {
      'pricing.shop.local': {
        routes: [
          { match: { path: { prefix: '/' }, headers: { 'x-tenant': 'acme' } }, to: 'pricing-v2' },
          {
            match: { path: { prefix: '/price' }, method: 'GET' },
            to: { 'pricing-v1': 90, 'pricing-v2': 10 },
            retry: { attempts: 3 },
          },
        ],
      },
    },
    clusters: {
      'pricing-v1': { registry: { type: 'static', endpoints: [`127.0.0.1:${first}`, `127.0.0.1:${second}`] }, ...policies },
      'pricing-v2': { registry: { type: 'static', endpoints: [`127.0.0.1:${third}`] }, ...policies },
    },
  })
  await mesh.ready()
  return mesh
}
