import { wholeMatch, type TextCondition } from '../../matchers/text.ts'
import { placeIn } from '../../mesh/faults.ts'
import { harmlessHost, type ServiceRoute } from '../definition.ts'
import { groupsOf } from '../groups.ts'
import { queryPattern } from '../query.ts'
import { wholePattern } from '../regex.ts'
import { literal, plain } from '../text.ts'
import { quoted, variable } from './quote.ts'

/** A map of nginx: what a variable becomes by what another is. */
export const mapBlock = (source: string, name: string, entries: readonly string[]): readonly string[] =>
  [`map ${source} $${name} {`, ...entries.map((entry) => `  ${entry};`), '}']

/** Variables that are 1 where a condition holds, and 0 where it doesn't; with the maps that set them. */
export interface Conditions {
  readonly lines: readonly string[]
  /** Names of the variables, with their `$`: all must be 1. */
  readonly variables: readonly string[]
}

class Maps {
  readonly lines: string[] = []
  readonly variables: string[] = []
  readonly #prefix: string

  constructor(prefix: string) {
    this.#prefix = prefix
  }

  /** Adds a condition: the keys for which it holds, in nginx's words, and what it is otherwise. */
  add(source: string, entries: readonly string[]): void {
    const name = `${this.#prefix}c${this.variables.length}`
    this.lines.push(...mapBlock(source, name, entries))
    this.variables.push(`$${name}`)
  }

  /** What stands behind a pattern, as a variable; empty where the pattern doesn't match. */
  addCapture(source: string, before: string, captured: string, path: string): string {
    const name = `${this.#prefix}v${this.variables.length}`
    this.lines.push(...mapBlock(source, name, ['default ""', `${quoted(`~${before}(?<${name}_text>${captured})`, path)} $${name}_text`]))
    return `$${name}`
  }

  addPattern(source: string, pattern: string, path: string): void {
    this.add(source, ['default 0', `${quoted(`~${pattern}`, path)} 1`])
  }
}

// Keys that are texts would be compared whatever their case, so all are regular expressions.
const patternOf = ({ exact, prefix, suffix, regex }: TextCondition, path: string): string | undefined => {
  if (exact !== undefined) return `^${literal(exact)}\\z`
  if (prefix !== undefined) return `^${literal(prefix)}`
  if (suffix !== undefined) return `${literal(suffix)}\\z`
  return regex === undefined ? undefined : wholePattern(regex, path)
}

const addText = (maps: Maps, source: string, condition: TextCondition, path: string): void => {
  const inverted = condition.invert ?? false
  // nginx cannot compare numbers: such a route is never taken.
  if (condition.range) return maps.add(source, ['default 0'])
  // What is empty looks absent: of two that are not told apart neither meets a condition on its value.
  if (condition.exact === '') return maps.add(source, inverted ? ['default 1', '"" 0'] : ['default 0'])
  const pattern = patternOf(condition, path)
  if (pattern === undefined) return maps.add(source, (condition.present ?? true) !== inverted ? ['default 1', '"" 0'] : ['default 0', '"" 1'])
  if (!inverted) return maps.addPattern(source, pattern, path)
  maps.add(source, ['default 1', '"" 0', `${quoted(`~${pattern}`, path)} 0`])
}

const pathPattern = ({ config: { match } }: ServiceRoute, path: string): string => {
  const { exact, prefix, plainPrefix, regex } = match!.path!
  if (exact !== undefined) return `^${literal(exact)}\\z`
  if (plainPrefix !== undefined) return `^${literal(plainPrefix)}`
  if (regex !== undefined) return wholePattern(regex, path)
  return prefix!.endsWith('/') ? `^${literal(prefix!)}` : `^${literal(prefix!)}(?:/|\\z)`
}

/** A regular expression on the value alone. nginx asks expressions about no empty text, so what they say of it is written out. */
const addQueryRegex = (maps: Maps, { regex, invert = false }: TextCondition, found: string, before: string, path: string): void => {
  maps.addPattern('$args', found, path)
  const value = maps.addCapture('$args', before, '[^&]*', path)
  const holds = Number(!invert)
  const empty = wholeMatch(regex!)('') ? holds : 1 - holds
  maps.add(value, [`default ${1 - holds}`, `"" ${empty}`, `${quoted(`~${wholePattern(regex!, path)}`, path)} ${holds}`])
}

const addQuery = (maps: Maps, name: string, condition: TextCondition, path: string): void => {
  const { holds, found, before } = queryPattern(name, condition, path)
  if (condition.regex !== undefined) return addQueryRegex(maps, condition, found, before, path)
  const inverted = condition.invert ?? false
  if (holds === undefined) return maps.add('$args', (condition.present ?? true) !== inverted ? ['default 0', `${quoted(`~${found}`, path)} 1`] : ['default 1', `${quoted(`~${found}`, path)} 0`])
  if (!inverted) return maps.addPattern('$args', holds, path)
  // Of several that match, the first written is taken.
  maps.add('$args', ['default 0', `${quoted(`~${holds}`, path)} 0`, `${quoted(`~${found}`, path)} 1`])
}

const withoutPort = '^(?:[^:]*|\\[[^\\]]*\\])'

/** That `Host` names a port, or none where it is the one of HTTP. */
const portPattern = (port: number): string => port === 80 ? `${withoutPort}(?::80)?\\z` : `:${port}\\z`

const hostPattern = (written: string, path: string): string => {
  const [, host, port] = /^(.*?)(?::(\d+))?$/.exec(written) as unknown as [string, string, string | undefined]
  const wildcard = host.startsWith('*.')
  const name = harmlessHost(wildcard ? host.slice(2) : host, path)
  const ending = port === undefined ? '(?::[0-9]+)?' : port === '80' ? '(?::80)?' : `:${port}`
  return `${wildcard ? `[^:]+\\.${literal(name)}` : `^${literal(name)}`}\\.?${ending}\\z`
}

/** What must hold for a route to be taken; `port` is that of its service. */
export const conditionsOf = (route: ServiceRoute, port: number | undefined, prefix: string): Conditions => {
  const maps = new Maps(prefix)
  const { match = {} } = route.config
  const at = `${route.path}.match`
  if (port !== undefined) maps.addPattern('$http_host', portPattern(port), route.path)
  if (match.path) maps.addPattern('$uri', pathPattern(route, `${at}.path`), `${at}.path`)
  if (match.method) maps.add('$request_method', ['default 0', `${quoted(`~*^(?:${match.method.map(literal).join('|')})\\z`, `${at}.method`)} 1`])
  if (match.scheme) maps.add('$request_method', [`default ${match.scheme === 'http' ? 1 : 0}`])
  if (match.port !== undefined) maps.addPattern('$http_host', portPattern(match.port), `${at}.port`)
  if (match.host) maps.add('$http_host', ['default 0', ...match.host.map((each) => `${quoted(`~*${hostPattern(each, `${at}.host`)}`, `${at}.host`)} 1`)])
  for (const [name, asked] of Object.entries(match.headers ?? {})) {
    const path = placeIn(`${at}.headers`, name)
    const source = `$http_${variable(plain(name, '_-', path, 'a header name'))}`
    for (const condition of [asked].flat()) addText(maps, source, condition, path)
  }
  for (const [name, condition] of Object.entries(match.query ?? {})) addQuery(maps, name, condition, placeIn(`${at}.query`, name))
  return maps
}

/** nginx reads words into a buffer of 4096 characters, so a text is made of so many variables at most. */
export const mostVariables = 100

/** The same conditions in fewer variables, where they would not fit into one text. */
export const allOf = ({ lines, variables }: Conditions, prefix: string): Conditions => {
  if (variables.length <= mostVariables) return { lines, variables }
  const maps = new Maps(`${prefix}a`)
  for (const group of groupsOf(variables, mostVariables)) maps.add(`"${group.join('')}"`, ['default 0', `"~^1+\\z" 1`])
  return { lines: [...lines, ...maps.lines], variables: maps.variables }
}

/** The condition of a service's port alone. */
export const portCondition = (port: number, path: string, prefix: string): Conditions => {
  const maps = new Maps(prefix)
  maps.addPattern('$http_host', portPattern(port), path)
  return maps
}
