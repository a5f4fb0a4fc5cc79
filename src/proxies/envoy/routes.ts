import type { RequestPart } from '../../core/request-part.ts'
import { idempotentMethods } from '../../core/request.ts'
import type { RetryConfig } from '../../policies/retry.ts'
import { matchedPrefix } from '../../route/rewrite.ts'
import { innermost } from '../balancing.ts'
import { harmlessHost, type Definition, type Service, type ServiceRoute } from '../definition.ts'
import { plainPath, prefixPattern } from '../rewriting.ts'
import { literal } from '../text.ts'
import { attemptsOf, timesOf } from '../timing.ts'
import { routeMatch } from './matching.ts'
import { count, time, typed, type Message } from './message.ts'

const retryWords: Readonly<Record<string, readonly string[]>> = {
  'connect-failure': ['connect-failure'],
  'refused-stream': ['refused-stream'],
  'reset': ['reset'],
  'attempt-timeout': ['reset'],
  'gateway-error': ['gateway-error'],
  'server-error': ['reset'],
  '5xx': ['5xx'],
  'grpc-cancelled': ['cancelled'],
  'grpc-deadline-exceeded': ['deadline-exceeded'],
  'grpc-internal': ['internal'],
  'grpc-resource-exhausted': ['resource-exhausted'],
  'grpc-unavailable': ['unavailable'],
}

const serverErrors: readonly number[] = [500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511]

const retriable = ({ methods }: RetryConfig): readonly Message[] | undefined => {
  if (methods === 'any') return undefined
  const all = methods === 'idempotent' ? [...idempotentMethods] : methods
  const byKey: Message = { name: 'idempotency-key', present_match: true }
  return all.length === 0 ? [byKey] : [{ name: ':method', string_match: { safe_regex: { regex: all.map(literal).join('|') } } }, byKey]
}

const retryPolicy = (route: ServiceRoute): Message | undefined => {
  const { retry, attemptTimeout } = route.config
  const attempts = attemptsOf(route)
  const bound = attemptTimeout > 0 ? time(attemptTimeout) : undefined
  if (!retry || attempts === 1) return bound === undefined ? undefined : { num_retries: 0, per_try_timeout: bound }
  const codes = [...new Set(retry.on.flatMap((each) => typeof each === 'number' ? [each] : each === 'server-error' ? serverErrors : []))]
  const words = [...new Set(retry.on.flatMap((each) => typeof each === 'number' ? [] : retryWords[each] ?? []))]
  return {
    retry_on: [...words, ...codes.length > 0 ? ['retriable-status-codes'] : []].join(','),
    retriable_status_codes: codes.length > 0 ? codes : undefined,
    num_retries: attempts - 1,
    per_try_timeout: bound,
    // On an endpoint that was not tried yet, as far as one is found by drawing again so many times.
    retry_host_predicate: [{ name: 'envoy.retry_host_predicates.previous_hosts', typed_config: typed('envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate') }],
    host_selection_retry_max_attempts: 5,
    retry_back_off: backOff(retry),
    rate_limited_retry_back_off: { reset_headers: [{ name: 'retry-after', format: 'SECONDS' }], max_interval: time(Math.max(1, retry.retryAfter.max)) },
    retriable_request_headers: retriable(retry),
  }
}

const backOff = ({ backoff: { base, max } }: RetryConfig): Message => {
  const interval = Math.max(1, base)
  return { base_interval: time(interval), max_interval: time(Math.max(interval, max)) }
}

const hashPolicy = ({ header, cookie, query }: RequestPart): Message => {
  if (header !== undefined) return { header: { header_name: header }, terminal: true }
  if (cookie !== undefined) return { cookie: { name: cookie }, terminal: true }
  return query === undefined ? { header: { header_name: ':path', regex_rewrite: { pattern: { regex: '\\?.*' }, substitution: '' } }, terminal: true }
    : { query_parameter: { name: query }, terminal: true }
}

/** What a call is told by where its balancer hashes. */
const hashPolicies = ({ targets }: ServiceRoute): readonly Message[] | undefined => {
  const parts = targets.flatMap(({ upstream }) => {
    const inner = innermost(upstream.balancer)
    return inner.type === 'ring-hash' || inner.type === 'maglev' ? [inner.key ?? []].flat() : []
  })
  return parts.length === 0 ? undefined : parts.map(hashPolicy)
}

/** Weights are whole numbers that add up to less than 2³². */
const weightOf = (share: number): number => Math.max(1, Math.round(share * 1_000_000))

const destination = ({ targets }: ServiceRoute): Message => targets.length === 1 ? { cluster: targets[0]!.upstream.id }
  : { weighted_clusters: { clusters: targets.map(({ upstream, share }) => ({ name: upstream.id, weight: weightOf(share) })) } }

const rewriting = ({ config: { rewrite, match }, path }: ServiceRoute, service: Service): Message => {
  const at = `${path}.rewrite`
  const host = rewrite?.host ?? (service.own ? service.name.toLowerCase() : undefined)
  const fields: Message = { host_rewrite_literal: host === undefined ? undefined : harmlessHost(host, `${at}.host`) }
  if (rewrite?.path !== undefined) return { ...fields, regex_rewrite: { pattern: { regex: '^[^?]*' }, substitution: plainPath(rewrite.path, `${at}.path`) } }
  if (rewrite?.prefix === undefined) return fields
  const from = plainPath(matchedPrefix(match)!, `${at}.prefix`)
  const { replacement } = prefixPattern(from, plainPath(rewrite.prefix, `${at}.prefix`))
  return { ...fields, ...prefixRewrite(from, replacement) }
}

/** One slash where the two parts meet. RE2 looks at nothing ahead, so what follows is put back. */
const prefixRewrite = (from: string, to: string): Message => {
  if (to.endsWith('/')) return { regex_rewrite: { pattern: { regex: `^${literal(from)}/?` }, substitution: to } }
  if (!from.endsWith('/')) return { prefix_rewrite: to }
  return { regex_rewrite: { pattern: { regex: `^${literal(from.slice(0, -1))}(?:(/[^?/])|/)` }, substitution: `${to}\\1` } }
}

/** A route, where its calls go to and under which policies. */
export const routeOf = (route: ServiceRoute, service: Service, { config }: Definition): Message => {
  const [first, ...others] = route.targets
  // Of a split's clusters each has a time of its own only in the mesh.
  const times = others.length === 0 ? timesOf(route, first!.upstream) : { deadline: route.config.timeout, idle: route.config.idleTimeout }
  return {
    name: route.config.name ?? route.path,
    match: routeMatch(route),
    route: {
      ...destination(route),
      ...rewriting(route, service),
      timeout: time(times.deadline),
      idle_timeout: time(times.idle),
      retry_policy: retryPolicy(route),
      hash_policy: hashPolicies(route),
    },
    per_request_buffer_limit_bytes: count(config.replayLimit),
  }
}
