import { carry } from '../core/passport.ts'
import type { InboundRequest } from '../tracing/server-span.ts'
import { Entrance, liftDeadline } from './entrance.ts'
import { loadHeader } from './load-meter.ts'
import type { NodeRequest, NodeResponse } from './node-inbound.ts'
import type { PassportOptions } from './options.ts'

/** Hono's context, as far as the passport and the span of its request need it. */
export interface HonoContext {
  readonly req: {
    readonly method: string
    readonly url: string
    readonly raw: {
      readonly headers: {
        /** Names of the header fields. */
        keys(): Iterable<string>
      }
    }
    /** Pattern of the route that runs. */
    readonly routePath?: string
    /** Reads a header field. */
    header(name: string): string | undefined
  }
  /** With `@hono/node-server`: Node's own request and response. */
  readonly env: unknown
  readonly finalized: boolean
  readonly res: {
    readonly status: number
    readonly headers: {
      /** Whether there is such a field. */
      has(name: string): boolean
    }
  }
  /** Writes a header field of the response. */
  header(name: string, value: string): void
}

/**
 * Middleware of Hono, to be used before any other: each request is handled with its passport, failures and unknown paths included.
 * See `withPassport` for what that means. On `@hono/node-server` it works on Node's own request and response; on other adapters,
 * and in `app.request()`, on what Hono has of them. Throws a `TypeError` for options that are none.
 */
export const honoPassport = (options: PassportOptions = {}): ((context: HonoContext, next: () => Promise<void>) => Promise<void>) => {
  const entrance = new Entrance(options)
  return (context, next) => {
    const { incoming, outgoing } = (context.env ?? {}) as { incoming?: NodeRequest, outgoing?: NodeResponse }
    if (!incoming || !outgoing) return admit(entrance, context, next)
    return entrance.admit(incoming, outgoing, next, { followRoute: () => () => routeOf(context) })
  }
}

/** Without Node's objects: the span ends with the middleware, and the response is Hono's to change. */
const admit = async (entrance: Entrance, context: HonoContext, next: () => Promise<void>): Promise<void> => {
  const request = inbound(context)
  const { passport, span } = entrance.open(request)
  const { meter, clock } = entrance
  const arrivedAt = clock.now()
  const counted = entrance.counts(request.target) ? meter : undefined
  const inFlight = counted?.begin() ?? 0
  try {
    await carry(passport, () => span ? span.run(next) : next())
  } finally {
    liftDeadline(passport)
    if (meter && context.finalized) {
      counted?.answer(inFlight, clock.now() - arrivedAt, context.res.status)
      context.header(loadHeader, meter.report())
    }
    counted?.end()
    if (context.finalized && !context.res.headers.has('x-request-id')) context.header('x-request-id', passport.requestId)
    span?.end(context.finalized ? context.res.status : undefined, routeOf(context))
  }
}

/** The pattern that matched last. That of a middleware for everything says nothing of the request, and is none. */
const routeOf = ({ req: { routePath } }: HonoContext): string | undefined =>
  routePath === undefined || /^\/?\*$/.test(routePath) ? undefined : routePath

const inbound = ({ req }: HonoContext): InboundRequest => {
  const { pathname, protocol, host } = new URL(req.url)
  return {
    method: req.method, target: pathname, scheme: protocol.slice(0, -1), authority: host, version: undefined, client: undefined, peer: undefined,
    names: () => [...req.raw.headers.keys()], header: (name) => req.header(name),
  }
}
