import type { X509Certificate } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Server as NetServer, Socket } from 'node:net'
import type { Server, TlsOptions, TLSSocket } from 'node:tls'
import { isDeepStrictEqual } from 'node:util'
import { MeshConfigError, OptionsError } from '../core/errors.ts'
import { parse, placeOf } from '../mesh/faults.ts'
import { systemRuntime, type Runtime } from '../runtime/runtime.ts'
import { filesOf, readMaterial, type Material } from '../transport/tls/certificates.ts'
import { certificateStatus, expiriesOf, ExpiryWatch, type CertificateStatus, type Expiry } from '../transport/tls/expiry.ts'
import { Renewal } from '../transport/tls/renewal.ts'
import { addressOf, subjectOf, serviceNames } from './caller.ts'
import { chainOf, judgeClient, type Refusal, type RefusalCode } from './client-check.ts'
import { handshakeByte, peek } from './first-byte.ts'
import { handshakeFailure, leftWithoutRequest, type HandshakeFailure, type HandshakeFailureCode } from './handshake-failure.ts'
import { ListenerMetrics } from './listener-metrics.ts'
import { meshTlsConfig, type MeshTlsConfig, type MeshTlsOptions } from './mesh-tls-options.ts'
import { OpenConnections } from './open-connections.ts'

/** What a server's TLS tells that it did; each also on the diagnostics channel `enmesh:<event>`. */
export interface MeshTlsEvents {
  /** A client was not let in: who it is, by its address and its certificate where it showed one, and why. */
  'client-refused': { readonly client: string, readonly subject?: string, readonly names: readonly string[], readonly code: RefusalCode, readonly reason: string }
  /** A handshake came to nothing, or a client left right after it: it may not trust this server. */
  'handshake-failed': { readonly client: string, readonly code: HandshakeFailureCode, readonly reason: string }
  /** Renewed files are in use from here on. */
  'certificate-renewed': { readonly expiresAt: string }
  /** Files changed to something that cannot be used: what was read before stays in use. */
  'certificate-failed': { readonly error: unknown }
  /** A certificate in use has not long to go: `expiresIn` milliseconds. */
  'certificate-expiring': { readonly use: Expiry['use'], readonly subject: string, readonly expiresAt: string, readonly expiresIn: number }
  'certificate-expired': { readonly use: Expiry['use'], readonly subject: string, readonly expiresAt: string }
}

/** How a server's TLS goes, as plain data without secrets. */
export interface MeshTlsStatus {
  readonly mode: MeshTlsConfig['mode']
  /** Its own certificate and the last of its clients' authorities, with the time that each has left. */
  readonly certificates: readonly CertificateStatus[]
  /** Connections let in so far, over TLS and in plain text. */
  readonly accepted: { readonly tls: number, readonly plain: number }
  /** Connections over TLS that are open now. */
  readonly open: number
  readonly refused: number
  readonly failed: number
  /** Times that renewed files were taken over. */
  readonly renewals: number
}

/** TLS of a server. */
export interface MeshTls {
  /** For `https.createServer`, `http2.createSecureServer`, `tls.createServer`, or Fastify's `https`. They hold no key: until `attach` no handshake succeeds. */
  readonly options: Pick<TlsOptions, 'requestCert' | 'rejectUnauthorized' | 'minVersion' | 'handshakeTimeout'>
  /** Has a server speak TLS in this way, before it listens; returns it. Throws a `TypeError` for what is no server made with `options`. */
  attach<S extends NetServer>(server: S): S
  /** How it goes. */
  status(): MeshTlsStatus
  /** Adds a listener; the returned function removes it. */
  on<Event extends keyof MeshTlsEvents>(event: Event, listener: (detail: MeshTlsEvents[Event]) => void): () => void
  /** Follows the files no more. The last of its servers that closes does it too. */
  close(): void
}

/**
 * The TLS of a service's listener: strict, or plain text beside it on the same port, clients known by their certificates, files followed and renewed
 * while requests go on. Reads the files at once. Throws a `MeshConfigError` that names every fault of the options; none repeats a key.
 */
export const meshTls = (options: MeshTlsOptions): MeshTls => {
  const { runtime, ...input } = options
  const { value, faults } = parse(meshTlsConfig, input)
  if (value === undefined) throw new MeshConfigError(faults.map(({ path, message }) => ({ path: path === '' ? 'meshTls' : `meshTls.${path}`, message })))
  return new ListenerTls(value, { ...systemRuntime(), ...runtime })
}

/** Everything that the options name, read. */
interface Read {
  readonly own: Material
  readonly clients: Material | undefined
}

const read = (config: MeshTlsConfig): Read => {
  try {
    const own = readMaterial({ cert: config.cert, key: config.key, passphrase: config.passphrase }, [])
    return { own, clients: config.clients ? readMaterial({ ca: config.clients.ca }, ['clients']) : undefined }
  } catch (error) {
    if (!(error instanceof OptionsError)) throw error
    throw new MeshConfigError(error.faults.map(({ path, message }) => ({ path: placeOf(['meshTls', ...path]), message })))
  }
}

const sameRead = (a: Read, b: Read): boolean => isDeepStrictEqual([a.own.shown, a.clients?.shown], [b.own.shown, b.clients?.shown])

// Of a handshake that failed, only the socket below TLS still knows where it came from. Node has no word for it but this one.
const addressBelow = (socket: TLSSocket): string => addressOf((socket as { readonly _parent?: Socket })._parent ?? socket)

const nameOfListener = (own: X509Certificate): string => serviceNames(own)[0] ?? subjectOf(own)

class ListenerTls implements MeshTls {
  readonly options: MeshTls['options']
  readonly #config: MeshTlsConfig
  readonly #runtime: Runtime
  readonly #watch: ExpiryWatch
  readonly #servers = new Set<Server>()
  readonly #connections = new OpenConnections()
  readonly #metrics = new ListenerMetrics(() => ({ name: nameOfListener(this.#own[0]!), certificates: certificateStatus(this.#expiries, this.#runtime.clock) }))
  readonly #counts = { tls: 0, plain: 0, refused: 0, failed: 0, renewals: 0 }
  #read: Read
  #expiries: readonly Expiry[]
  #renewal: Renewal<Read> | undefined

  constructor(config: MeshTlsConfig, runtime: Runtime) {
    this.#config = config
    this.#runtime = runtime
    this.#read = read(config)
    this.#expiries = this.#expiriesOf()
    // Clients are judged by `#admits`, which can say who they were: Node would just hang up.
    this.options = {
      requestCert: config.clients !== false, rejectUnauthorized: false, minVersion: config.minVersion, handshakeTimeout: config.handshakeTimeout,
    }
    this.#watch = new ExpiryWatch(runtime.clock, config.warnBefore, ({ expiry: { use, subject, expiresAt }, expired }) => {
      if (expired) this.#publish('certificate-expired', { use, subject, expiresAt })
      else this.#publish('certificate-expiring', { use, subject, expiresAt, expiresIn: Date.parse(expiresAt) - runtime.clock.wall() })
    })
  }

  #expiriesOf(): readonly Expiry[] {
    const { own, clients } = this.#read
    return expiriesOf({ chain: own.chain, authorities: clients?.authorities ?? [] })
  }

  get #own(): readonly X509Certificate[] {
    return this.#read.own.chain!
  }

  attach<S extends NetServer>(server: S): S {
    const secure = server as unknown as Server
    if (typeof (secure as Partial<Server> | undefined)?.setSecureContext !== 'function') {
      throw new TypeError('attach() takes a server that speaks TLS: https.createServer(tls.options, app), http2.createSecureServer or tls.createServer')
    }
    if (this.#servers.has(secure)) return server
    this.#servers.add(secure)
    this.#giveContext(secure)
    this.#guard(secure)
    this.#endDoubtful(secure)
    secure.on('tlsClientError', (error, socket) => this.#failed(addressBelow(socket), handshakeFailure(error, this.#own, this.#runtime.clock.wall())))
    secure.on('close', () => {
      this.#servers.delete(secure)
      if (this.#servers.size === 0) this.close()
    })
    secure.on('listening', () => {
      this.#servers.add(secure)
      this.#giveContext(secure)
      this.#follow()
    })
    this.#follow()
    return server
  }

  /** New connections are made with what was read last; with it go the keys of session tickets, so that no session of before spares a client the check. */
  #giveContext(server: Server): void {
    const { own, clients } = this.#read
    const { minVersion, ciphers } = this.#config
    server.setSecureContext({
      ...own.secureOptions(), minVersion, ...(ciphers !== undefined && { ciphers }), ...(clients && { ca: clients.authorities.map(String) }),
    })
    // Node notes them on the server, for whoever inspects it to see. They are in the context already.
    Object.assign(server, { key: undefined, passphrase: undefined })
  }

  /** Stands between the listener and what would use its connections. */
  #guard(server: Server): void {
    // Node's own, added by the server's constructor: it begins the handshake.
    const [handshake] = server.listeners('connection') as ((socket: Socket) => void)[]
    if (handshake === undefined) throw new TypeError('attach() takes a server as it was made: this one has lost the listener that begins its handshakes')
    server.off('connection', handshake)
    server.on('connection', (socket: Socket) => this.#look(socket, (byte) => {
      if (byte === handshakeByte) return Reflect.apply(handshake, server, [socket])
      this.#counts.plain++
      // No protocol was agreed on, as with a client over TLS that offers none.
      server.emit('secureConnection', Object.assign(socket, { alpnProtocol: false }) as unknown as TLSSocket)
    }))
    const emit = server.emit.bind(server) as (event: string, ...told: unknown[]) => boolean
    // Whoever is refused is seen by no listener, whenever that was added.
    server.emit = ((event: string, ...told: unknown[]) => event === 'secureConnection' && !this.#admits(told[0] as TLSSocket) ? true : emit(event, ...told)) as Server['emit']
  }

  /** Has connections over which clients came in whom it may not trust any more end with an answer, and not within one. */
  #endDoubtful(server: Server): void {
    // A listener of requests on a server of HTTP/2 that has none would have requests made of its streams.
    if ('updateSettings' in server && server.listenerCount('request') === 0) return
    server.prependListener('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
      if ('shouldKeepAlive' in response && this.#connections.isDoubtful(socket)) response.shouldKeepAlive = false
    })
  }

  #look(socket: Socket, go: (byte: number) => void): void {
    const client = addressOf(socket)
    peek(socket, {
      clock: this.#runtime.clock,
      limit: this.#config.handshakeTimeout,
      onByte: (byte) => {
        const refusal = this.#refusesByte(byte)
        if (!refusal) return go(byte)
        this.#refuse(client, refusal)
        socket.destroy()
      },
      onSilence: () => {
        this.#refuse(client, { code: 'silent', reason: 'the client sent nothing in `handshakeTimeout`' })
        socket.destroy()
      },
    })
  }

  #refusesByte(byte: number): Refusal | undefined {
    const { mode } = this.#config
    if (mode === 'strict' && byte !== handshakeByte) {
      return { code: 'plain-text', reason: "the client speaks plain text to a port of TLS. Let it dial https:// (`tls: true` of its cluster); until all do, `mode: 'permissive'` serves both" }
    }
    if (mode === 'plain' && byte === handshakeByte) {
      return { code: 'tls', reason: "the client speaks TLS to a port of plain text. Set `mode: 'permissive'` or `'strict'`, or let it dial http://" }
    }
    return undefined
  }

  #admits(socket: TLSSocket): boolean {
    const { clients } = this.#config
    this.#metrics.look()
    if (!socket.encrypted) return true
    const chain = clients ? chainOf(socket) : []
    const [certificate] = chain
    const refusal = clients ? judgeClient(socket, certificate, clients, this.#runtime.clock.wall()) : undefined
    const client = addressOf(socket)
    if (refusal) {
      this.#refuse(client, refusal, certificate && { subject: subjectOf(certificate), names: serviceNames(certificate) })
      // What arrives at it from here on, an error among it, concerns nobody. Its handshake is sent to the end: cut before, a client under TLS 1.2 could not tell what it was.
      socket.on('error', () => {}).destroySoon()
      return false
    }
    // Another handshake of TLS 1.2 on the same connection would show another certificate, which nobody has judged.
    socket.disableRenegotiation()
    this.#counts.tls++
    this.#connections.enter(socket, chain, () => this.#failed(client, leftWithoutRequest(this.#own, this.#runtime.clock.wall())))
    return true
  }

  #refuse(client: string, { code, reason }: Refusal, { subject, names }: { readonly subject?: string, readonly names: readonly string[] } = { names: [] }): void {
    this.#counts.refused++
    this.#publish('client-refused', { client, ...(subject !== undefined && { subject }), names, code, reason })
  }

  #failed(client: string, { code, reason }: HandshakeFailure): void {
    this.#counts.failed++
    this.#publish('handshake-failed', { client, code, reason })
  }

  #publish<Event extends keyof MeshTlsEvents>(event: Event, detail: MeshTlsEvents[Event]): void {
    this.#runtime.channels.publish(event, detail)
  }

  #follow(): void {
    if (this.#renewal) return
    this.#metrics.open()
    this.#watch.watch(this.#expiries)
    const { cert, key, clients } = this.#config
    this.#renewal = new Renewal(filesOf({ cert, key, ca: clients ? clients.ca : undefined }), {
      clock: this.#runtime.clock,
      read: () => read(this.#config),
      onRead: (renewed) => { if (!sameRead(renewed, this.#read)) this.#renew(renewed) },
      onFailure: (error) => this.#publish('certificate-failed', { error }),
    })
  }

  #renew(renewed: Read): void {
    const trustChanged = !isDeepStrictEqual(renewed.clients?.shown, this.#read.clients?.shown)
    this.#read = renewed
    this.#expiries = this.#expiriesOf()
    this.#counts.renewals++
    this.#watch.watch(this.#expiries)
    for (const server of this.#servers) this.#giveContext(server)
    this.#publish('certificate-renewed', { expiresAt: this.#expiries[0]!.expiresAt })
    if (trustChanged && renewed.clients) this.#revoke(renewed.clients)
  }

  /** Cuts the connections of those who would not be let in any more. */
  #revoke({ authorities }: Material): void {
    for (const { socket, certificate } of this.#connections.strangersTo(authorities)) {
      this.#refuse(addressOf(socket), {
        code: 'revoked', reason: 'the client came in under an authority that is not in `clients.ca` any more. Give it a certificate of one that is',
      }, { subject: subjectOf(certificate), names: serviceNames(certificate) })
      socket.destroy()
    }
  }

  on<Event extends keyof MeshTlsEvents>(event: Event, listener: (detail: MeshTlsEvents[Event]) => void): () => void {
    return this.#runtime.channels.on(event, listener as (detail: object) => void)
  }

  status(): MeshTlsStatus {
    const { tls, plain, refused, failed, renewals } = this.#counts
    return {
      mode: this.#config.mode, certificates: certificateStatus(this.#expiries, this.#runtime.clock), accepted: { tls, plain }, open: this.#connections.size,
      refused, failed, renewals,
    }
  }

  close(): void {
    this.#renewal?.close()
    this.#renewal = undefined
    this.#watch.close()
    this.#metrics.close()
  }
}
