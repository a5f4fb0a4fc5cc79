import type { RetryConfig } from '../../policies/retry.ts'
import { matchedPrefix } from '../../route/rewrite.ts'
import type { Definition, Service, ServiceRoute, Upstream } from '../definition.ts'
import { attemptsOf, silence, timesOf } from '../timing.ts'
import { plainPath, prefixPattern } from '../rewriting.ts'
import { label, plain, remark } from '../text.ts'
import { groupsOf } from '../groups.ts'
import { balanceLines } from './balance.ts'
import { mostWords } from './conditions.ts'
import { time } from './quote.ts'
import { serverLines } from './servers.ts'

/** A backend: a cluster under the policies of a route. */
export interface Backend {
  readonly name: string
  /** How many requests may be under way at once; absent where there is no limit. */
  readonly requests: number | undefined
  readonly lines: readonly string[]
}

const statuses = (...all: readonly number[]): readonly string[] => all.map(String)

const retryWords: Readonly<Record<string, readonly string[]>> = {
  'connect-failure': ['conn-failure'],
  'refused-stream': [],
  'reset': ['empty-response', 'junk-response', 'response-timeout'],
  'attempt-timeout': ['response-timeout'],
  'gateway-error': [...statuses(502, 503, 504), 'response-timeout'],
  'server-error': [...statuses(500, 501, 502, 503, 504), 'response-timeout'],
  '5xx': ['conn-failure', 'empty-response', 'junk-response', ...statuses(500, 501, 502, 503, 504), 'response-timeout'],
}

/** Statuses that `retry-on` knows (HAProxy 2.6). */
export const retriableStatuses: ReadonlySet<number> = new Set([401, 403, 404, 408, 425, 500, 501, 502, 503, 504])

/** What `retry-on` names for a route's conditions. A timeout is retried only where it is that of an attempt. */
const retryOn = (on: RetryConfig['on'], attemptTimeout: number): readonly string[] => {
  const words = new Set(on.flatMap((each) => typeof each === 'number' ? retriableStatuses.has(each) ? [String(each)] : [] : retryWords[each] ?? []))
  if (attemptTimeout === 0) words.delete('response-timeout')
  return [...words]
}

const retryLines = (route: ServiceRoute): readonly string[] => {
  const { retry, attemptTimeout } = route.config
  const attempts = attemptsOf(route)
  if (!retry || attempts === 1) return ['retries 0']
  const words = retryOn(retry.on, attemptTimeout)
  const lines = [`retries ${words.length === 0 ? 0 : attempts - 1}`, 'option redispatch 1', `retry-on ${words.length === 0 ? 'none' : words.join(' ')}`]
  if (retry.methods === 'any') return lines
  const methods = retry.methods === 'idempotent' ? ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE', 'QUERY'] : retry.methods
  // What never left is tried again whatever its method: this is about what did.
  return [
    ...lines,
    ...groupsOf(methods, mostWords).map((some) => `acl repeatable method ${some.join(' ')}`),
    'acl repeatable req.hdr(idempotency-key) -m found',
    'http-request disable-l7-retry if !repeatable',
  ]
}

const rewriteLines = ({ config: { rewrite, match }, path }: ServiceRoute, service: Service): readonly string[] => {
  const at = `${path}.rewrite`
  const pathOf = (text: string, option: string): string => plainPath(text, `${at}.${option}`)
  const lines: string[] = []
  if (rewrite?.host !== undefined) lines.push(`http-request set-header Host ${plain(rewrite.host, '._:\\[\\]-', `${at}.host`, 'a host')}`)
  else if (service.own) lines.push(`http-request set-header Host ${service.name.toLowerCase()}`)
  if (rewrite?.path !== undefined) lines.push(`http-request set-path '${pathOf(rewrite.path, 'path')}'`)
  if (rewrite?.prefix !== undefined) {
    const { pattern, replacement } = prefixPattern(pathOf(matchedPrefix(match)!, 'prefix'), pathOf(rewrite.prefix, 'prefix'))
    lines.push(`http-request replace-path '^(?:${pattern})(.*)$' '${replacement}\\1'`)
  }
  return lines
}

/** Writes backends, one for each cluster under each set of policies: those of routes that agree are the same. */
export class Backends {
  readonly #definition: Definition
  readonly #byContent = new Map<string, Backend>()

  constructor(definition: Definition) {
    this.#definition = definition
  }

  get all(): readonly Backend[] {
    return [...this.#byContent.values()]
  }

  /** The backend for calls of a route to one of its clusters. */
  of(route: ServiceRoute, upstream: Upstream, service: Service): Backend {
    const times = timesOf(route, upstream)
    const content = [
      remark(upstream.path),
      ...balanceLines(upstream),
      `timeout connect ${time(times.connect)}`,
      `timeout server ${time(silence(times))}`,
      `timeout queue ${time(times.deadline)}`,
      ...retryLines(route),
      ...rewriteLines(route, service),
      ...serverLines(upstream, service, this.#definition),
    ]
    const key = content.join('\n')
    const known = this.#byContent.get(key)
    if (known) return known
    const backend: Backend = { name: `b${this.#byContent.size}_${label(upstream.name)}`, requests: upstream.config.requests, lines: content }
    this.#byContent.set(key, backend)
    return backend
  }
}
