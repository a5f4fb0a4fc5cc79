import { z } from 'zod'
import { exactlyOne } from '../../matchers/text.ts'
import { gatewayGrpcMatch, gatewayHttpMatch, priority } from './match.ts'
import { common, enabled, port, resourceName, serviceName, text, union } from './scalars.ts'

const target = z.strictObject({
  virtualService: z.strictObject({ virtualServiceName: serviceName.describe('The service.') }).describe('Where requests go.'),
  port: port.optional().describe('The port of the service; needed where its router has several listeners.'),
}).describe('Where requests go.')

const hostname = z.strictObject({
  defaultTargetHostname: enabled.optional().describe('Whether Host becomes the name of the service; it does by default.'),
})

const httpRewrite = z.strictObject({
  hostname: hostname.optional().describe('What becomes of the host.'),
  prefix: union({
    defaultPrefix: enabled.describe("Whether the matched prefix becomes '/'; it does by default."),
    value: text(1, 255).regex(/^\//, { error: "must begin with '/'" }).describe('What the matched prefix becomes.'),
  }).optional().describe('What becomes of the matched prefix.'),
  path: z.strictObject({ exact: text(1, 255).regex(/^\//, { error: "must begin with '/'" }).optional().describe('What the path becomes.') })
    .optional().describe('What becomes of the whole path, where it is matched exactly or by an expression.'),
})

interface Rewriting {
  readonly match: { readonly prefix?: string | undefined, readonly path?: unknown }
  readonly action: { readonly rewrite?: { readonly prefix?: unknown, readonly path?: unknown } | undefined }
}

const fitting = ({ match, action: { rewrite } }: Rewriting, context: z.RefinementCtx): void => {
  const refuse = (field: 'prefix' | 'path', message: string): void =>
    context.addIssue({ code: 'custom', path: ['action', 'rewrite', field], message })
  if (rewrite?.prefix !== undefined && match.prefix === undefined) refuse('prefix', 'has nothing to replace: the route does not match by `prefix`')
  if (rewrite?.path !== undefined && match.path === undefined) {
    refuse('path', 'has nothing to replace: the route does not match by `path`; write `prefix` to rewrite a prefix')
  }
}

const httpRoute = z.strictObject({
  match: gatewayHttpMatch.describe('Which requests it is for.'),
  action: z.strictObject({
    target,
    rewrite: httpRewrite.optional().describe('What is changed of a request.'),
  }).describe('What becomes of them.'),
}).superRefine(fitting)

const grpcRoute = z.strictObject({
  match: gatewayGrpcMatch.describe('Which calls it is for.'),
  action: z.strictObject({
    target,
    rewrite: z.strictObject({ hostname: hostname.optional().describe('What becomes of the host.') }).optional()
      .describe('What is changed of a call.'),
  }).describe('What becomes of them.'),
})

const kinds = { httpRoute, http2Route: httpRoute, grpcRoute }

/** Which requests to a virtual gateway go to which service. */
export const gatewayRoute = z.strictObject({
  ...common,
  virtualGatewayName: resourceName.describe('The gateway that the route belongs to.'),
  gatewayRouteName: resourceName.describe('The name of the route.'),
  spec: z.strictObject({
    priority: priority.optional().describe('Place among the routes, 0 first; those without come last.'),
    ...union(kinds).shape,
  }).superRefine(exactlyOne(...Object.keys(kinds))).describe('What the route does.'),
}).describe('Which requests to a virtual gateway go to which service.')

/** One route of a virtual gateway. */
export type GatewayRoute = z.output<typeof gatewayRoute>

