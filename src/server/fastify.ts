import { Entrance } from './entrance.ts'
import type { NodeRequest, NodeResponse } from './node-inbound.ts'
import type { PassportOptions } from './options.ts'

/** A request of Fastify, as far as its passport and its span need it. */
export interface FastifyRequest {
  readonly raw: NodeRequest
  readonly ip?: string
  readonly protocol?: string
  readonly originalUrl?: string
  readonly routeOptions?: { readonly url?: string | undefined }
}

/** What the plugin adds to a Fastify instance. */
export interface FastifyHooks {
  /** Has a hook run for each request. */
  addHook(
    name: 'onRequest', hook: (request: FastifyRequest, reply: { readonly raw: NodeResponse }, done: () => void) => void,
  ): unknown
}

/** What `register` of Fastify takes for itself, and hands on to the plugin all the same. */
const fastifyOptions: readonly string[] = ['prefix', 'logLevel', 'logSerializers']

// Async for what it throws: Fastify lets that of a plugin with a callback through as an uncaught exception.
const plugin = async (instance: FastifyHooks, options: PassportOptions): Promise<void> => {
  const entrance = new Entrance(Object.fromEntries(Object.entries(options).filter(([name]) => !fastifyOptions.includes(name))))
  instance.addHook('onRequest', (request, reply, next) => {
    entrance.admit(request.raw, reply.raw, next, {
      get client() { return request.ip },
      get scheme() { return request.protocol },
      get target() { return request.originalUrl },
      followRoute: () => () => request.routeOptions?.url,
    })
  })
}

/**
 * Plugin of Fastify 4 and 5, to be registered before any other: `app.register(fastifyPassport)`, with `PassportOptions` if there are any.
 * It holds for the whole app, in every scope: each request is handled with its passport, from the `onRequest` hooks registered after it
 * to `onResponse`, failures and unknown paths included. See `withPassport` for what that means. Options that are none fail the start of the app
 * with a `TypeError`; those of Fastify's own are let through.
 */
export const fastifyPassport = Object.assign(plugin, {
  // What the package fastify-plugin does: without it the hook would hold in a scope of the plugin's own, where there are no routes.
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: 'enmesh/server',
})
