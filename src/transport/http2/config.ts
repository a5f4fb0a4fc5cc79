import { z } from 'zod'
import { duration } from '../../config/duration.ts'

const options = z.strictObject({
  streams: z.int().min(1).default(100)
    .describe("Requests under way at once on one connection at most, and never more than its endpoint allows; further ones open another connection, up to `connections`, or wait."),
  ping: duration.default(30_000)
    .describe('How long a connection with requests under way may bring nothing before its endpoint is asked by a ping whether it is there; 0 never asks.'),
  pingTimeout: duration.refine((ms) => ms > 0, 'must be longer than 0').default(5_000)
    .describe('Longest wait for the answer to a ping; a connection without one is given up, and all requests on it break.'),
})

/** Whether, and how, the endpoints of a cluster are spoken to in HTTP/2. */
export const http2Config = z.union([z.boolean(), options], { error: 'must be true, false, or options such as { streams: 100 }' })

/** Options of HTTP/2. */
export type Http2Options = z.output<typeof options>

const byDefault = options.parse({})

/** The options in effect where HTTP/2 is spoken. */
export const http2Options = (config: z.output<typeof http2Config>): Http2Options => typeof config === 'object' ? config : byDefault
