import { z } from 'zod'
import { duration, gatewayProtocol, percentage, port, protocol, union, whole } from './scalars.ts'
import { listenerTls } from './tls.ts'

const mappingOf = <Protocol extends z.ZodType>(spoken: Protocol) => z.strictObject({
  port: port.describe('The port that is listened on.'),
  protocol: spoken.describe('What is spoken there.'),
}).describe('Port and protocol.')

const healthCheck = z.strictObject({
  protocol: protocol.describe('How it is asked.'),
  path: z.string().optional().describe('What is asked for, with http and http2.'),
  port: port.optional().describe('The port of the listener, if it is written at all.'),
  intervalMillis: whole(5_000, 300_000).describe('Milliseconds between two checks.'),
  timeoutMillis: whole(2_000, 60_000).describe('Milliseconds for which an answer is waited for.'),
  healthyThreshold: whole(2, 10).describe('Good checks in a row until an endpoint is healthy.'),
  unhealthyThreshold: whole(2, 10).describe('Bad checks in a row until it no longer is.'),
})

const requestTimeout = z.strictObject({
  perRequest: duration.optional().describe('Until a request is answered; 15 s by default.'),
  idle: duration.optional().describe('Longest silence; 300 s by default.'),
})

const idleTimeout = z.strictObject({ idle: duration.optional().describe('Longest silence; 300 s by default.') })

/** How long things may take, by the protocol of a route or a listener. */
export const timeouts = { http: requestTimeout, http2: requestTimeout, grpc: requestTimeout, tcp: idleTimeout }

const httpPool = z.strictObject({
  maxConnections: whole(1).describe('Connections at most.'),
  maxPendingRequests: whole(1).optional().describe('Requests that may wait for one.'),
})

const requestPool = z.strictObject({ maxRequests: whole(1).describe('Requests under way at most.') })

const outlierDetection = z.strictObject({
  maxServerErrors: whole(1).describe('5xx in a row that take an endpoint out.'),
  interval: duration.describe('Time between two sweeps.'),
  baseEjectionDuration: duration.describe('How long the first ejection lasts.'),
  maxEjectionPercent: percentage.describe('Share of the endpoints that may be out; one may always be.'),
})

type Spoken = 'http' | 'http2' | 'grpc' | 'tcp'

interface Listening {
  readonly portMapping: { readonly port: number, readonly protocol: Spoken }
  readonly healthCheck?: { readonly port?: number | undefined } | undefined
  readonly timeout?: Readonly<Partial<Record<Spoken, unknown>>> | undefined
  readonly connectionPool?: Readonly<Partial<Record<Spoken, unknown>>> | undefined
}

/** What is written for a protocol must be for the one that the listener speaks, and a check goes to its port. */
const ofOneMind = ({ portMapping, healthCheck, timeout, connectionPool }: Listening, context: z.RefinementCtx): void => {
  for (const [field, written] of Object.entries({ timeout, connectionPool })) {
    for (const key of Object.keys(written ?? {})) {
      if (key === portMapping.protocol) continue
      context.addIssue({
        code: 'custom',
        path: [field, key],
        message: `does not fit the listener, which speaks ${portMapping.protocol}: write '${portMapping.protocol}' in its place`,
      })
    }
  }
  if (healthCheck?.port !== undefined && healthCheck.port !== portMapping.port) {
    context.addIssue({
      code: 'custom',
      path: ['healthCheck', 'port'],
      message: `is not the port of the listener: write ${portMapping.port}, or leave it out`,
    })
  }
}

/** The listener of a virtual node. */
export const nodeListener = z.strictObject({
  portMapping: mappingOf(protocol),
  healthCheck: healthCheck.optional().describe('How those who call the node find out whether it is well.'),
  timeout: union(timeouts).optional().describe('How long things may take, under the protocol of the listener.'),
  connectionPool: union({ http: httpPool, http2: requestPool, grpc: requestPool, tcp: z.strictObject({
    maxConnections: whole(1).describe('Connections at most.'),
  }) }).optional().describe('How much may be under way, under the protocol of the listener; no limit by default.'),
  outlierDetection: outlierDetection.optional().describe('When an endpoint is taken out for a while.'),
  tls: listenerTls.optional().describe('TLS as a server.'),
}).superRefine(ofOneMind)

/** The listener of a virtual node. */
export type NodeListener = z.output<typeof nodeListener>

/** The listener of a virtual router. */
export const routerListener = z.strictObject({ portMapping: mappingOf(protocol) })

/** The listener of a virtual gateway. */
export const gatewayListener = z.strictObject({
  portMapping: mappingOf(gatewayProtocol),
  healthCheck: healthCheck.optional().describe('How the gateway is found to be well.'),
  connectionPool: union({ http: httpPool, http2: requestPool, grpc: requestPool }).optional()
    .describe('How much may be under way, under the protocol of the listener; no limit by default.'),
  tls: listenerTls.optional().describe('TLS as a server.'),
}).superRefine(ofOneMind)
