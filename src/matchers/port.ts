import { z } from 'zod'
import { matcherKind, type Matcher } from './matcher.ts'

/** `port`: the port of the caller's URL, or its scheme's own where it names none. */
export const port = matcherKind('port', z.int().min(1).max(65_535), (wanted): Matcher => ({
  conditions: 1,
  matches: (request) => request.port === wanted,
  explain: (request) => `port ${request.port} is not ${wanted}`,
}))
