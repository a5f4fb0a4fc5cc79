import type { z } from 'zod'
import type { ConfigFault, OptionFault } from '../core/errors.ts'

/** Writes the place of something inside a place: `services` and `a.local` make `services["a.local"]`. */
export const placeIn = (place: string, key: PropertyKey): string => {
  if (typeof key === 'number') return `${place}[${key}]`
  const name = String(key).replace(/\/\/.*@/s, '//')
  if (!/^[A-Za-z_$][\w$]*$/.test(name)) return `${place}[${JSON.stringify(name)}]`
  return place === '' ? name : `${place}.${name}`
}

/** Writes a place as one would in JavaScript: `services["a.local"].routes[0].to`. Credentials of a URL are left out. */
export const placeOf = (path: readonly PropertyKey[]): string => path.reduce<string>(placeIn, '')

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

const longestWord = 100
const longestList = 20

/** A hint for a word that isn't known: the nearest that is, or all of them. */
export const didYouMean = (word: string, known: readonly string[]): string => {
  const allowed = Math.min(word.length - 1, Math.max(2, word.length / 3))
  const nearest = word.length > longestWord ? undefined : known
    .filter((candidate) => candidate.length <= longestWord)
    .map((candidate) => ({ candidate, edits: distance(word.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.edits - b.edits)[0]
  if (nearest && nearest.edits <= allowed) return `did you mean '${nearest.candidate}'?`
  if (known.length === 0) return 'none is known here'
  return `known here: ${known.slice(0, longestList).join(', ')}${known.length > longestList ? ', …' : ''}`
}

interface Definition {
  readonly shape?: Readonly<Record<string, unknown>>
  readonly options?: readonly z.ZodObject[]
  readonly discriminator?: string
}

const typesOf = ({ options = [], discriminator }: Definition): string[] | undefined =>
  discriminator === undefined ? undefined : options.map((option) => String((option.shape[discriminator] as z.ZodLiteral).value))

/** Words for what zod finds, where the schema has none of its own. They tell no text that was found: it may be a secret. */
const wording: z.core.$ZodErrorMap = (issue) => {
  const def = ((issue.inst as { def?: Definition } | undefined)?.def) ?? {}
  switch (issue.code) {
    // One line for each key; `flatten` takes them apart.
    case 'unrecognized_keys': {
      const known = Object.keys(def.shape ?? {})
      return issue.keys.map((key) => `unknown key: ${didYouMean(key, known)}`).join('\n')
    }
    case 'invalid_union': {
      const types = typesOf(def)
      if (!types) return ''
      const key = def.discriminator!
      const type = ((issue.input ?? {}) as Readonly<Record<string, unknown>>)[key]
      return typeof type === 'string' ? `unknown ${key}: ${didYouMean(type, types)}` : `needs a ${key}: one of ${types.join(', ')}`
    }
    case 'invalid_type': {
      const types = typesOf(def)
      const wanted = `${article(issue.expected)}${types ? ` with a ${def.discriminator!}: one of ${types.join(', ')}` : ''}`
      if (issue.input === undefined) return `is missing: write ${wanted}`
      return types ? `must be ${wanted}; it is ${kindOf(issue.input)}` : `must be ${wanted}, not ${kindOf(issue.input)}`
    }
    case 'invalid_value': {
      const wanted = issue.values.map((value) => JSON.stringify(value)).join(' or ')
      if (issue.input === undefined) return `is missing: write ${wanted}`
      return `must be ${wanted}, not ${typeof issue.input === 'string' ? 'another string' : kindOf(issue.input)}`
    }
    case 'too_small': return bound(issue.origin, Number(issue.minimum), issue.inclusive ? 'at least' : 'above', issue.input)
    case 'too_big': return bound(issue.origin, Number(issue.maximum), issue.inclusive ? 'at most' : 'below', issue.input)
    default: return undefined
  }
}

const bound = (origin: string, limit: number, relation: string, found: unknown): string => {
  if (origin === 'string') return `must have ${relation} ${limit} character${limit === 1 ? '' : 's'}`
  if (origin === 'array') return `must have ${relation} ${limit} entr${limit === 1 ? 'y' : 'ies'}`
  return `must be ${relation} ${limit}, not ${kindOf(found)}`
}

const words: Readonly<Record<string, string>> = { record: 'object', array: 'list', int: 'whole number' }

const article = (type: string): string => {
  const word = words[type] ?? type
  return `${/^[aeiou]/.test(word) ? 'an' : 'a'} ${word}`
}

const kindOf = (input: unknown): string => {
  if (Array.isArray(input)) return 'a list'
  if (input === null || typeof input === 'number' || typeof input === 'boolean') return String(input)
  return article(typeof input)
}

type Issue = z.core.$ZodIssue

/** How far a branch of a union is from what was written: a wrong type at the top, then keys it doesn't know, then its faults. */
const cost = (issues: readonly Issue[]): number => issues.reduce((sum, issue) => {
  if (issue.path.length === 0 && ['invalid_type', 'invalid_value', 'custom'].includes(issue.code)) return sum + 1000
  // A key that only needs another spelling speaks for its branch.
  if (issue.code !== 'unrecognized_keys') return sum + 1
  return sum + 1 + 10 * issue.message.split('\n').filter((line) => !line.includes('did you mean')).length
}, 0)

const refusesTheWhole = (branch: readonly Issue[]): boolean =>
  branch.some(({ path, code }) => path.length === 0 && code !== 'unrecognized_keys')

/** Says in one sentence what several branches say: `must be a string or an object, not 5`. */
const joined = (messages: readonly string[]): string => {
  for (const pattern of [/^(must be )(.*)(, not .*)$/s, /^(is missing: write )(.*)()$/s]) {
    if (!messages.every((message) => pattern.test(message))) continue
    const wanted = messages.map((message) => message.replace(pattern, '$2'))
    return messages[0]!.replace(pattern, (_, before: string, __, after: string) => `${before}${wanted.join(' or ')}${after}`)
  }
  return messages.join(', or ')
}

const isType = ({ code }: Issue): boolean => code === 'invalid_type' || code === 'invalid_value'

/** Of the branches of a union, the one that was most likely meant; where none stands out, one fault for all of them. */
const flattenUnion = (issue: Issue, branches: readonly (readonly Issue[])[], path: readonly PropertyKey[]): OptionFault[] => {
  const [best, second] = [...branches].sort((a, b) => cost(a) - cost(b))
  const whole = (message: string): OptionFault[] => [{ path, message }]
  if (branches.length > 1 && branches.every(refusesTheWhole)) {
    if (issue.message) return whole(issue.message)
    const atTop = branches.flat().filter(({ path: at }) => at.length === 0)
    const telling = atTop.some((one) => !isType(one)) ? atTop.filter((one) => !isType(one)) : atTop
    return whole(joined([...new Set(telling.flatMap((one) => flatten(one, []).map(({ message }) => message)))]))
  }
  if (issue.message && second && cost(best!) === cost(second)) return whole(issue.message)
  return best!.flatMap((one) => flatten(one, path))
}

const flatten = (issue: Issue, base: readonly PropertyKey[]): OptionFault[] => {
  const path = [...base, ...issue.path]
  if (issue.code === 'invalid_union') {
    const branches = issue.errors.filter((branch) => branch.length > 0)
    if (branches.length > 0) return flattenUnion(issue, branches, path)
  }
  if (issue.code === 'unrecognized_keys') {
    const lines = issue.message.split('\n')
    return issue.keys.map((key, index) => ({ path: [...path, key], message: lines[index] ?? issue.message }))
  }
  if (issue.code === 'invalid_key') return issue.issues.map(({ message }) => ({ path, message }))
  return [{ path, message: issue.message }]
}

/** Whether a value is data of the configuration: what a plug-in is given, a client for instance, is its own business. */
export const isPlain = (value: unknown): value is object => {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return Array.isArray(value) || prototype === null || prototype === Object.prototype
}

/** Names that zod passes over without a word, since writing them would change an object's prototype. */
const passedOver = (input: unknown): OptionFault[] => {
  const faults: OptionFault[] = []
  const seen = new Set<unknown>()
  const left: { readonly value: object, readonly path: readonly PropertyKey[] }[] = isPlain(input) ? [{ value: input, path: [] }] : []
  for (let next = left.pop(); next; next = left.pop()) {
    const { value, path } = next
    if (seen.has(value)) continue
    seen.add(value)
    if (Object.hasOwn(value, '__proto__')) {
      faults.push({ path: [...path, '__proto__'], message: 'is a name that JavaScript keeps for itself: choose another' })
    }
    const list = Array.isArray(value)
    for (const key of Object.keys(value)) {
      const inner = (value as Record<string, unknown>)[key]
      if (isPlain(inner)) left.push({ value: inner, path: [...path, list ? Number(key) : key] })
    }
  }
  return faults
}

/** What was read, or every fault in it. */
export type Parsed<Value, Fault = ConfigFault> =
  | { readonly value: Value, readonly faults: readonly [] }
  | { readonly value?: undefined, readonly faults: readonly Fault[] }

/** Parses with clear words; every fault comes back with the steps to its place. */
export const check = <Schema extends z.ZodType>(schema: Schema, input: unknown): Parsed<z.output<Schema>, OptionFault> => {
  const result = schema.safeParse(input, { error: wording, reportInput: false })
  const found = result.success ? [] : result.error.issues.flatMap((issue) => flatten(issue, []))
  const places = new Set(found.map(({ path }) => placeOf(path)))
  const faults = [...found, ...passedOver(input).filter(({ path }) => !places.has(placeOf(path)))]
  return result.success && faults.length === 0 ? { value: result.data, faults: [] } : { faults }
}

/** Parses with clear words; every fault comes back with its place. */
export const parse = <Schema extends z.ZodType>(schema: Schema, input: unknown): Parsed<z.output<Schema>> => {
  const { value, faults } = check(schema, input)
  return faults.length === 0 ? { value: value as z.output<Schema>, faults: [] }
    : { faults: faults.map(({ path, message }) => ({ path: placeOf(path), message })) }
}
