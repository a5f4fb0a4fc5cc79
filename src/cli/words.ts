import { inputSchema, type JsonSchema } from '../config-file/schema.ts'
import type { BuiltInRegistry } from '../mesh/config.ts'
import type { FamilyOutput } from '../core/family.ts'

const units = [['m', 60_000], ['s', 1_000]] as const

/** Milliseconds as one writes them into a configuration: `15s`. */
export const time = (ms: number): string => {
  const [unit, size] = units.find(([, size]) => ms >= size && ms % size === 0) ?? ['ms', 1]
  return ms === 0 ? '0' : `${ms / size}${unit}`
}

/** Steps of a place, down to a value. */
export type Steps = readonly (string | number)[]

/** The last two steps: names alone say different things in different places. */
const ending = (steps: Steps): string => steps.filter((step) => typeof step === 'string').slice(-2).join('.')

const isDuration = ({ anyOf = [] }: JsonSchema): boolean => anyOf.some(({ pattern = '' }) => pattern.endsWith('(ms|s|m|h)$'))

const durationsIn = (schema: JsonSchema, outer: string, found: Set<string>): Set<string> => {
  for (const [name, inner] of Object.entries(schema.properties ?? {})) {
    if (isDuration(inner)) found.add(`${outer}.${name}`).add(name)
    durationsIn(inner, name, found)
  }
  for (const inner of [schema.items, schema.additionalProperties, ...schema.anyOf ?? [], ...schema.oneOf ?? []]) {
    if (typeof inner === 'object') durationsIn(inner, outer, found)
  }
  return found
}

let known: ReadonlySet<string> | undefined

/** The places that hold lengths of time, by their last two names; those of the top level by one. */
const durations = (): ReadonlySet<string> => known ??= durationsIn(inputSchema(), '', new Set())

/** Items by name: `{ a, b }` where there are several. */
const sharesOf = (to: unknown): readonly (readonly [string, number])[] =>
  typeof to === 'string' ? [[to, 1]] : Object.entries(to as Record<string, number>)

/** Where calls go: `pricing-v1`, or `90 % to pricing-v1 and 10 % to pricing-v2`. */
export const destination = (to: unknown): string => {
  const shares = sharesOf(to)
  const total = shares.reduce((sum, [, weight]) => sum + weight, 0)
  if (shares.length === 1) return shares[0]![0]
  return shares.map(([name, weight]) => `${percent(weight / total)} to ${name}`).join(' and ')
}

/** `33.3 %`. */
export const percent = (share: number): string => `${Math.round(share * 1_000) / 10} %`

/** A value of a configuration for people, at its place. */
export const valueInWords = (value: unknown, steps: Steps): string => {
  if (typeof value === 'number' && durations().has(ending(steps))) return time(value)
  if (steps.at(-1) === 'to') return destination(value)
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.map((item) => valueInWords(item, [])).join(', ')
  if (typeof value !== 'object' || value === null) return String(value)
  const { address, weight = 1, ...rest } = value as Readonly<Record<string, unknown>>
  if (typeof address === 'string') {
    const more = { ...(weight !== 1 && { weight }), ...rest }
    return Object.keys(more).length === 0 ? address : `${address} ${JSON.stringify(more)}`
  }
  return JSON.stringify(value)
}

/** Where a cluster's endpoints come from: `dns pricing.internal:8080`. */
export const registryInWords = (any: { readonly type: string }): string => {
  const registry = any as FamilyOutput<BuiltInRegistry>
  switch (registry.type) {
    case 'static': return registry.endpoints.map((endpoint) => valueInWords(endpoint, [])).join(', ')
    case 'dns': return `dns ${registry.hostname}${registry.port === undefined ? '' : `:${registry.port}`}`
    case 'cloud-map': {
      const attributes = Object.entries(registry.attributes ?? {}).map(([name, value]) => ` ${name}=${String(value)}`).join('')
      return `cloud-map ${registry.service}.${registry.namespace}${attributes}`
    }
    case 'none': return 'nowhere: it has no endpoint'
    default: return registry.type
  }
}
