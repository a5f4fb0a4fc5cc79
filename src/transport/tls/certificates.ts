import { createHash, createPrivateKey, X509Certificate } from 'node:crypto'
import { createSecureContext, type DetailedPeerCertificate, type SecureContext, type SecureContextOptions } from 'node:tls'
import { z } from 'zod'
import { OptionsError, type OptionFault } from '../../core/errors.ts'
import { longestSecret, regularFileSync, UnfitFileError } from '../../runtime/regular-file.ts'

const text = z.string().regex(/-----BEGIN [A-Z0-9 ]+-----/,
  "is not PEM text, which has a line such as -----BEGIN CERTIFICATE-----; for a file write { file: 'path/to.pem' }")

// Its base64 too, which is how keys travel in variables. What passes is a path, and messages show it.
const noPath = /[\r\n]|-----BEGIN|LS0tLS1CRUdJTi/

const file = z.strictObject({
  file: z.string().min(1).refine((path) => !noPath.test(path), 'is no path: it has a line break, or is PEM itself. ' +
    'Write PEM text as the option itself, without `file` (`key: process.env.TLS_KEY`), and leave line breaks out of a path')
    .describe("Path of a PEM file; a relative one starts at the process's working directory."),
})

/** PEM text, or the file that holds it. */
export const source = z.union([text, file])

/** Whom to trust: one source of authorities or several. */
export const authorities = z.union([text, file, z.array(source).min(1, "needs at least one authority; leave it out to trust the machine's own")])

/** What belongs together: a key and its certificate, a passphrase and its key. */
export const inPairs = (options: object, context: z.RefinementCtx): void => {
  const needs = (option: string, other: string, message: string): void => {
    if (option in options && !(other in options)) context.addIssue({ code: 'custom', path: [option], message })
  }
  needs('key', 'cert', 'has no certificate beside it: add `cert`, the certificate of this key')
  needs('cert', 'key', 'has no key beside it: add `key`, the private key of this certificate')
  needs('passphrase', 'key', 'has no key that it could open: add `key`')
}

type Source = z.output<typeof source>

/** Where certificates and a key come from. */
export interface Sources {
  readonly ca?: Source | readonly Source[] | undefined
  readonly cert?: Source | undefined
  readonly key?: Source | undefined
  readonly passphrase?: string | undefined
}

/** Certificates and a key, read and found to fit. */
export interface Material {
  /** Those to trust; none where the machine's own are. */
  readonly authorities: readonly X509Certificate[]
  /** The own certificate, its intermediates after it; `undefined` where there is none. */
  readonly chain: readonly X509Certificate[] | undefined
  /** The sources to keep and to show: no key and no passphrase; files with the `sha256` of their certificates. A key is told apart by its certificate. */
  readonly shown: Sources
  /** What Node makes a secure context of, the key included: to be handed on at once, and kept nowhere. */
  readonly secureOptions: () => SecureContextOptions
  /** The secure context; `undefined` where there is nothing to put into one. */
  readonly context: SecureContext | undefined
}

/** The files that are named, each once. */
export const filesOf = ({ ca, cert, key }: Sources): readonly string[] =>
  [...new Set([ca, cert, key].flat().flatMap((from) => typeof from === 'object' ? [(from as { readonly file: string }).file] : []))]

/** Reads what is named and checks what is in it. Throws an `OptionsError` with every fault, each with its place under `at`; none repeats a key. */
export const readMaterial = ({ ca, cert, key, passphrase }: Sources, at: OptionFault['path']): Material => {
  const faults: OptionFault[] = []
  const reading = <Read>(place: OptionFault['path'], read: () => Read): Read | undefined => {
    try {
      return read()
    } catch (error) {
      faults.push({ path: [...at, ...place], message: (error as Error).message })
      return undefined
    }
  }
  const several = Array.isArray(ca)
  const trusted = ca === undefined ? [] : [ca].flat() as readonly Source[]
  const read = trusted.map((from, index) => reading(several ? ['ca', index] : ['ca'], () => certificatesIn(from)))
  const chain = cert === undefined ? undefined : reading(['cert'], () => certificatesIn(cert))
  const ownKey = key === undefined ? undefined : reading(['key'], () => keyIn(key, passphrase))
  if (chain && ownKey) reading(['key'], () => assertFits(ownKey, chain))
  const authorities = read.flatMap((certificates) => certificates ?? [])
  const secureOptions = (): SecureContextOptions => optionsFor(authorities, chain, ownKey)
  const context = faults.length > 0 || (authorities.length === 0 && !chain) ? undefined : reading([], () => contextOf(secureOptions()))
  if (faults.length > 0) throw new OptionsError(faults)
  const shownCa = read.map((certificates, index) => shownSource(trusted[index]!, certificates!))
  return {
    authorities,
    chain,
    secureOptions,
    context,
    shown: {
      ...(ca !== undefined && { ca: several ? shownCa : shownCa[0]! }),
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
  let content: string
  try {
    content = regularFileSync(path, longestSecret).toString('utf8')
  } catch (error) {
    if (error instanceof UnfitFileError) throw error
    throw new Error(`the file cannot be read (${codeOf(error)} at '${path}'): check the path, which starts at the process's working directory ` +
      'if it is relative, and who may read the file', { cause: error })
  }
  if (content.trim() === '') throw new Error(`the file '${path}' is empty: write PEM into it first`)
  return content
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

const optionsFor = (ca: readonly X509Certificate[], chain: readonly X509Certificate[] | undefined, key: OwnKey | undefined): SecureContextOptions => ({
  ...(ca.length > 0 && { ca: ca.map(String) }),
  ...(chain && { cert: chain.map(String).join('') }),
  ...(key && { key: key.pem }),
  ...(key?.passphrase !== undefined && { passphrase: key.passphrase }),
})

const contextOf = (options: SecureContextOptions): SecureContext => {
  try {
    return createSecureContext(options)
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

/** A certificate and its issuers, as far as Node has them. */
export const chainOf = (certificate: DetailedPeerCertificate | undefined): readonly DetailedPeerCertificate[] => {
  const chain: DetailedPeerCertificate[] = []
  // The last one names itself as its issuer.
  for (let one = certificate; one && !chain.includes(one); one = one.issuerCertificate as DetailedPeerCertificate | undefined) chain.push(one)
  return chain
}
