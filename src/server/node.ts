import type { IncomingMessage, ServerResponse } from 'node:http'
import { Entrance } from './entrance.ts'
import type { NodeRequest, NodeResponse } from './node-inbound.ts'
import type { PassportOptions } from './options.ts'

/**
 * Wraps a listener of `node:http` (or `https`, or the compatibility API of `http2`), so that each request is handled with its passport:
 * all mesh calls made for it carry on its trace, its request id and its deadline, and its response has the `x-request-id`.
 * What the listener returns or throws is left as it is. Throws a `TypeError` for options that are none.
 */
export function withPassport<Returned>(
  listener: (request: IncomingMessage, response: ServerResponse & { req: IncomingMessage }) => Returned, options?: PassportOptions,
): (request: IncomingMessage, response: ServerResponse & { req: IncomingMessage }) => Returned
/** The same for listeners of other kinds of requests, such as those of `http2`. */
export function withPassport<Request extends NodeRequest, Response extends NodeResponse, Returned>(
  listener: (request: Request, response: Response) => Returned, options?: PassportOptions,
): (request: Request, response: Response) => Returned
export function withPassport<Request extends NodeRequest, Response extends NodeResponse, Returned>(
  listener: (request: Request, response: Response) => Returned, options: PassportOptions = {},
): (request: Request, response: Response) => Returned {
  const entrance = new Entrance(options)
  // Called as Node calls it: listeners written as functions find their server in `this`.
  return function (this: unknown, request, response) {
    return entrance.admit(request, response, () => Reflect.apply(listener, this, [request, response]))
  }
}
