import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import type { RequestListener } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { meshTls, type MeshTls, type MeshTlsEvents, type MeshTlsOptions } from '../../src/server/index.ts'
import { ahead, hasOpenssl, Issuer, past, type Identity } from '../support/issuer.ts'

/** The identities of a shop: a root, an intermediate under it, and services with SPIFFE IDs. */
export interface ShopIdentities {
  readonly root: string
  readonly otherRoot: string
  readonly gateway: Identity
  readonly order: Identity
  readonly pricing: Identity
  /** Another certificate for the same key. */
  readonly renewed: Readonly<Record<'gateway' | 'order' | 'pricing', Identity>>
  readonly expired: Identity
  readonly future: Identity
  /** `gateway` by another root. */
  readonly stranger: Identity
  /** By the same root, for another name. */
  readonly clerk: Identity
  /** By the same root, with names that are all but those of `gateway`, its common name among them. */
  readonly impostor: Identity
}

const impostorNames = [
  'DNS:spiffe://shop.local/gateway', 'URI:gateway.shop.local', 'URI:spiffe://shop.local/gateway/x', 'URI:spiffe://shop.local.evil/gateway', 'URI:SPIFFE://shop.local/gateway',
  'DNS:xgateway.shop.local', 'DNS:gateway.shop.local.evil', 'DNS:*.shop.local', 'email:gateway@shop.local', 'IP:10.0.0.1',
]

/** Issues them; `undefined` where there is no `openssl`. */
export const shopIdentities = (): ShopIdentities | undefined => {
  if (!hasOpenssl()) return undefined
  const issuer = new Issuer()
  const root = issuer.selfSigned('shop-root').cert
  const otherRoot = issuer.selfSigned('other-root').cert
  issuer.issue('shop-intermediate', { by: 'shop-root', authority: true })
  const service = (name: string, as = name, by = 'shop-intermediate', dates?: readonly string[]): Identity => {
    issuer.issue(name, { by, as, names: `DNS:${name}.shop.local, URI:spiffe://shop.local/${name}, IP:127.0.0.1`, ...(dates && { dates }) })
    return by === 'shop-intermediate' ? issuer.identity(name, as, by) : issuer.identity(name, as)
  }
  return {
    root,
    otherRoot,
    gateway: service('gateway'),
    order: service('order'),
    pricing: service('pricing'),
    renewed: { gateway: service('gateway', 'gateway-2'), order: service('order', 'order-2'), pricing: service('pricing', 'pricing-2') },
    expired: service('order', 'order-expired', 'shop-intermediate', past),
    future: service('order', 'order-future', 'shop-intermediate', ahead),
    stranger: service('gateway', 'gateway-stranger', 'other-root'),
    clerk: service('clerk'),
    impostor: issuer.issue('gateway', { by: 'shop-root', as: 'impostor', names: impostorNames.join(', ') }),
  }
}

/** Files that a service keeps its certificates in, gone with the test; each is replaced as a whole. */
export class Files {
  readonly #directory = mkdtempSync(join(tmpdir(), 'enmesh-mtls-'))

  constructor(t: TestContext) {
    t.after(() => rmSync(this.#directory, { recursive: true }))
  }

  /** Writes a file and names it as options do. */
  write(name: string, content: string): { readonly file: string } {
    const file = join(this.#directory, name)
    writeFileSync(`${file}.new`, content)
    renameSync(`${file}.new`, file)
    return { file }
  }

  /** Writes an identity: `NAME.key` and `NAME.pem`. */
  identity(name: string, { key, cert }: Identity): { readonly key: { readonly file: string }, readonly cert: { readonly file: string } } {
    return { key: this.write(`${name}.key`, key), cert: this.write(`${name}.pem`, cert) }
  }
}

type Told = { [E in keyof MeshTlsEvents]: { readonly event: E } & MeshTlsEvents[E] }[keyof MeshTlsEvents]

/** A server that listens, and what its TLS has told. */
export interface Listening {
  readonly tls: MeshTls
  readonly server: Server
  readonly address: string
  readonly port: number
  readonly told: readonly Told[]
  /** Resolves with the next event of a kind, or one that was told already and not asked for yet. */
  readonly next: <E extends keyof MeshTlsEvents>(event: E) => Promise<MeshTlsEvents[E]>
}

const events = ['client-refused', 'handshake-failed', 'certificate-renewed', 'certificate-failed', 'certificate-expiring', 'certificate-expired'] as const

/** Serves over TLS on the loopback until the test is over. */
export const serveTls = async (t: TestContext, options: MeshTlsOptions, answer: RequestListener = (_, response) => { response.end('ok') }): Promise<Listening> => {
  const tls = meshTls(options)
  const server = tls.attach(createServer(tls.options, answer))
  const told: Told[] = []
  const taken = new Set<Told>()
  const waiting = new Set<() => void>()
  for (const event of events) {
    tls.on(event, (detail) => {
      told.push({ event, ...detail } as Told)
      for (const look of waiting) look()
    })
  }
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => sockets.add(socket.once('close', () => sockets.delete(socket))))
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  t.after(async () => {
    const closed = new Promise((resolve) => { server.close(resolve) })
    for (const socket of sockets) socket.destroy()
    await closed
  })
  const { port } = server.address() as AddressInfo
  return {
    tls, server, port, told, address: `127.0.0.1:${port}`,
    next: (event) => new Promise((resolve) => {
      const look = (): void => {
        const found = told.find((one) => one.event === event && !taken.has(one))
        if (!found) return
        taken.add(found)
        waiting.delete(look)
        const { event: _, ...detail } = found
        resolve(detail as never)
      }
      waiting.add(look)
      look()
    }),
  }
}
