import type { MeshInput } from 'enmesh'
import type { AppMeshDocument, Endpoints } from 'enmesh/app-mesh'
import { nodeMesh, withBreakers, withWeights } from '../app-mesh/shop.ts'
import type { RegistryInput } from '../registry.ts'

/** Where both versions of pricing are found. */
export interface Pricing { readonly v1: RegistryInput; readonly v2: RegistryInput }

// Shorter than one would run with, so that a story of a minute shows them: defaults are 20 calls, 10 s and 5 s, and 10 s for an ejection.
const breaker = { calls: 10, failures: 50, window: '3s', open: '2s' } as const

const version = (registry: RegistryInput) => ({
  registry,
  balancer: { type: 'least-request' },
  outlier: { failures: 5, ejection: '2s' },
  breaker,
} as const)

/** Shares of the versions, by cluster. */
export type Weights = Record<string, number>

/** How order reaches pricing, two versions of which share the traffic by weight. */
export const orderMesh = ({ v1, v2 }: Pricing, weights: Weights = { 'pricing-v1': 90, 'pricing-v2': 10 }): MeshInput => ({
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

/** The same as an App Mesh definition of the shop has it, with other weights than the definition's if there are any. */
export const orderNodeMesh = (document: AppMeshDocument, endpoints: Endpoints, weights?: Weights): MeshInput => {
  const mesh = withBreakers(nodeMesh(document, 'order', endpoints), breaker)
  return weights ? withWeights(mesh, 'pricing.shop.local', 'split', weights) : mesh
}
