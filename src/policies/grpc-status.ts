import { z } from 'zod'
import type { Attempt } from '../core/call.ts'
import { grpcStatusIn, speaksGrpc } from '../core/grpc.ts'
import type { ReplyHeaders } from '../core/reply.ts'
import type { Layer } from '../core/send.ts'

/** Whether a cluster's answers are judged by the status of gRPC. */
export const grpcConfig = z.boolean().default(false).describe(
  'Whether answers of type `application/grpc` are judged by their `grpc-status`, in the head or in trailers: for the breaker, outlier detection and metrics, ' +
  'UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE and DATA_LOSS are failures, as 500, 504, 501, 500, 503 and 500 would be.',
)

const readTrailers = (attempt: Attempt, trailers: ReplyHeaders): void => {
  if (attempt.grpcStatus < 0) attempt.grpcStatus = grpcStatusIn(trailers)
}

const readHead = (attempt: Attempt, headers: ReplyHeaders): void => {
  const grpc = speaksGrpc(headers)
  if (grpc) attempt.grpcStatus = grpcStatusIn(headers)
  attempt.onFields = grpc ? readTrailers : undefined
}

/** Reads the status of gRPC of an attempt, before those hear of its end who judge by it. */
export const grpcStatus: Layer<Attempt> = (next) => (attempt) => {
  attempt.onFields = readHead
  return next(attempt)
}
