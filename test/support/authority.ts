import { execFileSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A key and its certificate, as PEM text; the intermediates, where there are any, after the certificate. */
export interface Identity { readonly key: string, readonly cert: string }

/** What the tests of TLS show and trust. */
export interface Authority {
  /** Where the files may be put; gone when the process ends. */
  readonly directory: string
  /** The root that issued everything but `stranger`. */
  readonly root: string
  /** A root that has nothing to do with it. */
  readonly otherRoot: string
  /** For `svc.test`, `other.test`, 127.0.0.1 and `spiffe://shop.test/svc`, issued by an intermediate that it has with it. */
  readonly server: Identity
  /** The same without the intermediate. */
  readonly serverAlone: Identity
  /** As `server`, but expired at 2020-02-01. */
  readonly expired: Identity
  /** As `server`, but valid from 2099-01-01. */
  readonly future: Identity
  readonly selfSigned: Identity
  readonly client: Identity
  /** Another one for the same client. */
  readonly renewed: Identity
  /** Another one for the same client, expired at 2020-02-01. */
  readonly expiredClient: Identity
  /** Another one for the same client, valid from 2099-01-01. */
  readonly futureClient: Identity
  /** Issued by `otherRoot`. */
  readonly stranger: Identity
  /** The client's key, encrypted with `passphrase`. */
  readonly encryptedKey: string
  readonly passphrase: string
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
[server]
subjectAltName = DNS:svc.test, DNS:other.test, IP:127.0.0.1, URI:spiffe://shop.test/svc
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = keyCertSign
[req]
distinguished_name = name
[name]
`

const passphrase = 'open-sesame-4711'

/** Makes all of it with the machine's `openssl`, in some ten calls: once for each test file. `undefined` where there is no `openssl`. */
export const authority = (): Authority | undefined => {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' })
  } catch {
    return undefined
  }
  const directory = mkdtempSync(join(tmpdir(), 'enmesh-tls-'))
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }))
  const openssl = (...args: readonly string[]): void => { execFileSync('openssl', args, { cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] }) }
  const write = (name: string, content: string): void => writeFileSync(join(directory, name), content)
  const read = (name: string): string => readFileSync(join(directory, name), 'utf8')
  mkdirSync(join(directory, 'issued'))
  write('openssl.cnf', config)
  write('index.txt', '')
  write('serial', '1000\n')

  const newKey = (name: string): string => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
    write(`${name}.key`, pem)
    if (name === 'client') write('client.enc', privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-128-cbc', passphrase }) as string)
    return pem
  }
  const root = (name: string, section: string): void => {
    newKey(name)
    openssl('req', '-x509', '-config', 'openssl.cnf', '-extensions', section, '-days', '2', '-subj', `/CN=${name}`, '-key', `${name}.key`, '-out', `${name}.pem`)
  }
  const request = (name: string): void => {
    newKey(name)
    openssl('req', '-new', '-config', 'openssl.cnf', '-subj', `/CN=${name}`, '-key', `${name}.key`, '-out', `${name}.csr`)
  }
  const issue = (name: string, by: string, { as = name, section = 'leaf', dates = ['-days', '2'] as readonly string[] } = {}): void => {
    openssl('ca', '-batch', '-notext', '-config', 'openssl.cnf', '-extensions', section, '-cert', `${by}.pem`, '-keyfile', `${by}.key`,
      '-in', `${name}.csr`, '-out', `${as}.pem`, ...dates)
  }

  root('root', 'authority')
  root('other', 'authority')
  root('self.test', 'leaf')
  request('intermediate')
  issue('intermediate', 'root', { section: 'authority' })
  request('server')
  const past = ['-startdate', '20200101000000Z', '-enddate', '20200201000000Z']
  const ahead = ['-startdate', '20990101000000Z', '-enddate', '20990201000000Z']
  issue('server', 'intermediate', { section: 'server' })
  issue('server', 'intermediate', { section: 'server', as: 'expired', dates: past })
  issue('server', 'intermediate', { section: 'server', as: 'future', dates: ahead })
  request('client')
  issue('client', 'root')
  issue('client', 'root', { as: 'renewed' })
  issue('client', 'root', { as: 'expired-client', dates: past })
  issue('client', 'root', { as: 'future-client', dates: ahead })
  issue('client', 'other', { as: 'stranger' })

  const intermediate = read('intermediate.pem')
  const ofServer = (name: string): Identity => ({ key: read('server.key'), cert: read(`${name}.pem`) + intermediate })
  const ofClient = (name: string): Identity => ({ key: read('client.key'), cert: read(`${name}.pem`) })
  return {
    directory,
    root: read('root.pem'),
    otherRoot: read('other.pem'),
    server: ofServer('server'),
    serverAlone: { key: read('server.key'), cert: read('server.pem') },
    expired: ofServer('expired'),
    future: ofServer('future'),
    selfSigned: { key: read('self.test.key'), cert: read('self.test.pem') },
    client: ofClient('client'),
    renewed: ofClient('renewed'),
    expiredClient: ofClient('expired-client'),
    futureClient: ofClient('future-client'),
    stranger: ofClient('stranger'),
    encryptedKey: read('client.enc'),
    passphrase,
  }
}
