/** Interim answers (1xx) to one request at most; nobody means more than a few, and Node takes any number. */
export const mostInterim = 100

/** How often an endpoint may take its leave of one connection: twice, if it is polite (RFC 9113, section 6.8); Node takes any number. */
export const mostFarewells = 10

/** What to do about an endpoint that does not speak HTTP/2. */
export const ifItSpeaksHttp1 = 'if it speaks HTTP/1.1, leave `http2` of the cluster out'

// Node closes a stream by the same codes for what an endpoint did wrong, and tells no difference.
const resets: Readonly<Record<string, string>> = {
  PROTOCOL_ERROR: 'by the endpoint, or since its answer breaks the rules of HTTP/2',
  ENHANCE_YOUR_CALM: 'by the endpoint, or since the head of its answer is too large',
  HTTP_1_1_REQUIRED: `by the endpoint; ${ifItSpeaksHttp1}`,
}

/** Says what a failure means that Node tells in the words of its library; any other as it is. */
export const inWords = (error: Error): Error => {
  const { code } = error as { code?: string }
  if (code === 'ERR_HTTP2_ERROR') return reworded(error, `what the endpoint sent breaks the rules of HTTP/2: ${error.message}`)
  const why = code === 'ERR_HTTP2_STREAM_ERROR' ? resets[/NGHTTP2_(\w+)/.exec(error.message)?.[1] ?? ''] : undefined
  return why === undefined ? error : reworded(error, `${error.message}, ${why}`)
}

const reworded = (error: Error, message: string): Error => Object.assign(new Error(message, { cause: error }), { code: (error as { code?: string }).code })
