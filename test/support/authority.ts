import { ahead, hasOpenssl, Issuer, past, type Identity } from './issuer.ts'

export type { Identity } from './issuer.ts'

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

const passphrase = 'open-sesame-4711'

/** Makes all of it with the machine's `openssl`: once for each test file. `undefined` where there is no `openssl`. */
export const authority = (): Authority | undefined => {
  if (!hasOpenssl()) return undefined
  const issuer = new Issuer()
  issuer.selfSigned('root')
  issuer.selfSigned('other')
  const selfSigned = issuer.selfSigned('self.test', false)
  issuer.issue('intermediate', { by: 'root', authority: true })
  const names = 'DNS:svc.test, DNS:other.test, IP:127.0.0.1, URI:spiffe://shop.test/svc'
  const ofServer = (as: string, dates?: readonly string[]): Identity => {
    issuer.issue('server', { by: 'intermediate', as, names, ...(dates && { dates }) })
    return issuer.identity('server', as, 'intermediate')
  }
  issuer.key('client', passphrase)
  return {
    directory: issuer.directory,
    root: issuer.read('root.pem'),
    otherRoot: issuer.read('other.pem'),
    server: ofServer('server'),
    serverAlone: issuer.identity('server'),
    expired: ofServer('expired', past),
    future: ofServer('future', ahead),
    selfSigned,
    client: issuer.issue('client', { by: 'root' }),
    renewed: issuer.issue('client', { by: 'root', as: 'renewed' }),
    expiredClient: issuer.issue('client', { by: 'root', as: 'expired-client', dates: past }),
    futureClient: issuer.issue('client', { by: 'root', as: 'future-client', dates: ahead }),
    stranger: issuer.issue('client', { by: 'other', as: 'stranger' }),
    encryptedKey: issuer.read('client.enc'),
    passphrase,
  }
}
