import { didYouMean } from '../mesh/faults.ts'
import type { Explanation } from '../mesh/explain.ts'
import type { Mesh, MeshStatus } from '../mesh/mesh.ts'
import { redactedUrl } from '../tracing/url.ts'
import { readReady, refuseIdle, type Definition, type DefinitionOptions } from './definitions.ts'
import { stops } from './faults.ts'
import { meshAtRest } from './mesh-at-rest.ts'
import type { Origin } from './origins.ts'
import { exit, failed, type Result } from './result.ts'
import { percent, registryInWords, time } from './words.ts'
import type { Paint, World } from './world.ts'

/** The request that is asked about. */
export interface Asked {
  readonly method: string
  readonly url: URL
  readonly headers: readonly (readonly [string, string])[]
}

/** A route, and why it is not the one; `reason` is absent for the one that is. */
interface RouteAnswer {
  readonly name: string
  readonly matched: boolean
  readonly chosen: boolean
  readonly reason?: string
  readonly from?: Origin
}

interface ClusterAnswer {
  readonly name: string
  /** Percent of the route's calls. */
  readonly share: number
  /** Where its endpoints come from, in words. */
  readonly registry: string
  readonly from?: Origin
}

/** What would become of a request. */
interface Answer {
  readonly request: { readonly method: string, readonly url: string }
  readonly summary: string
  readonly service?: string
  readonly route?: string
  /** What bounds a call and tries it again, in words. */
  readonly policy?: readonly string[]
  readonly clusters: readonly ClusterAnswer[]
  /** Every route in the order in which they are asked. */
  readonly routes: readonly RouteAnswer[]
}

type RouteStatus = MeshStatus['services'][string]['routes'][number]

const policyOf = ({ config: { timeout, attemptTimeout, retry = false } }: RouteStatus): readonly string[] => [
  timeout === 0 ? 'no deadline' : `deadline ${time(timeout)}`,
  ...(attemptTimeout > 0 ? [`${time(attemptTimeout)} for each attempt`] : []),
  retry === false || retry.attempts === 1 ? 'no retry'
    : `up to ${retry.attempts} attempts, again after ${retry.on.join(', ')}${retry.methods === 'any' ? '' : `, for ${
      retry.methods === 'idempotent' ? 'idempotent requests' : retry.methods.join(', ')}`}`,
]

const originsIn = (definition: Definition) => definition.kind === 'app-mesh' ? definition.origins : undefined

/** What a definition has of a host that its mesh does not serve. */
const missing = (definition: Definition, host: string, services: readonly string[], as: string | undefined): string => {
  if (definition.kind === 'app-mesh' && as !== undefined) {
    const { virtualServices, virtualGateways, gatewayRoutes } = definition.reading.document
    if (virtualServices.some(({ virtualServiceName }) => virtualServiceName === host)) {
      return `; it is a virtual service, but no backend of '${as}': add it to the backends there`
    }
    if (virtualGateways.some(({ virtualGatewayName }) => virtualGatewayName === as)) {
      const routes = gatewayRoutes.filter(({ virtualGatewayName }) => virtualGatewayName === as).map(({ gatewayRouteName }) => `'${gatewayRouteName}'`)
      return `; '${as}' is a virtual gateway, and what its own routes (${routes.join(', ') || 'none'}) make of requests from outside is not told here: ` +
        `ask for what they send on, by ${services.map((service) => `'${service}'`).join(' or ') || 'no service'}`
    }
  }
  return services.length === 0 ? '; there are no services' : `; ${didYouMean(host, services)}`
}

const answerOf = (asked: Asked, explanation: Explanation, status: MeshStatus, definition: Definition, as: string | undefined): Answer => {
  const { service, route, routes, clusters, summary } = explanation
  const origins = originsIn(definition)
  const placed = (origin: Origin | undefined): { readonly from?: Origin } => origin ? { from: origin } : {}
  const request = { method: asked.method, url: redactedUrl(asked.url) }
  if (service === undefined) {
    return { request, summary: summary + missing(definition, asked.url.hostname, Object.keys(status.services), as), clusters: [], routes: [] }
  }
  const chosen = status.services[service]?.routes.find(({ name }) => name === route)
  return {
    request,
    summary: route === undefined ? summary : `service '${service}', route '${route}', to ${clusters.filter(({ share }) => share > 0).map(({ name }) => `'${name}'`).join(' or ')}`,
    service,
    ...(route !== undefined && { route }),
    ...(chosen && { policy: policyOf(chosen) }),
    clusters: clusters.map(({ name, share }) => ({
      name, share, registry: registryInWords(status.clusters[name]!.config.registry), ...placed(origins?.ofCluster(name)),
    })),
    routes: routes.map((one) => ({ ...one, ...placed(origins?.ofRoute(service, one.name)) })),
  }
}

const places = (origin: Origin | undefined, paint: Paint): string => origin ? `  ${paint('dim', `(${origin.resource} in ${origin.file})`)}` : ''

const inWords = ({ request, summary, service, route, policy = [], clusters, routes }: Answer, paint: Paint): string => {
  const head = paint('bold', `${request.method} ${request.url}`)
  if (service === undefined) return `${head}\n  ${summary}`
  const others = routes.filter(({ chosen }) => !chosen)
  const width = Math.max(...others.map(({ name }) => name.length))
  return [
    head,
    `  service  ${service}`,
    ...(route === undefined ? [`  ${paint('red', 'no route of it matches')}`] : [
      `  route    ${paint('green', route)}${places(routes.find(({ chosen }) => chosen)?.from, paint)}`,
      ...policy.map((line) => `           ${line}`),
      ...clusters.map(({ name, share, registry, from }) =>
        `  to       ${paint('bold', name)}${share === 100 ? '' : `, ${percent(share / 100)}`}: ${registry}${places(from, paint)}`),
    ]),
    ...(others.length > 0 ? [
      route === undefined ? '  why not' : '  why not another',
      ...others.map(({ name, reason = '', from }) => `    ${name.padEnd(width)}  ${reason}${places(from, paint)}`),
    ] : []),
  ].join('\n')
}

const ask = (mesh: Mesh, { method, url, headers }: Asked): Explanation => mesh.explain(url, { method, headers: headers.map(([name, value]) => [name, value]) })

/** Says where a request would go, and why not elsewhere. Nothing is sent, and no registry is asked. */
export const explain = async (paths: readonly string[], asked: Asked, options: DefinitionOptions, world: World): Promise<Result> => {
  const { definition, config, faults, withheld } = await readReady(paths, options, world)
  if (!definition || !config || stops(faults)) return failed(faults, withheld)
  refuseIdle([definition], options)
  const mesh = meshAtRest(config)
  const answer = answerOf(asked, ask(mesh, asked), mesh.status(), definition, options.as)
  await mesh.close()
  return { code: exit.well, faults, warnings: 'counted', text: (paint) => inWords(answer, paint), data: { ...answer }, withheld }
}
