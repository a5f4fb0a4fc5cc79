import type { ReplyHeaders } from './reply.ts'

/** The status of gRPC in a head or in trailers; -1 where there is none. */
export const grpcStatusIn = ({ 'grpc-status': written }: ReplyHeaders): number =>
  typeof written === 'string' && /^\d{1,2}$/.test(written) ? Number(written) : -1

/** Whether a head says that gRPC is spoken. */
export const speaksGrpc = ({ 'content-type': type }: ReplyHeaders): boolean =>
  typeof type === 'string' && /^application\/grpc(?:$|[+;])/i.test(type)

/**
 * The statuses of gRPC that speak against an endpoint, with the status of HTTP that says the same (Envoy's `grpcToHttpStatus`): UNKNOWN, DEADLINE_EXCEEDED,
 * UNIMPLEMENTED, INTERNAL, UNAVAILABLE and DATA_LOSS. Others are answers to what the caller asked.
 */
const asHttp: Readonly<Record<number, number>> = { 2: 500, 4: 504, 12: 501, 13: 500, 14: 503, 15: 500 }

/** The status of HTTP that says of an endpoint what a status of gRPC does; 200 for those that say nothing against it. */
export const httpStatusOf = (grpcStatus: number): number => asHttp[grpcStatus] ?? 200
