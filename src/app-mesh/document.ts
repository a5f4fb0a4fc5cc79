import { z } from 'zod'
import { gatewayRoute } from './document/gateway-route.ts'
import { routerListener } from './document/listener.ts'
import { route } from './document/route.ts'
import { common, ipPreference, resourceName, serviceName, union, word } from './document/scalars.ts'
import { virtualGateway } from './document/virtual-gateway.ts'
import { virtualNode } from './document/virtual-node.ts'
import type { ResourceKind } from './found.ts'

const mesh = z.strictObject({
  ...common,
  spec: z.strictObject({
    egressFilter: z.strictObject({
      type: word(['ALLOW_ALL', 'DROP_ALL']).describe('Whether hosts that are no backends may be called; they may not by default.'),
    }).optional().describe('What may leave a node.'),
    serviceDiscovery: z.strictObject({ ipPreference: ipPreference.optional().describe('Which addresses are used.') }).optional()
      .describe('What holds for nodes that say nothing of their own.'),
  }).optional().describe('What holds for the whole mesh.'),
})

const virtualService = z.strictObject({
  ...common,
  virtualServiceName: serviceName.describe('The name that callers dial.'),
  spec: z.strictObject({
    provider: union({
      virtualNode: z.strictObject({ virtualNodeName: resourceName.describe('The node that everything goes to.') }),
      virtualRouter: z.strictObject({ virtualRouterName: resourceName.describe('The router that decides.') }),
    }).optional().describe('What answers; without it, nothing does.'),
  }).describe('What the service is.'),
})

const virtualRouter = z.strictObject({
  ...common,
  virtualRouterName: resourceName.describe('The name of the router.'),
  spec: z.strictObject({
    listeners: z.array(routerListener).optional().describe('Where it listens.'),
  }).describe('What the router is.'),
})

/** The shape of each resource: the API's `Create*Input` without the token that makes a request unique. */
export const resources = {
  mesh, virtualGateway, gatewayRoute, virtualService, virtualRouter, route, virtualNode,
} as const satisfies Record<ResourceKind, z.ZodType>

/** The shape of a whole mesh. */
export const appMeshDocument = z.strictObject({
  mesh: mesh.describe('The mesh itself.'),
  virtualGateways: z.array(virtualGateway).describe('Where requests come in.'),
  gatewayRoutes: z.array(gatewayRoute).describe('Where they go from there.'),
  virtualServices: z.array(virtualService).describe('What callers dial.'),
  virtualRouters: z.array(virtualRouter).describe('What decides where a call goes.'),
  routes: z.array(route).describe('How it decides.'),
  virtualNodes: z.array(virtualNode).describe('Where calls go, and where they come from.'),
})

/** A whole mesh in the shape of the App Mesh API: what was written, without defaults. */
export type AppMeshDocument = z.output<typeof appMeshDocument>

/** The mesh itself. */
export type AppMesh = z.output<typeof mesh>

/** What callers dial. */
export type VirtualService = z.output<typeof virtualService>

/** What decides where a call goes. */
export type VirtualRouter = z.output<typeof virtualRouter>

export type { GatewayRoute } from './document/gateway-route.ts'
export type { Route } from './document/route.ts'
export type { VirtualGateway } from './document/virtual-gateway.ts'
export type { VirtualNode } from './document/virtual-node.ts'
