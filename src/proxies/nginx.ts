import { listenAddress, readDefinition, type Definition, type Service, type ServiceRoute } from './definition.ts'
import { unexpressedBy } from './expression.ts'
import { allOf, conditionsOf, mapBlock, mostVariables, portCondition } from './nginx/conditions.ts'
import { keyLines } from './nginx/keys.ts'
import { locationOf } from './nginx/locations.ts'
import { time } from './nginx/quote.ts'
import { upstreamLines } from './nginx/upstreams.ts'
import { ProxyConfigError, type ProxyConfig, type WriteProxy } from './proxy.ts'
import { remark } from './text.ts'

/** Where nginx puts requests to find their location: paths under it cannot be called. */
const inside = '/~enmesh'

/** Lines at the level of `http`, and those within one server. */
interface ServerPart {
  readonly maps: string[]
  readonly lines: string[]
}

const indented = (lines: readonly string[]): readonly string[] => lines.map((line) => `  ${line}`)

/** Variables that must all be 1, and where the request then goes. */
interface Choice {
  readonly variables: readonly string[]
  readonly to: string
}

/** nginx follows variables that depend on others so far at most, less what conditions take. */
const mostChained = 90

/** The services of one host, and their routes in the order in which they are asked. */
class Host {
  readonly #definition: Definition
  readonly #prefix: string
  readonly #part: ServerPart = { maps: [], lines: [] }
  readonly #choices: Choice[] = []
  #locations = 0

  constructor(definition: Definition, prefix: string) {
    this.#definition = definition
    this.#prefix = prefix
  }

  add(service: Service, port: number | undefined): void {
    this.#part.maps.push(remark(service.path))
    for (const [index, route] of service.routes.entries()) this.#addRoute(service, route, port, `${this.#prefix}r${index}_${port ?? 0}`)
    this.#seeThatItFits(service)
    if (port === undefined) return
    const { lines, variables } = portCondition(port, service.path, `${this.#prefix}p${port}`)
    this.#part.maps.push(...lines)
    this.#choices.push({ variables, to: 'none' })
  }

  #seeThatItFits({ path }: Service): void {
    const most = mostChained * mostVariables / 2
    const variables = this.#choices.reduce((sum, { variables }) => sum + variables.length, 0)
    if (variables > most) throw new ProxyConfigError(path, `has ${variables} conditions in all its routes, and at most ${most} fit into the configuration of nginx: split the service`)
  }

  #addRoute(service: Service, route: ServiceRoute, port: number | undefined, at: string): void {
    const { lines, variables } = allOf(conditionsOf(route, port, at), at)
    this.#part.maps.push(...lines)
    const names = route.targets.map(({ upstream }) => {
      const name = `${this.#prefix}l${this.#locations++}`
      const { maps, lines } = locationOf(route, upstream, service, this.#definition, name, true)
      this.#part.maps.push(...maps)
      this.#part.lines.push(`location = ${inside}/${name} {`, ...indented(['internal;', ...lines]), '}')
      return name
    })
    this.#choices.push({ variables, to: names.length === 1 ? names[0]! : this.#split(route, names, at) })
  }

  /** A variable that is one of the names, as often as its share says. */
  #split({ config: { sticky }, path, targets }: ServiceRoute, names: readonly string[], at: string): string {
    if (sticky) this.#part.maps.push(...keyLines(`${at}k`, [sticky], `${path}.sticky`))
    // Of what was drawn up to each, so that all parts add up to the whole however many there are.
    const bounds = targets.map((_, index) => Math.round(targets.slice(0, index + 1).reduce((sum, { share }) => sum + share, 0) * 10_000))
    const lines = names.map((name, index) => index === names.length - 1 ? `* ${name};` : `${((bounds[index]! - (bounds[index - 1] ?? 0)) / 100).toFixed(2)}% ${name};`)
    this.#part.maps.push(`split_clients ${sticky ? `$${at}k` : '$request_id'} $${at}d {`,
      ...indented(lines.filter((line) => !line.startsWith('0.00%'))), '}')
    return `$${at}d`
  }

  /** All conditions of some routes in one text of 0 and 1: the first choice whose own are all 1, or what others choose. */
  #chooser(choices: readonly Choice[], name: string, otherwise: string): readonly string[] {
    const variables = choices.flatMap(({ variables }) => variables)
    let before = 0
    const entries = choices.map(({ variables, to }) => {
      // Expressions are not asked about nothing at all, so the text begins with something.
      const key = `~^_.{${before}}1{${variables.length}}`
      before += variables.length
      return `"${key}" ${to}`
    })
    return mapBlock(`"_${variables.join('')}"`, name, [`default ${otherwise}`, ...entries])
  }

  finish(): ServerPart {
    const to = `${this.#prefix}to`
    const groups = inText(this.#choices)
    const choosers = groups.map((choices, place) =>
      this.#chooser(choices, place === 0 ? to : `${to}${place}`, place === groups.length - 1 ? 'none' : `$${to}${place + 1}`))
    return {
      maps: [...this.#part.maps, ...choosers.flat()],
      lines: [`location / { rewrite ^ ${inside}/$${to} last; }`, `location = ${inside}/none { internal; return 404; }`, ...this.#part.lines],
    }
  }
}

/** Choices in groups whose variables fit into one text. One group at least. */
const inText = (choices: readonly Choice[]): readonly (readonly Choice[])[] => {
  const groups: Choice[][] = [[]]
  let variables = 0
  for (const choice of choices) {
    variables += choice.variables.length
    if (variables > mostVariables && groups.at(-1)!.length > 0) {
      groups.push([])
      variables = choice.variables.length
    }
    groups.at(-1)!.push(choice)
  }
  return groups
}

/** A host with nothing to choose: its requests need not be moved. */
const plainHost = (definition: Definition, services: readonly Service[], prefix: string): ServerPart | undefined => {
  const [service, ...others] = services
  const [route, ...more] = service!.routes
  if (others.length > 0 || more.length > 0 || service!.port !== undefined || route?.targets.length !== 1) return undefined
  if (route.config.match !== undefined && Object.values(route.config.match).some((condition) => condition !== undefined)) return undefined
  const { maps, lines } = locationOf(route, route.targets[0]!.upstream, service!, definition, prefix, false)
  return { maps: [remark(service!.path), ...maps], lines: ['location / {', ...indented(lines), '}'] }
}

const partOf = (definition: Definition, services: readonly Service[], prefix: string, alone: boolean): ServerPart => {
  const simple = plainHost(definition, alone ? services.map((service) => ({ ...service, port: undefined })) : services, prefix)
  if (simple) return simple
  const host = new Host(definition, prefix)
  // Those with a port first: those without take what is left.
  for (const service of services.filter(({ port }) => port !== undefined)) host.add(service, alone ? undefined : service.port)
  for (const service of services.filter(({ port }) => port === undefined)) host.add(service, undefined)
  return host.finish()
}

const server = (listen: { host: string, port: number }, name: string | undefined, lines: readonly string[]): readonly string[] =>
  ['server {', ...indented([`listen ${listen.host}:${listen.port}${name === undefined ? ' default_server' : ''};`, ...name === undefined ? [] : [`server_name ${name};`], ...lines]), '}']

const servers = (definition: Definition): readonly string[] => {
  const hosts = [...new Set(definition.services.map(({ host }) => host))]
  const common = hosts.flatMap((host, index) => {
    const { maps, lines } = partOf(definition, definition.services.filter((service) => service.host === host), `s${index}`, false)
    return [...maps, ...server(definition.listen, host, lines)]
  })
  const own = definition.services.filter((service) => service.own).flatMap((service, index) => {
    const { maps, lines } = partOf(definition, [service], `o${index}`, true)
    return [...maps, ...server(service.own!, undefined, lines)]
  })
  // No service is called so: nothing is sent.
  return [...common, ...own, ...server(definition.listen, undefined, ['return 404;'])]
}

const general = ({ config }: Definition): readonly string[] => [
  'access_log off;',
  ...['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${name};`),
  'client_max_body_size 0;',
  // Made for every body without a length, so no more than what is worth keeping out of a file.
  `client_body_buffer_size ${Math.min(1_048_576, Math.max(1_024, config.replayLimit))};`,
  'large_client_header_buffers 8 16k;',
  // Every header goes through, whatever its name.
  'underscores_in_headers on;',
  'ignore_invalid_headers off;',
  'keepalive_timeout 1h;',
  'keepalive_requests 1000000;',
  'server_tokens off;',
  // Heads of answers may be as large as Node's.
  'proxy_buffer_size 16k;',
  'proxy_buffers 8 16k;',
  'proxy_buffering off;',
  'proxy_http_version 1.1;',
  'server_names_hash_bucket_size 512;',
  'variables_hash_bucket_size 512;',
  'map_hash_bucket_size 512;',
  ...mapBlock('$http_upgrade', 'upgrading', ['default upgrade', '"" ""']),
  ...config.telemetry.requestId ? mapBlock('$http_x_request_id', 'identity', ['default $http_x_request_id', '"" $request_id']) : [],
]

const adminServer = (admin: string | undefined): readonly string[] => admin === undefined ? []
  : server(listenAddress(admin, 'options.admin'), undefined, ['location = /status { stub_status; }', 'location / { return 404; }'])

/**
 * Writes a configuration of nginx (1.22 or later, open source) for `nginx -p FOLDER -c FILE`: a server for each host, a group of servers for each cluster, and
 * where a host has several routes a location for each. nginx keeps its own files in the folder.
 */
export const toNginx: WriteProxy = (config, options = {}): ProxyConfig => {
  const definition = readDefinition(config, options)
  const { threads = 1 } = options
  const http = [
    ...general(definition),
    ...definition.upstreams.flatMap((upstream) => upstreamLines(upstream, definition)),
    ...servers(definition),
    ...adminServer(options.admin),
  ]
  const lines = [
    'daemon off;', `worker_processes ${threads};`, 'pid nginx.pid;', 'error_log stderr;', `worker_shutdown_timeout ${time(Math.max(1, definition.config.drain))};`,
    'events {', '  worker_connections 8192;', '}', 'http {', ...indented(http), '}',
  ]
  return { text: `${lines.join('\n')}\n`, unexpressed: unexpressedBy('nginx', definition) }
}
