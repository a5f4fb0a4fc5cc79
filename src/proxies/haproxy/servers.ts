import type { HealthCheckConfig } from '../../cluster/health-checks.ts'
import { levelsOf, wholeWeights } from '../balancing.ts'
import { dnsServersOf, isNamed, speaksTls, type Definition, type Service, type Upstream } from '../definition.ts'
import { tlsFilesOf, verifiedName } from '../tls.ts'
import { plain } from '../text.ts'
import { count, quoted, time } from './quote.ts'

/** Servers that are made room for where a name tells how many there are. */
const mostOfName = 32

const checkedHost = (check: { readonly host?: string | undefined }, service: Service): string => check.host ?? service.host

const checkLines = (check: HealthCheckConfig, { path }: Upstream, service: Service): readonly string[] => {
  const at = `${path}.healthCheck`
  const bound = `timeout check ${time(check.timeout)}`
  if (check.protocol === 'tcp' || check.protocol === 'grpc') return [bound]
  const host = quoted(plain(checkedHost(check, service), '._~:\\[\\]-', `${at}.host`, 'a host'), at)
  return [
    bound, 'option httpchk',
    `http-check send meth GET uri ${quoted(check.path, `${at}.path`)} ver ${check.protocol === 'http2' ? 'HTTP/2' : 'HTTP/1.1'} hdr Host ${host}`,
    `http-check expect status ${check.statuses.join(',')}`,
  ]
}

const checkWords = (upstream: Upstream): readonly string[] => {
  const { healthCheck, outlier } = upstream.config
  // The mesh never ejects the last endpoint.
  const alone = upstream.source.kind === 'static' && upstream.source.endpoints.length < 2
  const observe = alone || outlier === false || outlier.failures === false ? []
    : ['observe layer7', `error-limit ${count(outlier.failures)}`, 'on-error mark-down']
  if (healthCheck === false) {
    if (observe.length === 0 || outlier === false) return []
    // Only a check brings a server back: the first that passes once it was out as long as the mesh would leave it out.
    return ['check', `inter ${time(outlier.ejection)}`, 'fall 1000000', 'rise 1', ...observe]
  }
  return [
    'check', `inter ${time(healthCheck.interval)}`, `fall ${count(healthCheck.unhealthyThreshold)}`, `rise ${count(healthCheck.healthyThreshold)}`,
    ...healthCheck.port === undefined ? [] : [`port ${healthCheck.port}`],
    ...healthCheck.protocol === 'http2' ? ['check-proto h2'] : [],
    ...observe,
  ]
}

const tlsWords = (upstream: Upstream, service: Service, definition: Definition): readonly string[] => {
  const { http2 } = upstream.config
  if (!speaksTls(upstream, 'HAProxy')) return http2 === false ? [] : ['proto h2']
  const { verify, ca, bundle, path } = tlsFilesOf(upstream, definition.options, 'HAProxy')
  const name = verifiedName(upstream)
  const words = ['ssl', http2 === false ? 'alpn http/1.1' : 'alpn h2', name === undefined ? 'sni var(txn.host)' : `sni str(${plain(name, '._-', path, 'a name')})`,
    `check-sni ${plain(name ?? service.host, '._-', path, 'a name')}`]
  if (bundle !== undefined) words.push(`crt ${quoted(bundle, path)}`)
  return verify ? [...words, 'verify required', `ca-file ${quoted(ca ?? '@system-ca', path)}`] : [...words, 'verify none']
}

const staticServers = (upstream: Upstream): readonly string[] => {
  if (upstream.source.kind !== 'static') return []
  const { endpoints } = upstream.source
  const weights = wholeWeights(endpoints.map(({ weight }) => weight), 256)
  const levels = levelsOf(upstream, endpoints)
  return endpoints.map((endpoint, index) => {
    const { host, port } = endpoint
    // A name that has no address yet must not keep the proxy from starting.
    const lookup = isNamed(endpoint) ? ` resolvers r_${upstream.id} init-addr last,libc,none` : ''
    return `server s${index} ${host.startsWith('[') ? host.slice(1, -1) : host}:${port} weight ${weights[index]!}${lookup}${levels[index]! > 0 ? ' backup' : ''}`
  })
}

const preference = { any: 'ipv4', 4: 'ipv4', 6: 'ipv6', 'prefer-4': 'ipv4', 'prefer-6': 'ipv6' } as const

const namedServers = ({ source, id }: Upstream): readonly string[] => {
  if (source.kind !== 'dns') return []
  const { hostname, port, record, responseType, family } = source.dns
  const words = `resolvers r_${id} init-addr none resolve-prefer ${preference[family]}`
  if (record === 'srv') return [`server-template s 1-${mostOfName} ${hostname} ${words}`]
  return [responseType === 'logical' ? `server s0 ${hostname}:${port!} ${words}` : `server-template s 1-${mostOfName} ${hostname}:${port!} ${words}`]
}

/** What a backend says of its servers. */
export const serverLines = (upstream: Upstream, service: Service, definition: Definition): readonly string[] => {
  const { config } = upstream
  const servers = [...staticServers(upstream), ...namedServers(upstream)]
  const each = Math.ceil(config.pending / Math.max(1, servers.length))
  const words = [
    ...checkWords(upstream), `maxconn ${count(config.connections)}`, `maxqueue ${count(each)}`, `pool-purge-delay ${time(Math.max(1, config.keepAlive))}`,
    ...config.slowStart > 0 ? [`slowstart ${time(config.slowStart)}`] : [],
    ...tlsWords(upstream, service, definition),
  ]
  return [
    ...config.healthCheck === false ? [] : checkLines(config.healthCheck, upstream, service),
    ...servers.some((line) => line.endsWith(' backup')) ? ['option allbackups'] : [],
    `default-server ${words.join(' ')}`,
    ...servers,
  ]
}

/** The sections that say whom to ask for the names of clusters. */
export const resolverSections = ({ upstreams, options }: Definition): readonly (readonly string[])[] => upstreams.flatMap((upstream) => {
  const { source, id } = upstream
  if (source.kind === 'static' && !source.endpoints.some(isNamed)) return []
  const servers = dnsServersOf(upstream, options)
  const { minTtl, timeout } = source.kind === 'dns' ? source.dns : { minTtl: 5_000, timeout: 2_000 }
  return [[
    `resolvers r_${id}`,
    ...servers === undefined ? ['parse-resolv-conf'] : servers.map(({ host, port }, index) => `nameserver n${index} ${host}:${port}`),
    'accepted_payload_size 8192',
    `timeout resolve ${time(Math.max(1_000, minTtl))}`,
    `timeout retry ${time(timeout)}`,
    `hold valid ${time(Math.max(1_000, minTtl))}`,
  ]]
})
