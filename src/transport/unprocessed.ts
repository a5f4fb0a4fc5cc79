/**
 * The endpoint promised that it did nothing about a request that was written to it, or it provably never read it: what may be sent again whatever its method
 * (RFC 9113, section 8.7). Named as Node names a stream that an endpoint refused.
 */
export class Unprocessed extends Error {
  readonly code = 'ERR_HTTP2_STREAM_ERROR'

  constructor(how: string, cause?: unknown) {
    super(`NGHTTP2_REFUSED_STREAM, ${how}`, { cause })
  }
}
