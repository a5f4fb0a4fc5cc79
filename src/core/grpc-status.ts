import type { Reply } from './reply.ts'

/**
 * The status of gRPC in the head of an answer; -1 where there is none. In the trailers of an answer with messages it comes too
 * late to be looked at.
 */
export const grpcStatusOf = ({ headers: { 'grpc-status': written } }: Reply): number =>
  typeof written === 'string' && /^\d{1,2}$/.test(written) ? Number(written) : -1
