// One line for each framework
export { withPassport } from './node.ts'
export { expressPassport, type ExpressRequest } from './express.ts'
export { type Routed } from './express-route.ts'
export { fastifyPassport, type FastifyHooks, type FastifyRequest } from './fastify.ts'
export { honoPassport, type HonoContext } from './hono.ts'
export type { PassportOptions } from './options.ts'
export type { NodeRequest, NodeResponse } from './node-inbound.ts'

// An instance that says where it is, and leaves without dropping a request
export { announce } from './announce.ts'
export type { AnnounceOptions, BuiltInRegistrar } from './announce-options.ts'
export type { Announcement, AnnouncementEvents, AnnouncementState, AnnouncementStatus } from './announcement.ts'
export { registrars, type Registrars } from '../registrars/index.ts'
export type { Doing } from '../registrars/keep.ts'
export type { Instance, Registrar, Registration } from '../registrars/registrar.ts'

// TLS of the listener, and who may call what
export { meshTls, type MeshTls, type MeshTlsEvents, type MeshTlsStatus } from './mesh-tls.ts'
export type { MeshTlsOptions } from './mesh-tls-options.ts'
export type { RefusalCode } from './client-check.ts'
export type { HandshakeFailureCode } from './handshake-failure.ts'
export type { CertificateStatus, CertificateUse, Expiry } from '../transport/tls/expiry.ts'

export { authorize, type Authorization, type AuthorizationEvents, type AuthorizationStatus, type AuthorizedRequest, type Decided, type Decision } from './authorize.ts'
export type { AuthorizeOptions } from './authorize-options.ts'
export type { ProblemAnswer } from './problem.ts'

// A way into the mesh for requests from outside
export { createGateway, type Gateway, type GatewayOptions, type GatewayRoutes } from './gateway/gateway.ts'
export type { GatewayErrorCode, Problem } from './gateway/problem.ts'

// What the present code runs for
export { currentPassport, withoutPassport, type Passport } from '../core/passport.ts'
