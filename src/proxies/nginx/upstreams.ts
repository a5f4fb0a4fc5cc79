import { innermost, levelsOf, wholeWeights } from '../balancing.ts'
import { dnsServersOf, type Definition, type Service, type Upstream } from '../definition.ts'
import { verifiedName } from '../tls.ts'
import { ProxyConfigError, type ProxyOptions } from '../proxy.ts'
import { remark } from '../text.ts'
import { keyLines } from './keys.ts'
import { seconds, time } from './quote.ts'

/** A worker has no more connections, and room for idle ones is made when it starts. */
const mostKept = 8_192

const balanceOf = ({ balancer, id }: Upstream, levels: boolean): string | undefined => {
  const inner = innermost(balancer)
  switch (inner.type) {
    case 'round-robin': case 'weighted': case 'orca-wrr': return undefined
    // With these nginx knows no servers that stand by.
    case 'random': return levels ? undefined : 'random'
    case 'least-request': return levels ? 'least_conn' : 'random two least_conn'
    case 'ring-hash': case 'maglev': return levels ? 'least_conn' : inner.key === undefined ? 'random' : `hash $k_${id} consistent`
    default: return 'least_conn'
  }
}

const hashLines = ({ balancer, id, path }: Upstream): readonly string[] => {
  const inner = innermost(balancer)
  if (inner.type !== 'ring-hash' && inner.type !== 'maglev') return []
  return keyLines(`k_${id}`, [inner.key ?? []].flat(), `${path}.balancer.key`)
}

/** What failures in a row take a server out, and for how long. */
const failing = ({ config: { outlier } }: Upstream): string =>
  outlier === false || outlier.failures === false ? 'max_fails=0' : `max_fails=${outlier.failures} fail_timeout=${seconds(outlier.ejection)}`

const serverLines = (upstream: Upstream): readonly string[] => {
  const { source, config } = upstream
  if (source.kind !== 'static') return []
  // A group must have one.
  if (source.endpoints.length === 0) return ['server 127.0.0.1:1 down;']
  const weights = wholeWeights(source.endpoints.map(({ weight }) => weight), 1_000)
  const levels = levelsOf(upstream, source.endpoints)
  return source.endpoints.map(({ host, port }, index) =>
    `server ${host}:${port} weight=${weights[index]!} ${failing(upstream)} max_conns=${config.connections}${levels[index]! > 0 ? ' backup' : ''};`)
}

/** The services for which a cluster has groups of their own: connections of a group are shared, so none may be verified for another name than the call's. */
const apart = ({ services }: Definition, upstream: Upstream): readonly (Service | undefined)[] => {
  const secured = upstream.source.kind === 'static' && upstream.source.endpoints.some(({ tls }) => tls)
  if (!secured || verifiedName(upstream) !== undefined) return [undefined]
  return services.filter(({ routes }) => routes.some(({ targets }) => targets.some(({ upstream: { name } }) => name === upstream.name)))
}

/** The name of the group of servers through which a service calls a cluster. */
export const groupOf = (definition: Definition, upstream: Upstream, { name }: Service): string => {
  const place = apart(definition, upstream).findIndex((service) => service?.name === name)
  return place < 1 ? upstream.id : `${upstream.id}_${place}`
}

/** The groups of servers of a cluster, with what has to stand before them. A name that is resolved time and again has no group in nginx. */
export const upstreamLines = (upstream: Upstream, definition: Definition): readonly string[] => {
  const { threads: workers = 1 } = definition.options
  const { id, config, source, path } = upstream
  const limit = config.requests === undefined ? [] : [`limit_conn_zone "${id}" zone=limit_${id}:32k;`]
  if (source.kind !== 'static') return limit
  const servers = serverLines(upstream)
  const balance = balanceOf(upstream, servers.some((line) => line.endsWith(' backup;')))
  return [
    remark(path),
    ...limit,
    ...hashLines(upstream),
    ...apart(definition, upstream).flatMap((_, place) => {
      const group = place === 0 ? id : `${id}_${place}`
      return [
        `upstream ${group} {`,
        `  zone ${group} ${128 + servers.length}k;`,
        ...balance === undefined ? [] : [`  ${balance};`],
        ...servers.map((line) => `  ${line}`),
        `  keepalive ${Math.min(mostKept, Math.ceil(config.connections * servers.length / workers))};`,
        `  keepalive_timeout ${time(Math.max(1, config.keepAlive))};`,
        '  keepalive_requests 1000000;',
        '}',
      ]
    }),
  ]
}

/** Whom nginx asks for a name; it never asks the system. Throws where nobody is known. */
export const resolverLine = (upstream: Upstream, options: ProxyOptions): string | undefined => {
  const { source, path, name } = upstream
  if (source.kind !== 'dns') return undefined
  const { family, record } = source.dns
  if (record === 'srv') {
    throw new ProxyConfigError(`${path}.registry`, `nginx asks for no SRV records: give the endpoints of '${name}' (endpoints: { ${JSON.stringify(name)}: ['10.0.0.1:8080'] })`)
  }
  const servers = dnsServersOf(upstream, options) ?? []
  if (servers.length === 0) {
    throw new ProxyConfigError(`${path}.registry`, "nginx has to be told whom to ask for names: give DNS servers (resolvers: ['10.0.0.2:53'])")
  }
  const written = servers.map(({ host, port }) => `${host.includes(':') ? `[${host}]` : host}:${port}`)
  return `resolver ${written.join(' ')}${family === 4 || family === 'prefer-4' ? ' ipv6=off' : ''};`
}
