import type { IncomingMessage } from 'node:http'
import { Refusal } from './problem.ts'

/** Bytes of a body that is read whole before anything is sent: a slow sender holds no endpoint then, it can be sent again, and goes in one write. */
export const smallBody = 16 * 1024

/** Reads a body of a length that is known. Rejects where the client breaks off, or somebody has read it before. */
export const wholeBody = (request: IncomingMessage): Promise<Buffer> => new Promise((resolve, reject) => {
  if (request.readableEnded) return reject(new TypeError("the request's body was read before the gateway had it: have the gateway's listener come first"))
  let first: Buffer | undefined
  let chunks: Buffer[] | undefined
  request.on('data', (chunk: Buffer) => {
    if (first === undefined) first = chunk
    else (chunks ??= [first]).push(chunk)
  })
  request.on('end', () => resolve(chunks ? Buffer.concat(chunks) : first ?? Buffer.alloc(0)))
  request.on('error', reject)
})

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
