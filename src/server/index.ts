// One line for each framework
export { withPassport } from './node.ts'
export { expressPassport, type ExpressRequest } from './express.ts'
export { type Routed } from './express-route.ts'
export { fastifyPassport, type FastifyHooks, type FastifyRequest } from './fastify.ts'
export { honoPassport, type HonoContext } from './hono.ts'
export type { PassportOptions } from './options.ts'
export type { NodeRequest, NodeResponse } from './node-inbound.ts'

// What the present code runs for
export { currentPassport, withoutPassport, type Passport } from '../core/passport.ts'
