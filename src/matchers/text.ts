import { RE2JS } from 're2js'
import { z } from 'zod'

const compileFault = (source: string): string | undefined => {
  try {
    RE2JS.compile(source)
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message.replace(/^error parsing regexp: /, '') : String(error)
  }
}

/**
 * A regular expression in RE2 syntax: linear time whatever it is asked to match.
 * What only JavaScript knows (lookaround, backreferences) is refused with its place.
 */
export const regex = z.string().min(1).superRefine((source, context) => {
  const fault = compileFault(source)
  if (fault === undefined) return
  context.addIssue({
    code: 'custom',
    message: `'${source}' is not RE2 syntax: ${fault}; lookaround and backreferences are not supported`,
  })
})

/** Compiles a parsed regular expression to a test of the whole value. */
export const wholeMatch = (source: string): ((value: string) => boolean) => {
  const compiled = RE2JS.compile(source)
  return (value) => compiled.testExact(value)
}

/** Reports, as one fault of the whole object, that not exactly one of the keys was written. */
export const exactlyOne = (...keys: readonly string[]) => (value: object, context: z.RefinementCtx): void => {
  const written = keys.filter((key) => (value as Record<string, unknown>)[key] !== undefined)
  if (written.length === 1) return
  const found = written.length === 0 ? 'none is written' : `${written.join(' and ')} are written`
  context.addIssue({ code: 'custom', message: `needs exactly one of ${keys.join(', ')}; ${found}` })
}

const atMostOne = (...keys: readonly string[]) => (value: object, context: z.RefinementCtx): void => {
  const written = keys.filter((key) => (value as Record<string, unknown>)[key] !== undefined)
  if (written.length > 1) {
    context.addIssue({ code: 'custom', message: `takes at most one of ${keys.join(', ')}; ${written.join(' and ')} are written` })
  }
}

const textShape = {
  exact: z.string().optional().describe('The whole value, case-sensitive.'),
  prefix: z.string().min(1).optional().describe('What the value begins with.'),
  suffix: z.string().min(1).optional().describe('What the value ends with.'),
  regex: regex.optional().describe('A regular expression in RE2 syntax that matches the whole value.'),
  present: z.boolean().optional().describe('Whether the value must be there (true) or absent (false).'),
  invert: z.boolean().optional()
    .describe('Turns the condition round. An absent value still meets no condition on a value; alone it asks for absence.'),
}

const shorthand = z.string().describe('Shorthand for { exact }.').transform((exact) => ({ exact }))

const range = z.strictObject({
  start: z.int().describe('The smallest integer that matches.'),
  end: z.int().describe('The first integer above that no longer matches.'),
}).refine(({ start, end }) => start < end, { error: 'start must be below end: the range is half-open, [start, end)' })

const textOrRange = z
  .strictObject({ ...textShape, range: range.optional().describe('An integer in decimal digits within [start, end).') })
  .superRefine(atMostOne('exact', 'prefix', 'suffix', 'regex', 'range', 'present'))

/** A condition on a text that may be absent: text for the whole value, or one of the ways to compare. */
export const textCondition = z.union([
  shorthand,
  z.strictObject(textShape).superRefine(atMostOne('exact', 'prefix', 'suffix', 'regex', 'present')),
])

/** A text condition that can also ask for an integer within a range. */
export const textOrRangeCondition = z.union([shorthand, textOrRange])

/** A condition on a text that may be absent, parsed. Without a way to compare it asks for presence. */
export type TextCondition = z.output<typeof textOrRange>

/** A text condition, compiled. */
export interface TextTest {
  /** Whether a value, or its absence, meets the condition. */
  readonly holds: (value: string | undefined) => boolean
  /** What the condition asks for: completes a sentence that begins with the name of the value. */
  readonly words: string
}

interface Comparison {
  readonly holds: (value: string) => boolean
  readonly words: string
}

const integer = /^[+-]?\d+$/

const comparison = ({ exact, prefix, suffix, regex, range }: TextCondition): Comparison | undefined => {
  if (exact !== undefined) return { holds: (value) => value === exact, words: `be '${exact}'` }
  if (prefix !== undefined) return { holds: (value) => value.startsWith(prefix), words: `begin with '${prefix}'` }
  if (suffix !== undefined) return { holds: (value) => value.endsWith(suffix), words: `end with '${suffix}'` }
  if (regex !== undefined) return { holds: wholeMatch(regex), words: `match '${regex}' as a whole` }
  if (range === undefined) return undefined
  return {
    holds: (value) => integer.test(value) && Number(value) >= range.start && Number(value) < range.end,
    words: `be an integer from ${range.start} to below ${range.end}`,
  }
}

/**
 * Compiles a text condition. As with Envoy, which App Mesh ran on, a value that is absent meets no condition on a value,
 * inverted or not: absence has to be asked for (`{ present: false }`, or `{ invert: true }` alone).
 */
export const textTest = (condition: TextCondition): TextTest => {
  const compared = comparison(condition)
  const inverted = condition.invert ?? false
  if (compared === undefined) {
    const wanted = (condition.present ?? true) !== inverted
    return { holds: (value) => (value !== undefined) === wanted, words: `must be ${wanted ? 'present' : 'absent'}` }
  }
  return {
    holds: (value) => value !== undefined && compared.holds(value) !== inverted,
    words: `must be present and ${inverted ? 'not ' : ''}${compared.words}`,
  }
}

/** Says why a value was refused, without telling the value. */
export const refusal = (name: string, test: TextTest, value: string | undefined): string =>
  `${name} ${test.words}; it is ${value === undefined ? 'absent' : 'something else'}`
