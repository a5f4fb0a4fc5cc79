import type { IncomingMessage } from 'node:http'
import { Refusal } from './problem.ts'

/**
 * The body of a request, as it comes. `begin` is called before the first byte is asked for. What nobody wants any more runs out unread, so that the
 * connection can go on; it is never the reader who ends it. Throws a `Refusal` for more than `limit` bytes (0 is no limit).
 */
export async function* inboundBody(request: IncomingMessage, limit: number, begin: () => void): AsyncIterable<Uint8Array> {
  begin()
  let size = 0
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      size += chunk.byteLength
      if (limit > 0 && size > limit) throw new Refusal('ENMESH_TOO_LARGE', `The body has more than ${limit} bytes.`)
      yield chunk
    }
  } finally {
    request.resume()
  }
}
