import { z } from 'zod'
import { matcherKind, type Matcher } from './matcher.ts'
import { refusal, textOrRangeCondition, textTest } from './text.ts'

const name = z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, { error: 'is not a header name' })

const headersConfig = z.record(name, z.union([...textOrRangeCondition.options, z.array(textOrRangeCondition).min(1)]))
  .describe('Conditions on headers by name, one or a list, all of which must hold; text stands for the whole value.')
  .superRefine((headers, context) => {
    const names = Object.keys(headers)
    if (names.length === 0) context.addIssue({ code: 'custom', message: 'names no header' })
    const seen = new Set<string>()
    for (const each of names) {
      const lower = each.toLowerCase()
      if (seen.has(lower)) {
        context.addIssue({ code: 'custom', path: [each], message: 'is written twice: case makes no difference' })
      }
      seen.add(lower)
    }
  })
  .transform((headers) => Object.fromEntries(
    Object.entries(headers).map(([name, condition]) => [name.toLowerCase(), condition]),
  ))

/**
 * `headers`: conditions on header fields by name, one or a list of them; all must hold. A field that came several times is one value,
 * its parts joined with commas.
 */
export const headers = matcherKind('headers', headersConfig, (config): Matcher => {
  const tests = Object.entries(config).flatMap(([name, asked]) => [asked].flat().map((condition) => ({ name, test: textTest(condition) })))
  return {
    conditions: tests.length,
    matches: (request) => {
      for (const { name, test } of tests) if (!test.holds(request.header(name))) return false
      return true
    },
    explain: (request) => tests
      .filter(({ name, test }) => !test.holds(request.header(name)))
      .map(({ name, test }) => refusal(`header '${name}'`, test, request.header(name)))
      .join(', '),
  }
})
