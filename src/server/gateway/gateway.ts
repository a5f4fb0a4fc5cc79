import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import type { ServerOptions as TlsOptions } from 'node:https'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { MeshConfigError, type ConfigFault } from '../../core/errors.ts'
import type { AnyMatcherKind } from '../../matchers/matcher.ts'
import type { BuiltInBalancer, BuiltInMatcher, BuiltInRegistry } from '../../mesh/config.ts'
import { didYouMean, parse } from '../../mesh/faults.ts'
import { insideOf, type Inside, type Mesh } from '../../mesh/mesh.ts'
import type { AnyKind } from '../../core/family.ts'
import type { Balancer } from '../../balancers/balancer.ts'
import type { Registry } from '../../registries/registry.ts'
import { Doors } from '../doors.ts'
import { Entrance } from '../entrance.ts'
import { gatewayConfig, type GatewayConfig, type GatewayInput } from './config.ts'
import { namedByConnection, requestFields } from './fields.ts'
import { parsingFailure } from './parsing-failure.ts'
import { Passage, type Manner, type Way } from './passage.ts'
import type { Problem } from './problem.ts'
import { compileRoutes, placeOf } from './routes.ts'

/** What `createGateway` takes: data, and what is none. */
export type GatewayOptions<M extends AnyMatcherKind = BuiltInMatcher> = GatewayInput<M> & {
  /** Options of TLS as `node:https` takes them, such as `key` and `cert`: the server speaks it then. */
  readonly tls?: TlsOptions
  /** Hears of each problem that was answered with, and the error behind it, for logs. What it throws is an uncaught exception. */
  readonly onProblem?: (problem: Problem, error: unknown) => void
}

/** Routes of a gateway, as `gatewayRoutesOf` of `enmesh/app-mesh` gives them. */
export type GatewayRoutes<M extends AnyMatcherKind = BuiltInMatcher> = GatewayOptions<M>['routes']

/** A way into the mesh for requests from outside. Made by `createGateway`. */
export interface Gateway<M extends AnyMatcherKind = BuiltInMatcher> {
  /** A server that lets nothing through which two readers could take for different requests. Have it listen; `announce` takes it too. */
  readonly server: Server
  /** The same for a server of your own, beside `upgrade`; that server's limits on heads and time are its own. */
  readonly listener: RequestListener
  /** For the event `upgrade` of a server of your own. */
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void
  /** Takes other routes over in one step; requests under way keep theirs. On any fault throws a `MeshConfigError`, and the old ones stay. */
  update(routes: GatewayRoutes<M>): void
  /**
   * Stops listening, ends each connection with its answer under way (`connection: close`), and what is left after `drain` by force.
   * Resolves when all is over. Close the mesh after it.
   */
  close(): Promise<void>
}

/**
 * Makes a gateway: requests from outside are matched, rewritten and sent on through the mesh, so that its routes, splits and policies hold for them as for calls
 * from inside. What the mesh decides, and what the gateway refuses, is answered by a problem after RFC 9457 with the header `enmesh-error`; any other
 * answer is a service's. Takes a mesh that `createMesh` made, and the options, or the routes alone. Throws a `MeshConfigError` that names every fault, and a
 * `TypeError` for what is no mesh.
 */
export const createGateway = <
  R extends AnyKind<Registry> = BuiltInRegistry,
  B extends AnyKind<Balancer> = BuiltInBalancer,
  M extends AnyMatcherKind = BuiltInMatcher,
>(mesh: Mesh<R, B, M>, options: GatewayOptions<M> | GatewayRoutes<M>): Gateway<M> =>
  new RunningGateway(insideOf(mesh), Array.isArray(options) ? { routes: options } : options as object) as unknown as Gateway<M>

/** Not imported: that would read its `WebSocket`, which loads Node's own undici and sets the global dispatcher. */
const http = () => process.getBuiltinModule('node:http')

const plain: Manner = {}

/** What is not data among the options. */
type Own = Pick<GatewayOptions, 'tls' | 'onProblem'>

const faulty = (faults: readonly ConfigFault[]): MeshConfigError =>
  new MeshConfigError(faults.map(({ path, message }) => ({ path: path === '' ? 'gateway' : `gateway.${path}`, message })))

const read = (input: object, inside: Inside): GatewayConfig => {
  const { value, faults } = parse(gatewayConfig(inside.families.matchers), input)
  if (value === undefined) throw faulty(faults)
  const unknown = value.routes.flatMap((route, index): ConfigFault[] => {
    const { host, port } = placeOf(route)
    if (inside.serves(host, port)) return []
    return [{ path: `routes[${index}].service`, message: `the mesh has no service '${route.service}': ${didYouMean(route.service, inside.services())}` }]
  })
  if (unknown.length > 0) throw faulty(unknown)
  return value
}

class RunningGateway implements Gateway {
  readonly server: Server
  readonly #entrance: Entrance
  readonly #doors: Doors
  /** The latest response of each connection. */
  readonly #latest = new WeakMap<Socket, ServerResponse>()
  readonly #manners = new WeakMap<IncomingMessage, Manner>()
  #way: Way
  #closing: Promise<void> | undefined

  constructor(inside: Inside, { tls, onProblem, ...input }: Own) {
    const config = read(input, inside)
    if (onProblem !== undefined && typeof onProblem !== 'function') throw new TypeError('`onProblem` of createGateway() must be a function')
    const takeFields = requestFields({ trusted: config.trustedHops > 0, restart: config.inbound === 'restart' })
    this.#way = { config, inside, onProblem, takeFields, routes: compileRoutes(config.routes, inside.families.matchers) }
    this.#entrance = new Entrance({
      inbound: config.inbound, runtime: inside.runtime, ...(config.timeout !== undefined && config.timeout > 0 && { timeout: config.timeout }),
    })
    this.server = this.#makeServer(config, tls)
    this.#doors = new Doors(this.server)
  }

  #makeServer(config: GatewayConfig, tls: TlsOptions | undefined): Server {
    const limits = {
      insecureHTTPParser: false,
      // Answered as a problem, by a check that is stricter: Node lets HTTP/1.0 without it pass, and twice the field.
      requireHostHeader: false,
      maxHeaderSize: config.maxHeaderSize,
      headersTimeout: Math.min(config.headersTimeout, config.requestTimeout),
      requestTimeout: config.requestTimeout,
      keepAliveTimeout: Math.max(config.keepAlive, 1),
      connectionsCheckingInterval: Math.min(1_000, config.headersTimeout),
      noDelay: true,
      shouldUpgradeCallback: (request: IncomingMessage) => this.#protocolOf(request) !== undefined,
    }
    const server = tls
      ? process.getBuiltinModule('node:https').createServer({ ALPNProtocols: ['http/1.1'], ...tls, ...limits })
      : http().createServer(limits)
    // One more than may be, so that it is seen; beyond that Node would drop fields without a word.
    server.maxHeadersCount = config.maxHeaders + 1
    if (config.keepAlive === 0) server.maxRequestsPerSocket = 1
    return server.on('request', this.listener).on('upgrade', this.upgrade)
      .on('checkContinue', (request, response) => this.#expecting(request, response, { expects: true }))
      .on('checkExpectation', (request, response) => this.#expecting(request, response, { foreign: true }))
      .on('connect', (request: IncomingMessage, socket: Duplex) => this.#bare(request, socket, plain))
      .on('clientError', parsingFailure(() => this.#way))
  }

  /** Lets all who listen to requests hear of one that waits for a word of ours; without a listener Node would have said it already. */
  #expecting(request: IncomingMessage, response: ServerResponse, manner: Manner): void {
    this.#manners.set(request, manner)
    this.server.emit('request', request, response)
  }

  readonly listener: RequestListener = (request, response) => {
    // Node's parser reads nothing more of a connection that asked to change over, although it was told that it does not.
    if (request.headers.upgrade !== undefined && namedByConnection(request.headers.connection).has('upgrade')) response.shouldKeepAlive = false
    this.#pass(request, response, request.headers.expect === undefined ? plain : this.#manners.get(request) ?? plain)
  }

  readonly upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    const protocol = this.#protocolOf(request)
    this.#bare(request, socket, protocol === undefined ? { ignored: true } : { upgrade: { protocol, socket, head } })
  }

  #protocolOf({ headers }: IncomingMessage): string | undefined {
    const asked = headers.upgrade?.trim().toLowerCase()
    return asked !== undefined && this.#way.config.upgrades.includes(asked) ? asked : undefined
  }

  /** Answers over a connection that Node has let go of. */
  #bare(request: IncomingMessage, socket: Duplex, manner: Manner): void {
    const response = new (http().ServerResponse)(request)
    response.shouldKeepAlive = false
    socket.on('error', () => socket.destroy())
    response.assignSocket(socket as never)
    response.once('finish', () => socket.end(() => socket.destroy()))
    this.#pass(request, response, manner)
  }

  /**
   * Requests that a client sends without waiting for answers go on one after the other: they could overtake one another else. What stands behind the last
   * of a connection is none: Node reads it all the same until the connection is closed.
   */
  #pass(request: IncomingMessage, response: ServerResponse, manner: Manner): void {
    const { socket } = request
    const before = this.#latest.get(socket)
    this.#latest.set(socket, response)
    if (before === undefined || (response.socket !== null && before.shouldKeepAlive)) return this.#admit(request, response, manner)
    // Of a response whose turn never comes Node says no end.
    const given = (): void => { response.emit('close') }
    request.once('close', given)
    before.once('close', () => {
      if (response.socket === null || !before.shouldKeepAlive) return
      request.off('close', given)
      this.#admit(request, response, manner)
    })
  }

  #admit(request: IncomingMessage, response: ServerResponse, manner: Manner): void {
    const passage = new Passage(this.#way, request, response, manner)
    this.#entrance.pass(request, response, () => { void passage.start() }, passage)
  }

  update(routes: GatewayRoutes): void {
    const { inside, config } = this.#way
    const after = read({ ...config, routes }, inside)
    this.#way = { ...this.#way, config: after, routes: compileRoutes(after.routes, inside.families.matchers) }
  }

  close(): Promise<void> {
    const { config, inside } = this.#way
    return this.#closing ??= this.#doors.close(config.drain, inside.runtime.clock).then(() => {})
  }
}
