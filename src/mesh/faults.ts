import type { z } from 'zod'
import type { ConfigFault } from '../core/errors.ts'

/** Writes a place as one would in JavaScript: `services["a.local"].routes[0].to`. */
export const placeOf = (path: readonly PropertyKey[]): string => path.map((key, index) => {
  if (typeof key === 'number') return `[${key}]`
  const name = String(key)
  if (!/^[A-Za-z_$][\w$]*$/.test(name)) return `["${name}"]`
  return index === 0 ? name : `.${name}`
}).join('')

/** Edits that turn one word into another (Levenshtein). */
const distance = (from: string, to: string): number => {
  let row = Array.from({ length: to.length + 1 }, (_, i) => i)
  for (let i = 1; i <= from.length; i++) {
    const next = [i]
    for (let j = 1; j <= to.length; j++) {
      next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1))
    }
    row = next
  }
  return row[to.length]!
}

/** A hint for a word that isn't known: the nearest that is, or all of them. */
export const didYouMean = (word: string, known: readonly string[]): string => {
  const nearest = known
    .map((candidate) => ({ candidate, edits: distance(word.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.edits - b.edits)[0]
  if (nearest && nearest.edits <= Math.max(2, word.length / 3)) return `did you mean '${nearest.candidate}'?`
  return known.length === 0 ? 'nothing may stand here' : `known here: ${known.join(', ')}`
}

/** Words for what zod finds, where its own don't say what to do. */
const wording: z.core.$ZodErrorMap = (issue) => {
  const { def } = (issue.inst ?? {}) as { def?: { shape?: Record<string, unknown>, options?: readonly z.ZodObject[], discriminator?: string } }
  if (issue.code === 'unrecognized_keys') {
    const known = Object.keys(def?.shape ?? {})
    return issue.keys.map((key) => `unknown key '${key}': ${didYouMean(key, known)}`).join('; ')
  }
  if (issue.code === 'invalid_union' && def?.discriminator !== undefined && def.options) {
    const types = def.options.map((option) => String((option.shape['type'] as z.ZodLiteral).value))
    const { type } = (issue.input ?? {}) as { type?: unknown }
    return typeof type === 'string' ? `unknown type '${type}': ${didYouMean(type, types)}` : `needs a type: one of ${types.join(', ')}`
  }
  if (issue.code === 'invalid_type' && issue.input === undefined) return `is missing: write ${article(issue.expected)}`
  if (issue.code === 'invalid_type') return `must be ${article(issue.expected)}, not ${shown(issue.input)}`
  if (issue.code === 'invalid_value') return `must be ${issue.values.map((value) => JSON.stringify(value)).join(' or ')}, not ${shown(issue.input)}`
  return undefined
}

const article = (type: string): string => {
  const word = { record: 'object', int: 'whole number' }[type] ?? type
  return `${/^[aeiou]/.test(word) ? 'an' : 'a'} ${word}`
}

// Only the kind of a value is shown for objects and long text: configuration may hold secrets.
const shown = (input: unknown): string => {
  if (input === null) return 'null'
  if (Array.isArray(input)) return 'a list'
  if (typeof input === 'object') return 'an object'
  const text = typeof input === 'number' ? String(input) : JSON.stringify(input) ?? typeof input
  return text.length > 40 ? `a long ${typeof input}` : text
}

type Issue = z.core.$ZodIssue

/** Of the branches of a union, the one the writer most likely meant: right type at the top, then the fewest faults. */
const meant = (branches: readonly (readonly Issue[])[]): readonly Issue[] => {
  const cost = (issues: readonly Issue[]): number => issues.reduce((sum, issue) =>
    sum + (issue.path.length === 0 && ['invalid_type', 'invalid_value', 'custom'].includes(issue.code) ? 1000 : 0)
      + (issue.code === 'unrecognized_keys' ? 10 * issue.keys.length : 0) + 1, 0)
  return [...branches].sort((a, b) => cost(a) - cost(b))[0] ?? []
}

const flatten = (issue: Issue, base: readonly PropertyKey[]): ConfigFault[] => {
  const path = [...base, ...issue.path]
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    const inner = issue.errors.filter((branch) => branch.length > 0)
    const chosen = meant(inner)
    const allAtTop = inner.every((branch) => branch.some(({ path: at, code }) => at.length === 0 && code !== 'unrecognized_keys'))
    if (allAtTop && inner.length > 1) {
      const words = [...new Set(inner.flatMap((branch) => branch.filter(({ path: at }) => at.length === 0)
        .flatMap((one) => flatten(one, []).map(({ message }) => message))))]
      return [{ path: placeOf(path), message: words.join(', or ') }]
    }
    return chosen.flatMap((one) => flatten(one, path))
  }
  return [{ path: placeOf(path), message: issue.message }]
}

/** Parses with clear words; every fault comes back with its place. */
export const parse = <Schema extends z.ZodType>(
  schema: Schema,
  input: unknown,
): { readonly value: z.output<Schema>, readonly faults: readonly [] } | { readonly value?: undefined, readonly faults: readonly ConfigFault[] } => {
  const result = schema.safeParse(input, { error: wording, reportInput: false })
  if (result.success) return { value: result.data, faults: [] }
  return { faults: result.error.issues.flatMap((issue) => flatten(issue, [])) }
}
