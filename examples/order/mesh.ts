import type { MeshInput } from 'enmesh'

/** The endpoints of both versions of pricing. */
export interface Pricing { readonly v1: readonly string[]; readonly v2: readonly string[] }

const version = (endpoints: readonly string[]) => ({
  registry: { type: 'static', endpoints },
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
