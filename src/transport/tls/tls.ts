import type { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { connect, type ConnectionOptions, type DetailedPeerCertificate, type SecureContext, type TLSSocket } from 'node:tls'
import type { buildConnector } from 'undici'
import util from 'undici/lib/core/util.js'
import { z } from 'zod'
import { systemClock } from '../../runtime/clock.ts'
import { certificateName, checkHost, checkNames } from './certificate-names.ts'
import { authorities, chainOf, inPairs, readMaterial, source, type Material } from './certificates.ts'
import { warnBefore } from './expiry.ts'

const protocol = z.string().regex(/^[\x21-\x7e]{1,255}$/, "is not the name of a protocol, such as 'http/1.1'")
  .refine((name) => name !== 'h2', "leave 'h2' out: `http2` of the cluster offers it, and nothing else")

/**
 * How TLS is spoken to the endpoints of a cluster. Files are read when the configuration is taken over (`createMesh`, `update`), and again
 * whenever they are renewed.
 */
export const tlsOptions = z.strictObject({
  ca: authorities.optional()
    .describe("Authorities to trust in place of the machine's own: PEM text, { file }, or a list of them."),
  cert: source.optional()
    .describe('Certificate to show to endpoints that ask for one (mutual TLS), its intermediates after it: PEM text or { file }.'),
  key: source.optional().describe('Private key of `cert`: PEM text or { file }.'),
  passphrase: z.string().min(1).optional().describe('Opens an encrypted `key`.'),
  enforce: z.boolean().default(true)
    .describe('Whether plain text is refused: every endpoint is dialled with TLS. False speaks TLS only where the registry says so of an endpoint, or the caller dials `https://`.'),
  ports: z.array(z.int().min(1).max(65_535)).min(1, 'needs at least one port; leave it out for all').optional()
    .describe('Ports of endpoints for which `enforce` holds; all by default. At others it is as with `enforce: false`.'),
  servername: z.string().min(1).optional()
    .describe("Name that is asked for and that the endpoint's certificate must carry; the service's name by default."),
  names: z.array(certificateName).min(1).optional()
    .describe("Names of which the endpoint's certificate must carry one exactly, in place of `servername`: hosts, or URIs such as SPIFFE IDs."),
  verify: z.boolean().default(true).describe(
    'DANGER: false trusts WHOEVER ANSWERS. No authority, name or date is checked, so anybody on the way can read and change everything. ' +
    'For trials only; to trust an authority of your own use `ca`.',
  ),
  alpn: z.array(protocol).default(['http/1.1']).describe("Protocols to offer, the preferred one first; HTTP/1.1 is spoken whatever is chosen. Where `http2` of the cluster is set, 'h2' is offered in its place."),
  warnBefore,
}).superRefine(inPairs)

/** Whether, or how, the endpoints of a cluster speak TLS. */
export const tlsConfig = z.union([z.boolean(), tlsOptions])

/** Parsed form of `tlsConfig`. */
export type TlsConfig = z.output<typeof tlsConfig>

type TlsOptions = z.output<typeof tlsOptions>

/** A cluster's TLS with everything read that it names. */
export interface ReadTls {
  /**
   * The configuration to keep and to show: it has neither keys nor passphrases, and tells another content of the same file apart
   * by the `sha256` of its certificates. A key is told apart by its certificate.
   */
  readonly shown: TlsConfig
  /** Authorities, certificate and key, ready for use; `undefined` where the configuration names none. */
  readonly context: SecureContext | undefined
  /** The certificates themselves, for their dates. */
  readonly certificates: Pick<Material, 'authorities' | 'chain'>
}

/** Reads the files that a configuration names and checks what is in them. Throws an `OptionsError` with every fault; none repeats a key. */
export const readTls = (config: TlsConfig): ReadTls => {
  if (typeof config === 'boolean') return { shown: config, context: undefined, certificates: { authorities: [], chain: undefined } }
  const { authorities, chain, context, shown } = readMaterial(config, ['tls'])
  return { shown: { ...config, ...shown } as TlsConfig, context, certificates: { authorities, chain } }
}

/** Whether an endpoint at a port is dialled with TLS whoever asks, and never in plain text. */
export const enforcesTls = (config: TlsConfig, port: number): boolean => typeof config === 'boolean' ? config
  : config.enforce && (config.ports === undefined || config.ports.includes(port))

/** What is known of a TLS connection, from the first byte on: what was asked, and what the endpoint showed. */
export interface Handshake {
  /** The name that its certificate must carry. */
  readonly servername: string
  readonly options: TlsOptions
  /** What the endpoint presented; kept only until it is verified. */
  certificate: DetailedPeerCertificate | undefined
  /** The certificate of the cluster, which the endpoint may ask for. */
  own: X509Certificate | undefined
  /** When the first of the certificates expires that it presented, in milliseconds since the epoch. */
  verifiedUntil: number
  /** Whether it asked for a client certificate. */
  asked: boolean
  /** Whether it asked and has not been heard of since. With TLS 1.3 it judges the certificate only after we begin to send. */
  unanswered: boolean
}

const byDefault = tlsOptions.parse({})

/** The options in effect where TLS is spoken. */
export const optionsOf = (config: TlsConfig): TlsOptions => typeof config === 'object' ? config : byDefault

/** How TLS is spoken on a connection. */
export interface Securing {
  readonly config: TlsConfig
  readonly context: SecureContext | undefined
  /** The name that the endpoint's certificate must carry. */
  readonly servername: string
}

/** Where a connection over TLS goes to. */
export interface TlsAddress {
  /** Name or address, IPv6 without brackets. */
  readonly host: string
  readonly port: number
  /** Of an earlier connection, to go on with. */
  readonly session?: Buffer | undefined
}

/**
 * Begins a connection over TLS, which Node verifies. Beyond undici's own connector it checks the configured name whatever the `host`
 * header says, takes IP addresses for names, offers the configured protocols, and keeps what explains a failure.
 */
export const dialTls = ({ config, context, servername }: Securing, { host, port, session }: TlsAddress): {
  readonly socket: TLSSocket, readonly handshake: Handshake
} => {
  const options = optionsOf(config)
  const wanted = servername.replace(/^\[(.*)\]$/, '$1')
  const handshake: Handshake = { servername: wanted, options, certificate: undefined, own: undefined, verifiedUntil: 0, asked: false, unanswered: false }
  const how: ConnectionOptions & { readonly highWaterMark: number } = {
    host,
    port,
    ALPNProtocols: options.alpn,
    rejectUnauthorized: options.verify,
    checkServerIdentity: (_, certificate) =>
      options.names ? checkNames(options.names, certificate) : checkHost(wanted, certificate),
    highWaterMark: 16_384,
    ...(isIP(wanted) === 0 && { servername: wanted }),   // RFC 6066, section 3: no addresses in SNI
    ...(context && { secureContext: context }),
    ...(session && { session }),
  }
  const socket = connect(how)
  if (options.cert !== undefined) handshake.own = socket.getX509Certificate()
  watch(socket, handshake)
  return { socket, handshake }
}

/** The latest session of those who dial the same endpoint in the same way: whoever dials next goes on with it, and is spared most of the handshake. */
export interface Sessions {
  latest: Buffer | undefined
  /** When the first certificate expires of those that were verified, in milliseconds since the epoch. A session is handed from connection to connection, and none of them verifies again. */
  until: number
}

/** Nothing to go on with yet. */
export const noSessions = (): Sessions => ({ latest: undefined, until: 0 })

/** What a connection over TLS is made with. */
export interface TlsDialling extends Securing {
  readonly sessions: Sessions
  /** Milliseconds until the handshake must be over. */
  readonly timeout: number
  /** Hears of each handshake as it begins. */
  readonly onHandshake: (handshake: Handshake) => void
}

/** Dials as undici's own connector does, with TLS as `dialTls` speaks it. */
export const tlsConnector = ({ timeout, onHandshake, sessions, ...securing }: TlsDialling): buildConnector.connector =>
  ({ hostname, port }, callback) => {
    // By the machine's clock, as Node verifies.
    const session = sessions.until > systemClock.wall() ? sessions.latest : undefined
    const { socket, handshake } = dialTls(securing, { host: hostname, port: Number(port || 443), session })
    onHandshake(handshake)
    socket.setKeepAlive(true, 60_000).setNoDelay(true)
    const cancelTimeout = util.setupConnectTimeout(new WeakRef(socket), { timeout, hostname, port })
    let tell: buildConnector.Callback | undefined = callback
    const settle = (...result: Parameters<buildConnector.Callback>): void => {
      queueMicrotask(cancelTimeout)
      const told = tell
      tell = undefined
      told?.(...result)
    }
    socket.on('session', (latest: Buffer) => {
      sessions.latest = latest
      if (!socket.isSessionReused()) sessions.until = handshake.verifiedUntil
    })
    socket.once('secureConnect', () => settle(null, socket))
    socket.on('error', (error: Error) => {
      // It may be the session that the endpoint does not like.
      if (!socket.authorized) sessions.latest = undefined
      settle(error, null)
    })
  }

/** Notes what a handshake shows while it can be seen: a socket that failed tells nothing any more. */
const watch = (socket: TLSSocket, handshake: Handshake): void => {
  // Before Node verifies. The older method on purpose: after the newer one, `getPeerX509Certificate`, Node sees no name in the certificate.
  socket.prependOnceListener('secure', () => {
    handshake.certificate = socket.getPeerCertificate(true)
    handshake.verifiedUntil = Math.min(...chainOf(handshake.certificate).map(({ valid_to: end }) => Date.parse(end)))
  })
  socket.once('secureConnect', () => {
    handshake.certificate = undefined
    handshake.asked = socket.getSharedSigalgs().length > 0
    handshake.unanswered = handshake.asked && socket.getProtocol() === 'TLSv1.3'
  })
  // Its tickets tell that the endpoint, too, is content with the handshake.
  socket.on('session', () => { handshake.unanswered = false })
}
