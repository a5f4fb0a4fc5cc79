import { execFileSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A key and its certificate, as PEM text; the intermediates, where there are any, after the certificate. */
export interface Identity { readonly key: string, readonly cert: string }

/** What a certificate is to be. */
export interface Wanted {
  /** Who signs it. */
  readonly by: string
  /** Name of the file, where one subject has several; the subject's by default. */
  readonly as?: string
  /** Alternative names, as OpenSSL writes them: `DNS:a.test, URI:spiffe://a`. */
  readonly names?: string
  readonly authority?: boolean
  readonly dates?: readonly string[]
}

const config = `
[ca]
default_ca = here
[here]
database = index.txt
serial = serial
new_certs_dir = issued
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
[leaf]
basicConstraints = CA:FALSE
[named]
subjectAltName = $ENV::NAMES
basicConstraints = CA:FALSE
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = keyCertSign
[req]
distinguished_name = name
[name]
`

/** Dates of certificates that are over, and of those that have not begun. */
export const past = ['-startdate', '20200101000000Z', '-enddate', '20200201000000Z']
export const ahead = ['-startdate', '20990101000000Z', '-enddate', '20990201000000Z']

/** Whether the machine has an `openssl`. */
export const hasOpenssl = (): boolean => {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** Issues certificates with the machine's `openssl`, in a directory of its own that is gone when the process ends. */
export class Issuer {
  readonly directory = mkdtempSync(join(tmpdir(), 'enmesh-tls-'))
  readonly #keys = new Set<string>()

  constructor() {
    process.once('exit', () => rmSync(this.directory, { recursive: true, force: true }))
    mkdirSync(join(this.directory, 'issued'))
    this.write('openssl.cnf', config)
    this.write('index.txt', '')
    this.write('serial', '1000\n')
  }

  /** Writes a file there, and returns its path. */
  write(name: string, content: string): string {
    writeFileSync(join(this.directory, name), content)
    return join(this.directory, name)
  }

  read(name: string): string {
    return readFileSync(join(this.directory, name), 'utf8')
  }

  /** Makes a key; encrypted with a passphrase it is written to `NAME.enc` beside it. */
  key(name: string, passphrase?: string): void {
    if (this.#keys.has(name)) return
    this.#keys.add(name)
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
    this.write(`${name}.key`, privateKey.export({ type: 'pkcs8', format: 'pem' }) as string)
    if (passphrase !== undefined) this.write(`${name}.enc`, privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-128-cbc', passphrase }) as string)
  }

  /** Makes a certificate that signs itself. */
  selfSigned(name: string, authority = true): Identity {
    this.key(name)
    this.#openssl(`DNS:${name}`, 'req', '-x509', '-config', 'openssl.cnf', '-extensions', authority ? 'authority' : 'named', '-days', '2', '-subj', `/CN=${name}`,
      '-key', `${name}.key`, '-out', `${name}.pem`)
    return this.identity(name)
  }

  /** Issues a certificate for a subject; its key stays the same for all of them. */
  issue(name: string, { by, as = name, names = '', authority = false, dates = ['-days', '2'] }: Wanted): Identity {
    this.key(name)
    this.#openssl('', 'req', '-new', '-config', 'openssl.cnf', '-subj', `/CN=${name}`, '-key', `${name}.key`, '-out', `${name}.csr`)
    this.#openssl(names, 'ca', '-batch', '-notext', '-config', 'openssl.cnf', '-extensions', authority ? 'authority' : names === '' ? 'leaf' : 'named',
      '-cert', `${by}.pem`, '-keyfile', `${by}.key`, '-in', `${name}.csr`, '-out', `${as}.pem`, ...dates)
    return this.identity(name, as)
  }

  /** A subject's key with one of its certificates, and what is to follow it. */
  identity(name: string, as = name, ...after: readonly string[]): Identity {
    return { key: this.read(`${name}.key`), cert: [as, ...after].map((file) => this.read(`${file}.pem`)).join('') }
  }

  #openssl(names: string, ...args: readonly string[]): void {
    execFileSync('openssl', args, { cwd: this.directory, stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, NAMES: names === '' ? 'DNS:none.test' : names } })
  }
}
