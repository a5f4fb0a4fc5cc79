import errors from 'undici/lib/core/errors.js'
import { extractBody } from 'undici/lib/web/fetch/body.js'
import { FormData as UndiciFormData } from 'undici/lib/web/fetch/formdata.js'
import type { RequestBody } from '../../core/request.ts'

type Opened = ReturnType<RequestBody['open']>
type Chunks = AsyncIterable<Uint8Array | string> | Iterable<Uint8Array | string>

/** A body ready to be written. */
export interface Content {
  readonly source: Uint8Array | Chunks
  /** In bytes, where it is known before it is read. */
  readonly length: number | undefined
  /** What it is, where it says so itself. */
  readonly type: string | undefined
}

/** What a body consists of; `undefined` for an empty one. */
export const contentOf = (body: Opened | undefined): Content | undefined => {
  if (body === undefined || body === '') return undefined
  if (typeof body === 'string') return held(Buffer.from(body))
  if (body instanceof Uint8Array) return body.byteLength === 0 ? undefined : held(body)
  if (body instanceof Blob) return { source: body.stream(), length: body.size, type: body.type || undefined }
  if (body instanceof UndiciFormData) {
    const [{ stream, length }, type] = extractBody(body)
    return { source: stream, length: length ?? undefined, type: type ?? undefined }
  }
  return { source: body as Chunks, length: undefined, type: undefined }
}

const held = (bytes: Uint8Array): Content => ({ source: bytes, length: bytes.byteLength, type: undefined })

/** Adds what a body says of itself to the head; the length that is to be kept to, where there is one. */
export const describeContent = (
  fields: Record<string, unknown>, declared: number | undefined, content: Content | undefined, method: string,
): number | undefined => {
  const length = content ? content.length : 0
  if (declared !== undefined && length !== undefined && declared !== length) throw new errors.RequestContentLengthMismatchError()
  if (content?.type !== undefined) fields['content-type'] ??= content.type
  if (declared === undefined && length !== undefined && (content || withContent.has(method))) fields['content-length'] = String(length)
  return declared ?? length
}

// Methods whose requests say so when they have no body: RFC 9110, section 8.6.
const withContent: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH', 'QUERY'])
