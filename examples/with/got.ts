import { Readable } from 'node:stream'
import got, { type Got } from 'got'
import type { Mesh } from 'enmesh'

/**
 * A got whose requests go through a mesh. got opens its own sockets, but takes a response from a `beforeRequest` hook in place of them:
 * here one whose body is there as a whole, so that one that breaks off is an error like any other. The mesh retries and has the deadline:
 * got's retries are off, and its `timeout` phases, which belong to its own sockets, stay unused.
 */
export const meshedGot = (mesh: Mesh): Got => got.extend({
  retry: { limit: 0 },
  hooks: {
    beforeRequest: [async ({ url, method, headers, body, signal }) => {
      const { statusCode, headers: answered, body: answer } = await mesh.dispatcher.request({
        origin: (url as URL).origin,
        path: `${(url as URL).pathname}${(url as URL).search}`,
        method: method as 'GET',
        headers: Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined)) as Record<string, string>,
        body: body as string | undefined ?? null,
        signal: signal ?? null,
      })
      const bytes = await answer.bytes()
      return Object.assign(Readable.from([bytes]), { statusCode, headers: answered, rawHeaders: [], complete: true }) as never
    }],
  },
})

/** The price of 42. */
export const ask = (mesh: Mesh): Promise<unknown> => meshedGot(mesh)('http://pricing.local/price/42').json()
