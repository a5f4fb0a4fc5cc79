import { z } from 'zod'
import type { RequestHead } from '../core/request.ts'
import { matcherKind, type Matcher } from './matcher.ts'
import { refusal, textCondition, textTest } from './text.ts'

const queryConfig = z.record(z.string(), textCondition)
  .refine((query) => Object.keys(query).length > 0, { error: 'names no parameter' })
  .describe('Conditions on parameters of the query by name, all of which must hold; text stands for the whole value.')

// The constructor would take a leading '?' of the query itself for the mark before it.
const parametersOf = (request: RequestHead): URLSearchParams => new URLSearchParams(`&${request.search}`)

/**
 * `query`: conditions on the parameters of the query by name, decoded as forms are (`+` is a space); all must hold.
 * Of a parameter that came several times the first counts, as with Envoy.
 */
export const query = matcherKind('query', queryConfig, (config): Matcher => {
  const tests = Object.entries(config).map(([name, condition]) => ({ name, test: textTest(condition) }))
  return {
    conditions: tests.length,
    matches: (request) => {
      const parameters = parametersOf(request)
      for (const { name, test } of tests) if (!test.holds(parameters.get(name) ?? undefined)) return false
      return true
    },
    explain: (request) => {
      const parameters = parametersOf(request)
      return tests
        .filter(({ name, test }) => !test.holds(parameters.get(name) ?? undefined))
        .map(({ name, test }) => refusal(`query parameter '${name}'`, test, parameters.get(name) ?? undefined))
        .join(', ')
    },
  }
})
