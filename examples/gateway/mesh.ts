import type { MeshInput } from 'enmesh'
import type { RegistryInput } from '../registry.ts'

/** How the gateway reaches order. */
export const gatewayMesh = (order: RegistryInput): MeshInput => ({
  services: {
    // Retries are the default ones: a GET is tried again elsewhere, and so is a POST that carries an `Idempotency-Key`.
    'order.shop.local': { routes: [{ to: 'order', timeout: '9s' }] },
  },
  clusters: {
    order: {
      registry: order,
      // Even shares, so that the meshes of both order instances see traffic; the default prefers the one that answers sooner.
      balancer: { type: 'least-request' },
      // Shorter than the default of 10 s, so that a story of a minute shows it.
      outlier: { failures: 5, ejection: '3s' },
    },
  },
  egress: 'deny',
})
