import { z } from 'zod'
import { regex } from '../../matchers/text.ts'
import { named, port, text, union, whole, word } from './scalars.ts'

const range = z.strictObject({
  start: z.int().describe('The smallest integer that matches.'),
  end: z.int().describe('The first integer above that no longer does.'),
}).refine(({ start, end }) => start < end, { error: 'matches nothing: `start` must be below `end`, since the range is [start, end)' })

const value = text(1, 255)

const expression = value.pipe(regex)

const comparison = union({
  exact: value.describe('The whole value.'),
  prefix: value.describe('What it begins with.'),
  suffix: value.describe('What it ends with.'),
  regex: expression.describe('An RE2 expression for the whole of it.'),
  range: range.describe('An integer in [start, end).'),
})

/** A condition on a header, or on gRPC metadata. */
export const headerMatch = z.strictObject({
  name: named(text(1, 50).regex(/^:?[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, { error: 'is not the name of a header' })).describe('The name of the header.'),
  invert: z.boolean().optional().describe('Whether the condition is turned round.'),
  match: comparison.optional().describe('What its value must be; without it, it must only be there.'),
})

/** A condition on a header, or on gRPC metadata. */
export type HeaderMatch = z.output<typeof headerMatch>

const headers = z.array(headerMatch).min(1).max(10).optional().describe('Conditions on headers, all of which must hold.')

const queryParameters = z.array(z.strictObject({
  name: named(z.string().min(1)).describe('The name of the parameter.'),
  match: z.strictObject({ exact: z.string().optional().describe('The whole value.') }).optional()
    .describe('What its value must be; without it, it must only be there.'),
})).min(1).max(10).optional().describe('Conditions on parameters of the query, all of which must hold.')

/** A prefix of paths. */
export const prefix = z.string().regex(/^\//, { error: "must begin with '/': '/' matches every path" })

const path = union({
  exact: value.describe('The whole path.'),
  regex: expression.describe('An RE2 expression for the whole path.'),
})

/** HTTP methods. */
export const method = word(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'])

/** One way for the path. */
const onePath = ({ prefix, path }: { readonly prefix?: unknown, readonly path?: unknown }, context: z.RefinementCtx): void => {
  if (prefix === undefined || path === undefined) return
  context.addIssue({ code: 'custom', path: ['path'], message: 'stands beside `prefix`: write one of the two' })
}

const onHttp = {
  prefix: prefix.optional().describe('What the path begins with, letter by letter.'),
  path: path.optional().describe('The path, in place of `prefix`.'),
  method: method.optional().describe('The method.'),
  headers,
  queryParameters,
  port: port.optional().describe('The listener that the request came to.'),
}

/** Which requests a route of HTTP is for. */
export const httpMatch = z.strictObject({
  ...onHttp,
  scheme: word(['http', 'https']).optional().describe('The scheme, with HTTP/2.'),
}).superRefine(onePath)

/** Which requests a route of HTTP is for. */
export type HttpMatch = z.output<typeof httpMatch>

const hostname = union({
  exact: text(1, 253).describe('The whole host.'),
  suffix: text(1, 253).describe('What the host ends with.'),
}).optional().describe('The host that was dialled.')

/** Which requests a gateway route of HTTP is for. */
export const gatewayHttpMatch = z.strictObject({
  ...onHttp,
  prefix: prefix.regex(/^(?!\/aws-app-?mesh)/, { error: "is reserved: no prefix begins with '/aws-appmesh' or '/aws-app-mesh'" }).optional()
    .describe('What the path begins with, letter by letter.'),
  hostname,
}).superRefine(onePath)

const metadata = headers.describe('Conditions on metadata, all of which must hold.')

/** Which calls a route of gRPC is for. */
export const grpcMatch = z.strictObject({
  serviceName: z.string().min(1).optional().describe('The service, with its package.'),
  methodName: text(1, 50).optional().describe('The method of that service.'),
  metadata,
  port: port.optional().describe('The listener that the call came to.'),
}).superRefine(({ serviceName, methodName }, context) => {
  if (methodName === undefined || serviceName !== undefined) return
  context.addIssue({ code: 'custom', path: ['methodName'], message: 'says nothing alone: add `serviceName`, the service that has the method' })
})

/** Which calls a route of gRPC is for. */
export type GrpcMatch = z.output<typeof grpcMatch>

/** Which calls a gateway route of gRPC is for. */
export const gatewayGrpcMatch = z.strictObject({
  serviceName: z.string().regex(/^(?!aws\.app-?mesh)/, { error: "is reserved: no service begins with 'aws.appmesh' or 'aws.app-mesh'" }).optional()
    .describe('The service, with its package.'),
  hostname,
  metadata,
  port: port.optional().describe('The listener that the call came to.'),
})

/** Which connections a route of TCP is for. */
export const tcpMatch = z.strictObject({ port: port.optional().describe('The listener that the connection came to.') })

/** The place of a route among the others. */
export const priority = whole(0, 1_000)
