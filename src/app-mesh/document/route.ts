import { z } from 'zod'
import { exactlyOne } from '../../matchers/text.ts'
import { timeouts } from './listener.ts'
import { grpcMatch, httpMatch, priority, tcpMatch } from './match.ts'
import { common, duration, percentage, port, resourceName, union, whole, word } from './scalars.ts'

const action = z.strictObject({
  weightedTargets: z.array(z.strictObject({
    virtualNode: resourceName.describe('The node.'),
    weight: percentage.describe('Its share, relative to the other targets.'),
    port: port.optional().describe('The listener of the node; needed where it has several.'),
  })).min(1).max(10).describe('Where requests go.'),
}).superRefine(({ weightedTargets }, context) => {
  if (weightedTargets.some(({ weight }) => weight > 0)) return
  context.addIssue({ code: 'custom', path: ['weightedTargets'], message: 'all have weight 0, so nothing could be sent: give one a weight of 1 or more' })
}).describe('Where requests go.')

const attempts = {
  maxRetries: whole(0).describe('Attempts after the first.'),
  perRetryTimeout: duration.describe('Until one attempt is answered, the first included.'),
  httpRetryEvents: z.array(word(['server-error', 'gateway-error', 'client-error', 'stream-error'])).min(1).max(25).optional()
    .describe('Answers after which it is tried again.'),
  tcpRetryEvents: z.array(word(['connection-error'])).min(1).max(1).optional()
    .describe('Failures of connections after which it is tried again.'),
}

const httpRetryPolicy = z.strictObject(attempts)

const grpcRetryPolicy = z.strictObject({
  ...attempts,
  grpcRetryEvents: z.array(word(['cancelled', 'deadline-exceeded', 'internal', 'resource-exhausted', 'unavailable'])).min(1).max(5).optional()
    .describe('gRPC statuses after which it is tried again.'),
})

/** When a call of gRPC is tried again; of HTTP the same without its own events. */
export type GrpcRetryPolicy = z.output<typeof grpcRetryPolicy>

const httpRoute = z.strictObject({
  match: httpMatch.describe('Which requests it is for.'),
  action,
  retryPolicy: httpRetryPolicy.optional().describe('When a request is tried again; after some failures by default.'),
  timeout: timeouts.http.optional().describe('How long requests may take.'),
})

/** A route of HTTP. */
export type HttpRoute = z.output<typeof httpRoute>

const grpcRoute = z.strictObject({
  match: grpcMatch.describe('Which calls it is for.'),
  action,
  retryPolicy: grpcRetryPolicy.optional().describe('When a call is tried again; after some failures by default.'),
  timeout: timeouts.grpc.optional().describe('How long calls may take.'),
})

const tcpRoute = z.strictObject({
  match: tcpMatch.optional().describe('Which connections it is for.'),
  action,
  timeout: timeouts.tcp.optional().describe('How long connections may be silent.'),
})

const kinds = { httpRoute, http2Route: httpRoute, grpcRoute, tcpRoute }

/** Which requests to the services of a virtual router go where. */
export const route = z.strictObject({
  ...common,
  virtualRouterName: resourceName.describe('The router that the route belongs to.'),
  routeName: resourceName.describe('The name of the route.'),
  spec: z.strictObject({
    priority: priority.optional().describe('Place among the routes, 0 first; those without come last.'),
    ...union(kinds).shape,
  }).superRefine(exactlyOne(...Object.keys(kinds))).describe('What the route does.'),
})

/** One route of a virtual router. */
export type Route = z.output<typeof route>
