import { readDefinition, type Service, type ServiceRoute } from './definition.ts'
import { unexpressedBy } from './expression.ts'
import { partLines } from './haproxy/balance.ts'
import { Backends, type Backend } from './haproxy/backends.ts'
import { conditionsOf, hostAlternatives } from './haproxy/conditions.ts'
import { quoted, time } from './haproxy/quote.ts'
import { resolverSections } from './haproxy/servers.ts'
import type { ProxyConfig, ProxyOptions, WriteProxy } from './proxy.ts'
import { remark } from './text.ts'

/** Draws are whole numbers below this. */
const draws = 1_000_000

/** The longest that a caller may be silent, or a connection of its be idle, in milliseconds. */
const callerSilence = 3_600_000

const globalSection = ({ threads = 1, admin }: ProxyOptions, drain: number): readonly string[] => [
  'global',
  `nbthread ${threads}`,
  // So many sockets on each side, which the limit of open files has to bear.
  'maxconn 4000',
  `hard-stop-after ${time(Math.max(1, drain))}`,
  ...admin === undefined ? [] : [`stats socket ${quoted(admin, 'options.admin')} mode 600 level operator`],
]

const defaultsSection = (): readonly string[] => [
  'defaults',
  'mode http',
  `timeout client ${time(callerSilence)}`,
  `timeout http-keep-alive ${time(callerSilence)}`,
  'timeout connect 5s',
  'timeout server 5m',
  'http-reuse always',
  // A reload closes no idle connection of a caller that may be sending on it: its next answer does.
  'option idle-close-on-response',
]

/** The lines that send what a route is for to one of its clusters. */
const routeLines = (route: ServiceRoute, at: string, serviceTerms: readonly string[], backends: readonly Backend[]): readonly string[] => {
  const { lines, terms } = conditionsOf(route, at)
  // Asked in order: the first that holds is taken, so later ones are not asked any more.
  const holds = ['!chosen', ...serviceTerms, ...terms].join(' ')
  const all = [...lines]
  if (backends.length === 0) return all
  if (backends.length > 1 && route.config.sticky) all.push(...stickyLines(route, holds))
  let upTo = 0
  for (const [index, { share }] of route.targets.entries()) {
    upTo += share
    const last = index === route.targets.length - 1
    if (!last) all.push(`acl ${at}d${index} var(txn.draw) -m int lt ${Math.round(upTo * draws)}`)
    all.push(`http-request set-var(txn.to) str(${backends[index]!.name}) if ${holds}${last ? '' : ` ${at}d${index}`}`)
  }
  return all
}

/** A draw that is the same for the same user. */
const stickyLines = ({ config: { sticky }, path }: ServiceRoute, holds: string): readonly string[] => [
  ...partLines('txn.sticky', [sticky!], `${path}.sticky`).map((line) => line.replace(/ if /, ` if ${holds} `)),
  `http-request set-var(txn.draw) var(txn.sticky),sdbm(1),mod(${draws}) if ${holds} { var(txn.sticky) -m found }`,
]

/** What requests are asked first, as far as some route wants to know. */
const opening = (services: readonly Service[]): readonly string[] => {
  const routes = services.flatMap(({ routes }) => routes)
  const some = (test: (route: ServiceRoute) => unknown): boolean => routes.some((route) => Boolean(test(route)))
  return [
    'http-request set-var(txn.host) req.hdr(host),lower,host_only',
    ...some(({ config }) => config.match?.port) ? [
      'http-request set-var(txn.port) req.hdr(host),port_only',
      'http-request set-var(txn.port) int(80) if { var(txn.port) -m int 0 }',
    ] : [],
    // One slash for several, as the mesh compares paths; what is sent stays as it was written.
    ...some(({ config }) => config.match?.path) ? [`http-request set-var(txn.path) 'path,regsub("/{2,}","/",g)'`] : [],
    ...some(({ targets }) => targets.length > 1) ? [`http-request set-var(txn.draw) rand(${draws})`] : [],
    'acl chosen var(txn.to) -m found',
  ]
}

/** Refuses what is over a cluster's limit of requests. */
const limitLines = (backends: readonly Backend[]): readonly string[] => backends.flatMap(({ name, requests }) => requests === undefined ? []
  : [`http-request deny deny_status 503 if { var(txn.to) -m str ${name} } { be_conn(${name}) ge ${requests} }`])

const frontend = (name: string, bind: { host: string, port: number }, services: readonly Service[], backends: Backends, requestId: boolean, alone: boolean): readonly string[] => {
  const lines = services.flatMap((service, index) => {
    const at = `s${index}`
    const hosts = alone ? [] : hostAlternatives(service.host, service.port, service.path).map((each) => `acl ${at} ${each}`)
    return [
      remark(service.path),
      ...hosts,
      ...service.routes.flatMap((route, place) => routeLines(route, `${at}r${place}`, alone ? [] : [at],
        route.targets.map(({ upstream }) => backends.of(route, upstream, service)))),
      // What none of its routes is for is not for the service of the same host without a port either.
      ...service.port !== undefined && !alone ? [`http-request deny deny_status 404 if !chosen ${at}`] : [],
    ]
  })
  return [
    `frontend ${name}`,
    `bind ${bind.host}:${bind.port}`,
    ...opening(services),
    ...lines,
    // No service is called so, or none of its routes is for this request: nothing is sent.
    'http-request deny deny_status 404 unless chosen',
    ...requestId ? ['http-request set-header X-Request-ID %[uuid()] unless { req.hdr(x-request-id) -m found }'] : [],
    ...limitLines(backends.all),
    'use_backend %[var(txn.to)]',
  ]
}

const section = ([head, ...lines]: readonly string[]): string => [head!, ...lines.map((line) => `  ${line}`)].join('\n')

/** Services with a port of their own come first: those without take what is left. */
const byPort = (services: readonly Service[]): readonly Service[] =>
  [...services].sort((one, other) => Number(one.port === undefined) - Number(other.port === undefined))

/**
 * Writes a configuration of HAProxy (2.6 or later) for `haproxy -db -f FILE`: a frontend that tells services apart by `Host`, and a backend for each
 * cluster under each set of policies.
 */
export const toHaproxy: WriteProxy = (config, options = {}): ProxyConfig => {
  const definition = readDefinition(config, options)
  const backends = new Backends(definition)
  const { requestId } = definition.config.telemetry
  const frontends = [
    frontend('outbound', definition.listen, byPort(definition.services), backends, requestId, false),
    ...definition.services.flatMap((service, index) => service.own ? [frontend(`own${index}`, service.own, [service], backends, requestId, true)] : []),
  ]
  const sections = [
    globalSection(options, definition.config.drain), defaultsSection(), ...resolverSections(definition), ...frontends,
    ...backends.all.map(({ name, lines }) => [`backend ${name}`, ...lines]),
  ]
  return { text: `${sections.map(section).join('\n\n')}\n`, unexpressed: unexpressedBy('haproxy', definition) }
}
