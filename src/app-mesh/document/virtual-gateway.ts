import { z } from 'zod'
import { gatewayListener } from './listener.ts'
import { accessLogging } from './logging.ts'
import { common, resourceName } from './scalars.ts'
import { backendDefaults } from './tls.ts'

/** Where requests come into the mesh. */
export const virtualGateway = z.strictObject({
  ...common,
  virtualGatewayName: resourceName.describe('The name of the gateway.'),
  spec: z.strictObject({
    listeners: z.array(gatewayListener).min(1).describe('Where it listens.'),
    backendDefaults: backendDefaults.optional().describe('What it demands of those whom it calls.'),
    logging: accessLogging.optional().describe('Where its requests are written down.'),
  }).describe('What the gateway is.'),
})

/** Where requests come into the mesh. */
export type VirtualGateway = z.output<typeof virtualGateway>
