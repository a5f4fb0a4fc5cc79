import type { TextCondition } from '../../matchers/text.ts'
import { placeIn } from '../../mesh/faults.ts'
import type { ServiceRoute } from '../definition.ts'
import { groupsOf } from '../groups.ts'
import { queryPattern } from '../query.ts'
import { wholePattern } from '../regex.ts'
import { plain } from '../text.ts'
import { quoted } from './quote.ts'

/** Names of conditions and the lines that define them. */
export interface Conditions {
  readonly lines: readonly string[]
  /** All of them must hold; one after `!` must not. */
  readonly terms: readonly string[]
}

/** Collects conditions. Lines of one name are alternatives. They are named, since within braces a value that is a brace would end the condition. */
class Acls {
  readonly lines: string[] = []
  readonly terms: string[] = []
  readonly #prefix: string

  constructor(prefix: string) {
    this.#prefix = prefix
  }

  /** Adds one condition of alternatives. */
  add(...alternatives: readonly string[]): void {
    this.terms.push(this.#define(alternatives))
  }

  addNot(...alternatives: readonly string[]): void {
    this.terms.push(`!${this.#define(alternatives)}`)
  }

  #define(alternatives: readonly string[]): string {
    const name = `${this.#prefix}c${this.terms.length}`
    for (const each of alternatives) this.lines.push(`acl ${name} ${each}`)
    return name
  }
}

/** A comparison of a sample with a text; an empty one is told by its length, since an empty word ends a line. `undefined` where only presence is asked for. */
const comparison = (sample: string, { exact, prefix, suffix, regex }: TextCondition, path: string): string | undefined => {
  if (exact !== undefined) return exact === '' ? `${sample} -m len 0` : `${sample} -m str -- ${quoted(exact, path)}`
  if (prefix !== undefined) return `${sample} -m beg -- ${quoted(prefix, path)}`
  if (suffix !== undefined) return `${sample} -m end -- ${quoted(suffix, path)}`
  return regex === undefined ? undefined : `${sample} -m reg -- ${quoted(wholePattern(regex, path), path)}`
}

/** Numbers at or above a bound, and those below it. HAProxy takes an operand below 0 for something else, so there the negatives are compared. */
const sides = (sample: string, bound: number): { readonly above: string, readonly below: string } => bound < 0
  ? { above: `${sample},neg -m int le ${-bound}`, below: `${sample},neg -m int gt ${-bound}` }
  : { above: `${sample} -m int ge ${bound}`, below: `${sample} -m int lt ${bound}` }

const addRange = (acls: Acls, sample: string, { start, end }: NonNullable<TextCondition['range']>, inverted: boolean): void => {
  const [fromStart, fromEnd] = [sides(sample, start), sides(sample, end)]
  if (inverted) return acls.add(`${sample} -m reg -- '^(?![+-]?[0-9]+$)'`, fromStart.below, fromEnd.above)
  acls.add(`${sample} -m reg -- '^[+-]?[0-9]+$'`)
  acls.add(fromStart.above)
  acls.add(fromEnd.below)
}

const addText = (acls: Acls, sample: string, condition: TextCondition, path: string): void => {
  const found = `${sample} -m found`
  const inverted = condition.invert ?? false
  if (condition.range) return addRange(acls, sample, condition.range, inverted)
  const compared = comparison(sample, condition, path)
  if (compared === undefined) return (condition.present ?? true) !== inverted ? acls.add(found) : acls.addNot(found)
  if (!inverted) return acls.add(compared)
  acls.add(found)
  acls.addNot(compared)
}

const addPath = (acls: Acls, { config: { match } }: ServiceRoute, path: string): void => {
  const { exact, prefix, plainPrefix, regex } = match!.path!
  const sample = 'var(txn.path)'
  if (exact !== undefined) acls.add(`${sample} -m str -- ${quoted(exact, path)}`)
  else if (plainPrefix !== undefined) acls.add(`${sample} -m beg -- ${quoted(plainPrefix, path)}`)
  else if (regex !== undefined) acls.add(`${sample} -m reg -- ${quoted(wholePattern(regex, path), path)}`)
  else if (prefix!.endsWith('/')) acls.add(`${sample} -m beg -- ${quoted(prefix!, path)}`)
  else acls.add(`${sample} -m str -- ${quoted(prefix!, path)}`, `${sample} -m beg -- ${quoted(`${prefix!}/`, path)}`)
}

const addQuery = (acls: Acls, name: string, condition: TextCondition, path: string): void => {
  const { holds, found, before } = queryPattern(name, condition, path)
  const inverted = condition.invert ?? false
  // The value alone: of a query without such a parameter nothing is replaced, so `found` is asked too.
  if (condition.regex !== undefined) {
    acls.add(`query -m reg -- ${quoted(found, path)}`)
    return addText(acls, quoted(`query,regsub('${before}([^&]*).*$','\\1')`, path), condition, path)
  }
  const line = (pattern: string): string => `query -m reg -- ${quoted(pattern, path)}`
  if (holds === undefined) return (condition.present ?? true) !== inverted ? acls.add(line(found)) : acls.addNot(line(found))
  if (!inverted) return acls.add(line(holds))
  acls.add(line(found))
  acls.addNot(line(holds))
}

/** Ways to meet a condition on a host and, where one is given, a port. A dot at the end makes no difference. */
export const hostAlternatives = (host: string, port: number | undefined, path: string): readonly string[] => {
  const wildcard = host.startsWith('*.')
  const name = wildcard ? host.slice(1) : host
  const spellings = [name, `${name}.`]
  const written = port === undefined ? spellings
    : [...spellings.map((each) => `${each}:${port}`), ...port === 80 ? spellings : []]
  return [`${port === undefined ? 'var(txn.host)' : 'req.hdr(host),lower'} -m ${wildcard ? 'end' : 'str'} -- ${written.map((each) => quoted(each, path)).join(' ')}`]
}

const addHosts = (acls: Acls, hosts: readonly string[], path: string): void => acls.add(...hosts.flatMap((each) => {
  const [, host, port] = /^(.*?)(?::(\d+))?$/.exec(each) as unknown as [string, string, string | undefined]
  return hostAlternatives(plain(host, '.*_\\[\\]:-', path, 'a host'), port === undefined ? undefined : Number(port), path)
}))

/** HAProxy reads 64 words of a line at most. */
export const mostWords = 40

/** The same conditions in fewer terms, where they would not fit into one line: some are asked before, and what they say is remembered. */
const folded = ({ lines, terms }: Conditions, prefix: string): Conditions => {
  if (terms.length <= mostWords) return { lines, terms }
  const groups = groupsOf(terms, mostWords).map((group, index) => ({ name: `${prefix}g${index}`, group }))
  const remembered = groups.flatMap(({ name, group }) => [`http-request set-var(txn.${name}) bool(true) if ${group.join(' ')}`, `acl ${name} var(txn.${name}) -m found`])
  return folded({ lines: [...lines, ...remembered], terms: groups.map(({ name }) => name) }, `${prefix}g`)
}

/** What must hold for a route to be taken. */
export const conditionsOf = (route: ServiceRoute, prefix: string): Conditions => {
  const acls = new Acls(prefix)
  const { match = {} } = route.config
  const at = `${route.path}.match`
  if (match.path) addPath(acls, route, `${at}.path`)
  if (match.method) acls.add(...groupsOf(match.method, mostWords).map((methods) => `method -- ${methods.map((method) => quoted(method, `${at}.method`)).join(' ')}`))
  if (match.scheme) acls.add(match.scheme === 'http' ? 'always_true' : 'always_false')
  if (match.port !== undefined) acls.add(`var(txn.port) -m int ${match.port}`)
  if (match.host) addHosts(acls, match.host, `${at}.host`)
  for (const [name, asked] of Object.entries(match.headers ?? {})) {
    const path = placeIn(`${at}.headers`, name)
    const sample = `req.fhdr(${plain(name, '_-', path, 'a header name')})`
    for (const condition of [asked].flat()) addText(acls, sample, condition, path)
  }
  for (const [name, condition] of Object.entries(match.query ?? {})) addQuery(acls, name, condition, placeIn(`${at}.query`, name))
  return folded(acls, prefix)
}
