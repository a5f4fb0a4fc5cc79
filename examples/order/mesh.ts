import type { MeshInput } from 'enmesh'
import type { RegistryInput } from '../registry.ts'

/** Where both versions of pricing are found. */
export interface Pricing { readonly v1: RegistryInput; readonly v2: RegistryInput }

const version = (registry: RegistryInput) => ({
  registry,
  balancer: { type: 'least-request' },
  // Shorter than one would run with, so that a story of a minute shows them: defaults are 10 s, and 20 calls, 10 s and 5 s.
  outlier: { failures: 5, ejection: '2s' },
  breaker: { calls: 10, failures: 50, window: '3s', open: '2s' },
} as const)

/** How order reaches pricing, two versions of which share the traffic by weight. */
export const orderMesh = ({ v1, v2 }: Pricing, weights: Record<string, number> = { 'pricing-v1': 90, 'pricing-v2': 10 }): MeshInput => ({
  services: {
    'pricing.shop.local': {
      routes: [{
        to: weights,
        timeout: '7s', attemptTimeout: '1500ms', retry: { attempts: 3, on: ['connect-failure', 'reset', 'gateway-error'] },
      }],
    },
  },
  clusters: { 'pricing-v1': version(v1), 'pricing-v2': version(v2) },
  egress: 'deny',
})
