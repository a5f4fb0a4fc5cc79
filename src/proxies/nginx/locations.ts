import { matchedPrefix } from '../../route/rewrite.ts'
import { speaksTls, type Definition, type Service, type ServiceRoute, type Upstream } from '../definition.ts'
import { plainPath, prefixPattern } from '../rewriting.ts'
import { plain } from '../text.ts'
import { attemptsOf, silence, timesOf } from '../timing.ts'
import { tlsFilesOf, verifiedName } from '../tls.ts'
import { mapBlock } from './conditions.ts'
import { quoted, time } from './quote.ts'
import { groupOf, resolverLine } from './upstreams.ts'

const retryWords: Readonly<Record<string, readonly string[]>> = {
  'connect-failure': ['error', 'timeout'],
  'refused-stream': [],
  'reset': ['error', 'invalid_header', 'timeout'],
  'attempt-timeout': ['timeout'],
  'gateway-error': ['http_502', 'http_503', 'http_504', 'timeout'],
  'server-error': ['http_500', 'http_502', 'http_503', 'http_504', 'timeout'],
  '5xx': ['error', 'invalid_header', 'http_500', 'http_502', 'http_503', 'http_504', 'timeout'],
}

/** Statuses that `proxy_next_upstream` knows. */
export const retriableStatuses: ReadonlySet<number> = new Set([403, 404, 429, 500, 502, 503, 504])

/** nginx limits nothing to more than that. */
export const mostCounted = 65_535

/** Methods that nginx takes for such as must not be sent twice. */
const unsafe: ReadonlySet<string> = new Set(['POST', 'LOCK', 'PATCH'])

const retryLines = (route: ServiceRoute, deadline: number): readonly string[] => {
  const { retry } = route.config
  const attempts = attemptsOf(route)
  const words = !retry || attempts === 1 ? [] : [...new Set(retry.on.flatMap((each) =>
    typeof each === 'number' ? retriableStatuses.has(each) ? [`http_${each}`] : [] : retryWords[each] ?? []))]
  if (words.length === 0 || !retry) return ['proxy_next_upstream off;']
  const anyMethod = retry.methods === 'any' || (Array.isArray(retry.methods) && retry.methods.some((method) => unsafe.has(method)))
  return [
    `proxy_next_upstream ${[...words, ...anyMethod ? ['non_idempotent'] : []].join(' ')};`,
    `proxy_next_upstream_tries ${attempts};`,
    ...deadline > 0 ? [`proxy_next_upstream_timeout ${time(deadline)};`] : [],
  ]
}

const tlsLines = (upstream: Upstream, service: Service, { options }: Definition): readonly string[] => {
  if (!speaksTls(upstream, 'nginx')) return []
  const { verify, ca = options.systemAuthorities ?? '/etc/ssl/certs/ca-certificates.crt', cert, key, path } = tlsFilesOf(upstream, options, 'nginx')
  const file = (name: string): string => quoted(plain(name, ' \\/._~+=:@,-', path, 'the path of a file'), path)
  return [
    'proxy_ssl_server_name on;',
    `proxy_ssl_name ${plain(verifiedName(upstream) ?? service.host, '._-', path, 'a name')};`,
    'proxy_ssl_protocols TLSv1.2 TLSv1.3;',
    ...verify ? ['proxy_ssl_verify on;', 'proxy_ssl_verify_depth 5;', `proxy_ssl_trusted_certificate ${file(ca)};`] : ['proxy_ssl_verify off;'],
    ...cert === undefined || key === undefined ? [] : [`proxy_ssl_certificate ${file(cert)};`, `proxy_ssl_certificate_key ${file(key)};`],
  ]
}

/** A location's content, and the maps that it needs. */
export interface Location {
  readonly maps: readonly string[]
  readonly lines: readonly string[]
}

interface Sent {
  readonly maps: readonly string[]
  /** What stands behind the server in `proxy_pass`; empty for what came, as it came. */
  readonly uri: string
}

const sentUri = ({ config: { rewrite, match }, path }: ServiceRoute, name: string, moved: boolean): Sent => {
  const at = `${path}.rewrite`
  if (rewrite?.path !== undefined) return { maps: [], uri: `${plainPath(rewrite.path, `${at}.path`)}$is_args$args` }
  if (rewrite?.prefix === undefined) return { maps: [], uri: moved ? '$request_uri' : '' }
  const { pattern, replacement } = prefixPattern(plainPath(matchedPrefix(match)!, `${at}.prefix`), plainPath(rewrite.prefix, `${at}.prefix`))
  // In a map's key nothing is a variable, and in its value this one alone is.
  return {
    maps: mapBlock('$request_uri', `${name}_uri`, ['default $request_uri', `${quoted(`~^(?:${pattern})(?<${name}_rest>.*)\\z`, at)} "${replacement}$${name}_rest"`]),
    uri: `$${name}_uri`,
  }
}

const hostLine = ({ config: { rewrite }, path }: ServiceRoute, service: Service): string => {
  const host = rewrite?.host !== undefined ? plain(rewrite.host, '._:\\[\\]-', `${path}.rewrite.host`, 'a host') : service.own ? service.name.toLowerCase() : '$http_host'
  return `proxy_set_header Host ${host};`
}

/** How calls of a route are sent to one of its clusters. `moved` is whether nginx has put another path in place of the caller's to find it. */
export const locationOf = (route: ServiceRoute, upstream: Upstream, service: Service, definition: Definition, name: string, moved: boolean): Location => {
  const times = timesOf(route, upstream)
  const { maps, uri } = sentUri(route, name, moved)
  const { source, id, config } = upstream
  const scheme = speaksTls(upstream, 'nginx') ? 'https' : 'http'
  const resolver = resolverLine(upstream, definition.options)
  const { requestId } = definition.config.telemetry
  return {
    maps,
    lines: [
      ...resolver === undefined ? [] : [resolver, `resolver_timeout ${time(times.connect)};`],
      // Only a name within a variable is asked for again.
      ...source.kind === 'dns' ? [`set $${name}_to ${source.dns.hostname}:${source.dns.port!};`] : [],
      `proxy_pass "${scheme}://${source.kind === 'dns' ? `$${name}_to${uri === '' ? '$request_uri' : uri}` : `${groupOf(definition, upstream, service)}${uri}`}";`,
      hostLine(route, service),
      'proxy_set_header Connection $upgrading;',
      'proxy_set_header Upgrade $http_upgrade;',
      ...requestId ? ['proxy_set_header X-Request-ID $identity;'] : [],
      `proxy_connect_timeout ${time(times.connect)};`,
      `proxy_send_timeout ${time(silence(times))};`,
      `proxy_read_timeout ${time(silence(times))};`,
      ...retryLines(route, times.deadline),
      ...config.requests === undefined ? [] : [`limit_conn limit_${id} ${Math.min(mostCounted, config.requests)};`, 'limit_conn_status 503;'],
      ...tlsLines(upstream, service, definition),
    ],
  }
}
