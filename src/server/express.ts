import { Entrance } from './entrance.ts'
import type { NodeRequest, NodeResponse } from './node-inbound.ts'
import { ExpressRoutes, type Routed } from './express-route.ts'
import type { PassportOptions } from './options.ts'

/** A request of Express, as far as its passport and its span need it. */
export interface ExpressRequest extends NodeRequest, Routed {
  readonly originalUrl?: string | undefined
  readonly ip?: string | undefined
  readonly protocol?: string | undefined
}

/**
 * Middleware of Express 4 and 5 (and Connect), to be used before any other: each request is handled with its passport, error handlers
 * and unknown paths included. See `withPassport` for what that means. Throws a `TypeError` for options that are none.
 */
export const expressPassport = (options: PassportOptions = {}): ((request: ExpressRequest, response: NodeResponse, next: () => void) => void) => {
  const entrance = new Entrance(options)
  const routes = new ExpressRoutes()
  return (request, response, next) => entrance.admit(request, response, () => next(), {
    get client() { return request.ip },
    get scheme() { return request.protocol },
    get target() { return request.originalUrl },
    followRoute: () => routes.follow(request),
  })
}
