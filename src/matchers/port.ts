import { z } from 'zod'
import { matcherKind, type Matcher } from './matcher.ts'

const portConfig = z.int().min(1).max(65_535).describe("The port of the caller's URL, or its scheme's own where it names none.")

/** `port`: the port of the caller's URL, or its scheme's own where it names none. */
export const port = matcherKind('port', portConfig, (wanted): Matcher => ({
  conditions: 1,
  matches: (request) => request.port === wanted,
  explain: (request) => `port ${request.port} is not ${wanted}`,
}))
