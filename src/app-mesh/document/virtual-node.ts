import { z } from 'zod'
import { accessLogging } from './logging.ts'
import { nodeListener } from './listener.ts'
import { common, eachOnce, ipPreference, named, resourceName, serviceName, text, union, word } from './scalars.ts'
import { backendDefaults, clientPolicy } from './tls.ts'

const dns = z.strictObject({
  hostname: z.string().min(1).describe('The name to resolve.'),
  responseType: word(['LOADBALANCER', 'ENDPOINTS']).optional()
    .describe('Whether the name is one endpoint (LOADBALANCER, the default) or each of its addresses is one.'),
  ipPreference: ipPreference.optional().describe('Which addresses are used.'),
})

const awsCloudMap = z.strictObject({
  namespaceName: text(1, 1_024).describe('The HTTP name of the namespace.'),
  serviceName: text(1, 1_024).describe('The service in it.'),
  attributes: z.array(z.strictObject({
    key: named(text(1, 255).regex(/^[!-~]+$/, { error: 'may have visible ASCII characters only' })).describe('The name of the attribute.'),
    value: text(1, 1_024).describe('Its value.'),
  })).superRefine(eachOnce).optional().describe('What an instance must have to be used: all of them.'),
  ipPreference: ipPreference.optional().describe('Which addresses are used.'),
})

const backend = union({
  virtualService: z.strictObject({
    virtualServiceName: serviceName.describe('The service that may be called.'),
    clientPolicy: clientPolicy.optional().describe('The policy of this backend, in place of the defaults.'),
  }),
})

/** One version of an upstream, and a caller of others. */
export const virtualNode = z.strictObject({
  ...common,
  virtualNodeName: resourceName.describe('The name of the node.'),
  spec: z.strictObject({
    listeners: z.array(nodeListener).optional().describe('Where it listens.'),
    backends: z.array(backend).optional().describe('Which services it may call.'),
    backendDefaults: backendDefaults.optional().describe('What holds for backends that say nothing of their own.'),
    serviceDiscovery: union({ dns, awsCloudMap }).optional().describe('Where its endpoints are found.'),
    logging: accessLogging.optional().describe('Where its requests are written down.'),
  }).describe('What the node is.'),
})

/** One version of an upstream, and a caller of others. */
export type VirtualNode = z.output<typeof virtualNode>
