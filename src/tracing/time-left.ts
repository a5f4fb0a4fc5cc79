/*
 * How services tell each other the time that is left. gRPC writes a whole number and a unit, Envoy milliseconds; either is
 * what the sender will wait, counted from when it sent the request.
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
 * https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/router_filter
 */

/** Envoy's name for it, which other meshes read too. */
export const timeLeftHeader = 'x-envoy-expected-rq-timeout-ms'

const grpcUnits: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 }

/** Milliseconds of a `grpc-timeout`; infinity for what is none. */
export const readGrpcTimeout = (text: string | undefined): number => {
  if (text === undefined) return Number.POSITIVE_INFINITY
  const match = /^(\d{1,8})([HMSmun])$/.exec(text.trim())
  return match ? Number(match[1]) * grpcUnits[match[2]!]! : Number.POSITIVE_INFINITY
}

/** Milliseconds of Envoy's field; infinity for what is none, and for the 0 that stands for no end. */
export const readTimeLeft = (text: string | undefined): number =>
  text !== undefined && /^[1-9]\d{0,14}$/.test(text.trim()) ? Number(text) : Number.POSITIVE_INFINITY

/** Milliseconds as whole ones, rounded down so that nobody works longer than he is waited for; 0 would mean no end. */
export const wholeMilliseconds = (ms: number): number => Math.max(1, Math.floor(ms))

/** A `grpc-timeout` of so many milliseconds: at most eight digits may go before its unit. */
export const writeGrpcTimeout = (ms: number): string => {
  const whole = wholeMilliseconds(ms)
  return whole < 1e8 ? `${whole}m` : `${Math.min(99_999_999, Math.floor(whole / 1_000))}S`
}
