import type { TextCondition } from '../../matchers/text.ts'
import { placeIn } from '../../mesh/faults.ts'
import { harmlessHost, type ServiceRoute } from '../definition.ts'
import { ProxyConfigError } from '../proxy.ts'
import { literal, printable } from '../text.ts'
import type { Message } from './message.ts'

const text = ({ exact, prefix, suffix, regex }: TextCondition, path: string): Message | undefined => {
  if (exact !== undefined) return { exact: printable(exact, path) }
  if (prefix !== undefined) return { prefix: printable(prefix, path) }
  if (suffix !== undefined) return { suffix: printable(suffix, path) }
  return regex === undefined ? undefined : { safe_regex: { regex: printable(regex, path) } }
}

const headerMatcher = (name: string, condition: TextCondition, path: string): Message => {
  const inverted = condition.invert ?? false
  const invert_match = inverted ? true : undefined
  if (condition.range) return { name, range_match: { start: condition.range.start, end: condition.range.end }, invert_match }
  const string_match = text(condition, path)
  if (string_match === undefined) return { name, present_match: (condition.present ?? true) !== inverted }
  return { name, string_match, invert_match }
}

/** Conditions on one header: an inverted one on a value asks for presence too, which Envoy does not of itself. */
const headerMatchers = (name: string, condition: TextCondition, path: string): readonly Message[] => {
  const matcher = headerMatcher(name, condition, path)
  return matcher['invert_match'] ? [{ name, present_match: true }, matcher] : [matcher]
}

const never: Message = { name: ':method', present_match: false }

const queryMatcher = (name: string, condition: TextCondition, path: string): Message => {
  if (name === '') throw new ProxyConfigError(path, 'has no name, and Envoy takes no parameter without one: leave the condition out')
  const string_match = text(condition, path)
  return string_match === undefined ? { name: printable(name, path), present_match: condition.present ?? true } : { name: printable(name, path), string_match }
}

const pathMatch = ({ config: { match }, path: place }: ServiceRoute): Message => {
  const { exact, prefix, plainPrefix, regex } = match?.path ?? { prefix: '/' }
  const path = `${place}.match.path`
  if (exact !== undefined) return { path: printable(exact, path) }
  if (plainPrefix !== undefined) return { prefix: printable(plainPrefix, path) }
  if (regex !== undefined) return { safe_regex: { regex: printable(regex, path) } }
  return prefix!.endsWith('/') ? { prefix: printable(prefix!, path) } : { path_separated_prefix: printable(prefix!, path) }
}

const authorityPattern = (written: string, path: string): string => {
  const [, host, port] = /^(.*?)(?::(\d+))?$/.exec(written) as unknown as [string, string, string | undefined]
  const wildcard = host.startsWith('*.')
  const name = literal(harmlessHost(wildcard ? host.slice(2) : host, path))
  const ending = port === undefined ? '(?::[0-9]+)?' : port === '80' ? '(?::80)?' : `:${port}`
  return `(?i:${wildcard ? '[^:]+\\.' : ''}${name}\\.?${ending})`
}

const portPattern = (port: number): string => port === 80 ? '(?:[^:]*|\\[[^\\]]*\\])(?::80)?' : `.*:${port}`

const authority = (pattern: string): Message => ({ name: ':authority', string_match: { safe_regex: { regex: pattern } } })

/** What must hold for a route to be taken. */
export const routeMatch = (route: ServiceRoute): Message => {
  const { match = {} } = route.config
  const at = `${route.path}.match`
  const headers: Message[] = []
  if (match.method) headers.push({ name: ':method', string_match: { safe_regex: { regex: `(?i:${match.method.map(literal).join('|')})` } } })
  if (match.scheme === 'https') headers.push(never)
  if (match.port !== undefined) headers.push(authority(portPattern(match.port)))
  if (match.host) headers.push(authority(match.host.map((each) => authorityPattern(each, `${at}.host`)).join('|')))
  for (const [name, asked] of Object.entries(match.headers ?? {})) {
    const path = placeIn(`${at}.headers`, name)
    headers.push(...[asked].flat().flatMap((condition) => headerMatchers(name, condition as TextCondition, path)))
  }
  const queries = Object.entries(match.query ?? {})
  // Envoy cannot turn a condition on a parameter round: such a route is never taken.
  if (queries.some(([, condition]) => turnedRound(condition))) headers.push(never)
  const query = queries.filter(([, condition]) => !turnedRound(condition as TextCondition))
    .map(([name, condition]) => queryMatcher(name, presence(condition as TextCondition), placeIn(`${at}.query`, name)))
  return { ...pathMatch(route), headers: headers.length === 0 ? undefined : headers, query_parameters: query.length === 0 ? undefined : query }
}

const comparesValue = ({ exact, prefix, suffix, regex }: TextCondition): boolean => (exact ?? prefix ?? suffix ?? regex) !== undefined

/** Whether a condition on a value asks for another one. */
export const turnedRound = (condition: TextCondition): boolean => (condition.invert ?? false) && comparesValue(condition)

/** An inverted condition on presence as one on absence. */
const presence = (condition: TextCondition): TextCondition =>
  condition.invert && !comparesValue(condition) ? { present: !(condition.present ?? true) } : condition
