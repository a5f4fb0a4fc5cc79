import { createHash, createPrivateKey, X509Certificate } from 'node:crypto'
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import {
  checkServerIdentity, connect, createSecureContext, type ConnectionOptions, type DetailedPeerCertificate, type SecureContext, type TLSSocket,
} from 'node:tls'
import type { buildConnector } from 'undici'
import util from 'undici/lib/core/util.js'
import { z } from 'zod'
import { OptionsError, type OptionFault } from '../core/errors.ts'
import { checkNames } from './certificate-names.ts'

const text = z.string().regex(/-----BEGIN [A-Z0-9 ]+-----/,
  "is not PEM text, which has a line such as -----BEGIN CERTIFICATE-----; for a file write { file: 'path/to.pem' }")

// Its base64 too, which is how keys travel in variables. What passes is a path, and messages show it.
const noPath = /[\r\n]|-----BEGIN|LS0tLS1CRUdJTi/

const file = z.strictObject({
  file: z.string().min(1).refine((path) => !noPath.test(path), 'is no path: it has a line break, or is PEM itself. ' +
    'Write PEM text as the option itself, without `file` (`key: process.env.TLS_KEY`), and leave line breaks out of a path')
    .describe("Path of a PEM file; a relative one starts at the process's working directory."),
})

const source = z.union([text, file])

const protocol = z.string().regex(/^[\x21-\x7e]{1,255}$/, "is not the name of a protocol, such as 'http/1.1'")
  .refine((name) => name !== 'h2', "HTTP/2 is not spoken here yet: leave 'h2' out")

/** What belongs together: a key and its certificate, a passphrase and its key. */
const inPairs = (options: object, context: z.RefinementCtx): void => {
  const needs = (option: string, other: string, message: string): void => {
    if (option in options && !(other in options)) context.addIssue({ code: 'custom', path: [option], message })
  }
  needs('key', 'cert', 'has no certificate beside it: add `cert`, the certificate of this key')
  needs('cert', 'key', 'has no key beside it: add `key`, the private key of this certificate')
  needs('passphrase', 'key', 'has no key that it could open: add `key`')
}

/**
 * How TLS is spoken to the endpoints of a cluster. Files are read when the configuration is taken over (`createMesh`, `update`), and only then:
 * renewed files take effect with the next `update`.
 */
export const tlsOptions = z.strictObject({
  ca: z.union([text, file, z.array(source).min(1, "needs at least one authority; leave it out to trust the machine's own")]).optional()
    .describe("Authorities to trust in place of the machine's own: PEM text, { file }, or a list of them."),
  cert: source.optional()
    .describe('Certificate to show to endpoints that ask for one (mutual TLS), its intermediates after it: PEM text or { file }.'),
  key: source.optional().describe('Private key of `cert`: PEM text or { file }.'),
  passphrase: z.string().min(1).optional().describe('Opens an encrypted `key`.'),
  servername: z.string().min(1).optional()
    .describe("Name that is asked for and that the endpoint's certificate must carry; the service's name by default."),
  names: z.array(z.string().regex(/^[\x21-\x7e]{1,254}$/, "is not a name: write a host ('svc.shop.local') or a URI ('spiffe://shop/svc')")).min(1).optional()
    .describe("Names of which the endpoint's certificate must carry one exactly, in place of `servername`: hosts, or URIs such as SPIFFE IDs."),
  verify: z.boolean().default(true).describe(
    'DANGER: false trusts WHOEVER ANSWERS. No authority, name or date is checked, so anybody on the way can read and change everything. ' +
    'For trials only; to trust an authority of your own use `ca`.',
  ),
  alpn: z.array(protocol).default(['http/1.1']).describe("Protocols to offer, the preferred one first; HTTP/1.1 is spoken whatever is chosen. 'h2' is refused."),
}).superRefine(inPairs)

/** Whether, or how, the endpoints of a cluster speak TLS. */
export const tlsConfig = z.union([z.boolean(), tlsOptions])

/** Parsed form of `tlsConfig`. */
export type TlsConfig = z.output<typeof tlsConfig>

type TlsOptions = z.output<typeof tlsOptions>
type Source = z.output<typeof source>

/** A cluster's TLS with everything read that it names. */
export interface ReadTls {
  /**
   * The configuration to keep and to show: it has neither keys nor passphrases, and tells another content of the same file apart
   * by the `sha256` of its certificates. A key is told apart by its certificate.
   */
  readonly shown: TlsConfig
  /** Authorities, certificate and key, ready for use; `undefined` where the configuration names none. */
  readonly context: SecureContext | undefined
}

/** Reads the files that a configuration names and checks what is in them. Throws an `OptionsError` with every fault; none repeats a key. */
export const readTls = (config: TlsConfig): ReadTls => {
  if (typeof config === 'boolean') return { shown: config, context: undefined }
  const { ca, cert, key, passphrase } = config
  const faults: OptionFault[] = []
  const reading = <Read>(place: OptionFault['path'], read: () => Read): Read | undefined => {
    try {
      return read()
    } catch (error) {
      faults.push({ path: ['tls', ...place], message: (error as Error).message })
      return undefined
    }
  }
  const authorities = (Array.isArray(ca) ? ca : ca === undefined ? [] : [ca])
    .map((from, index) => reading(Array.isArray(ca) ? ['ca', index] : ['ca'], () => certificatesIn(from)))
  const chain = cert === undefined ? undefined : reading(['cert'], () => certificatesIn(cert))
  const ownKey = key === undefined ? undefined : reading(['key'], () => keyIn(key, passphrase))
  if (chain && ownKey) reading(['key'], () => assertFits(ownKey, chain))
  const context = faults.length > 0 ? undefined : reading([], () => contextOf(authorities.flatMap((read) => read!), chain, ownKey))
  if (faults.length > 0) throw new OptionsError(faults)
  const shownCa = authorities.map((read, index) => shownSource((Array.isArray(ca) ? ca[index] : ca)!, read!))
  return {
    context,
    shown: {
      ...config,
      ...(ca !== undefined && { ca: Array.isArray(ca) ? shownCa : shownCa[0]! }),
      ...(cert !== undefined && { cert: shownSource(cert, chain!) }),
      ...(key !== undefined && { key: typeof key === 'string' ? '(private key)' : key }),
      ...(passphrase !== undefined && { passphrase: '(passphrase)' }),
    },
  }
}

/** A private key as it is written, with what opens it. */
interface OwnKey {
  readonly pem: string
  readonly passphrase: string | undefined
}

const textOf = (from: Source): string => {
  if (typeof from === 'string') return from
  // As it is written, and not resolved: what variables brought in is found and withheld by its text.
  const path = from.file
  let content: string | undefined
  try {
    content = regularText(path)
  } catch (error) {
    throw new Error(`the file cannot be read (${codeOf(error)} at '${path}'): check the path, which starts at the process's working directory ` +
      'if it is relative, and who may read the file', { cause: error })
  }
  if (content === undefined) throw new Error(`'${path}' is a directory, a pipe or a device: give the path of a regular file`)
  if (content.trim() === '') throw new Error(`the file '${path}' is empty: write PEM into it first`)
  return content
}

/** The text of a regular file; `undefined` for anything else: to open a pipe would stop the process until somebody writes. */
const regularText = (path: string): string | undefined => {
  const opened = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    return fstatSync(opened).isFile() ? readFileSync(opened, 'utf8') : undefined
  } finally {
    closeSync(opened)
  }
}

const certificateBlock = /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[\s\S]*?-----END (?:X509 |TRUSTED )?CERTIFICATE-----/g
const keyBlock = /-----BEGIN ((?:[A-Z]+ )?PRIVATE KEY)-----[\s\S]*?-----END \1-----/

const whereIn = (from: Source): string => typeof from === 'string' ? 'the text' : `the file '${from.file}'`

const certificatesIn = (from: Source): readonly X509Certificate[] => {
  const blocks = textOf(from).match(certificateBlock) ?? []
  if (blocks.length === 0) throw new Error(`${whereIn(from)} has no certificate in PEM, which begins with -----BEGIN CERTIFICATE-----`)
  return blocks.map((block, index) => {
    try {
      return new X509Certificate(block)
    } catch (error) {
      throw new Error(`certificate ${index + 1} of ${blocks.length} in ${whereIn(from)} is damaged (${codeOf(error)}): export it again`, { cause: error })
    }
  })
}

// Nothing of a key is repeated, not even by an error as a cause.
const keyIn = (from: Source, passphrase: string | undefined): OwnKey => {
  const pem = keyBlock.exec(textOf(from))?.[0]
  if (pem === undefined) throw new Error(`${whereIn(from)} has no private key in PEM, which begins with -----BEGIN PRIVATE KEY-----`)
  const encrypted = /ENCRYPTED/.test(pem)
  if (encrypted && passphrase === undefined) throw new Error(`the key in ${whereIn(from)} is encrypted: add \`passphrase\``)
  try {
    createPrivateKey({ key: pem, ...(passphrase !== undefined && { passphrase }) })
  } catch (error) {
    throw new Error(`the key in ${whereIn(from)} cannot be used (${codeOf(error)}): ` +
      `${encrypted ? 'check that `passphrase` is the one it was encrypted with' : 'export it again, as unencrypted PKCS#8 for instance'}`)
  }
  return { pem, passphrase }
}

const assertFits = ({ pem, passphrase }: OwnKey, [own]: readonly X509Certificate[]): void => {
  if (own!.checkPrivateKey(createPrivateKey({ key: pem, ...(passphrase !== undefined && { passphrase }) }))) return
  throw new Error(`does not fit the first certificate of \`cert\` (${nameOf(own!.subject)}): give the key that it was made with, ` +
    'and put the certificate of the key before its intermediates')
}

const contextOf = (ca: readonly X509Certificate[], chain: readonly X509Certificate[] | undefined, key: OwnKey | undefined): SecureContext | undefined => {
  if (ca.length === 0 && !chain) return undefined
  try {
    return createSecureContext({
      ...(ca.length > 0 && { ca: ca.map(String) }),
      ...(chain && { cert: chain.map(String).join('') }),
      ...(key && { key: key.pem }),
      ...(key?.passphrase !== undefined && { passphrase: key.passphrase }),
    })
  } catch (error) {
    throw new Error(`cannot be used (${codeOf(error)}): this Node's TLS refuses its key or certificates, too weak ones for instance`, { cause: error })
  }
}

const codeOf = (error: unknown): string => (error as { code?: string }).code ?? 'no code'

const shownSource = (from: Source, certificates: readonly X509Certificate[]): Source => {
  const pem = certificates.map(String).join('')
  return typeof from === 'string' ? pem : { file: from.file, sha256: createHash('sha256').update(pem).digest('hex') } as Source
}

const longestName = 200

/** A name that somebody else wrote into a certificate, on one line and of bounded length. */
export const nameOf = (written: string): string => {
  const plain = written.replace(/[\0-\x1f\x7f-\x9f\u2028\u2029]+/g, ' ')
  return plain.length > longestName ? `${plain.slice(0, longestName)}…` : plain
}

/** What is known of a TLS connection, from the first byte on: what was asked, and what the endpoint showed. */
export interface Handshake {
  /** The name that its certificate must carry. */
  readonly servername: string
  readonly options: TlsOptions
  /** What the endpoint presented; kept only until it is verified. */
  certificate: DetailedPeerCertificate | undefined
  /** The certificate of the cluster, which the endpoint may ask for. */
  own: X509Certificate | undefined
  /** Whether it asked for a client certificate and has not been heard of since. With TLS 1.3 it judges that one only after we begin to send. */
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
  const handshake: Handshake = { servername: wanted, options, certificate: undefined, own: undefined, unanswered: false }
  const how: ConnectionOptions & { readonly highWaterMark: number } = {
    host,
    port,
    ALPNProtocols: options.alpn,
    rejectUnauthorized: options.verify,
    checkServerIdentity: (_, certificate) =>
      options.names ? checkNames(options.names, certificate) : checkServerIdentity(wanted, certificate),
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

/** What a connection over TLS is made with. */
export interface TlsDialling extends Securing {
  /** Milliseconds until the handshake must be over. */
  readonly timeout: number
  /** Hears of each handshake as it begins. */
  readonly onHandshake: (handshake: Handshake) => void
}

/** Dials as undici's own connector does, with TLS as `dialTls` speaks it. */
export const tlsConnector = ({ timeout, onHandshake, ...securing }: TlsDialling): buildConnector.connector => {
  let session: Buffer | undefined
  return ({ hostname, port }, callback) => {
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
    socket.on('session', (latest: Buffer) => { session = latest })
    socket.once('secureConnect', () => settle(null, socket))
    socket.on('error', (error: Error) => settle(error, null))
  }
}

/** Notes what a handshake shows while it can be seen: a socket that failed tells nothing any more. */
const watch = (socket: TLSSocket, handshake: Handshake): void => {
  // Before Node verifies. The older method on purpose: after the newer one, `getPeerX509Certificate`, Node sees no name in the certificate.
  socket.prependOnceListener('secure', () => { handshake.certificate = socket.getPeerCertificate(true) })
  socket.once('secureConnect', () => {
    handshake.certificate = undefined
    handshake.unanswered = socket.getProtocol() === 'TLSv1.3' && socket.getSharedSigalgs().length > 0
  })
  // Its tickets tell that the endpoint, too, is content with the handshake.
  socket.on('session', () => { handshake.unanswered = false })
}
