import { z } from 'zod'
import type { RequestHead } from './request.ts'

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

const sources = ['header', 'cookie', 'query', 'path'] as const

/** The shape of a part of a request that tells requests apart: exactly one of its keys. */
export const requestPart = z.strictObject({
  header: z.string().regex(token, { error: 'is not a header name' }).toLowerCase().optional().describe('The value of this header.'),
  cookie: z.string().regex(token, { error: 'is not a cookie name' }).optional().describe('The value of this cookie that the request carries.'),
  query: z.string().min(1).optional().describe('The value of this parameter of the query, decoded; the first if there are several.'),
  path: z.literal(true).optional().describe('The path without the query.'),
}).refine((part) => sources.filter((source) => part[source] !== undefined).length === 1, {
  error: `needs exactly one of ${sources.join(', ')}`,
})

/** A part of a request, parsed. */
export type RequestPart = z.output<typeof requestPart>

/** Prepares reading a part. What is empty is as good as absent: hashed, it would make one of all who have no name. */
export const readPart = ({ header, cookie, query }: RequestPart): (request: RequestHead) => string | undefined => {
  if (header !== undefined) return (request) => request.header(header) || undefined
  if (cookie !== undefined) return (request) => request.cookie(cookie) || undefined
  if (query !== undefined) return (request) => new URLSearchParams(`&${request.search}`).get(query) || undefined
  return (request) => request.pathname
}
