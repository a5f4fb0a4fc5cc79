import { z } from 'zod'
import { matcherKind, type Matcher } from './matcher.ts'

/** `scheme`: what the caller's URL begins with. */
export const scheme = matcherKind('scheme', z.enum(['http', 'https']).describe("What the caller's URL begins with."), (wanted): Matcher => ({
  conditions: 1,
  matches: (request) => request.scheme === wanted,
  explain: (request) => `scheme ${request.scheme} is not ${wanted}`,
}))
