import type { TextCondition } from '../../matchers/text.ts'
import type { RetryConfig } from '../../policies/retry.ts'
import type { ServiceRoute } from '../definition.ts'
import { turnedRound } from '../envoy/matching.ts'
import { retriableStatuses as haproxyStatuses } from '../haproxy/backends.ts'
import { retriableStatuses as nginxStatuses } from '../nginx/locations.ts'
import type { ProxyName } from '../proxy.ts'
import { inRoutes, nearly, none, otherwise, same, type PolicyRow } from './row.ts'

const matchOf = ({ config: { match = {} } }: ServiceRoute) => match

const conditionsOn = (conditions: object | undefined): readonly TextCondition[] => Object.values(conditions ?? {}).flat() as TextCondition[]

const retries = ({ config: { retry } }: ServiceRoute): RetryConfig | undefined => retry && retry.attempts > 1 ? retry : undefined

const retriedOn = (...words: readonly RetryConfig['on'][number][]) => (route: ServiceRoute): boolean =>
  retries(route)?.on.some((each) => words.includes(each)) ?? false

const unknownStatus = (route: ServiceRoute, proxy: ProxyName): boolean => retries(route)?.on.some((each) => typeof each === 'number'
  && (proxy === 'haproxy' ? !haproxyStatuses.has(each) : proxy === 'nginx' && !nginxStatuses.has(each))) ?? false

const pcre = otherwise('matches it by PCRE, which goes back and tries again', 'PCRE takes a time that grows without bound for some expressions and values; RE2, which the mesh uses, never does')

const matching: readonly PolicyRow[] = [
  {
    policy: 'route.match.path',
    places: inRoutes('match.path', (route) => matchOf(route).path),
    haproxy: otherwise('compares the path with slashes merged, and with dots (/a/../b) as they are written', 'it resolves dots only by changing what is sent, and that only as an experiment'),
    nginx: otherwise('compares the path after all escapes were decoded (%2f is /)', 'its normal form decodes them; what is sent stays as it was written'),
    envoy: otherwise('sends the path in the normal form in which it was compared', 'it compares what it sends'),
  },
  { policy: 'route.match.path.regex', places: inRoutes('match.path.regex', (route) => matchOf(route).path?.regex), haproxy: pcre, nginx: pcre, envoy: same },
  { policy: 'route.match.method', places: () => [], haproxy: same, nginx: same, envoy: same },
  {
    policy: 'route.match.scheme',
    places: inRoutes('match.scheme', (route) => matchOf(route).scheme),
    haproxy: otherwise('takes every call for http', 'callers speak plain HTTP to it, and it speaks TLS for them'),
    nginx: otherwise('takes every call for http', 'callers speak plain HTTP to it, and it speaks TLS for them'),
    envoy: otherwise('takes every call for http', 'callers speak plain HTTP to it, and it speaks TLS for them'),
  },
  { policy: 'route.match.port', places: () => [], haproxy: nearly('of `Host`'), nginx: nearly('of `Host`'), envoy: nearly('of `Host`') },
  { policy: 'route.match.host', places: () => [], haproxy: nearly('of `Host`'), nginx: nearly('of `Host`'), envoy: nearly('of `Host`') },
  {
    policy: 'route.match.headers',
    places: inRoutes('match.headers', (route) => matchOf(route).headers),
    haproxy: otherwise('looks at the last field of a name alone', 'it does not join fields that came several times'),
    nginx: otherwise('looks at the first field of a name alone, takes an empty one for none, and - for _', 'so its variables of headers are made'),
    envoy: nearly('fields that came several times are joined by a comma without a space'),
  },
  {
    policy: 'route.match.headers.range',
    places: inRoutes('match.headers', (route) => conditionsOn(matchOf(route).headers).some(({ range }) => range)),
    haproxy: same,
    nginx: none('never takes the route', 'it does not compare numbers'),
    envoy: same,
  },
  {
    policy: 'route.match.query',
    places: inRoutes('match.query', (route) => conditionsOn(matchOf(route).query).some((condition) => !turnedRound(condition))),
    haproxy: nearly('whatever the spelling of letters'),
    nginx: nearly('whatever the spelling of letters'),
    envoy: otherwise('compares names and values as they were sent, escapes and all', 'it decodes neither'),
  },
  {
    policy: 'route.match.query.regex',
    places: inRoutes('match.query', (route) => conditionsOn(matchOf(route).query).some(({ regex }) => regex)),
    haproxy: otherwise('matches the value as it was sent, escapes and all, by PCRE', 'the expression is put into one for the whole query'),
    nginx: otherwise('matches the value as it was sent, escapes and all, by PCRE', 'the expression is put into one for the whole query'),
    envoy: nearly('see `route.match.query`'),
  },
  {
    policy: 'route.match.query.invert',
    places: inRoutes('match.query', (route) => conditionsOn(matchOf(route).query).some(turnedRound)),
    haproxy: same,
    nginx: same,
    envoy: none('never takes the route', 'its conditions on parameters cannot be turned round'),
  },
  { policy: 'route.priority', places: () => [], haproxy: same, nginx: same, envoy: same },
  { policy: 'route.name', places: inRoutes('name', ({ config }) => config.name), haproxy: none('has no name for it', 'routes are conditions there'), nginx: none('has no name for it', 'routes are maps there'), envoy: same },
]

const drawnAgain = (proxy: string) => none('answers with an error where the cluster that was drawn has no endpoint', `${proxy} draws once for each call`)

const sending: readonly PolicyRow[] = [
  {
    policy: 'route.to',
    places: inRoutes('to', ({ targets, config }) => targets.length > 1 && !config.sticky),
    haproxy: drawnAgain('HAProxy'), nginx: drawnAgain('nginx'), envoy: drawnAgain('Envoy'),
  },
  {
    policy: 'route.sticky',
    places: inRoutes('sticky', ({ config, targets }) => config.sticky && targets.length > 1),
    haproxy: otherwise('keeps users with one cluster, but not with the one that the mesh would', 'it hashes otherwise'),
    nginx: otherwise('keeps users with one cluster, but not with the one that the mesh would', 'it hashes otherwise'),
    envoy: none('draws the cluster of each call anew', 'only the latest releases can draw by a hash (`use_hash_policy` of weighted clusters), and others would not start with a field that they do not know'),
  },
  { policy: 'route.rewrite', places: () => [], haproxy: same, nginx: same, envoy: same },
]

const perSilence = 'it has one time for the next bytes of an answer, be they of its head or its body'

const calling: readonly PolicyRow[] = [
  {
    policy: 'route.timeout',
    places: inRoutes('timeout', ({ config }) => config.timeout > 0),
    haproxy: none('bounds each wait (in the queue, for the next bytes) by that time, but not all of them together', 'it has no time for a call as a whole'),
    nginx: otherwise('begins no attempt after it, and bounds each wait for the next bytes by it, but not all waits together', 'it has no time for a call as a whole'),
    envoy: same,
  },
  {
    policy: 'route.attemptTimeout',
    places: inRoutes('attemptTimeout', ({ config }) => config.attemptTimeout > 0),
    haproxy: otherwise('bounds the connection by it, and each silence before the head or within the body', perSilence),
    nginx: otherwise('bounds the connection by it, and each silence before the head or within the body', perSilence),
    envoy: otherwise('bounds the attempt until the end of its body', 'its time for a try includes the body'),
  },
  {
    policy: 'route.idleTimeout',
    places: inRoutes('idleTimeout', ({ config }) => config.attemptTimeout > 0 && config.idleTimeout > 0),
    haproxy: none("bounds silence by the attempt's time", perSilence),
    nginx: none("bounds silence by the attempt's time", perSilence),
    envoy: same,
  },
]

const nothing = (policy: string, matters: (route: ServiceRoute) => unknown, why: string): Omit<PolicyRow, 'envoy'> => ({
  policy,
  places: inRoutes('retry.on', matters),
  haproxy: none('does not retry it', why),
  nginx: none('does not retry it', why),
})

const retrying: readonly PolicyRow[] = [
  { policy: 'route.retry.attempts', places: () => [], haproxy: same, nginx: same, envoy: same },
  {
    policy: 'route.retry.on: connect-failure, reset',
    places: inRoutes('retry.on', (route) => retriedOn('connect-failure', 'reset')(route) && !(retriedOn('connect-failure')(route) && retriedOn('reset')(route))),
    haproxy: same,
    nginx: otherwise('retries either of the two', 'it does not tell connections that were refused from those that were lost'),
    envoy: same,
  },
  {
    policy: 'route.retry.on: refused-stream',
    places: inRoutes('retry.on', (route) => retriedOn('refused-stream')(route) && !retriedOn('reset', '5xx')(route) && route.targets.some(({ upstream }) => upstream.config.http2 !== false)),
    haproxy: none('does not retry it, unless `reset` is written too', 'it does not tell streams that were refused from those that were lost'),
    nginx: nearly('never happens: no HTTP/2 is spoken to endpoints'),
    envoy: same,
  },
  {
    policy: 'route.retry.on: attempt-timeout',
    places: inRoutes('retry.on', retriedOn('attempt-timeout')),
    haproxy: same,
    nginx: otherwise('retries connections that took too long as well', 'it does not tell one timeout from another'),
    envoy: otherwise('retries lost connections as well', 'both are `reset` to it'),
  },
  { policy: 'route.retry.on: gateway-error', places: () => [], haproxy: same, nginx: same, envoy: same },
  {
    policy: 'route.retry.on: server-error, 5xx',
    places: inRoutes('retry.on', retriedOn('server-error', '5xx')),
    haproxy: otherwise('retries 500 to 504 alone', 'it knows no others'),
    nginx: otherwise('retries 500, 502, 503 and 504 alone', 'it knows no others'),
    envoy: otherwise('retries lost connections too where server-error is written', 'its time for a try is part of `reset`'),
  },
  {
    ...nothing('route.retry.on: retry-after', retriedOn('retry-after'), 'it has no such condition'),
    envoy: none('does not retry it', 'it has no such condition'),
  },
  {
    ...nothing('route.retry.on: grpc', (route) => retries(route)?.on.some((each) => String(each).startsWith('grpc-')), 'it does not look at grpc-status'),
    envoy: same,
  },
  {
    policy: 'route.retry.on: a status',
    places: inRoutes('retry.on', unknownStatus),
    haproxy: none('does not retry it', `it knows ${[...haproxyStatuses].join(', ')}`),
    nginx: none('does not retry it', `it knows ${[...nginxStatuses].join(', ')}`),
    envoy: same,
  },
  {
    policy: 'route.retry.methods',
    places: inRoutes('retry.methods', (route) => { const retry = retries(route); return retry && retry.methods !== 'any' }),
    haproxy: same,
    nginx: otherwise('sends all methods again but POST, PATCH and LOCK; those too where one of them is listed, and never by Idempotency-Key', 'it has that one list'),
    envoy: otherwise('does not retry other methods even where nothing was sent', 'its condition on the request holds for every reason to retry'),
  },
  {
    policy: 'route.retry.backoff',
    places: inRoutes('retry.backoff', retries),
    haproxy: none('tries again at once; on the same server, after a connection failed, a second later', 'it has no back-off'),
    nginx: none('tries again at once', 'it has no back-off'),
    envoy: same,
  },
  {
    policy: 'route.retry.retryAfter',
    places: inRoutes('retry.retryAfter', retries),
    haproxy: none('does not wait for Retry-After', 'it does not look at it'),
    nginx: none('does not wait for Retry-After', 'it does not look at it'),
    envoy: otherwise('backs off as usual where Retry-After asks for more than `max`', 'it gives no answer up because of it'),
  },
]

/** Policies of routes. */
export const routeRows: readonly PolicyRow[] = [...matching, ...sending, ...calling, ...retrying]
