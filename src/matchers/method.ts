import { z } from 'zod'
import { matcherKind, type Matcher } from './matcher.ts'

const name = z.string()
  .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, { error: "is not a method: write one such as 'GET'" })
  .transform((method) => method.toUpperCase())

const methodConfig = z
  .union([name.transform((method) => [method]), z.array(name).min(1)])
  .transform((methods) => [...new Set(methods)].sort())
  .describe('One method or a list; upper and lower case are the same.')

/** `method`: one or a list. Upper and lower case are the same, since `fetch` leaves `patch` as it is written. */
export const method = matcherKind('method', methodConfig, (methods): Matcher => ({
  conditions: 1,
  matches: (request) => methods.includes(request.method) || methods.includes(request.method.toUpperCase()),
  explain: (request) => `method ${request.method} is not ${methods.join(' or ')}`,
}))
